import { Button, PasswordInput, Stack, Switch } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { api, must } from '../../api/client';
import { useSession } from '../../api/session';
import { useT } from '../../i18n';
import { Card, Facts, Problem, Said } from '../../parts/basics';
import { setShortcuts, useShortcutsOn } from '../../parts/keys';

export function Account() {
  const { t } = useT();
  const session = useSession();
  const shortcuts = useShortcutsOn();
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const [error, setError] = useState<unknown>(null);
  const change = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await must(api.POST('/auth/password', { body: { ...(old ? { old } : {}), new: next } as never }));
      // Every session has ended, this one too.
      location.assign('/login');
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Stack gap="md" maw={460}>
      <Card title={t('settings.mine')}>
        <Facts rows={[[t('about.name'), <Said>{session.name}</Said>], [t('users.role'), t(`users.role.${session.role}`)]]} />
        <Switch mt="md" label={t('keys.on')} checked={shortcuts} onChange={(e) => setShortcuts(e.currentTarget.checked)} />
      </Card>
      <Card title={t('account.password')}>
        <form onSubmit={(event) => void change(event)}>
          <Stack gap="sm">
            <PasswordInput label={t('account.old')} autoComplete="current-password" dir="ltr" value={old} onChange={(e) => setOld(e.currentTarget.value)} />
            <PasswordInput label={t('account.new')} description={t('first.rule')} autoComplete="new-password" minLength={10} required dir="ltr" value={next} onChange={(e) => setNext(e.currentTarget.value)} />
            <Problem error={error} />
            <Button type="submit" style={{ alignSelf: 'flex-end' }} disabled={next.length < 10}>{t('account.password')}</Button>
          </Stack>
        </form>
      </Card>
    </Stack>
  );
}
