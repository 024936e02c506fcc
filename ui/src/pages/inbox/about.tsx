import '../../styles/more';
import { ActionIcon, Select, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, must } from '../../api/client';
import { useMay, useTenantId } from '../../api/session';
import { useTeam } from '../../api/team';
import { useT, word } from '../../i18n';
import { Facts, Face, Ltr, Phone, Said, Tag, Waiting, When } from '../../parts/basics';
import s from './inbox.module.css';
import { nameOf } from './row';
import { useActs, useTalk } from './use-talk';

/** The person behind a conversation: what they want, whether they may be written to, labels, tasks. */
export function About({ id }: { id: string }) {
  const { t } = useT();
  const tenant = useTenantId();
  const mayAct = useMay('agent');
  const { data: talk } = useTalk(id);
  const acts = useActs(talk, id);
  const [label, setLabel] = useState('');
  const leadId = talk?.lead_id;
  const lead = useQuery({ queryKey: ['leads', 'one', leadId], enabled: Boolean(leadId), queryFn: () => must(api.GET('/leads/{id}', { params: { path: { id: leadId ?? '' } } })) });
  const tasks = useQuery({ queryKey: ['tasks', 'of', leadId], enabled: Boolean(leadId), queryFn: () => must(api.GET('/tasks', { params: { query: { tenant, lead_id: leadId, limit: 10 } } })) });
  const past = useQuery({ queryKey: ['conversations', 'of', leadId], enabled: Boolean(leadId), queryFn: () => must(api.GET('/conversations', { params: { query: { tenant, lead_id: leadId, limit: 10 } } })) });
  const team = useTeam();
  if (!talk) return <Waiting rows={5} />;
  // Somebody who was shut out since may still look after it.
  const people = team.all.map((one) => ({ value: one.id, label: one.name }));
  if (talk.assignee && !people.some((one) => one.value === talk.assignee?.id)) people.push({ value: talk.assignee.id, label: talk.assignee.name });
  const others = past.data?.data.filter((one) => one.id !== id) ?? [];
  const name = nameOf(talk);
  const add = () => {
    const text = label.trim();
    if (text && !talk.labels.includes(text)) void acts.labels([...talk.labels, text]);
    setLabel('');
  };
  const open = tasks.data?.data.filter((task) => task.status === 'pending' || task.status === 'in_progress') ?? [];
  return (
    <>
      <div style={{ display: 'flex', gap: 12, alignItems: 'center', marginBlockEnd: 14 }}>
        <Face name={name} size={46} />
        <div style={{ minWidth: 0 }}>
          <h2 style={{ margin: 0 }}><Said>{name}</Said></h2>
          <Phone value={talk.phone} />
        </div>
      </div>
      <Facts
        rows={[
          [t('about.status'), lead.data ? <Tag tone="info">{word(t, 'leads.status', lead.data.status)}</Tag> : null],
          [t('about.service'), talk.service ? <Said>{talk.service}</Said> : null],
          [t('about.nationality'), lead.data?.nationality ? <Said>{lead.data.nationality}</Said> : null],
          [t('about.email'), lead.data?.email ? <Ltr>{lead.data.email}</Ltr> : null],
          [t('about.call'), lead.data?.call_time ? <Said>{lead.data.call_time}</Said> : null],
          [t('about.number'), <>{word(t, 'channel', talk.channel_kind)} <Ltr mono>{talk.channel_number}</Ltr></>],
          [t('talk.assign'), mayAct ? null : talk.assignee ? <Said>{talk.assignee.name}</Said> : t('talk.nobody')],
          [t('about.since'), <When at={talk.created_at} plain />],
          [t('about.consent'), talk.opted_out ? <Tag tone="bad">{t('leads.optedOut')}</Tag> : <Tag tone="good">{t('about.consents')}</Tag>],
        ]}
      />
      {mayAct ? (
        <Select
          mt={12}
          size="xs"
          label={t('talk.assign')}
          value={talk.assignee?.id ?? 'nobody'}
          onChange={(value) => {
            const user = team.all.find((one) => one.id === value);
            void acts.assign(user ? { id: user.id, name: user.name } : null);
          }}
          data={[{ value: 'nobody', label: t('talk.nobody') }, ...people]}
        />
      ) : null}
      {leadId ? <Link to="/leads" search={{ lead: leadId } as never} style={{ display: 'inline-block', marginBlockStart: 10, color: 'var(--b-accent)', fontSize: '0.86rem' }}>{t('about.lead.open')}</Link> : null}
      {others.length > 0 ? (
        <>
          <h3>{t('about.past')}</h3>
          {others.map((one) => (
            <div key={one.id} style={{ display: 'flex', gap: 8, fontSize: '0.86rem', paddingBlock: 3 }}>
              <Link to="/inbox/$id" params={{ id: one.id }} className="clip" style={{ flex: 1, color: 'var(--b-accent)' }}>
                <Said>{one.last_message?.preview || word(t, 'channel', one.channel_kind)}</Said>
              </Link>
              <When at={one.last_message_at} />
            </div>
          ))}
        </>
      ) : null}
      <h3>{t('about.labels')}</h3>
      <div className={s.labels}>
        {talk.labels.map((one) => (
          <span key={one} className={s.label}>
            <Said>{one}</Said>
            {mayAct ? (
              <button type="button" aria-label={t('about.removeLabel', { label: one })} onClick={() => void acts.labels(talk.labels.filter((other) => other !== one))}>
                <IconX size={12} />
              </button>
            ) : null}
          </span>
        ))}
      </div>
      {mayAct ? (
        <TextInput
          mt={6}
          size="xs"
          dir="auto"
          maxLength={40}
          aria-label={t('about.addLabel')}
          placeholder={t('about.addLabel')}
          value={label}
          onChange={(e) => setLabel(e.currentTarget.value)}
          onKeyDown={(e) => e.key === 'Enter' && add()}
          rightSection={<ActionIcon size="sm" aria-label={t('about.addLabel')} onClick={add}><IconPlus size={14} /></ActionIcon>}
        />
      ) : null}
      <h3>{t('about.tasks')}</h3>
      {open.length === 0 ? <p className="quiet" style={{ fontSize: '0.845rem' }}>{t('about.noTasks')}</p> : null}
      {open.map((task) => (
        <div key={task.id} style={{ display: 'flex', gap: 8, fontSize: '0.86rem', paddingBlock: 3 }}>
          <Link to="/tasks" search={{ task: task.id } as never} style={{ flex: 1, color: 'var(--b-accent)' }}><Said>{task.title}</Said></Link>
          {task.due_at ? <When at={task.due_at} /> : null}
        </div>
      ))}
    </>
  );
}
