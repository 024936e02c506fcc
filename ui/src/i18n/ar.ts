import type { en } from './en';
export const ar: Partial<Record<keyof typeof en, string>> = {};
