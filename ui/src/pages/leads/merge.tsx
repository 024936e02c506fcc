import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconArrowsExchange, IconSearch } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, must, type Lead } from '../../api/client';
import { useTenantId } from '../../api/session';
import { useT, word } from '../../i18n';
import { ask, done, failed } from '../../parts/act';
import { Ltr, Phone, Problem, Said, Tag, Waiting } from '../../parts/basics';
import s from './leads.module.css';
import { nameOfLead } from './page';

/** Two leads that are one person: the other one is looked for, what moves is shown, and only then it is done. */
export function Merge({ lead, close, merged }: { lead: Lead; close: () => void; merged: (stays: string) => void }) {
  const { t } = useT();
  const [other, setOther] = useState<Lead | null>(null);
  const [swapped, setSwapped] = useState(false);
  const [stays, goes] = swapped ? [other, lead] : [lead, other];
  return (
    <Stack gap="sm">
      <h2 className={s.title}>{t('leads.mergeTitle')}</h2>
      {stays && goes ? (
        <Preview stays={stays} goes={goes} swap={() => setSwapped(!swapped)} back={() => { setOther(null); setSwapped(false); }} merged={() => merged(stays.id)} />
      ) : (
        <Look lead={lead} choose={setOther} close={close} />
      )}
    </Stack>
  );
}

function Look({ lead, choose, close }: { lead: Lead; choose: (other: Lead) => void; close: () => void }) {
  const { t } = useT();
  const tenant = useTenantId();
  // Whoever has the same name is looked for first.
  const [text, setText] = useState(lead.name || lead.contact_name || '');
  const [q] = useDebouncedValue(text.trim(), 200);
  const query = useQuery({ queryKey: ['leads', 'merge', tenant, q], queryFn: () => must(api.GET('/leads', { params: { query: { tenant, q: q || undefined, limit: 9 } } })) });
  const found = ((query.data?.data ?? []) as Lead[]).filter((one) => one.id !== lead.id).slice(0, 8);
  return (
    <Stack gap="sm">
      <Text size="sm">{t('leads.mergeMore')}</Text>
      <TextInput label={t('leads.mergeWith')} leftSection={<IconSearch size={15} />} value={text} onChange={(e) => setText(e.currentTarget.value)} dir="auto" autoFocus />
      <Problem error={query.error} />
      {query.isPending ? <Waiting rows={3} /> : null}
      {query.data && found.length === 0 ? <Text size="sm" c="dimmed">{t('leads.mergeNone')}</Text> : null}
      <div className={s.found}>
        {found.map((one) => (
          <button key={one.id} type="button" onClick={() => choose(one)} data-other={one.id}>
            <strong><Said>{nameOfLead(one)}</Said></strong>
            <Phone value={one.phone} />
            {one.email ? <Ltr>{one.email}</Ltr> : null}
            <Tag>{t(`leads.status.${one.status}`)}</Tag>
          </button>
        ))}
      </div>
      <Group justify="flex-end"><Button variant="default" onClick={close}>{t('cancel')}</Button></Group>
    </Stack>
  );
}

function Preview({ stays, goes, swap, back, merged }: { stays: Lead; goes: Lead; swap: () => void; back: () => void; merged: () => void }) {
  const { t } = useT();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const send = (dry_run: boolean) => must(api.POST('/leads/{id}/merge', { params: { path: { id: stays.id } }, body: { from: goes.id, dry_run } }));
  const plan = useQuery({ queryKey: ['leads', 'merge-plan', stays.id, goes.id], queryFn: () => send(true), gcTime: 0, retry: false });
  const act = async () => {
    if (!(await ask({ title: t('leads.mergeAsk'), body: t('leads.mergeAskMore'), act: t('leads.mergeAct'), danger: true, typed: t('leads.mergeWord') }))) return;
    setBusy(true);
    try {
      await send(false);
      void done(t, t('leads.merged'));
      merged();
      await Promise.all(['leads', 'conversations', 'tasks', 'counts'].map((key) => client.invalidateQueries({ queryKey: [key] })));
    } catch (error) {
      void failed(t, error);
      setBusy(false);
    }
  };
  const p = plan.data;
  const list = (all: string[]) => all.join(', ');
  return (
    <Stack gap="sm">
      <div className={s.two}>
        {([['leads.mergeStays', stays], ['leads.mergeGoes', goes]] as const).map(([text, one]) => (
          <div key={text} className={s.side}>
            <span className="quiet">{t(text)}</span>
            <strong><Said>{nameOfLead(one)}</Said></strong>
            <Phone value={one.phone} />
            {one.service ? <Said>{one.service}</Said> : null}
          </div>
        ))}
      </div>
      <Group><Button size="compact-sm" variant="default" leftSection={<IconArrowsExchange size={14} />} onClick={swap}>{t('leads.mergeSwap')}</Button></Group>
      <Problem error={plan.error} retry={() => void plan.refetch()} />
      {plan.isPending ? <Waiting rows={2} /> : null}
      {p ? (
        <ul className={s.moves} data-plan>
          <li>{t('leads.mergeConversations', { count: p.conversations })}</li>
          {p.tasks > 0 ? <li>{t('leads.mergeTasks', { count: p.tasks })}</li> : null}
          {p.closed.length > 0 ? <li>{t('leads.mergeClosed', { count: p.closed.length })}</li> : null}
          {p.addresses.length > 0 ? <li>{t('leads.mergeAddresses', { list: `\u2066${list(p.addresses)}\u2069` })}</li> : null}
          {p.fills.length > 0 ? <li>{t('leads.mergeFills', { list: list(p.fills.map((name) => word(t, 'about', name === 'call_time' ? 'call' : name))) })}</li> : null}
          {p.opted_out ? <li><Tag tone="bad">{t('leads.mergeOptedOut')}</Tag></li> : null}
        </ul>
      ) : null}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={back}>{t('back')}</Button>
        <Button color="red" disabled={!p} loading={busy} onClick={() => void act()} data-act="merge-now">{t('leads.mergeAct')}</Button>
      </Group>
    </Stack>
  );
}
