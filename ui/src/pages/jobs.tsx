import { ActionIcon, Autocomplete, Button, Drawer, Group, SegmentedControl, Stack, Table, Text } from '@mantine/core';
import { IconBan, IconMessage, IconRefresh, IconStack2, IconX } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { api, must, once, type Job } from '../api/client';
import { useMay, useTenantId } from '../api/session';
import { useFilters } from '../app/filters';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from '../parts/act';
import { Copy, Empty, Facts, Json, Line, Ltr, Page, Problem, Said, Tag, Waiting, When, type Tone } from '../parts/basics';
import { BulkBar, runBatch } from '../parts/bulk';
import { useFeed, useSelection } from '../parts/feed';
import { DataTable, type Column } from '../parts/table';

const idOf = (row: Job) => row.id;
const states = ['queued', 'running', 'done', 'failed', 'dead'] as const;
const tones: Record<string, Tone> = { queued: 'info', running: 'warn', done: 'good', failed: 'neutral', dead: 'bad' };

export function JobsPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const filters = useFilters();
  const state = states.find((one) => one === filters.get('state'));
  const kind = filters.get('kind');
  const opened = filters.get('job');
  const open = (id: string | null) => filters.set({ job: id });
  const mayAct = useMay('agent');
  const selection = useSelection();
  const counts = useQuery({ queryKey: ['jobs', 'counts', tenant], queryFn: () => must(api.GET('/jobs/counts', { params: { query: { tenant } } })) });
  const feed = useFeed<Job>({ key: ['jobs', 'list', tenant, state ?? '', kind ?? ''], id: idOf, frozen: selection.ids.size > 0, read: (cursor, signal) => must(api.GET('/jobs', { params: { query: { tenant, state, kind, cursor } }, signal })) });
  const columns = useMemo<Column<Job>[]>(
    () => [
      { id: 'kind', header: t('jobs.kind'), cell: (row) => <span style={{ fontWeight: 600 }}>{word(t, 'jobs.kind', row.kind)} <Ltr mono className="quiet">{row.id}</Ltr></span> },
      { id: 'state', header: t('jobs.state'), cell: (row) => <Tag tone={tones[row.state]}>{t(`jobs.state.${row.state}`)}</Tag> },
      { id: 'tries', header: t('failed.tries'), end: true, cell: (row) => <Ltr className="num">{`${row.attempts}/${row.max_attempts}`}</Ltr> },
      { id: 'outcome', header: t('jobs.outcome'), cell: (row) => <Line width={320}>{row.error ?? word(t, 'outcome.job', row.outcome)}</Line> },
      { id: 'took', header: t('jobs.took'), end: true, wide: true, cell: (row) => (row.started_at && row.completed_at ? <span className="num">{format.span(Date.parse(row.completed_at) - Date.parse(row.started_at))}</span> : null) },
      { id: 'when', header: t('jobs.when'), end: true, cell: (row) => <When at={row.created_at} /> },
    ],
    [t, format],
  );
  const many = async (action: 'retry_jobs' | 'cancel_jobs', ids?: string[]) => {
    let reason = '';
    if (action === 'cancel_jobs') {
      const answer = await ask({ title: t('jobs.cancelManyTitle'), body: t('jobs.cancelMore'), act: ids ? t('jobs.cancelSelected', { count: ids.length }) : t('jobs.cancelAll'), danger: true, reason: { label: t('reason'), required: false } });
      if (!answer) return;
      reason = answer.reason;
    }
    if (await runBatch(t, { tenant, action, ids, filter: reason ? { reason } : {}, ask: !ids })) selection.clear();
  };
  const count = (one: (typeof states)[number]) => (one === 'done' ? counts.data?.done_24h : counts.data?.[one]);
  return (
    <Page
      title={t('nav.jobs')}
      scope={t('jobs.scope')}
      flush
      actions={
        mayAct && !kind && state === 'dead' && (counts.data?.dead.value ?? 0) > 0 ? (
          <Button variant="default" leftSection={<IconRefresh size={15} />} onClick={() => void many('retry_jobs')}>{t('jobs.retryAll')}</Button>
        ) : mayAct && !kind && state === 'queued' && (counts.data?.queued.value ?? 0) > 0 ? (
          <Button variant="default" leftSection={<IconBan size={15} />} onClick={() => void many('cancel_jobs')}>{t('jobs.cancelAll')}</Button>
        ) : null
      }
      filters={
        <>
        <Find />
        <SegmentedControl
          size="xs"
          aria-label={t('jobs.state')}
          value={state ?? 'all'}
          onChange={(value) => filters.set({ state: value === 'all' ? null : value })}
          data={[{ value: 'all', label: t('all') }, ...states.map((one) => ({ value: one, label: `${one === 'done' ? t('jobs.state.done24') : t(`jobs.state.${one}`)}${count(one) ? ` ${format.number(count(one)?.value ?? 0)}${count(one)?.capped ? '+' : ''}` : ''}` }))]}
        />
        </>
      }
    >
      {selection.ids.size > 0 ? (
        <BulkBar selection={selection} total={feed.rows.length}>
          <Button size="compact-xs" onClick={() => void many('retry_jobs', [...selection.ids])}>{t('jobs.retrySelected', { count: selection.ids.size })}</Button>
          <Button size="compact-xs" variant="default" onClick={() => void many('cancel_jobs', [...selection.ids])}>{t('jobs.cancelSelected', { count: selection.ids.size })}</Button>
        </BulkBar>
      ) : null}
      <DataTable
        label={t('nav.jobs')}
        feed={feed}
        columns={columns}
        id={idOf}
        open={(row) => open(row.id)}
        opened={opened}
        selection={mayAct && (state === 'queued' || state === 'dead' || state === 'failed') ? selection : undefined}
        rowName={(row) => row.id}
        empty={<Empty title={t('jobs.empty')} icon={<IconStack2 size={28} stroke={1.5} />} action={state || kind ? <Button variant="default" onClick={() => filters.set({ state: null, kind: null })}>{t('clear')}</Button> : null}>{t('jobs.emptyMore')}</Empty>}
      />
      <Drawer opened={opened !== undefined} onClose={() => open(null)} title={t('jobs.timeline')} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
        {opened ? <Detail id={opened} /> : null}
      </Drawer>
    </Page>
  );
}

/** Filters as words, with suggestions: `state:dead`, `kind:turn`, `id:123`. */
function Find() {
  const { t } = useT();
  const tenant = useTenantId();
  const filters = useFilters();
  const [text, setText] = useState('');
  const kinds = useQuery({ queryKey: ['jobs', 'kinds', tenant], queryFn: () => must(api.GET('/jobs/kinds', { params: { query: { tenant } } })) });
  const known = [...states.map((one) => `state:${one}`), ...(kinds.data?.kinds ?? []).map((one) => `kind:${one}`), ...(/^\d+$/.test(text.trim()) ? [`id:${text.trim()}`] : [])];
  const take = (words: string) => {
    const next: Record<string, string | null> = {};
    for (const one of words.trim().split(/\s+/)) {
      const [name, value] = one.split(':', 2);
      if (name === 'state' && states.some((s) => s === value)) next.state = value ?? null;
      else if (name === 'kind' && value) next.kind = value;
      else if ((name === 'id' && /^\d+$/.test(value ?? '')) || /^\d+$/.test(one)) next.job = value ?? one;
    }
    if (Object.keys(next).length === 0) return;
    filters.set(next);
    setText('');
  };
  const set = (['state', 'kind'] as const).filter((name) => filters.get(name));
  return (
    <Group gap={6}>
      <Autocomplete
        size="xs"
        w={260}
        dir="ltr"
        aria-label={t('jobs.find')}
        placeholder="state:dead kind:turn id:…"
        data={known}
        value={text}
        onChange={setText}
        onOptionSubmit={take}
        onKeyDown={(event) => {
          if (event.key === 'Enter') take(text);
        }}
      />
      {set.map((name) => (
        <Tag key={name} tone="info">
          <Ltr mono>{`${name}:${filters.get(name)}`}</Ltr>
          <ActionIcon size={18} variant="transparent" c="inherit" aria-label={`${t('clear')}: ${name}`} onClick={() => filters.set({ [name]: null })}><IconX size={12} /></ActionIcon>
        </Tag>
      ))}
    </Group>
  );
}

function Detail({ id }: { id: string }) {
  const { t } = useT();
  const format = useFormat();
  const mayAct = useMay('agent');
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['jobs', 'one', id], queryFn: () => must(api.GET('/jobs/{id}', { params: { path: { id } } })), refetchInterval: ({ state }) => (state.data && ['done', 'dead', 'failed'].includes(state.data.state) ? false : 2000) });
  if (query.error) return <Problem error={query.error} />;
  if (!query.data) return <Waiting rows={4} />;
  const job = query.data as Job;
  const act = async (what: 'retries' | 'cancel') => {
    let reason = '';
    if (what === 'cancel') {
      const answer = await ask({ title: t('jobs.cancelTitle'), body: t('jobs.cancelMore'), act: t('jobs.cancel'), danger: true, reason: { label: t('reason'), required: false } });
      if (!answer) return;
      reason = answer.reason;
    }
    try {
      const call = { params: { path: { id }, header: once() }, body: reason ? { reason } : {} } as never;
      await must(what === 'retries' ? api.POST('/jobs/{id}/retries', call) : api.POST('/jobs/{id}/cancel', call));
      void done(t, what === 'retries' ? t('jobs.retried') : t('jobs.cancelled'));
      await client.invalidateQueries({ queryKey: ['jobs'] });
    } catch (error) {
      void failed(t, error);
    }
  };
  // What happened, in its order: made, each attempt that failed, the last beginning, the end.
  const steps = [
    { at: job.created_at, what: t('jobs.created'), tone: 'info' as Tone, more: null as string | null },
    ...job.tries.map((one) => ({ at: one.at, what: t('jobs.attempt', { n: format.number(one.attempt) }), tone: 'bad' as Tone, more: `${word(t, 'fault', one.fault)}: ${one.error}` })),
    ...(job.started_at ? [{ at: job.started_at, what: t('jobs.started'), tone: 'warn' as Tone, more: null }] : []),
    ...(job.completed_at ? [{ at: job.completed_at, what: t(`jobs.state.${job.state}`), tone: tones[job.state] ?? 'neutral', more: job.outcome ? word(t, 'outcome.job', job.outcome) : null }] : []),
    ...(job.state === 'queued' ? [{ at: job.run_at, what: t('jobs.run'), tone: 'info' as Tone, more: null }] : []),
  ].sort((a, b) => a.at.localeCompare(b.at));
  return (
    <Stack gap="md">
      <Group gap="xs">
        {mayAct ? <Button leftSection={<IconRefresh size={15} />} disabled={!job.acts.includes('retry')} onClick={() => void act('retries')}>{job.state === 'queued' ? t('jobs.now') : t('jobs.retry')}</Button> : null}
        {mayAct ? <Button variant="default" leftSection={<IconBan size={15} />} disabled={!job.acts.includes('cancel')} onClick={() => void act('cancel')}>{t('jobs.cancel')}</Button> : null}
        <Button variant="default" component={Link} to={`/inbox/${job.conversation_id}`} leftSection={<IconMessage size={15} />}>{t('failed.talk')}</Button>
      </Group>
      <Facts
        rows={[
          ['ID', <><Ltr mono>{job.id}</Ltr> <Copy text={job.id} /></>],
          [t('jobs.kind'), word(t, 'jobs.kind', job.kind)],
          [t('jobs.state'), <Tag tone={tones[job.state]}>{t(`jobs.state.${job.state}`)}</Tag>],
          [t('failed.tries'), <Ltr>{`${job.attempts}/${job.max_attempts}`}</Ltr>],
          [t('letters.redrives'), job.redrives ? format.number(job.redrives) : null],
          [t('jobs.request'), job.request_id ? <><Ltr mono>{job.request_id}</Ltr> <Copy text={job.request_id} /></> : null],
        ]}
      />
      <div>
        <Text fw={600} size="sm" mb={4}>{t('jobs.steps')}</Text>
        <Table aria-label={t('jobs.steps')}>
          <Table.Tbody>
            {steps.map((one, n) => (
              <Table.Tr key={n}>
                <Table.Td style={{ whiteSpace: 'nowrap', verticalAlign: 'top' }}><When at={one.at} plain /></Table.Td>
                <Table.Td><Tag tone={one.tone}>{one.what}</Tag>{one.more ? <div className="quiet"><Said>{one.more}</Said></div> : null}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <div>
        <Text fw={600} size="sm" mb={4}>{t('jobs.raw')}</Text>
        <Json value={job} label={t('jobs.raw')} />
      </div>
    </Stack>
  );
}
