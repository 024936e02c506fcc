import i18n from 'i18next';
import { initReactI18next, useTranslation } from 'react-i18next';
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

async function load(language: Language) {
  if (language === 'ar' && !i18n.hasResourceBundle('ar', 'translation')) {
    const { ar } = await import('./ar');
    i18n.addResourceBundle('ar', 'translation', ar);
  }
}

export async function startTexts() {
  const language = startLanguage();
  await i18n.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: en } },
    keySeparator: false,
    nsSeparator: false,
    // React writes text as text; a name with a tag in it stays a name.
    interpolation: { escapeValue: false },
    returnNull: false,
    react: { useSuspense: false },
  });
  if (language !== 'en') await speak(language, false);
  mark(language);
}

export async function speak(language: Language, keep = true) {
  await load(language);
  await i18n.changeLanguage(language);
  mark(language);
  if (keep) {
    try {
      localStorage.setItem(STORED, language);
    } catch {
      // A browser that keeps nothing asks again next time.
    }
  }
}

/** Adds texts that come with a part of the page; Arabic has all of its own already. */
export function later(texts: Partial<Later>) {
  i18n.addResourceBundle('en', 'translation', texts, true, false);
}

function mark(language: Language) {
  document.documentElement.lang = language;
  document.documentElement.dir = direction(language);
}

export const direction = (language: string): 'ltr' | 'rtl' => (language.startsWith('ar') ? 'rtl' : 'ltr');

type Values = Record<string, string | number>;
export type T = (key: Key, values?: Values) => string;

/** Texts by key; keys that end in `_one`, `_other` are asked for without the ending, with `count`. */
export function useT(): { t: T; language: Language; dir: 'ltr' | 'rtl' } {
  const { t, i18n: current } = useTranslation();
  const language: Language = current.language.startsWith('ar') ? 'ar' : 'en';
  return { t: (key, values) => t(key, values as never) as unknown as string, language, dir: direction(language) };
}

/** A text whose key is made at run time (a state, a kind): the key's own last part when there is none. */
export function word(t: T, group: string, value: string | null | undefined): string {
  if (!value) return '';
  const key = `${group}.${value}`;
  return i18n.exists(key) ? t(key as Key) : value.replaceAll('_', ' ');
}
