import { Button, Stack, Table } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, must } from '../api/client';
import { useTenantId } from '../api/session';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { LinkButton, Ltr, Problem, Said, Tag, Waiting, When } from './basics';

/** Agents' sessions, newest first; each opens to its turns. */
export function Sessions() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const [open, setOpen] = useState<string | null>(null);
  const list = useInfiniteQuery({
    queryKey: ['agents', 'sessions', tenant],
    queryFn: ({ pageParam }) => must(api.GET('/agent-sessions', { params: { query: { tenant, limit: 20, cursor: pageParam } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
  if (list.error) return <Problem error={list.error} retry={() => void list.refetch()} />;
  if (list.isPending) return <Waiting rows={3} />;
  const rows = list.data.pages.flatMap((page) => page.data);
  if (rows.length === 0) return <p className="quiet">{t('agents.noSessions')}</p>;
  return (
    <Stack gap="sm">
      <Table.ScrollContainer minWidth={620} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label={t('agents.sessions')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('agents.lead')}</Table.Th>
              <Table.Th>{t('agents.agent')}</Table.Th>
              <Table.Th>{t('agents.turns')}</Table.Th>
              <Table.Th>{t('agents.tokens')}</Table.Th>
              <Table.Th>{t('agents.cost')}</Table.Th>
              <Table.Th>{t('agents.outcome')}</Table.Th>
              <Table.Th>{t('agents.last')}</Table.Th>
              <Table.Td />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((one) => (
              <Table.Tr key={one.id} data-session={one.id}>
                <Table.Td><Link to="/inbox/$id" params={{ id: one.conversation_id }}><Said>{one.lead_name ?? t('agents.nameless')}</Said></Link></Table.Td>
                <Table.Td><Said>{one.agent}</Said> <Ltr mono className="quiet">{one.model}</Ltr></Table.Td>
                <Table.Td>{format.number(one.replies)} / {format.number(one.turns)}</Table.Td>
                <Table.Td>{format.number(one.tokens_in + one.tokens_out)}</Table.Td>
                <Table.Td>{format.number(one.cost, { maximumFractionDigits: 4 })}</Table.Td>
                <Table.Td><Tag tone={one.outcome === 'handed_over' ? 'good' : one.outcome === 'filtered' ? 'bad' : 'neutral'}>{word(t, 'session', one.outcome)}</Tag></Table.Td>
                <Table.Td><When at={one.last_at} /></Table.Td>
                <Table.Td style={{ textAlign: 'end' }}><LinkButton onClick={() => setOpen(open === one.id ? null : one.id)}>{t(open === one.id ? 'close' : 'agents.look')}</LinkButton></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {list.hasNextPage ? <Button variant="default" onClick={() => void list.fetchNextPage()} loading={list.isFetchingNextPage}>{t('agents.more')}</Button> : null}
      {open ? <Turns session={open} /> : null}
    </Stack>
  );
}

/** A call of a model, as the record keeps it. */
interface Call {
  provider?: string;
  outcome?: string;
  tools?: string[];
}

function Turns({ session }: { session: string }) {
  const { t } = useT();
  const format = useFormat();
  const turns = useQuery({ queryKey: ['agents', 'turns', session], queryFn: () => must(api.GET('/agent-sessions/{id}/turns', { params: { path: { id: session }, query: { limit: 100 } } })) });
  if (turns.error) return <Problem error={turns.error} retry={() => void turns.refetch()} />;
  if (turns.isPending) return <Waiting rows={2} />;
  return (
    <Table.ScrollContainer minWidth={620} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table aria-label={t('agents.trace')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('agents.outcome')}</Table.Th>
            <Table.Th>{t('agents.saidHeard')}</Table.Th>
            <Table.Th>{t('agents.calls')}</Table.Th>
            <Table.Th>{t('agents.tokens')}</Table.Th>
            <Table.Th>{t('agents.cost')}</Table.Th>
            <Table.Th>{t('agents.took')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {turns.data.data.map((turn) => (
            <Table.Tr key={turn.at} data-turn={turn.status}>
              <Table.Td>
                <Tag tone={turn.status === 'replied' || turn.status === 'handed_over' ? 'good' : 'warn'}>{word(t, 'turn', turn.status)}</Tag>
                {turn.error ? <div className="quiet">{turn.status === 'handed_over' ? t('agents.cause', { cause: turn.error }) : <Ltr>{turn.error}</Ltr>}</div> : null}
              </Table.Td>
              <Table.Td><div><Said>{turn.input}</Said></div><div className="quiet"><Said>{turn.output}</Said></div></Table.Td>
              <Table.Td className="quiet">
                {(turn.calls as Call[]).map((call, n) => (
                  <div key={n}><Ltr mono>{[call.provider, call.outcome, ...(call.tools ?? [])].filter(Boolean).join(' ')}</Ltr></div>
                ))}
              </Table.Td>
              <Table.Td>{format.number(turn.tokens_in + turn.tokens_out)}</Table.Td>
              <Table.Td>{format.number(turn.cost, { maximumFractionDigits: 4 })}</Table.Td>
              <Table.Td>{format.span(turn.ms)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
