import { useSyncExternalStore } from 'react';
import { en, type Later } from './en';

type Raw = keyof typeof en | keyof Later;
type Bare<K> = K extends `${infer B}_one` | `${infer B}_other` ? B : K;
/** Every text; those that count are named without their ending. */
export type Key = Bare<Raw>;
export type Language = 'en' | 'ar';
export const languages: readonly { code: Language; name: string; dir: 'ltr' | 'rtl' }[] = [
  { code: 'en', name: 'English', dir: 'ltr' },
  { code: 'ar', name: 'العربية', dir: 'rtl' },
];

const STORED = 'barid.language';

export function startLanguage(): Language {
  const stored = read(STORED);
  if (stored === 'en' || stored === 'ar') return stored;
  return navigator.language.startsWith('ar') ? 'ar' : 'en';
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

type Values = Record<string, string | number>;
export type T = (key: Key, values?: Values) => string;

interface Spoken {
  t: T;
  language: Language;
  dir: 'ltr' | 'rtl';
  has: (key: string) => boolean;
}

/** A language's texts; those that count have one for each form that the language knows, chosen by `count`. */
function make(language: Language, texts: Readonly<Record<string, string>>): Spoken {
  const rules = new Intl.PluralRules(language);
  const t: T = (key, values) => {
    const form = typeof values?.count === 'number' ? `${key}_${rules.select(values.count)}` : key;
    const text = texts[form] ?? texts[key] ?? key;
    return values ? text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => String(values[name] ?? whole)) : text;
  };
  return { t, language, dir: direction(language), has: (key) => key in texts };
}

export const direction = (language: string): 'ltr' | 'rtl' => (language.startsWith('ar') ? 'rtl' : 'ltr');

const texts: Record<string, string> = { ...en };
const english = make('en', texts);
let spoken = english;
const listeners = new Set<() => void>();

async function change(language: Language) {
  spoken = language === 'en' ? english : make('ar', (await import('./ar')).ar);
  document.documentElement.lang = language;
  document.documentElement.dir = spoken.dir;
  for (const listener of listeners) listener();
}

export const startTexts = () => change(startLanguage());

export async function speak(language: Language) {
  await change(language);
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

/** Adds texts that come with a part of the page; Arabic has all of its own already. */
export function later(more: Partial<Later>) {
  Object.assign(texts, more);
}

const listen = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
const now = () => spoken;

/** Texts by key; keys that end in `_one`, `_other` are asked for without the ending, with `count`. */
export function useT(): Spoken {
  return useSyncExternalStore(listen, now);
}

/** A text whose key is made at run time (a state, a kind): the key's own last part when there is none. */
export function word(t: T, group: string, value: string | null | undefined): string {
  if (!value) return '';
  const key = `${group}.${value}`;
  return spoken.has(key) ? t(key as Key) : value.replaceAll('_', ' ');
}
