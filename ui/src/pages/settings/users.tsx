import { Alert, Button, Group, Menu, Modal, Select, Stack, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useMemo, useState, type FormEvent } from 'react';
import { api, must, type User } from '../../api/client';
import { useTenant } from '../../api/session';
import { useT } from '../../i18n';
import { ask, done, failed } from '../../parts/act';
import { Copy, Empty, Ltr, Problem, Said, Tag, When } from '../../parts/basics';
import { useFeed } from '../../parts/feed';
import { DataTable, type Column } from '../../parts/table';
import { everything, granted, isSomething, SeesInput } from './sees';

const idOf = (row: User) => row.id;
export const roles = ['viewer', 'agent', 'admin'] as const;

export function Users() {
  const { t } = useT();
  const client = useQueryClient();
  const { tenants } = useTenant();
  const [adding, setAdding] = useState(false);
  const [link, setLink] = useState<string | null>(null);
  const feed = useFeed<User>({ key: ['users'], id: idOf, read: (cursor, signal) => must(api.GET('/users', { params: { query: { cursor } }, signal })) });
  const change = async (user: User, body: { role?: User['role']; disabled?: boolean }) => {
    try {
      await must(api.PATCH('/users/{id}', { params: { path: { id: user.id }, header: { 'if-match': `"${user.version}"` } }, body: body as never }));
      await client.invalidateQueries({ queryKey: ['users'] });
      void done(t, t('users.saved'));
    } catch (error) {
      void failed(t, error);
    }
  };
  const newLink = async (user: User) => {
    try {
      const made = await must(api.POST('/users/{id}/links', { params: { path: { id: user.id } } }));
      setLink(`${location.origin}/start?token=${made.token}`);
    } catch (error) {
      void failed(t, error);
    }
  };
  const columns = useMemo<Column<User>[]>(
    () => [
      { id: 'name', header: t('about.name'), cell: (row) => <span style={{ fontWeight: 600 }}><Said>{row.name}</Said></span> },
      { id: 'email', header: t('login.email'), cell: (row) => <Ltr>{row.email}</Ltr> },
      { id: 'role', header: t('users.role'), cell: (row) => (row.disabled_at ? <Tag tone="bad">{t('users.disabled')}</Tag> : <Tag tone={row.role === 'admin' ? 'info' : 'neutral'}>{t(`users.role.${row.role}`)}</Tag>) },
      { id: 'sees', header: t('users.tenants'), wide: true, cell: (row) => (row.all_tenants ? t('users.allTenants') : <Said>{tenants.filter((one) => row.tenants.includes(one.id)).map((one) => one.business).join(', ')}</Said>) },
      { id: 'last', header: t('users.last'), cell: (row) => (row.last_login_at ? <When at={row.last_login_at} /> : <span className="quiet">{t('users.never')}</span>) },
      {
        id: 'acts',
        header: <span className="srOnly">{t('talk.actions')}</span>,
        end: true,
        cell: (row) => (
          <Menu position="bottom-end">
            <Menu.Target>
              <Button size="compact-xs" variant="default" aria-label={`${t('talk.actions')}: ${row.name}`}>…</Button>
            </Menu.Target>
            <Menu.Dropdown>
              {roles.map((role) => (
                <Menu.Item key={role} rightSection={row.role === role ? '✓' : null} onClick={() => void change(row, { role })}>{t(`users.role.${role}`)}</Menu.Item>
              ))}
              <Menu.Divider />
              <Menu.Item onClick={() => void newLink(row)}>{t('users.link')}</Menu.Item>
              {row.disabled_at ? (
                <Menu.Item onClick={() => void change(row, { disabled: false })}>{t('users.enable')}</Menu.Item>
              ) : (
                <Menu.Item onClick={async () => { if (await ask({ title: t('users.disableTitle', { name: row.name }), body: t('users.disableMore'), act: t('users.disable'), danger: true })) await change(row, { disabled: true }); }}>{t('users.disable')}</Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        ),
      },
    ],
    // The acts read only their row.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [t, tenants],
  );
  return (
    <>
      <Group mb="sm" justify="flex-end"><Button leftSection={<IconPlus size={15} />} onClick={() => setAdding(true)}>{t('users.add')}</Button></Group>
      <DataTable label={t('settings.users')} feed={feed} columns={columns} id={idOf} rowName={(row) => row.name} empty={<Empty title={t('empty.title')} />} />
      {adding ? <Add close={() => setAdding(false)} made={(user) => { setAdding(false); void done(t, t('users.added')); void newLink(user); }} /> : null}
      <Modal opened={link !== null} onClose={() => setLink(null)} title={t('users.link')} closeButtonProps={{ 'aria-label': t('close') }}>
        <Shown text={link ?? ''} says={t('users.linkMore')} />
      </Modal>
    </>
  );
}

export function Shown({ text, says }: { text: string; says: string }) {
  return (
    <Stack gap="sm">
      <Alert styles={{ root: { background: 'var(--b-warn-bg)' }, message: { color: 'var(--b-warn-fg)' } }}>{says}</Alert>
      <Group wrap="nowrap" gap="xs">
        <code dir="ltr" style={{ overflowWrap: 'anywhere', fontSize: '0.82rem' }}>{text}</code>
        <Copy text={text} />
      </Group>
    </Stack>
  );
}

function Add({ close, made }: { close: () => void; made: (user: User) => void }) {
  const { t } = useT();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<User['role']>('agent');
  const [sees, setSees] = useState(everything);
  const [error, setError] = useState<unknown>(null);
  const add = async (event: FormEvent) => {
    event.preventDefault();
    try {
      const user = await must(api.POST('/users', { body: { name: name.trim(), email: email.trim(), role, ...granted(sees) } as never }));
      await client.invalidateQueries({ queryKey: ['users'] });
      made(user);
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Modal opened onClose={close} title={t('users.add')} closeButtonProps={{ 'aria-label': t('close') }}>
      <form onSubmit={(event) => void add(event)}>
        <Stack gap="sm">
          <TextInput label={t('about.name')} required data-autofocus dir="auto" value={name} onChange={(e) => setName(e.currentTarget.value)} maxLength={120} />
          <TextInput label={t('login.email')} type="email" required dir="ltr" value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
          <Select label={t('users.role')} value={role} onChange={(value) => value && setRole(value as User['role'])} data={roles.map((one) => ({ value: one, label: t(`users.role.${one}`) }))} />
          <SeesInput value={sees} change={setSees} />
          <Problem error={error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>{t('cancel')}</Button>
            <Button type="submit" disabled={!isSomething(sees)}>{t('users.add')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
