import { Button, CloseButton, Drawer, Group, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconBan, IconDownload, IconMessage, IconSearch, IconUsers } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState, type FormEvent } from 'react';
import { api, must, type Lead } from '../api/client';
import { Refused } from '../api/problem';
import { useMay, useTenantId } from '../api/session';
import { useFilters } from '../app/filters';
import { useT } from '../i18n';
import { ask, done, failed } from '../parts/act';
import { Empty, Facts, Ltr, Page, Phone, Problem, Said, Tag, Waiting, When, type Tone } from '../parts/basics';
import { useFeed } from '../parts/feed';
import { DataTable, type Column } from '../parts/table';

const idOf = (row: Lead) => row.id;
const statuses = ['open', 'won', 'lost', 'archived'] as const;
export const leadTones: Record<string, Tone> = { open: 'info', won: 'good', lost: 'neutral', archived: 'neutral' };

export function LeadsPage() {
  const { t } = useT();
  const tenant = useTenantId();
  const filters = useFilters();
  const status = statuses.find((one) => one === filters.get('status'));
  const q = filters.get('q');
  const [typed, setTyped] = useState(q ?? '');
  const search = useDebouncedCallback((text: string) => filters.set({ q: text.trim() }), 220);
  const opened = filters.get('lead') ?? null;
  const feed = useFeed<Lead>({ key: ['leads', 'list', tenant, status ?? '', q ?? ''], id: idOf, read: (cursor, signal) => must(api.GET('/leads', { params: { query: { tenant, status, q, cursor } }, signal })) });
  const columns = useMemo<Column<Lead>[]>(
    () => [
      { id: 'name', header: t('about.name'), cell: (row) => <span style={{ fontWeight: 600 }}><Said>{row.name ?? row.contact_name ?? ''}</Said></span> },
      { id: 'phone', header: t('about.phone'), cell: (row) => <Phone value={row.phone} /> },
      { id: 'service', header: t('about.service'), cell: (row) => <Said>{row.service ?? ''}</Said> },
      { id: 'status', header: t('about.status'), cell: (row) => <Tag tone={leadTones[row.status]}>{t(`leads.status.${row.status}`)}</Tag> },
      { id: 'nationality', header: t('about.nationality'), wide: true, cell: (row) => <Said>{row.nationality ?? ''}</Said> },
      { id: 'email', header: t('about.email'), wide: true, cell: (row) => <Ltr>{row.email ?? ''}</Ltr> },
      { id: 'consent', header: t('about.consent'), cell: (row) => (row.opted_out_at ? <Tag tone="bad">{t('leads.optedOut')}</Tag> : <Tag tone="good">{t('about.consents')}</Tag>) },
      { id: 'updated', header: t('leads.updated'), end: true, cell: (row) => <When at={row.updated_at} /> },
    ],
    [t],
  );
  const csv = `/api/v1/leads.csv?${new URLSearchParams(Object.entries({ tenant, status, q }).filter((pair): pair is [string, string] => Boolean(pair[1]))).toString()}`;
  return (
    <Page
      title={t('nav.leads')}
      scope={t('leads.scope')}
      flush
      actions={<Button component="a" href={csv} download variant="default" leftSection={<IconDownload size={15} />}>{t('leads.export')}</Button>}
      filters={
        <>
          <TextInput
            size="xs"
            w={240}
            dir="auto"
            aria-label={t('leads.search')}
            placeholder={t('leads.search')}
            leftSection={<IconSearch size={15} />}
            rightSection={typed ? <CloseButton size="sm" aria-label={t('clear')} onClick={() => { setTyped(''); filters.set({ q: null }); }} /> : null}
            value={typed}
            onChange={(e) => { setTyped(e.currentTarget.value); search(e.currentTarget.value); }}
          />
          <SegmentedControl size="xs" aria-label={t('about.status')} value={status ?? 'all'} onChange={(value) => filters.set({ status: value === 'all' ? null : value })} data={[{ value: 'all', label: t('all') }, ...statuses.map((one) => ({ value: one, label: t(`leads.status.${one}`) }))]} />
        </>
      }
    >
      <DataTable
        label={t('nav.leads')}
        feed={feed}
        columns={columns}
        id={idOf}
        open={(row) => filters.set({ lead: row.id })}
        opened={opened}
        rowName={(row) => row.name ?? row.contact_name ?? row.phone ?? row.id}
        empty={
          q || status ? (
            <Empty title={t('empty.title')} action={<Button variant="default" onClick={() => { setTyped(''); filters.set({ q: null, status: null }); }}>{t('clear')}</Button>} />
          ) : (
            <Empty title={t('leads.empty')} icon={<IconUsers size={28} stroke={1.5} />}>{t('leads.emptyMore')}</Empty>
          )
        }
      />
      <Drawer opened={opened !== null} onClose={() => filters.set({ lead: null })} title={t('about.lead')} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
        {opened ? <Detail key={opened} id={opened} /> : null}
      </Drawer>
    </Page>
  );
}

function Detail({ id }: { id: string }) {
  const { t } = useT();
  const mayAct = useMay('agent');
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['leads', 'one', id], queryFn: () => must(api.GET('/leads/{id}', { params: { path: { id } } })) });
  const lead = query.data;
  const [edited, setEdited] = useState<Partial<Record<'name' | 'service' | 'nationality' | 'email' | 'call_time' | 'status', string>>>({});
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (!lead) return <Waiting rows={5} />;
  const fresh = (now: Lead) => {
    client.setQueryData(['leads', 'one', id], now);
    void client.invalidateQueries({ queryKey: ['leads', 'list'] });
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    try {
      fresh(await must(api.PATCH('/leads/{id}', { params: { path: { id }, header: { 'if-match': `"${lead.version}"` } }, body: edited as never })));
      setEdited({});
      void done(t, t('leads.saved'));
    } catch (error) {
      if (error instanceof Refused && error.status === 412) {
        void failed(t, new Refused(412, { title: t('leads.changed') }));
        await query.refetch();
      } else void failed(t, error);
    }
  };
  const consent = async () => {
    const out = !lead.opted_out_at;
    if (out && !(await ask({ title: t('leads.optOutTitle'), body: t('leads.optOutMore'), act: t('leads.optOut'), danger: true }))) return;
    const act = (to: boolean) => must(to ? api.POST('/leads/{id}/opt-out', { params: { path: { id } } }) : api.POST('/leads/{id}/opt-in', { params: { path: { id } } }));
    try {
      fresh(await act(out));
      void done(t, out ? t('leads.optedOut') : t('leads.optedIn'), async () => fresh(await act(!out)));
    } catch (error) {
      void failed(t, error);
    }
  };
  const fields = [['name', 'about.name'], ['service', 'about.service'], ['nationality', 'about.nationality'], ['email', 'about.email'], ['call_time', 'about.call']] as const;
  return (
    <Stack gap="md">
      <Group gap="xs">
        {lead.conversation_id ? <Button variant="default" component={Link} to={`/inbox/${lead.conversation_id}`} leftSection={<IconMessage size={15} />}>{t('failed.talk')}</Button> : null}
        {mayAct ? <Button variant="default" leftSection={<IconBan size={15} />} onClick={() => void consent()}>{lead.opted_out_at ? t('leads.optIn') : t('leads.optOut')}</Button> : null}
      </Group>
      <Facts rows={[[t('about.phone'), <Phone value={lead.phone} />], [t('about.source'), lead.source], [t('about.consent'), lead.opted_out_at ? <Tag tone="bad">{t('leads.optedOut')}</Tag> : <Tag tone="good">{t('about.consents')}</Tag>], [t('about.since'), <When at={lead.created_at} plain />]]} />
      <form onSubmit={(event) => void save(event)}>
        <Stack gap="xs">
          {fields.map(([name, text]) => (
            <TextInput key={name} label={t(text)} dir={name === 'email' ? 'ltr' : 'auto'} value={edited[name] ?? lead[name] ?? ''} onChange={(e) => setEdited({ ...edited, [name]: e.currentTarget.value })} readOnly={!mayAct} maxLength={200} />
          ))}
          <Select label={t('about.status')} value={edited.status ?? lead.status} onChange={(value) => value && setEdited({ ...edited, status: value })} data={statuses.map((one) => ({ value: one, label: t(`leads.status.${one}`) }))} disabled={!mayAct} />
          {mayAct ? <Button type="submit" disabled={Object.keys(edited).length === 0} style={{ alignSelf: 'flex-end' }}>{t('save')}</Button> : null}
        </Stack>
      </form>
    </Stack>
  );
}
