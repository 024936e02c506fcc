import { Button, Group, Stack, Table, Text, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { api, must, type Lead, type Schemas } from '../../api/client';
import { useT } from '../../i18n';
import { useFormat } from '../../i18n/format';
import { Ltr, Problem, Waiting } from '../../parts/basics';
import s from './leads.module.css';
import { nameOfLead } from './page';

/** One person out of everything: what there is of them, a word typed, and what was removed. */
export function Erase({ lead, close }: { lead: Lead; close: (gone: boolean) => void }) {
  const { t } = useT();
  const client = useQueryClient();
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [erased, setErased] = useState<Schemas['Erased'] | null>(null);
  const person = useQuery({ queryKey: ['leads', 'person', lead.id], queryFn: () => must(api.GET('/leads/{id}/person', { params: { path: { id: lead.id } } })), gcTime: 0, enabled: !erased, retry: false });
  const ready = typed.trim() === t('leads.eraseWord');
  const act = async (event: FormEvent) => {
    event.preventDefault();
    if (!ready || busy) return;
    setBusy(true);
    setError(null);
    try {
      setErased(await must(api.POST('/leads/{id}/erase', { params: { path: { id: lead.id } }, body: { confirm: 'erase' } })));
      // Nothing of them stays in this tab either.
      for (const talk of person.data?.conversations ?? []) {
        for (const key of ['conversation', 'thread', 'notes']) client.removeQueries({ queryKey: [key, talk] });
        for (const mode of ['reply', 'note']) localStorage.removeItem(`barid.draft.${talk}.${mode}`);
      }
      await client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[1] !== 'one' && queryKey[1] !== 'person' });
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  const shut = () => {
    if (erased) client.removeQueries({ queryKey: ['leads', 'one', lead.id] });
    close(erased !== null);
  };
  return (
    <Stack gap="sm">
      <h2 className={s.title}>{erased ? t('leads.erased') : t('leads.eraseTitle', { name: `\u2068${nameOfLead(lead)}\u2069` })}</h2>
      {erased ? (
        <Removed erased={erased} close={shut} />
      ) : (
        <form onSubmit={(event) => void act(event)}>
          <Stack gap="sm">
            <Problem error={error ?? person.error} />
            {person.data ? <Text size="sm">{t('leads.eraseMore', { count: person.data.messages })}</Text> : person.isPending ? <Waiting rows={2} /> : null}
            {person.data ? <Text size="sm"><Ltr>{person.data.known_by.join(', ')}</Ltr></Text> : null}
            <TextInput label={t('confirm.type', { word: t('leads.eraseWord') })} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} autoComplete="off" dir="auto" />
            <Group justify="flex-end" gap="xs">
              <Button variant="default" autoFocus onClick={shut}>{t('cancel')}</Button>
              <Button type="submit" color="red" disabled={!ready || !person.data} loading={busy}>{t('leads.eraseAct')}</Button>
            </Group>
          </Stack>
        </form>
      )}
    </Stack>
  );
}

function Removed({ erased, close }: { erased: Schemas['Erased']; close: () => void }) {
  const { t } = useT();
  const format = useFormat();
  return (
    <Stack gap="sm">
      <Text size="sm">{t('leads.erasedMore')}</Text>
      <Table aria-label={t('leads.erased')}>
        <Table.Thead><Table.Tr><Table.Th>{t('leads.relation')}</Table.Th><Table.Th style={{ textAlign: 'end' }}>{t('leads.rows')}</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {Object.entries(erased.removed).map(([relation, rows]) => (
            <Table.Tr key={relation}><Table.Td><Ltr mono>{relation}</Ltr></Table.Td><Table.Td className="num" style={{ textAlign: 'end' }}>{format.number(rows)}</Table.Td></Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="sm">{t('leads.redacted', { count: erased.redacted })}</Text>
      <Group justify="flex-end"><Button autoFocus onClick={close}>{t('close')}</Button></Group>
    </Stack>
  );
}
