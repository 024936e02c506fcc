import '@mantine/core/styles/ColorSwatch.css';
import '@mantine/charts/styles.css';
import { AreaChart, BarChart } from '@mantine/charts';
import { SimpleGrid } from '@mantine/core';
import type { Schemas } from '../../api/client';
import { useT } from '../../i18n';
import { Card } from '../../parts/basics';

// Drawn left to right in both languages: time runs so in every chart, and the tooltip of the library strays otherwise. The table below says the same.
export default function Charts({ points }: { points: Schemas['Point'][] }) {
  const { t, dir } = useT();
  const rows = points.map((p) => ({
    label: p.label,
    [t('analytics.in')]: p.messages_in,
    [t('analytics.bot')]: Math.max(0, p.messages_out - p.human_messages),
    [t('analytics.human')]: p.human_messages,
    [t('analytics.delivered')]: p.delivered,
    [t('analytics.read')]: p.read,
    [t('analytics.failed')]: p.failed,
    [t('analytics.conversations')]: p.conversations,
    [t('analytics.resolved')]: p.resolved,
  }));
  const common = { h: 240, data: rows, dataKey: 'label', withLegend: true, tickLine: 'none' as const, gridAxis: 'x' as const, xAxisProps: { reversed: dir === 'rtl' }, yAxisProps: { orientation: dir === 'rtl' ? ('right' as const) : ('left' as const), width: 36, allowDecimals: false } };
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
      <Card title={t('analytics.messages')}>
        <div dir="ltr" aria-hidden>
          <AreaChart {...common} areaChartProps={{ accessibilityLayer: false }} curveType="monotone" withDots={rows.length < 40} series={[{ name: t('analytics.in'), color: 'barid.6' }, { name: t('analytics.bot'), color: 'amber.5' }]} />
        </div>
      </Card>
      <Card title={t('analytics.who')}>
        <div dir="ltr" aria-hidden>
          <BarChart {...common} barChartProps={{ accessibilityLayer: false }} type="stacked" series={[{ name: t('analytics.bot'), color: 'barid.5' }, { name: t('analytics.human'), color: 'amber.5' }]} />
        </div>
      </Card>
      <Card title={t('analytics.fate')}>
        <div dir="ltr" aria-hidden>
          <BarChart {...common} barChartProps={{ accessibilityLayer: false }} series={[{ name: t('analytics.delivered'), color: 'barid.4' }, { name: t('analytics.read'), color: 'barid.8' }, { name: t('analytics.failed'), color: 'red.5' }]} />
        </div>
      </Card>
      <Card title={t('analytics.talks')}>
        <div dir="ltr" aria-hidden>
          <BarChart {...common} barChartProps={{ accessibilityLayer: false }} series={[{ name: t('analytics.conversations'), color: 'barid.6' }, { name: t('analytics.resolved'), color: 'amber.5' }]} />
        </div>
      </Card>
    </SimpleGrid>
  );
}
