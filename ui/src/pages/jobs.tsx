import { Button, Drawer, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { IconMessage, IconStack2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { api, must, type Job } from '../api/client';
import { useTenantId } from '../api/session';
import { useFilters } from '../app/filters';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { Copy, Empty, Facts, Json, Line, Ltr, Page, Tag, When, type Tone } from '../parts/basics';
import { useFeed } from '../parts/feed';
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
  const [opened, setOpened] = useState<Job | null>(null);
  const counts = useQuery({ queryKey: ['jobs', 'counts', tenant], queryFn: () => must(api.GET('/jobs/counts', { params: { query: { tenant } } })) });
  const feed = useFeed<Job>({ key: ['jobs', 'list', tenant, state ?? ''], id: idOf, read: (cursor, signal) => must(api.GET('/jobs', { params: { query: { tenant, state, cursor } }, signal })) });
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
  const count = (one: (typeof states)[number]) => (one === 'done' ? counts.data?.done_24h : counts.data?.[one]);
  return (
    <Page
      title={t('nav.jobs')}
      scope={t('jobs.scope')}
      flush
      filters={
        <SegmentedControl
          size="xs"
          aria-label={t('jobs.state')}
          value={state ?? 'all'}
          onChange={(value) => filters.set({ state: value === 'all' ? null : value })}
          data={[{ value: 'all', label: t('all') }, ...states.map((one) => ({ value: one, label: `${one === 'done' ? t('jobs.state.done24') : t(`jobs.state.${one}`)}${count(one) ? ` ${format.number(count(one)?.value ?? 0)}${count(one)?.capped ? '+' : ''}` : ''}` }))]}
        />
      }
    >
      <DataTable
        label={t('nav.jobs')}
        feed={feed}
        columns={columns}
        id={idOf}
        open={setOpened}
        opened={opened?.id}
        rowName={(row) => row.id}
        empty={<Empty title={t('jobs.empty')} icon={<IconStack2 size={28} stroke={1.5} />} action={state ? <Button variant="default" onClick={() => filters.set({ state: null })}>{t('clear')}</Button> : null}>{t('jobs.emptyMore')}</Empty>}
      />
      <Drawer opened={opened !== null} onClose={() => setOpened(null)} title={t('jobs.timeline')} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
        {opened ? (
          <Stack gap="md">
            <Group gap="xs">
              <Button variant="default" component={Link} to={`/inbox/${opened.conversation_id}`} leftSection={<IconMessage size={15} />}>{t('failed.talk')}</Button>
            </Group>
            {opened.error ? <Text dir="auto">{opened.error}</Text> : null}
            <Facts
              rows={[
                [t('jobs.state'), <Tag tone={tones[opened.state]}>{t(`jobs.state.${opened.state}`)}</Tag>],
                [t('jobs.created'), format.full(opened.created_at)],
                [t('jobs.run'), format.full(opened.run_at)],
                [t('jobs.started'), opened.started_at ? format.full(opened.started_at) : null],
                [t('jobs.completed'), opened.completed_at ? format.full(opened.completed_at) : null],
                [t('failed.tries'), <Ltr>{`${opened.attempts}/${opened.max_attempts}`}</Ltr>],
                [t('letters.redrives'), opened.redrives ? format.number(opened.redrives) : null],
                [t('jobs.outcome'), opened.outcome ? word(t, 'outcome.job', opened.outcome) : null],
                [t('jobs.request'), opened.request_id ? <><Ltr mono>{opened.request_id}</Ltr> <Copy text={opened.request_id} /></> : null],
              ]}
            />
            <div>
              <Text fw={600} size="sm" mb={4}>{t('jobs.raw')}</Text>
              <Json value={opened} label={t('jobs.raw')} />
            </div>
          </Stack>
        ) : null}
      </Drawer>
    </Page>
  );
}
