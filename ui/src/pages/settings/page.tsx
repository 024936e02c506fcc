import '../../styles/more';
import { SegmentedControl, Table, Tabs } from '@mantine/core';
import { useNavigate, useParams } from '@tanstack/react-router';
import { useMemo } from 'react';
import { api, must, type AuditRow } from '../../api/client';
import { useMay, useTenant, useTenantId } from '../../api/session';
import { useFilters } from '../../app/filters';
import { later, useT } from '../../i18n';
import { settings } from '../../i18n/en/settings';
import { health } from '../../i18n/en/health';
import { Card, Empty, Ltr, Page, Said, When } from '../../parts/basics';
import { useFeed } from '../../parts/feed';
import { DataTable, type Column } from '../../parts/table';
import { Account } from './account';
import { Channels } from './channels';
import { Configuration } from './configuration';
import { Tokens } from './tokens';
import { Users } from './users';
import { Webhooks } from './webhooks';

later(settings);
later(health);

const parts = ['tenants', 'channels', 'users', 'tokens', 'webhooks', 'audit', 'configuration', 'mine'] as const;

export function SettingsPage() {
  const { t } = useT();
  const { part } = useParams({ strict: false }) as { part?: string };
  const navigate = useNavigate();
  const admin = useMay('admin');
  const here = parts.find((one) => one === part) ?? 'tenants';
  const guarded = here === 'users' || here === 'tokens' || here === 'webhooks' || here === 'audit' || here === 'configuration';
  const show = { tenants: Tenants, channels: Channels, users: Users, tokens: Tokens, webhooks: Webhooks, audit: Audit, configuration: Configuration, mine: Account }[here];
  const Part = show;
  return (
    <Page
      title={t('nav.settings')}
      flush
      filters={
        <Tabs value={here} onChange={(value) => value && void navigate({ to: '/settings/$part', params: { part: value } })} variant="default">
          <Tabs.List style={{ flexWrap: 'wrap' }}>
            {parts.map((one) => (
              <Tabs.Tab key={one} value={one}>{t(`settings.${one}`)}</Tabs.Tab>
            ))}
          </Tabs.List>
          {parts.map((one) => (one === here ? null : <Tabs.Panel key={one} value={one}>{null}</Tabs.Panel>))}
          <Tabs.Panel value={here}>{null}</Tabs.Panel>
        </Tabs>
      }
    >
      {guarded && !admin ? <Empty title={t('settings.noRight')} /> : <Part />}
    </Page>
  );
}

function Tenants() {
  const { t } = useT();
  const { tenants } = useTenant();
  return (
    <Card>
      <p className="quiet" style={{ marginBlockEnd: 10 }}>{t('tenants.more')}</p>
      <Table aria-label={t('settings.tenants')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('tenants.business')}</Table.Th>
            <Table.Th>{t('tenants.slug')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tenants.map((one) => (
            <Table.Tr key={one.id}>
              <Table.Td><Said>{one.business}</Said></Table.Td>
              <Table.Td><Ltr mono>{one.slug}</Ltr></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Card>
  );
}

const idOf = (row: AuditRow) => row.id;

function Audit() {
  const { t } = useT();
  const tenant = useTenantId();
  const filters = useFilters();
  const house = filters.get('of') === 'house';
  const feed = useFeed<AuditRow>({ key: ['audit', house ? 'house' : tenant], id: idOf, read: (cursor, signal) => must(api.GET('/audit', { params: { query: house ? { installation: true, cursor } : { tenant, cursor } }, signal })) });
  const columns = useMemo<Column<AuditRow>[]>(
    () => [
      { id: 'what', header: t('audit.what'), cell: (row) => <Ltr mono>{row.action}</Ltr> },
      { id: 'who', header: t('audit.who'), cell: (row) => <Said>{row.actor}</Said> },
      { id: 'on', header: t('audit.on'), cell: (row) => <Ltr mono>{`${row.object_kind} ${row.object_id}`}</Ltr> },
      { id: 'change', header: t('audit.change'), cell: (row) => <span><Said>{row.from ?? ''}</Said>{row.from && row.to ? ' → ' : ''}<Said>{row.to ?? ''}</Said>{row.reason ? <span className="quiet"> · <Said>{row.reason}</Said></span> : null}</span> },
      { id: 'from', header: t('audit.from'), wide: true, cell: (row) => <Ltr mono>{row.ip ?? ''}</Ltr> },
      { id: 'when', header: t('audit.when'), end: true, cell: (row) => <When at={row.at} /> },
    ],
    [t],
  );
  return (
    <>
      <SegmentedControl mb="sm" size="xs" style={{ alignSelf: 'flex-start' }} aria-label={t('settings.audit')} value={house ? 'house' : 'business'} onChange={(value) => filters.set({ of: value === 'house' ? 'house' : null })} data={[{ value: 'business', label: t('tenants.business') }, { value: 'house', label: t('audit.house') }]} />
      <DataTable label={t('settings.audit')} feed={feed} columns={columns} id={idOf} rowName={(row) => row.action} empty={<Empty title={t('audit.empty')} />} />
    </>
  );
}
