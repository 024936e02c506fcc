import { Button, Checkbox, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useMemo, useState, type FormEvent } from 'react';
import { api, must, type Token } from '../../api/client';
import { useT } from '../../i18n';
import { ask, done, failed } from '../../parts/act';
import { Empty, Ltr, Problem, Said, Tag, When } from '../../parts/basics';
import { useFeed } from '../../parts/feed';
import { DataTable, type Column } from '../../parts/table';
import { everything, granted, isSomething, SeesInput } from './sees';
import { Shown } from './users';

const idOf = (row: Token) => row.id;
const scopes = ['read', 'conversations:write', 'sends:write', 'leads:write', 'notifications:write', 'dead-letters:write', 'settings:write'] as const;

export function Tokens() {
  const { t } = useT();
  const client = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const feed = useFeed<Token>({ key: ['tokens'], id: idOf, read: (cursor, signal) => must(api.GET('/tokens', { params: { query: { cursor } }, signal })) });
  const columns = useMemo<Column<Token>[]>(
    () => [
      { id: 'name', header: t('tokens.name'), cell: (row) => <span style={{ fontWeight: 600 }}><Said>{row.name}</Said></span> },
      { id: 'prefix', header: t('tokens.prefix'), cell: (row) => <Ltr mono>{row.prefix}…</Ltr> },
      { id: 'scopes', header: t('tokens.scopes'), cell: (row) => <Ltr className="quiet">{row.scopes.join(', ')}</Ltr> },
      { id: 'used', header: t('tokens.used'), wide: true, cell: (row) => (row.last_used_at ? <When at={row.last_used_at} /> : <span className="quiet">{t('tokens.never')}</span>) },
      { id: 'expires', header: t('tokens.expires'), cell: (row) => (row.revoked_at ? <Tag tone="bad">{t('tokens.revoked')}</Tag> : row.expires_at ? <When at={row.expires_at} /> : <span className="quiet">{t('tokens.never')}</span>) },
      {
        id: 'acts',
        header: <span className="srOnly">{t('talk.actions')}</span>,
        end: true,
        cell: (row) =>
          row.revoked_at ? null : (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`${t('tokens.revoke')}: ${row.name}`}
              onClick={async () => {
                if (!(await ask({ title: t('tokens.revokeTitle', { name: row.name }), body: t('tokens.revokeMore'), act: t('tokens.revoke'), danger: true, typed: row.name }))) return;
                try {
                  await must(api.POST('/tokens/{id}/revoke', { params: { path: { id: row.id } } }));
                  await client.invalidateQueries({ queryKey: ['tokens'] });
                  void done(t, t('tokens.revoked'));
                } catch (error) {
                  void failed(t, error);
                }
              }}
            >
              {t('tokens.revoke')}
            </Button>
          ),
      },
    ],
    [t, client],
  );
  return (
    <>
      <Group mb="sm" justify="flex-end"><Button leftSection={<IconPlus size={15} />} onClick={() => setAdding(true)}>{t('tokens.add')}</Button></Group>
      <DataTable label={t('settings.tokens')} feed={feed} columns={columns} id={idOf} rowName={(row) => row.name} empty={<Empty title={t('tokens.empty')} icon={<IconKey size={28} stroke={1.5} />}>{t('tokens.emptyMore')}</Empty>} />
      {adding ? <Add close={() => setAdding(false)} made={(made) => { setAdding(false); setSecret(made); }} /> : null}
      <Modal opened={secret !== null} onClose={() => setSecret(null)} title={t('tokens.add')} closeButtonProps={{ 'aria-label': t('close') }}>
        <Shown text={secret ?? ''} says={t('tokens.secret')} />
      </Modal>
    </>
  );
}

function Add({ close, made }: { close: () => void; made: (secret: string) => void }) {
  const { t } = useT();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<string[]>(['read']);
  const [days, setDays] = useState('90');
  const [sees, setSees] = useState(everything);
  const [error, setError] = useState<unknown>(null);
  const add = async (event: FormEvent) => {
    event.preventDefault();
    try {
      const expires = days === '0' ? null : new Date(Date.now() + Number(days) * 86_400_000).toISOString();
      const token = await must(api.POST('/tokens', { body: { name: name.trim(), scopes: chosen, ...granted(sees), expires_at: expires } as never }));
      await client.invalidateQueries({ queryKey: ['tokens'] });
      made(token.secret);
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Modal opened onClose={close} title={t('tokens.add')} closeButtonProps={{ 'aria-label': t('close') }}>
      <form onSubmit={(event) => void add(event)}>
        <Stack gap="sm">
          <TextInput label={t('tokens.name')} required data-autofocus dir="auto" value={name} onChange={(e) => setName(e.currentTarget.value)} maxLength={120} />
          <Checkbox.Group label={t('tokens.scopes')} value={chosen} onChange={setChosen}>
            <Stack gap={6} mt={6}>
              {scopes.map((one) => (
                <Checkbox key={one} value={one} size="xs" label={<Ltr mono>{one}</Ltr>} />
              ))}
            </Stack>
          </Checkbox.Group>
          <SeesInput value={sees} change={setSees} />
          <Select label={t('tokens.expires')} value={days} onChange={(value) => value && setDays(value)} data={[...['30', '90', '365'].map((one) => ({ value: one, label: t('tokens.days', { count: Number(one) }) })), { value: '0', label: t('tokens.never') }]} />
          <Problem error={error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>{t('cancel')}</Button>
            <Button type="submit" disabled={chosen.length === 0 || !name.trim() || !isSomething(sees)}>{t('tokens.add')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
