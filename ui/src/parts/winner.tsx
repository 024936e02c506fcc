import { Button, Group } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { api, must } from '../api/client';
import type { paths } from '../api/schema';
import { useMay, useTenantId } from '../api/session';
import { useT } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from './act';

type Experiment = paths['/experiments']['get']['responses'][200]['content']['application/json']['data'][number];

/** How far an experiment is, in a line: what is decided of what was planned, and what the test, valid at any time, already says. */
export function useProgress() {
  const { t } = useT();
  const format = useFormat();
  return (one: Experiment) => {
    const decided = format.number(one.arms.reduce((sum, arm) => sum + arm.decided, 0));
    const all = format.number(one.arms.reduce((sum, arm) => sum + arm.conversations, 0));
    const planned = one.planned ? format.number(one.planned) : undefined;
    const count = planned ? t('agents.ofPlanned', { decided, planned, all }) : t('agents.unplanned', { decided, all });
    const verdict = one.established && !one.significant ? t('agents.early', { planned: planned ?? '' }) : '';
    return [count, t('agents.always', { p: format.number(one.p_value, { maximumFractionDigits: 3 }) }), verdict].filter(Boolean).join(' ');
  };
}

/** What an experiment says of a variant's lift over the first one. */
export function useLift() {
  const format = useFormat();
  const signed = (share: number) => `${share > 0 ? '+' : ''}${format.percent(share, 1)}`;
  return (lift: NonNullable<Experiment['arms'][number]['lift']>) => `${signed(lift.difference)} (${signed(lift.low)} … ${signed(lift.high)})`;
}

/** Picks the winner of an experiment, or takes that back: a confirmation first says what is known and what changes (S3.8). */
export function Winner({ one }: { one: Experiment }) {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const admin = useMay('admin');
  const client = useQueryClient();
  const progress = useProgress();
  const lift = useLift();
  const set = async (arm: string | null, reason?: string) => {
    try {
      await must(api.POST('/experiments/{id}/winner', { params: { path: { id: one.id } }, body: { tenant, arm, reason } }));
      void done(t, arm ? t('agents.isPicked', { arm, name: one.id }) : t('agents.isBack', { name: one.id }));
    } catch (error) {
      void failed(t, error);
    }
    await client.invalidateQueries({ queryKey: ['experiments'] });
  };
  const moved = (arm: string) => format.number(one.arms.reduce((sum, other) => sum + (other.name === arm ? 0 : other.conversations), 0));
  const pick = async (arm: string) => {
    const rates = one.arms.map((a) => {
      const rate = t('agents.rateOf', { arm: a.name, rate: a.decided ? format.percent(a.reached / a.decided, 1) : '–', decided: format.number(a.decided) });
      return a.lift ? `${rate}, ${t('agents.liftOf', { lift: lift(a.lift), first: one.arms[0]?.name ?? '' })}` : rate;
    });
    const effect = t('agents.pickEffect', { arm, percent: format.percent(one.percent / 100), moved: moved(arm) });
    const doubt = one.winner === arm ? '' : one.winner ? t('agents.pickOther', { name: one.winner }) : !one.split_is_sound ? t('agents.pickBroken') : t('agents.pickEarly');
    const off = one.status === 'stopped' ? t('agents.pickStopped') : '';
    const body = [doubt, `${rates.join('; ')}.`, progress(one), effect, off].filter(Boolean).join('\n\n');
    const answer = await ask({ title: t('agents.pickTitle', { arm }), body, act: t('agents.pick', { arm }), danger: doubt !== '', reason: { label: t('reason'), required: false } });
    if (answer) await set(arm, answer.reason || undefined);
  };
  const back = async (picked: string) => {
    const answer = await ask({ title: t('agents.backTitle', { name: one.id }), body: t('agents.backEffect', { moved: moved(picked) }), act: t('agents.back'), reason: { label: t('reason'), required: false } });
    if (answer) await set(null, answer.reason || undefined);
  };
  if (!admin) return null;
  return (
    <Group gap="xs" role="group" aria-label={t('agents.winnerOf', { name: one.id })} data-winner={one.picked ?? ''}>
      {one.arms.filter((arm) => arm.name !== one.picked).map((arm) => (
        <Button key={arm.name} size="compact-sm" variant="default" onClick={() => void pick(arm.name)}>{t('agents.pick', { arm: arm.name })}</Button>
      ))}
      {one.picked ? <Button size="compact-sm" variant="default" onClick={() => void back(one.picked as string)}>{t('agents.back')}</Button> : null}
    </Group>
  );
}
