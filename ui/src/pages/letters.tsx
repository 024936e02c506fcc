import { Button, Chip, Drawer, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { IconChecks, IconMessage, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { api, must, type Letter } from '../api/client';
import { useMay, useTenantId } from '../api/session';
import { useFilters } from '../app/filters';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from '../parts/act';
import { Copy, Empty, Facts, Json, Line, Ltr, Page, Phone, Problem, Said, Tag, Waiting, When, type Tone } from '../parts/basics';
import { BulkBar, runBatch } from '../parts/bulk';
import { useFeed, useSelection } from '../parts/feed';
import { DataTable, type Column } from '../parts/table';

const idOf = (row: Letter) => row.id;
const statuses = ['pending', 'retrying', 'resolved', 'discarded'] as const;
const tones: Record<string, Tone> = { pending: 'warn', retrying: 'info', resolved: 'good', discarded: 'neutral' };

export function LettersPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const mayAct = useMay('agent');
  const filters = useFilters();
  const status = statuses.find((one) => one === filters.get('status')) ?? 'pending';
  const cause = filters.get('cause');
  const selection = useSelection();
  const [opened, setOpened] = useState<string | null>(null);
  const counts = useQuery({ queryKey: ['counts', 'letters', tenant], queryFn: () => must(api.GET('/dead-letters/counts', { params: { query: { tenant } } })) });
  const groups = useQuery({ queryKey: ['letters', 'groups', tenant], queryFn: () => must(api.GET('/dead-letters/groups', { params: { query: { tenant } } })) });
  const feed = useFeed<Letter>({
    key: ['letters', tenant, status, cause ?? ''],
    id: idOf,
    frozen: selection.ids.size > 0,
    read: (cursor, signal) => must(api.GET('/dead-letters', { params: { query: { tenant, status, error: cause, cursor } }, signal })),
  });
  const columns = useMemo<Column<Letter>[]>(
    () => [
      { id: 'who', header: t('failed.by'), cell: (row) => <div style={{ minWidth: 0 }}><div style={{ fontWeight: 600 }} className="clip"><Said>{row.contact_name ?? ''}</Said></div><Phone value={row.phone} /></div> },
      { id: 'text', header: t('failed.text'), wide: true, cell: (row) => <Line width={220}>{row.preview}</Line> },
      { id: 'error', header: t('letters.error'), cell: (row) => <Line width={320}>{row.error}</Line> },
      { id: 'fault', header: t('failed.class'), cell: (row) => <Tag tone={row.fault === 'permanent' ? 'bad' : 'warn'}>{word(t, 'fault', row.fault)}</Tag> },
      { id: 'tries', header: t('failed.tries'), end: true, cell: (row) => <span className="num">{format.number(row.attempts)}</span> },
      { id: 'redrives', header: t('letters.redrives'), end: true, wide: true, cell: (row) => <span className="num">{format.number(row.redrives)}</span> },
      { id: 'next', header: t('letters.next'), cell: (row) => (row.status !== 'pending' ? <Tag tone={tones[row.status]}>{t(`letters.status.${row.status}`)}</Tag> : row.next_retry_at ? <When at={row.next_retry_at} /> : t('letters.byHand')) },
      { id: 'first', header: t('letters.first'), wide: true, cell: (row) => <When at={row.first_at} /> },
      { id: 'last', header: t('letters.last'), end: true, cell: (row) => <When at={row.last_at} /> },
    ],
    [t, format],
  );
  // Without ids: all that wait, counted by the server before anything is done (R3).
  const many = async (action: 'retry_dead_letters' | 'discard_dead_letters', ids?: string[]) => {
    const filter = !ids && cause ? { error: cause } : {};
    let reason = '';
    const act = ids ? t('letters.discardSelected', { count: ids.length }) : t('letters.discardMatching', { count: waiting, n: format.number(waiting) });
    if (action === 'discard_dead_letters') {
      const answer = await ask({ title: t('letters.discardTitle'), body: t('letters.discardMore'), act, danger: true, typed: t('letters.discardWord'), reason: { label: t('reason'), required: false } });
      if (!answer) return;
      reason = answer.reason;
    }
    if (await runBatch(t, { tenant, action, ids, filter: { ...filter, ...(reason ? { reason } : {}) }, ask: !ids })) selection.clear();
  };
  const group = groups.data?.groups.find((one) => one.error === cause);
  const waiting = status !== 'pending' ? 0 : cause ? (group?.count ?? 0) : (counts.data?.pending.value ?? 0);
  return (
    <Page
      title={t('nav.letters')}
      scope={t('letters.scope')}
      flush
      actions={
        mayAct && waiting > 0 ? (
          <Group gap={6}>
            <Button variant="default" leftSection={<IconRefresh size={15} />} onClick={() => void many('retry_dead_letters')}>{t('letters.retryMatching', { count: waiting, n: format.number(waiting) })}</Button>
            <Button variant="default" leftSection={<IconTrash size={15} />} onClick={() => void many('discard_dead_letters')}>{t('letters.discardMatching', { count: waiting, n: format.number(waiting) })}</Button>
          </Group>
        ) : null
      }
      filters={
        <>
        <SegmentedControl
          size="xs"
          aria-label={t('inbox.status')}
          value={status}
          onChange={(value) => filters.set({ status: value === 'pending' ? null : value, cause: null })}
          data={statuses.map((one) => ({ value: one, label: `${t(`letters.status.${one}`)}${counts.data ? ` ${format.number(counts.data[one].value)}${counts.data[one].capped ? '+' : ''}` : ''}` }))}
        />
        {status === 'pending' && ((groups.data?.groups.length ?? 0) > 1 || cause) ? (
          <Group gap={6} role="group" aria-label={t('failed.causes')}>
            <Chip size="xs" checked={!cause} onChange={() => filters.set({ cause: null })}>{t('all')}</Chip>
            {groups.data?.groups.slice(0, 6).map((one) => (
              <Chip key={one.error} size="xs" checked={cause === one.error} onChange={() => filters.set({ cause: one.error })} title={one.error}>
                <Said>{one.error.length > 40 ? `${one.error.slice(0, 40)}…` : one.error}</Said>{` · ${format.number(one.count)}`}
              </Chip>
            ))}
          </Group>
        ) : null}
        </>
      }
    >
      {selection.ids.size > 0 ? (
        <BulkBar selection={selection} total={feed.rows.length}>
          <Button size="compact-xs" onClick={() => void many('retry_dead_letters', [...selection.ids])}>{t('letters.retrySelected', { count: selection.ids.size })}</Button>
          <Button size="compact-xs" color="red" variant="default" onClick={() => void many('discard_dead_letters', [...selection.ids])}>{t('letters.discardSelected', { count: selection.ids.size })}</Button>
        </BulkBar>
      ) : null}
      <DataTable
        label={t('nav.letters')}
        feed={feed}
        columns={columns}
        id={idOf}
        open={(row) => setOpened(row.id)}
        opened={opened}
        selection={mayAct && (status === 'pending' || status === 'discarded') ? selection : undefined}
        rowName={(row) => row.contact_name ?? row.phone ?? row.id}
        empty={status === 'pending' ? <Empty good title={t('letters.empty')} icon={<IconChecks size={28} stroke={1.5} />}>{t('letters.emptyMore')}</Empty> : <Empty title={t('empty.title')} action={<Button variant="default" onClick={() => filters.set({ status: null, cause: null })}>{t('clear')}</Button>} />}
      />
      <Drawer opened={opened !== null} onClose={() => setOpened(null)} title={t('letters.title')} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
        {opened ? <Detail id={opened} mayAct={mayAct} close={() => setOpened(null)} /> : null}
      </Drawer>
    </Page>
  );
}

function Detail({ id, mayAct, close }: { id: string; mayAct: boolean; close: () => void }) {
  const { t } = useT();
  const format = useFormat();
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['letters', 'one', id], queryFn: () => must(api.GET('/dead-letters/{id}', { params: { path: { id } } })) });
  const letter = query.data;
  if (query.error) return <Problem error={query.error} />;
  if (!letter) return <Waiting rows={4} />;
  const settle = async (act: 'retries' | 'discard') => {
    let reason = '';
    if (act === 'discard') {
      const answer = await ask({ title: t('letters.discardTitle'), body: t('letters.discardMore'), act: t('letters.discard'), danger: true, typed: t('letters.discardWord'), reason: { label: t('reason'), required: false } });
      if (!answer) return;
      reason = answer.reason;
    }
    try {
      await must(
        act === 'retries'
          ? api.POST('/dead-letters/{id}/retries', { params: { path: { id } }, body: {} })
          : api.POST('/dead-letters/{id}/discard', { params: { path: { id } }, body: reason ? { reason } : {} }),
      );
      void done(t, act === 'retries' ? t('letters.retried') : t('letters.discarded'));
      void client.invalidateQueries({ queryKey: ['letters'] });
      void client.invalidateQueries({ queryKey: ['counts'] });
      close();
    } catch (error) {
      void failed(t, error);
    }
  };
  return (
    <Stack gap="md">
      <Group gap={6} wrap="nowrap" align="flex-start"><Text dir="auto" fw={600} style={{ flex: 1 }}>{letter.error}</Text><Copy text={letter.error} label={`${t('copy')}: ${t('letters.error')}`} /></Group>
      {letter.preview ? <Text dir="auto" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{letter.preview}</Text> : null}
      <Group gap="xs">
        {mayAct ? <Button leftSection={<IconRefresh size={15} />} disabled={letter.status === 'resolved' || letter.status === 'retrying'} onClick={() => void settle('retries')}>{t('letters.retry')}</Button> : null}
        {mayAct ? <Button variant="default" leftSection={<IconTrash size={15} />} disabled={letter.status !== 'pending'} onClick={() => void settle('discard')}>{t('letters.discard')}</Button> : null}
        <Button variant="default" component={Link} to={`/inbox/${letter.conversation_id}`} leftSection={<IconMessage size={15} />}>{t('failed.talk')}</Button>
      </Group>
      <Facts
        rows={[
          [t('jobs.state'), <Tag tone={tones[letter.status]}>{t(`letters.status.${letter.status}`)}</Tag>],
          [t('failed.class'), word(t, 'fault', letter.fault)],
          [t('failed.tries'), format.number(letter.attempts)],
          [t('letters.redrives'), format.number(letter.redrives)],
          [t('letters.first'), format.full(letter.first_at)],
          [t('letters.last'), format.full(letter.last_at)],
          [t('letters.next'), letter.next_retry_at ? format.full(letter.next_retry_at) : letter.status === 'pending' ? t('letters.byHand') : null],
          [t('failed.by'), letter.contact_name || letter.phone ? <><Said>{letter.contact_name ?? ''}</Said> <Phone value={letter.phone} /></> : null],
          ['ID', letter.provider_message_id ? <Ltr mono>{letter.provider_message_id}</Ltr> : null],
        ]}
      />
      {letter.payload ? (
        <div>
          <Text fw={600} size="sm" mb={4}>{t('letters.payload')}</Text>
          <Json value={letter.payload} label={t('letters.payload')} />
        </div>
      ) : null}
    </Stack>
  );
}
