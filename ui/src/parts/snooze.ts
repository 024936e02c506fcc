import type { T } from '../i18n';

const morning = (days: number) => {
  const at = new Date();
  at.setDate(at.getDate() + days);
  at.setHours(8, 0, 0, 0);
  return at;
};

/** For how long something may be put out of sight. */
export const snoozes = (t: T): { text: string; at: () => Date }[] => [
  { text: t('talk.snooze.hour'), at: () => new Date(Date.now() + 3_600_000) },
  { text: t('talk.snooze.tomorrow'), at: () => morning(1) },
  { text: t('talk.snooze.week'), at: () => morning(7) },
  { text: t('talk.snooze.month'), at: () => morning(30) },
];
