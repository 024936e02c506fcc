import type { T } from '../i18n';
import { ask } from './act';

export const morning = (days: number) => {
  const at = new Date();
  at.setDate(at.getDate() + days);
  at.setHours(8, 0, 0, 0);
  return at;
};

/** Until when: a moment, `null` until they write, `undefined` when the person thought better of it. */
export type Until = Date | null | undefined;

async function chosen(t: T): Promise<Until> {
  const answer = await ask({ title: t('talk.snooze'), act: t('talk.snooze'), when: { label: t('talk.snooze.when') } });
  return answer?.when;
}

/** For how long something may be put out of sight. */
export const snoozes = (t: T): { text: string; at: () => Until | Promise<Until> }[] => [
  { text: t('talk.snooze.hour'), at: () => new Date(Date.now() + 3_600_000) },
  { text: t('talk.snooze.tomorrow'), at: () => morning(1) },
  { text: t('talk.snooze.week'), at: () => morning(7) },
  { text: t('talk.snooze.month'), at: () => morning(30) },
  { text: t('talk.snooze.reply'), at: () => null },
  { text: t('talk.snooze.custom'), at: () => chosen(t) },
];

/** As a field for a moment takes it: the viewer's own clock. */
export const local = (at: Date) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
