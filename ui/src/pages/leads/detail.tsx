import { Button, Group, Select, Stack, TextInput } from '@mantine/core';
import { IconArrowsJoin, IconBan, IconMessage, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, type FormEvent } from 'react';
import { api, must, type Lead } from '../../api/client';
import { Refused } from '../../api/problem';
import { useMay } from '../../api/session';
import { useT } from '../../i18n';
import { ask, done, failed } from '../../parts/act';
import { Empty, Facts, Phone, Problem, Said, Tag, Waiting, When } from '../../parts/basics';
import { Erase } from './erase';
import { Merge } from './merge';
import { statuses } from './page';

const fields = [['name', 'about.name'], ['service', 'about.service'], ['nationality', 'about.nationality'], ['email', 'about.email'], ['call_time', 'about.call']] as const;
type Edited = Partial<Record<(typeof fields)[number][0] | 'status', string>>;

export function Detail({ id, goto }: { id: string; goto: (id: string | null) => void }) {
  const { t } = useT();
  const mayAct = useMay('agent');
  const mayErase = useMay('admin');
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['leads', 'one', id], queryFn: () => must(api.GET('/leads/{id}', { params: { path: { id } } })) as Promise<Lead>, retry: (n, error) => !(error instanceof Refused) && n < 3 });
  const lead = query.data;
  const [edited, setEdited] = useState<Edited>({});
  const [open, setOpen] = useState<'merge' | 'erase' | null>(null);
  if (query.error instanceof Refused && query.error.status === 404 && open !== 'erase') return <Empty title={query.error.message} />;
  if (query.error && !lead) return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (!lead) return <Waiting rows={5} />;
  // In the place of the lead, not over it: one thing at a time has the keys.
  if (open === 'merge') return <Merge lead={lead} close={() => setOpen(null)} merged={(stays) => { setOpen(null); goto(stays); }} />;
  if (open === 'erase') return <Erase lead={lead} close={(gone) => { setOpen(null); if (gone) goto(null); }} />;
  const fresh = (now: Lead) => {
    client.setQueryData(['leads', 'one', id], now);
    void client.invalidateQueries({ queryKey: ['leads', 'list'] });
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    try {
      fresh((await must(api.PATCH('/leads/{id}', { params: { path: { id }, header: { 'if-match': `"${lead.version}"` } }, body: edited as never }))) as Lead);
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
    const act = async (to: boolean) => (await must(to ? api.POST('/leads/{id}/opt-out', { params: { path: { id } } }) : api.POST('/leads/{id}/opt-in', { params: { path: { id } } }))) as Lead;
    try {
      fresh(await act(out));
      void done(t, out ? t('leads.optedOut') : t('leads.optedIn'), async () => fresh(await act(!out)));
    } catch (error) {
      void failed(t, error);
    }
  };
  return (
    <Stack gap="md">
      <Group gap="xs">
        {lead.conversation_id ? <Button variant="default" component={Link} to={`/inbox/${lead.conversation_id}`} leftSection={<IconMessage size={15} />}>{t('failed.talk')}</Button> : null}
        {mayAct ? <Button variant="default" leftSection={<IconArrowsJoin size={15} />} onClick={() => setOpen('merge')} data-act="merge">{t('leads.merge')}</Button> : null}
        {mayAct ? <Button variant="default" leftSection={<IconBan size={15} />} onClick={() => void consent()}>{lead.opted_out_at ? t('leads.optIn') : t('leads.optOut')}</Button> : null}
      </Group>
      <Facts
        rows={[
          [t('about.phone'), <Phone value={lead.phone} />],
          [t('leads.score'), <span className="num">{lead.score}</span>],
          [t('leads.owner'), lead.owner ? <Said>{lead.owner.name}</Said> : null],
          [t('leads.labels'), lead.labels.length > 0 ? <Group gap={4}>{lead.labels.map((one) => <Tag key={one} tone="info"><Said>{one}</Said></Tag>)}</Group> : null],
          [t('leads.nextTask'), lead.next_task ? <Link to="/tasks" search={{ task: lead.next_task.id } as never} style={{ color: 'var(--b-accent)' }}><Said>{lead.next_task.title}</Said></Link> : null],
          [t('about.source'), lead.source],
          [t('about.consent'), lead.opted_out_at ? <Tag tone="bad">{t('leads.optedOut')}</Tag> : <Tag tone="good">{t('about.consents')}</Tag>],
          [t('about.since'), <When at={lead.created_at} plain />],
        ]}
      />
      <form onSubmit={(event) => void save(event)}>
        <Stack gap="xs">
          {fields.map(([name, text]) => (
            <TextInput key={name} label={t(text)} dir={name === 'email' ? 'ltr' : 'auto'} value={edited[name] ?? lead[name] ?? ''} onChange={(e) => setEdited({ ...edited, [name]: e.currentTarget.value })} readOnly={!mayAct} maxLength={200} />
          ))}
          <Select label={t('about.status')} value={edited.status ?? lead.status} onChange={(value) => value && setEdited({ ...edited, status: value })} data={statuses.map((one) => ({ value: one, label: t(`leads.status.${one}`) }))} disabled={!mayAct} />
          {mayAct ? <Button type="submit" disabled={Object.keys(edited).length === 0} style={{ alignSelf: 'flex-end' }}>{t('save')}</Button> : null}
        </Stack>
      </form>
      {mayErase ? (
        <div style={{ borderBlockStart: '1px solid var(--b-line)', paddingBlockStart: 14 }}>
          <Button variant="subtle" color="red" leftSection={<IconTrash size={15} />} onClick={() => setOpen('erase')} data-act="erase">{t('leads.erase')}</Button>
        </div>
      ) : null}
    </Stack>
  );
}
