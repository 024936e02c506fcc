import '../styles/more';
import { Button, Checkbox, Group, Modal, SegmentedControl, Select, Stack, TextInput, Textarea } from '@mantine/core';
import { IconChecklist, IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState, type FormEvent } from 'react';
import { api, must, type Task } from '../api/client';
import { Refused } from '../api/problem';
import { useMay, useSession, useTenantId } from '../api/session';
import { useTeam } from '../api/team';
import { useFilters } from '../app/filters';
import { useT } from '../i18n';
import { useNow } from '../i18n/format';
import { done, failed } from '../parts/act';
import { Empty, Line, Page, Problem, Said, Tag, When } from '../parts/basics';
import { useFeed } from '../parts/feed';
import { useShortcuts } from '../parts/keys';
import { local } from '../parts/snooze';
import { DataTable, type Column } from '../parts/table';

const idOf = (row: Task) => row.id;
const tabs = ['today', 'overdue', 'upcoming', 'undated', 'done'] as const;

/** Days are the viewer's own. */
function span(tab: (typeof tabs)[number]) {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const today = midnight.toISOString();
  const tomorrow = new Date(midnight.getTime() + 86_400_000).toISOString();
  switch (tab) {
    case 'overdue':
      return { due_to: today };
    case 'today':
      return { due_from: today, due_to: tomorrow };
    case 'upcoming':
      return { due_from: tomorrow };
    case 'undated':
      return { undated: true };
    case 'done':
      return { status: 'completed' as const };
  }
}

export function TasksPage() {
  const { t } = useT();
  const tenant = useTenantId();
  const mayAct = useMay('agent');
  const client = useQueryClient();
  const now = useNow();
  const filters = useFilters();
  const tab = tabs.find((one) => one === filters.get('tab')) ?? 'today';
  const [adding, setAdding] = useState(false);
  const team = useTeam();
  const opened = filters.get('task') ?? null;
  const one = useQuery({ queryKey: ['tasks', 'one', opened], enabled: opened !== null, queryFn: () => must(api.GET('/tasks/{id}', { params: { path: { id: opened ?? '' } } })) as Promise<Task> });
  const feed = useFeed<Task>({ key: ['tasks', 'list', tenant, tab], id: idOf, read: (cursor, signal) => must(api.GET('/tasks', { params: { query: { tenant, cursor, ...span(tab) } }, signal })) });

  const set = async (task: Task, status: Task['status']) => {
    const change = (to: Task['status']) => must(api.PATCH('/tasks/{id}', { params: { path: { id: task.id } }, body: { status: to } as never }));
    try {
      await change(status);
      await client.invalidateQueries({ queryKey: ['tasks'] });
      void done(t, status === 'completed' ? t('tasks.completed') : t('tasks.reopened'), async () => {
        await change(task.status);
        await client.invalidateQueries({ queryKey: ['tasks'] });
      });
    } catch (error) {
      void failed(t, error);
    }
  };
  const here = () => {
    const id = document.activeElement?.closest('[data-row]')?.getAttribute('data-row');
    return feed.rows.find((row) => row.id === id) ?? feed.rows[0];
  };
  useShortcuts(
    mayAct
      ? {
          KeyC: () => setAdding(true),
          KeyD: () => {
            const task = here();
            if (task && task.status !== 'completed') void set(task, 'completed');
          },
        }
      : {},
  );
  const columns = useMemo<Column<Task>[]>(
    () => [
      {
        id: 'title',
        header: t('tasks.name'),
        cell: (row) => (
          <Group gap={10} wrap="nowrap" align="flex-start">
            {mayAct ? (
              <Checkbox
                size="sm"
                radius="xl"
                checked={row.status === 'completed'}
                onChange={() => void set(row, row.status === 'completed' ? 'pending' : 'completed')}
                aria-label={row.status === 'completed' ? t('tasks.reopen', { title: row.title }) : t('tasks.complete', { title: row.title })}
              />
            ) : null}
            <span style={{ minWidth: 0 }}>
              <span style={{ fontWeight: 600, textDecoration: row.status === 'completed' ? 'line-through' : undefined }}><Said>{row.title}</Said></span>
              {row.description ? <span className="quiet" style={{ fontSize: '0.82rem' }}><Line width={420}>{row.description}</Line></span> : null}
            </span>
          </Group>
        ),
      },
      { id: 'for', header: t('tasks.for'), cell: (row) => (row.conversation_id ? <Link to="/inbox/$id" params={{ id: row.conversation_id }} style={{ color: 'var(--b-accent)' }}><Said>{row.lead_name ?? t('failed.talk')}</Said></Link> : <Said>{row.lead_name ?? ''}</Said>) },
      { id: 'priority', header: t('talk.priority'), cell: (row) => (row.priority === 'normal' ? <span className="quiet">{t('priority.normal')}</span> : <Tag tone={row.priority === 'critical' ? 'bad' : row.priority === 'high' ? 'warn' : 'neutral'}>{t(`priority.${row.priority}`)}</Tag>) },
      { id: 'owner', header: t('tasks.owner'), wide: true, cell: (row) => (row.assigned_to_type === 'team' ? t('tasks.everyone') : <Said>{(row.assigned_to_type === 'user' ? team.name(row.assigned_to_id) : undefined) ?? row.assigned_to_id}</Said>) },
      { id: 'source', header: t('tasks.source'), wide: true, cell: (row) => (row.source === 'assistant' ? t('tasks.source.assistant') : t('tasks.source.person')) },
      {
        id: 'due',
        header: t('tasks.due'),
        end: true,
        cell: (row) => {
          if (row.status === 'completed') return <When at={row.completed_at} />;
          const late = row.due_at && Date.parse(row.due_at) < now;
          return late ? <Tag tone="bad"><When at={row.due_at} plain /></Tag> : <When at={row.due_at} />;
        },
      },
    ],
    // `set` reads only what its arguments say.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [t, mayAct, now, team.all.length],
  );
  return (
    <Page
      title={t('nav.tasks')}
      flush
      actions={mayAct ? <Button leftSection={<IconPlus size={15} />} onClick={() => setAdding(true)}>{t('tasks.new')}</Button> : null}
      filters={<SegmentedControl size="xs" aria-label={t('nav.tasks')} value={tab} onChange={(value) => filters.set({ tab: value === 'today' ? null : value })} data={tabs.map((one) => ({ value: one, label: t(`tasks.tab.${one}`) }))} />}
    >
      <DataTable label={t('nav.tasks')} feed={feed} columns={columns} id={idOf} open={(row) => filters.set({ task: row.id })} opened={opened} rowName={(row) => row.title} empty={<Empty good title={t('tasks.empty')} icon={<IconChecklist size={28} stroke={1.5} />}>{t('tasks.emptyMore')}</Empty>} />
      {adding ? <Editor task={null} close={() => setAdding(false)} /> : null}
      {opened && one.data ? <Editor key={opened} task={one.data} close={() => filters.set({ task: null })} /> : null}
    </Page>
  );
}

/** A task, new or as it is: what to do, until when, and who. */
function Editor({ task, close }: { task: Task | null; close: () => void }) {
  const { t } = useT();
  const tenant = useTenantId();
  const session = useSession();
  const mayAct = useMay('agent');
  const team = useTeam();
  const client = useQueryClient();
  const [title, setTitle] = useState(task?.title ?? '');
  const [description, setDescription] = useState(task?.description ?? '');
  const [due, setDue] = useState(task?.due_at ? local(new Date(task.due_at)) : '');
  const [priority, setPriority] = useState<Task['priority']>(task?.priority ?? 'normal');
  const [owner, setOwner] = useState(task?.assigned_to_type === 'user' ? task.assigned_to_id : 'team');
  const [error, setError] = useState<unknown>(null);
  const people = [{ value: 'team', label: t('tasks.team') }, { value: session.userId, label: t('tasks.me') }, ...team.others.map((one) => ({ value: one.id, label: one.name }))];
  // A role or queue that the assistant named stays, as long as nobody chooses another.
  if (task && task.assigned_to_type !== 'team' && !people.some((one) => one.value === owner)) people.push({ value: owner, label: task.assigned_to_id });
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const due_at = due ? new Date(due).toISOString() : null;
    const assigned = owner === 'team' ? { assigned_to_type: 'team', assigned_to_id: '' } : { assigned_to_type: 'user', assigned_to_id: owner };
    try {
      if (task) {
        const header = { 'if-match': `"${task.version}"` };
        await must(api.PATCH('/tasks/{id}', { params: { path: { id: task.id }, header }, body: { title: title.trim(), description, due_at, priority, ...assigned } as never }));
      } else await must(api.POST('/tasks', { body: { tenant, title: title.trim(), description, due_at, priority, ...assigned } as never }));
      await client.invalidateQueries({ queryKey: ['tasks'] });
      void done(t, task ? t('tasks.saved') : t('tasks.added'));
      close();
    } catch (problem) {
      setError(problem instanceof Refused && problem.status === 412 ? new Refused(412, { title: t('tasks.changed') }) : problem);
      if (problem instanceof Refused && problem.status === 412) await client.invalidateQueries({ queryKey: ['tasks'] });
    }
  };
  return (
    <Modal opened onClose={close} title={task ? t('tasks.edit') : t('tasks.new')} closeButtonProps={{ 'aria-label': t('close') }}>
      <form onSubmit={(event) => void save(event)}>
        <Stack gap="sm">
          <TextInput label={t('tasks.name')} required data-autofocus dir="auto" maxLength={200} value={title} onChange={(e) => setTitle(e.currentTarget.value)} readOnly={!mayAct} />
          <Textarea label={t('tasks.more')} dir="auto" autosize minRows={2} maxRows={10} maxLength={4000} value={description} onChange={(e) => setDescription(e.currentTarget.value)} readOnly={!mayAct} />
          <Group grow>
            <TextInput label={t('tasks.due')} type="datetime-local" value={due} onChange={(e) => setDue(e.currentTarget.value)} readOnly={!mayAct} />
            <Select label={t('talk.priority')} value={priority} onChange={(value) => value && setPriority(value as Task['priority'])} data={(['low', 'normal', 'high', 'critical'] as const).map((one) => ({ value: one, label: t(`priority.${one}`) }))} disabled={!mayAct} />
          </Group>
          <Select label={t('tasks.owner')} value={owner} onChange={(value) => value && setOwner(value)} data={people} disabled={!mayAct} />
          <Problem error={error} />
          <Group justify="space-between" gap="xs">
            {task?.conversation_id ? <Button variant="subtle" component={Link} to={`/inbox/${task.conversation_id}`}>{t('failed.talk')}</Button> : <span />}
            <Group gap="xs">
              <Button variant="default" onClick={close}>{t('cancel')}</Button>
              {mayAct ? <Button type="submit" disabled={!title.trim()}>{task ? t('save') : t('tasks.new')}</Button> : null}
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
