import { Checkbox, Group, Stack, Table, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, must, type Schemas } from '../../api/client';
import { useFilters } from '../../app/filters';
import { useT } from '../../i18n';
import { Card, Copy, Empty, Ltr, Problem, Tag, Waiting } from '../../parts/basics';

type Row = Schemas['ConfigurationKey'];

/** The settings file and the environment as they were read: what holds, never a secret. */
export function Configuration() {
  const { t } = useT();
  const filters = useFilters();
  const query = useQuery({ queryKey: ['configuration'], queryFn: () => must(api.GET('/configuration')) });
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Waiting rows={6} />;
  const wanted = (filters.get('find') ?? '').trim().toLowerCase();
  const own = filters.get('own') === '1';
  const rows = (query.data.data as Row[]).filter((row) => (!own || row.given) && (wanted === '' || `${row.key} ${row.value} ${row.meaning} ${row.tenant ?? ''}`.toLowerCase().includes(wanted)));
  const sections = new Map<string, Row[]>();
  for (const row of rows) {
    const section = row.tenant ? `tenants: ${row.tenant}` : (row.key.split('.')[0] ?? '');
    sections.set(section, [...(sections.get(section) ?? []), row]);
  }
  return (
    <Stack gap="md" style={{ flex: 1, minHeight: 0, overflow: 'auto' }} tabIndex={0} role="region" aria-label={t('settings.configuration')}>
      <Text size="sm" className="quiet">{t('configuration.more')}</Text>
      <Group gap="sm">
        <TextInput aria-label={t('search')} placeholder={t('search')} dir="ltr" value={filters.get('find') ?? ''} onChange={(e) => filters.set({ find: e.currentTarget.value || null })} style={{ flex: 1, maxWidth: 320 }} />
        <Checkbox size="xs" label={t('configuration.given')} checked={own} onChange={(e) => filters.set({ own: e.currentTarget.checked ? '1' : null })} />
      </Group>
      {rows.length === 0 ? <Empty title={t('empty.title')} /> : null}
      {[...sections].map(([section, own]) => (
        <Card key={section} title={<Ltr mono>{`[${section}]`}</Ltr>}>
          <Table.ScrollContainer minWidth={420} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
            <Table aria-label={section}>
              <Table.Tbody>
                {own.map((row) => (
                  <Table.Tr key={row.key} title={row.meaning} data-key={row.key}>
                    <Table.Td style={{ width: '45%' }}><Ltr mono>{row.key}</Ltr></Table.Td>
                    <Table.Td style={{ overflowWrap: 'anywhere' }}><Ltr mono className={row.given ? '' : 'quiet'}>{row.value}</Ltr></Table.Td>
                    <Table.Td style={{ width: 150, textAlign: 'end' }}>
                      {row.given ? <Tag tone="info">{t('configuration.isGiven')}</Tag> : <span className="quiet">{t('configuration.default')}</span>} <Copy text={`${row.key} = ${row.value}`} label={`${t('copy')}: ${row.key}`} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Card>
      ))}
    </Stack>
  );
}
