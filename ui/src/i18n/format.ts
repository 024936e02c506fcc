import { useMemo, useSyncExternalStore } from 'react';
import { useT } from '.';

// One clock for all "5 min ago" on the page, so that they turn together.
let now = Date.now();
const listeners = new Set<() => void>();
setInterval(() => {
  if (document.hidden) return;
  now = Date.now();
  for (const listener of listeners) listener();
}, 15_000);

export function useNow(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => now,
  );
}

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export interface Format {
  number(value: number, options?: Intl.NumberFormatOptions): string;
  percent(share: number, digits?: number): string;
  time(at: string | number | Date): string;
  date(at: string | number | Date): string;
  full(at: string | number | Date): string;
  day(at: string | number | Date): string;
  ago(at: string | number | Date): string;
  /** The shortest that tells: the hour today, a weekday this week, a date before. */
  brief(at: string | number | Date): string;
  span(ms: number): string;
}

export function useFormat(): Format {
  const { language } = useT();
  const clock = useNow();
  return useMemo(() => make(language === 'ar' ? 'ar-AE-u-nu-latn' : 'en-GB', Math.max(clock, Date.now() - 15_000)), [language, clock]);
}

function make(locale: string, clock: number): Format {
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const date = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
  const dated = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
  const full = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const weekday = new Intl.DateTimeFormat(locale, { weekday: 'short' });
  const day = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const of = (at: string | number | Date) => (at instanceof Date ? at : new Date(at));
  const days = (at: Date) => Math.round((midnight(clock) - midnight(at.getTime())) / 86_400_000);
  return {
    number: (value, options) => new Intl.NumberFormat(locale, options).format(value),
    percent: (share, digits = 0) => new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: digits }).format(share),
    time: (at) => time.format(of(at)),
    date: (at) => (of(at).getFullYear() === new Date(clock).getFullYear() ? date : dated).format(of(at)),
    full: (at) => full.format(of(at)),
    day: (at) => {
      const away = days(of(at));
      return away === 0 || away === 1 ? capital(relativeDay(locale, -away)) : day.format(of(at));
    },
    ago: (at) => {
      const seconds = Math.round((of(at).getTime() - clock) / 1000);
      const size = Math.abs(seconds);
      // The server's clock may be a little ahead of the browser's: what just happened is now, not in a minute.
      if (size < 50) return relative.format(seconds > 5 ? 1 : 0, seconds > 5 ? 'minute' : 'second');
      if (size < 3600) return relative.format(Math.round(seconds / 60), 'minute');
      if (size < 86_400) return relative.format(Math.round(seconds / 3600), 'hour');
      if (size < 30 * 86_400) return relative.format(Math.round(seconds / 86_400), 'day');
      return dated.format(of(at));
    },
    brief: (at) => {
      const when = of(at);
      const away = days(when);
      if (away <= 0) return time.format(when);
      if (away < 7) return weekday.format(when);
      return date.format(when);
    },
    span: (ms) => {
      const unit = (value: number, name: string, digits = 0) =>
        new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits }).format(value);
      if (ms < 1000) return unit(Math.round(ms), 'millisecond');
      if (ms < 60_000) return unit(ms / 1000, 'second', 1);
      if (ms < 3_600_000) return unit(Math.round(ms / 60_000), 'minute');
      if (ms < 172_800_000) {
        const hours = Math.floor(ms / 3_600_000);
        const minutes = Math.round((ms % 3_600_000) / 60_000);
        return minutes && hours < 10 ? `${unit(hours, 'hour')} ${unit(minutes, 'minute')}` : unit(hours, 'hour');
      }
      return unit(Math.round(ms / 86_400_000), 'day');
    },
  };
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const relativeDay = (locale: string, away: number) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(away, 'day');
const midnight = (at: number) => new Date(at).setHours(0, 0, 0, 0);
