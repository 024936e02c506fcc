import { Button, Checkbox, Drawer, Group, Menu, Modal, SegmentedControl, SimpleGrid, Stack, Table, Text, TextInput } from '@mantine/core';
import { IconPlus, IconWebhook } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState, type FormEvent } from 'react';
import { api, must, once, type Schemas } from '../../api/client';
import { useTenantId } from '../../api/session';
import { useFilters } from '../../app/filters';
import { later, useT, word } from '../../i18n';
import { hooks } from '../../i18n/en/hooks';
import { useFormat } from '../../i18n/format';
import { ask, done, failed } from '../../parts/act';
import { Card, Empty, Facts, Json, Ltr, Problem, Said, Tag, Waiting, When, type Tone } from '../../parts/basics';
import { useFeed } from '../../parts/feed';
import { DataTable, type Column } from '../../parts/table';
import { Shown } from './users';

later(hooks);

type Endpoint = Schemas['WebhookEndpoint'];
type Delivery = Schemas['WebhookDelivery'];
type Kind = Endpoint['events'][number];

const kinds: Kind[] = ['message.created', 'message.status', 'send.failed', 'conversation.created', 'conversation.updated', 'lead.created', 'lead.updated', 'task.created', 'task.updated', 'dead_letter.created', 'notification.created'];
const states = ['waiting', 'delivered', 'failed'] as const;
const tones: Record<string, Tone> = { waiting: 'info', delivered: 'good', failed: 'bad' };
const idOf = (row: Delivery) => row.id;

/** Programs that are told what happens: who, of what, and what became of each event. */
export function Webhooks() {
  const { t } = useT();
  const tenant = useTenantId();
  const filters = useFilters();
  const [editing, setEditing] = useState<Endpoint | 'new' | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const query = useQuery({ queryKey: ['endpoints', tenant], queryFn: () => must(api.GET('/webhook-endpoints', { params: { query: { tenant } } })), refetchInterval: 5000 });
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Waiting rows={3} />;
  const all = query.data.data as Endpoint[];
  const chosen = all.find((one) => one.id === filters.get('endpoint')) ?? (all.length === 1 ? all[0] : undefined);
  return (
    <Stack gap="md" style={{ flex: 1, minHeight: 0, overflow: 'auto' }}>
      <Group justify="space-between" wrap="wrap" gap="xs">
        <Text size="sm" className="quiet" style={{ flex: 1, minWidth: 200 }}>{t('hooks.more')}</Text>
        <Button leftSection={<IconPlus size={15} />} onClick={() => setEditing('new')}>{t('hooks.add')}</Button>
      </Group>
      {all.length === 0 ? <Empty title={t('hooks.empty')} icon={<IconWebhook size={28} stroke={1.5} />}>{t('hooks.emptyMore')}</Empty> : null}
      {all.map((one) => (
        <One key={one.id} endpoint={one} chosen={one.id === chosen?.id} edit={() => setEditing(one)} secret={setSecret} />
      ))}
      {chosen ? <Deliveries key={chosen.id} endpoint={chosen} /> : null}
      {editing ? <Edit endpoint={editing === 'new' ? undefined : editing} close={() => setEditing(null)} made={setSecret} /> : null}
      <Modal opened={secret !== null} onClose={() => setSecret(null)} title={t('hooks.secret')} closeButtonProps={{ 'aria-label': t('close') }}>
        <Shown text={secret ?? ''} says={t('hooks.secretMore')} />
      </Modal>
    </Stack>
  );
}

function One({ endpoint, chosen, edit, secret }: { endpoint: Endpoint; chosen: boolean; edit: () => void; secret: (text: string) => void }) {
  const { t } = useT();
  const format = useFormat();
  const client = useQueryClient();
  const filters = useFilters();
  const { id } = endpoint;
  const path = { params: { path: { id } } };
  const run = async (asked: Promise<unknown>, said: string) => {
    try {
      const answer = await asked;
      void done(t, said);
      await client.invalidateQueries({ queryKey: ['endpoints'] });
      await client.invalidateQueries({ queryKey: ['deliveries', id] });
      return answer;
    } catch (error) {
      void failed(t, error);
      return null;
    }
  };
  const keyed = { params: { path: { id }, header: once() } } as never;
  const rotate = async () => {
    if (!(await ask({ title: t('hooks.rotateTitle'), body: t('hooks.rotateMore'), act: t('hooks.rotate') }))) return;
    const made = (await run(must(api.POST('/webhook-endpoints/{id}/rotate', keyed)), t('hooks.rotated'))) as Schemas['EndpointSecret'] | null;
    if (made) secret(made.secret);
  };
  const remove = async () => {
    if (!(await ask({ title: t('hooks.removeTitle'), body: t('hooks.removeMore'), act: t('hooks.remove'), danger: true, typed: t('hooks.removeWord') }))) return;
    await run(must(api.DELETE('/webhook-endpoints/{id}', path)), t('hooks.removed'));
  };
  const recover = () => run(must(api.POST('/webhook-endpoints/{id}/recover', { ...path, body: { since: new Date(Date.now() - 14 * 86_400_000).toISOString() } })), t('hooks.recovered'));
  const turn = (enabled: boolean) => run(must(api.PATCH('/webhook-endpoints/{id}', { ...path, body: { enabled } })), enabled ? t('hooks.on') : t('hooks.off'));
  const count = (one: Endpoint['waiting']) => `${format.number(one.value)}${one.capped ? '+' : ''}`;
  return (
    <Card
      title={<Ltr mono>{endpoint.url}</Ltr>}
      icon={<IconWebhook size={18} aria-hidden />}
      actions={
        <Menu position="bottom-end">
          <Menu.Target>
            <Button size="compact-xs" variant="default" aria-label={`${t('talk.actions')}: ${endpoint.url}`}>…</Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item disabled={!endpoint.enabled} onClick={() => void run(must(api.POST('/webhook-endpoints/{id}/test', keyed)), t('hooks.tested'))}>{t('hooks.test')}</Menu.Item>
            <Menu.Item onClick={edit}>{t('hooks.edit')}</Menu.Item>
            <Menu.Item disabled={Boolean(endpoint.old_secret_until)} onClick={() => void rotate()}>{t('hooks.rotate')}</Menu.Item>
            <Menu.Item disabled={endpoint.failed.value === 0} onClick={() => void recover()}>{t('hooks.recover')}</Menu.Item>
            <Menu.Item onClick={() => void turn(!endpoint.enabled)}>{endpoint.enabled ? t('hooks.turnOff') : t('hooks.turnOn')}</Menu.Item>
            <Menu.Divider />
            <Menu.Item color="red" onClick={() => void remove()}>{t('hooks.remove')}</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      }
    >
      <div data-endpoint={id}>
        <Group gap="xs" mb={8}>
          {endpoint.enabled ? <Tag tone="good">{t('hooks.isOn')}</Tag> : <Tag tone="bad">{endpoint.disabled_reason === 'gone' ? t('hooks.gone') : t('hooks.isOff')}</Tag>}
          {endpoint.waiting.value > 0 ? <Tag tone="info">{t('hooks.count.waiting', { n: count(endpoint.waiting) })}</Tag> : null}
          {endpoint.failed.value > 0 ? <Tag tone="bad">{t('hooks.count.failed', { n: count(endpoint.failed) })}</Tag> : null}
          {endpoint.old_secret_until ? <Tag tone="warn">{t('hooks.both', { when: format.full(endpoint.old_secret_until) })}</Tag> : null}
        </Group>
        <Facts
          rows={[
            [t('hooks.description'), endpoint.description ? <Said>{endpoint.description}</Said> : null],
            [t('hooks.events'), <Ltr className="quiet">{endpoint.events.length === kinds.length ? t('hooks.all') : endpoint.events.join(', ')}</Ltr>],
            [t('hooks.by'), <><Said>{endpoint.created_by}</Said> <When at={endpoint.created_at} /></>],
          ]}
        />
        {chosen ? null : <Button mt="sm" size="compact-sm" variant="default" onClick={() => filters.set({ endpoint: id })}>{t('hooks.deliveries')}</Button>}
      </div>
    </Card>
  );
}

function Deliveries({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useT();
  const format = useFormat();
  const filters = useFilters();
  const state = states.find((one) => one === filters.get('state'));
  const [opened, setOpened] = useState<string | null>(null);
  const feed = useFeed<Delivery>({
    key: ['deliveries', endpoint.id, state ?? ''],
    id: idOf,
    read: (cursor, signal) => must(api.GET('/webhook-endpoints/{id}/deliveries', { params: { path: { id: endpoint.id }, query: { state, cursor } }, signal })),
  });
  const columns = useMemo<Column<Delivery>[]>(
    () => [
      { id: 'event', header: t('hooks.event'), cell: (row) => <Ltr mono>{row.event}</Ltr> },
      { id: 'state', header: t('jobs.state'), cell: (row) => <Tag tone={tones[row.state]}>{t(`hooks.state.${row.state}`)}</Tag> },
      { id: 'answer', header: t('hooks.answer'), cell: (row) => <Answer tried={row.tries[row.tries.length - 1]} /> },
      { id: 'tries', header: t('failed.tries'), end: true, wide: true, cell: (row) => <span className="num">{format.number(row.tries.length)}</span> },
      { id: 'next', header: t('letters.next'), wide: true, cell: (row) => (row.next_try ? <When at={row.next_try} /> : null) },
      { id: 'when', header: t('failed.when'), end: true, cell: (row) => <When at={row.created_at} /> },
    ],
    [t, format],
  );
  return (
    <Card
      title={t('hooks.deliveries')}
      actions={
        <SegmentedControl size="xs" aria-label={t('hooks.deliveries')} value={state ?? 'all'} onChange={(value) => filters.set({ state: value === 'all' ? null : value })} data={[{ value: 'all', label: t('all') }, ...states.map((one) => ({ value: one, label: t(`hooks.state.${one}`) }))]} />
      }
    >
      <div style={{ height: 380, display: 'flex', flexDirection: 'column' }}>
        <DataTable label={t('hooks.deliveries')} feed={feed} columns={columns} id={idOf} open={(row) => setOpened(row.id)} opened={opened} rowName={(row) => `${row.event} ${row.id}`} empty={<Empty title={t('hooks.noDeliveries')}>{t('hooks.noDeliveriesMore')}</Empty>} />
      </div>
      <Drawer opened={opened !== null} onClose={() => setOpened(null)} title={t('hooks.delivery')} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
        {opened ? <Detail id={opened} /> : null}
      </Drawer>
    </Card>
  );
}

function Answer({ tried }: { tried: Delivery['tries'][number] | undefined }) {
  const { t } = useT();
  if (!tried) return <span className="quiet">–</span>;
  if (!tried.error) return <Ltr mono>{tried.status}</Ltr>;
  return tried.status ? <Ltr mono>{tried.status}</Ltr> : <span className="quiet">{t('hooks.none')}</span>;
}

function Detail({ id }: { id: string }) {
  const { t } = useT();
  const format = useFormat();
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['deliveries', 'one', id], queryFn: () => must(api.GET('/webhook-deliveries/{id}', { params: { path: { id } } })), refetchInterval: 2000 });
  const row = query.data;
  if (query.error) return <Problem error={query.error} />;
  if (!row) return <Waiting rows={4} />;
  const again = async () => {
    try {
      await must(api.POST('/webhook-deliveries/{id}/resend', { params: { path: { id }, header: once() } } as never));
      void done(t, t('hooks.resent'));
      await client.invalidateQueries({ queryKey: ['deliveries'] });
    } catch (error) {
      void failed(t, error);
    }
  };
  return (
    <Stack gap="md">
      <Group gap="xs">
        <Button disabled={row.state === 'waiting'} onClick={() => void again()}>{t('hooks.resend')}</Button>
      </Group>
      <Facts
        rows={[
          [t('hooks.event'), <Ltr mono>{row.event}</Ltr>],
          [t('jobs.state'), <Tag tone={tones[row.state]}>{t(`hooks.state.${row.state}`)}</Tag>],
          ['webhook-id', <Ltr mono>{`msg_${row.id}`}</Ltr>],
          [t('letters.next'), row.next_try ? format.full(row.next_try) : null],
        ]}
      />
      <Table aria-label={t('failed.attempts')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('failed.when')}</Table.Th>
            <Table.Th>{t('hooks.answer')}</Table.Th>
            <Table.Th style={{ textAlign: 'end' }}>{t('jobs.took')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {row.tries.length === 0 ? <Table.Tr><Table.Td colSpan={3} className="quiet">{t('failed.noAttempts')}</Table.Td></Table.Tr> : null}
          {[...row.tries].reverse().map((tried, n) => (
            <Table.Tr key={n}>
              <Table.Td>{format.full(tried.at)}</Table.Td>
              <Table.Td><Answer tried={tried} /> {tried.error ? <div className="quiet"><Said>{tried.error}</Said></div> : null}</Table.Td>
              <Table.Td className="num" style={{ textAlign: 'end' }}>{format.span(tried.ms)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {row.body ? <Json value={row.body} label={t('hooks.body')} /> : null}
    </Stack>
  );
}

function Edit({ endpoint, close, made }: { endpoint: Endpoint | undefined; close: () => void; made: (secret: string) => void }) {
  const { t } = useT();
  const tenant = useTenantId();
  const client = useQueryClient();
  const [url, setUrl] = useState(endpoint?.url ?? 'https://');
  const [description, setDescription] = useState(endpoint?.description ?? '');
  const [events, setEvents] = useState<string[]>(endpoint?.events ?? kinds);
  const [error, setError] = useState<unknown>(null);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const body = { url: url.trim(), description: description.trim(), events: events as Kind[] };
    try {
      if (endpoint) {
        await must(api.PATCH('/webhook-endpoints/{id}', { params: { path: { id: endpoint.id }, header: { 'if-match': `"${endpoint.version}"` } }, body }));
        void done(t, t('users.saved'));
      } else {
        const answer = await must(api.POST('/webhook-endpoints', { params: { header: once() }, body: { tenant, ...body } } as never));
        made((answer as Schemas['EndpointSecret']).secret);
      }
      await client.invalidateQueries({ queryKey: ['endpoints'] });
      close();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Modal opened onClose={close} size="lg" title={endpoint ? t('hooks.edit') : t('hooks.add')} closeButtonProps={{ 'aria-label': t('close') }}>
      <form onSubmit={(event) => void save(event)}>
        <Stack gap="sm">
          <TextInput label={t('hooks.url')} description={t('hooks.urlMore')} type="url" required data-autofocus dir="ltr" maxLength={2000} value={url} onChange={(e) => setUrl(e.currentTarget.value)} />
          <TextInput label={t('hooks.description')} dir="auto" maxLength={200} value={description} onChange={(e) => setDescription(e.currentTarget.value)} />
          <Checkbox.Group label={t('hooks.events')} value={events} onChange={setEvents}>
            <SimpleGrid cols={{ base: 1, sm: 2 }} spacing={6} mt={6}>
              {kinds.map((one) => (
                <Checkbox key={one} value={one} size="xs" label={<><Ltr mono>{one}</Ltr> <span className="quiet">{word(t, 'hooks.kind', one.replace('.', '_'))}</span></>} />
              ))}
            </SimpleGrid>
          </Checkbox.Group>
          <Problem error={error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>{t('cancel')}</Button>
            <Button type="submit" disabled={events.length === 0}>{endpoint ? t('save') : t('hooks.add')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
