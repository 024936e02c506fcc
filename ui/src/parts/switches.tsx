import { Button, Group } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { api, must } from '../api/client';
import { useMay, useTenantId } from '../api/session';
import { useT } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from './act';

const STEPS = [10, 25, 50, 100];

/** Turns an agent or an experiment off and on, and rolls it out; the next message obeys, and the reason goes on record (S3.8). */
export function Switches({ flag, on, percent, name, effect }: { flag: string; on: boolean; percent: number; name: string; effect?: string }) {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const admin = useMay('admin');
  const client = useQueryClient();
  const set = async (next: { on: boolean; percent: number }, reason?: string) => {
    try {
      await must(api.PUT('/flags', { body: { tenant, name: flag, reason, ...next } }));
      void done(t, t(next.on ? 'agents.isOn' : 'agents.isOff', { name, percent: format.percent(next.percent / 100) }));
    } catch (error) {
      void failed(t, error);
    }
    await Promise.all(['agents', 'experiments'].map((key) => client.invalidateQueries({ queryKey: [key] })));
  };
  const turn = async () => {
    const title = t(on ? 'agents.offTitle' : 'agents.onTitle', { name });
    const answer = await ask({ title, body: on && effect ? effect : t(on ? 'agents.offMore' : 'agents.onMore'), act: t(on ? 'agents.turnOff' : 'agents.turnOn'), danger: on, reason: { label: t('reason'), required: on } });
    if (answer) await set({ on: !on, percent }, answer.reason || undefined);
  };
  if (!admin) return null;
  return (
    <Group gap="xs" data-switch={flag}>
      <Button size="compact-sm" variant={on ? 'default' : 'filled'} onClick={() => void turn()}>{t(on ? 'agents.turnOff' : 'agents.turnOn')}</Button>
      <Group gap={4} role="group" aria-label={t('agents.rollOut', { name })}>
        {STEPS.map((step) => (
          <Button key={step} size="compact-sm" variant={percent === step ? 'light' : 'default'} aria-pressed={percent === step} disabled={!on} onClick={() => void set({ on: true, percent: step })}>{format.percent(step / 100)}</Button>
        ))}
      </Group>
    </Group>
  );
}
