import '../../styles/more';
import { Button, Checkbox, SegmentedControl, SimpleGrid, Skeleton, Stack, Table, TextInput } from '@mantine/core';
import { IconChartHistogram, IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo } from 'react';
import { api, must, type Schemas } from '../../api/client';
import { useTenantId } from '../../api/session';
import { useFilters } from '../../app/filters';
import { useT } from '../../i18n';
import { useFormat, zone } from '../../i18n/format';
import { Card, Empty, Ltr, Page, Problem, Stat, Waiting } from '../../parts/basics';

const Charts = lazy(() => import('./charts'));
const ranges = ['7', '30', '90'] as const;
const groups = ['hour', 'day', 'week', 'month'] as const;
type Point = Schemas['Point'];

/** Whole days of the viewer's zone, both included; nothing where they make no span. */
function range(first: string | undefined, last: string | undefined): { from: Date; to: Date } | null {
  if (!first || !last) return null;
  const [from, to] = [new Date(`${first}T00:00:00`), new Date(`${last}T00:00:00`)];
  to.setDate(to.getDate() + 1);
  return Number.isNaN(from.getTime()) || Number.isNaN(to.getTime()) || to <= from ? null : { from, to };
}

const day = (at: Date) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`;

export function AnalyticsPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const filters = useFilters();
  const preset = ranges.find((one) => one === filters.get('days')) ?? '7';
  const group = groups.find((one) => one === filters.get('by')) ?? 'day';
  const compare = filters.get('compare') === '1';
  // Whole hours, so that the same question is asked again and not a new one each second.
  const now = useMemo(() => new Date(Math.ceil(Date.now() / 3_600_000) * 3_600_000), []);
  const own = range(filters.get('from'), filters.get('to'));
  const to = own ? own.to : now;
  const days = own ? Math.max(1, Math.round((own.to.getTime() - own.from.getTime()) / 86_400_000)) : Number(preset);
  const from = own ? own.from : new Date(to.getTime() - days * 86_400_000);
  const length = to.getTime() - from.getTime();
  const span = (end: Date) => ({ tenant, group, time_zone: zone, from: new Date(end.getTime() - length).toISOString(), to: end.toISOString() });
  const read = (end: Date) => must(api.GET('/analytics/series', { params: { query: span(end) } }));
  const series = useQuery({ queryKey: ['analytics', tenant, group, length, to.getTime()], queryFn: () => read(to) });
  const before = useQuery({ queryKey: ['analytics', tenant, group, length, from.getTime()], queryFn: () => read(from), enabled: compare });
  const csv = `/api/v1/analytics/series.csv?${new URLSearchParams(Object.entries(span(to)).filter((pair): pair is [string, string] => Boolean(pair[1]))).toString()}`;
  const total = series.data?.total;
  const was = compare ? before.data?.total : undefined;
  const empty = total && total.messages_in + total.messages_out === 0;
  const rate = (part: number, whole: number) => (whole > 0 ? format.percent(part / whole, 1) : '–');
  const tell = (value: string, old: string | undefined) => (old === undefined ? value : <>{value} <span className="quiet" style={{ fontSize: '0.8rem', fontWeight: 400 }}>{t('analytics.before', { value: old })}</span></>);
  const label = (point: Point) => (group === 'hour' ? `${format.date(point.at)} ${format.time(point.at)}` : group === 'month' ? point.label : format.date(point.at));
  const stat = (name: string, of: (p: Point) => string) => (total ? <Card key={name}><Stat value={tell(of(total), was ? of(was) : undefined)} label={name} /></Card> : null);
  return (
    <Page
      title={t('nav.analytics')}
      scope={<>{t('analytics.zone', { zone: '' })}<Ltr>{zone}</Ltr></>}
      actions={<Button component="a" href={csv} download variant="default" leftSection={<IconDownload size={15} />}>{t('analytics.csv')}</Button>}
      filters={
        <>
          <SegmentedControl size="xs" aria-label={t('analytics.range')} value={own ? 'own' : preset} onChange={(value) => (value === 'own' ? filters.set({ from: day(from), to: day(new Date(to.getTime() - 1)) }) : filters.set({ days: value === '7' ? null : value, from: null, to: null }))} data={[...ranges.map((one) => ({ value: one as string, label: t('analytics.days', { count: Number(one) }) })), { value: 'own', label: t('analytics.own') }]} />
          {own ? <><TextInput type="date" size="xs" aria-label={t('analytics.from')} value={filters.get('from') ?? ''} max={filters.get('to')} onChange={(e) => e.currentTarget.value && filters.set({ from: e.currentTarget.value })} /><TextInput type="date" size="xs" aria-label={t('analytics.to')} value={filters.get('to') ?? ''} min={filters.get('from')} onChange={(e) => e.currentTarget.value && filters.set({ to: e.currentTarget.value })} /></> : null}
          <SegmentedControl size="xs" aria-label={t('analytics.by')} value={group} onChange={(value) => filters.set({ by: value === 'day' ? null : value })} data={groups.map((one) => ({ value: one, label: t(`analytics.by.${one}`) }))} />
          <Checkbox size="xs" label={t('analytics.compare')} checked={compare} onChange={(e) => filters.set({ compare: e.currentTarget.checked ? '1' : null })} />
        </>
      }
    >
      {series.error ? <Problem error={series.error} retry={() => void series.refetch()} /> : null}
      {series.isPending ? <Waiting rows={3} height={110} /> : null}
      {total && empty ? <Empty title={t('analytics.empty')} icon={<IconChartHistogram size={28} stroke={1.5} />}>{t('analytics.emptyMore')}</Empty> : null}
      {series.data && total && !empty ? (
        <Stack gap="md">
          <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm">
            {stat(t('analytics.in'), (p) => format.number(p.messages_in))}
            {stat(t('analytics.out'), (p) => format.number(p.messages_out))}
            {stat(t('analytics.conversations'), (p) => format.number(p.conversations))}
            {stat(t('analytics.answer'), (p) => (p.answer_seconds == null ? '–' : format.span(p.answer_seconds * 1000)))}
            {stat(t('analytics.resolved'), (p) => format.number(p.resolved))}
            {stat(t('analytics.resolveTime'), (p) => (p.resolve_seconds == null ? '–' : format.span(p.resolve_seconds * 1000)))}
            {stat(t('analytics.deliveredRate'), (p) => rate(p.delivered, p.messages_out))}
            {stat(t('analytics.readRate'), (p) => rate(p.read, p.messages_out))}
            {stat(t('analytics.failedRate'), (p) => rate(p.failed, p.messages_out))}
            {stat(t('analytics.cost'), (p) => format.number(p.cost, { minimumFractionDigits: 2, maximumFractionDigits: 4 }))}
          </SimpleGrid>
          <Suspense fallback={<Skeleton height={260} radius="md" />}>
            <Charts points={series.data.points.map((point) => ({ ...point, label: label(point) }))} />
          </Suspense>
          <Card title={t('analytics.table')}>
            <Table.ScrollContainer minWidth={640} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
              <Table aria-label={t('analytics.table')} style={{ whiteSpace: 'nowrap' }}>
                <Table.Thead>
                  <Table.Tr>
                    {[t('analytics.period'), t('analytics.in'), t('analytics.out'), t('analytics.human'), t('analytics.delivered'), t('analytics.read'), t('analytics.failed'), t('analytics.conversations'), t('analytics.answer'), t('analytics.resolved'), t('analytics.resolveTime'), t('analytics.cost')].map((name, i) => (
                      <Table.Th key={name} style={{ textAlign: i ? 'end' : 'start' }}>{name}</Table.Th>
                    ))}
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {[...series.data.points].reverse().slice(0, 200).map((point) => (
                    <Table.Tr key={point.at}>
                      <Table.Td>{label(point)}</Table.Td>
                      {[point.messages_in, point.messages_out, point.human_messages, point.delivered, point.read, point.failed, point.conversations].map((value, i) => (
                        <Table.Td key={i} className="num" style={{ textAlign: 'end' }}>{format.number(value)}</Table.Td>
                      ))}
                      <Table.Td className="num" style={{ textAlign: 'end' }}>{point.answer_seconds == null ? '–' : format.span(point.answer_seconds * 1000)}</Table.Td>
                      <Table.Td className="num" style={{ textAlign: 'end' }}>{format.number(point.resolved)}</Table.Td>
                      <Table.Td className="num" style={{ textAlign: 'end' }}>{point.resolve_seconds == null ? '–' : format.span(point.resolve_seconds * 1000)}</Table.Td>
                      <Table.Td className="num" style={{ textAlign: 'end' }}>{format.number(point.cost, { maximumFractionDigits: 4 })}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          </Card>
        </Stack>
      ) : null}
    </Page>
  );
}
