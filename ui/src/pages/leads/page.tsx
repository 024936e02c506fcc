import '../../styles/more';
import { Button, Chip, CloseButton, Drawer, SegmentedControl, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback, useMediaQuery } from '@mantine/hooks';
import { IconBan, IconCheck, IconDownload, IconFilter, IconSearch, IconTag, IconUsers } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { api, must, type Lead } from '../../api/client';
import { useTenantId } from '../../api/session';
import { useTeam } from '../../api/team';
import { useFilters } from '../../app/filters';
import { useT, word } from '../../i18n';
import { useNow } from '../../i18n/format';
import { useAsked } from '../../parts/act';
import { Empty, Line, Page, Phone, Said, Tag, When, type Tone } from '../../parts/basics';
import { useFeed } from '../../parts/feed';
import { DataTable, type Column } from '../../parts/table';
import { Detail } from './detail';

const idOf = (row: Lead) => row.id;
export const statuses = ['open', 'won', 'lost', 'archived'] as const;
const tones: Record<string, Tone> = { open: 'info', won: 'good', lost: 'neutral', archived: 'neutral' };
const narrowing = ['q', 'status', 'owner', 'label', 'consent', 'task'] as const;
export const nameOfLead = (row: Pick<Lead, 'name' | 'contact_name' | 'phone' | 'id'>) => row.name || row.contact_name || row.phone || `#${row.id}`;

export function LeadsPage() {
  const { t } = useT();
  const tenant = useTenantId();
  const filters = useFilters();
  const now = useNow();
  const team = useTeam();
  const status = statuses.find((one) => one === filters.get('status'));
  const [q, owner, label] = [filters.get('q'), filters.get('owner'), filters.get('label')];
  const consent = (['in', 'out'] as const).find((one) => one === filters.get('consent'));
  const opted_out = consent ? consent === 'out' : undefined;
  const with_task = filters.get('task') === '1' ? true : undefined;
  const [typed, setTyped] = useState({ q: q ?? '', label: label ?? '' });
  const search = useDebouncedCallback((values: { q?: string; label?: string }) => filters.set(values), 220);
  const type = (name: 'q' | 'label', text: string) => {
    setTyped((old) => ({ ...old, [name]: text }));
    search({ [name]: text.trim() });
  };
  const clear = () => {
    setTyped({ q: '', label: '' });
    filters.set(Object.fromEntries(narrowing.map((name) => [name, null])));
  };
  const query = { tenant, status, q, owner, label, opted_out, with_task };
  const opened = filters.get('lead') ?? null;
  const asked = useAsked();
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const [more, setMore] = useState(filters.any('owner', 'label', 'consent', 'task'));
  const feed = useFeed<Lead>({ key: ['leads', 'list', query], id: idOf, stays: (former) => (former[2] as typeof query).tenant === tenant, read: (cursor, signal) => must(api.GET('/leads', { params: { query: { ...query, cursor } }, signal })) });
  const columns = useMemo<Column<Lead>[]>(
    () => [
      {
        id: 'name',
        header: t('about.name'),
        cell: (row) => (
          <span style={{ display: 'inline-flex', gap: 8, alignItems: 'center', maxWidth: '100%' }}>
            <span className="clip" style={{ fontWeight: 600 }}><Said>{row.name || row.contact_name || ''}</Said></span>
            {row.opted_out_at ? <Tag tone="bad">{t('leads.optedOut')}</Tag> : null}
          </span>
        ),
      },
      { id: 'phone', header: t('about.phone'), cell: (row) => <Phone value={row.phone} /> },
      { id: 'service', header: t('about.service'), bare: (row) => !row.service, cell: (row) => <Line width={120}>{row.service ?? ''}</Line> },
      { id: 'status', header: t('about.status'), cell: (row) => <Tag tone={tones[row.status]}>{t(`leads.status.${row.status}`)}</Tag> },
      { id: 'score', header: <span title={t('leads.scoreMore')}>{t('leads.score')}</span>, cell: (row) => <Score value={row.score} /> },
      { id: 'owner', header: t('leads.owner'), bare: (row) => !row.owner, cell: (row) => (row.owner ? <Said>{row.owner.name}</Said> : <span className="quiet">–</span>) },
      {
        id: 'task',
        header: t('leads.nextTask'),
        bare: (row) => !row.next_task,
        cell: (row) => {
          const task = row.next_task;
          if (!task) return <span className="quiet">–</span>;
          const late = task.due_at && Date.parse(task.due_at) < now;
          return (
            <span>
              <Line width={150}>{task.title}</Line>
              {task.due_at ? <span style={{ fontSize: '0.78rem', color: late ? 'var(--b-bad-fg)' : undefined }}><When at={task.due_at} plain /></span> : null}
            </span>
          );
        },
      },
      { id: 'labels', header: t('leads.labels'), bare: (row) => row.labels.length === 0, cell: (row) => <span style={{ display: 'inline-flex', flexWrap: 'wrap', gap: 4 }}>{row.labels.map((one) => <Tag key={one} tone="info"><Said>{one}</Said></Tag>)}</span> },
      {
        id: 'consent',
        header: t('about.consent'),
        wide: true,
        cell: (row) =>
          row.opted_out_at ? (
            <IconBan size={17} color="var(--b-bad-fg)" role="img" aria-label={t('leads.optedOut')} />
          ) : (
            <IconCheck size={17} color="var(--b-good-fg)" role="img" aria-label={t('about.consents')} />
          ),
      },
      { id: 'source', header: t('about.source'), wide: true, cell: (row) => <span className="quiet nowrap">{word(t, 'channel', row.source.replace('whatsapp:', '')).replace(/ (Cloud )?API$/, '')}</span> },
      { id: 'contact', header: t('leads.lastContact'), end: true, cell: (row) => <span className="nowrap"><When at={row.last_contact_at ?? row.updated_at} /></span> },
    ],
    [t, now],
  );
  const csv = `/api/v1/leads.csv?${new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== '').map(([name, value]) => [name, String(value)])).toString()}`;
  const cross = (name: 'q' | 'label') => (typed[name] ? <CloseButton size="sm" aria-label={t('clear')} onClick={() => { setTyped((old) => ({ ...old, [name]: '' })); filters.set({ [name]: null }); }} /> : null);
  return (
    <Page
      title={t('nav.leads')}
      scope={t('leads.scope')}
      flush
      actions={<Button component="a" href={csv} download variant="default" leftSection={<IconDownload size={15} />}>{t('leads.export')}</Button>}
      filters={
        <>
          <TextInput size="xs" w={220} dir="auto" aria-label={t('leads.search')} placeholder={t('leads.search')} leftSection={<IconSearch size={15} />} rightSection={cross('q')} value={typed.q} onChange={(e) => type('q', e.currentTarget.value)} />
          <SegmentedControl size="xs" aria-label={t('about.status')} value={status ?? 'all'} onChange={(value) => filters.set({ status: value === 'all' ? null : value })} data={[{ value: 'all', label: t('all') }, ...statuses.map((one) => ({ value: one, label: t(`leads.status.${one}`) }))]} />
          {narrow ? (
            <Button size="xs" variant="default" leftSection={<IconFilter size={15} />} aria-expanded={more} onClick={() => setMore(!more)}>
              {t('leads.filters')}
            </Button>
          ) : null}
          {narrow && !more ? null : <>
          <Select
            size="xs"
            w={150}
            aria-label={t('leads.owner')}
            value={owner ?? 'any'}
            onChange={(value) => filters.set({ owner: value === 'any' ? null : value })}
            data={[{ value: 'any', label: t('leads.owner.any') }, { value: 'me', label: t('leads.owner.me') }, { value: 'nobody', label: t('leads.owner.nobody') }, ...team.others.map((one) => ({ value: one.id, label: one.name }))]}
          />
          <TextInput size="xs" w={150} dir="auto" aria-label={t('leads.label')} placeholder={t('leads.label')} leftSection={<IconTag size={14} />} rightSection={cross('label')} value={typed.label} onChange={(e) => type('label', e.currentTarget.value)} maxLength={40} />
          <Select size="xs" w={150} aria-label={t('about.consent')} value={consent ?? 'any'} onChange={(value) => filters.set({ consent: value === 'any' ? null : value })} data={(['any', 'in', 'out'] as const).map((one) => ({ value: one, label: t(`leads.consent.${one}`) }))} />
          <Chip size="xs" checked={Boolean(with_task)} onChange={(on) => filters.set({ task: on ? '1' : null })}>{t('leads.withTask')}</Chip>
          </>}
          {filters.any(...narrowing) ? <Button size="compact-xs" variant="subtle" onClick={clear}>{t('clear')}</Button> : null}
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
        rowName={nameOfLead}
        empty={
          filters.any(...narrowing) ? (
            <Empty title={t('empty.title')} action={<Button variant="default" onClick={clear}>{t('clear')}</Button>} />
          ) : (
            <Empty title={t('leads.empty')} icon={<IconUsers size={28} stroke={1.5} />}>{t('leads.emptyMore')}</Empty>
          )
        }
      />
      <Drawer opened={opened !== null} onClose={() => filters.set({ lead: null })} title={t('about.lead')} size="md" closeOnEscape={!asked} closeButtonProps={{ 'aria-label': t('close') }}>
        {opened ? <Detail key={opened} id={opened} goto={(id) => filters.set({ lead: id })} /> : null}
      </Drawer>
    </Page>
  );
}

/** A bar and its number: how ready somebody is. */
function Score({ value }: { value: number }) {
  return (
    <span style={{ display: 'inline-flex', alignItems: 'center', gap: 7 }}>
      <span aria-hidden style={{ width: 38, height: 5, borderRadius: 3, background: 'var(--b-line)', overflow: 'hidden', display: 'inline-block' }}>
        <span style={{ display: 'block', height: '100%', width: `${value}%`, background: value >= 60 ? '#2c9a57' : 'var(--b-accent)' }} />
      </span>
      <span className="num" style={{ fontSize: '0.82rem' }}>{value}</span>
    </span>
  );
}
