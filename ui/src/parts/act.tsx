import { Group } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import { explain } from '../api/problem';
import type { T } from '../i18n';
import { LinkButton } from './basics';

export interface Question {
  title: string;
  body?: string;
  /** Words of the button that does it. */
  act: string;
  danger?: boolean;
  /** To be typed, for what cannot be undone (R5). */
  typed?: string;
  /** A reason is asked for, and wanted. */
  reason?: { label: string; required: boolean };
  /** A moment to come is asked for. */
  when?: { label: string };
}

export type Answer = { reason: string; when?: Date } | null;
let open: { question: Question; answer: (answer: Answer) => void } | null = null;
const watchers = new Set<() => void>();
const changed = () => watchers.forEach((watcher) => watcher());

/** Asks; `null` when the person thought better of it. */
export function ask(question: Question): Promise<Answer> {
  return new Promise((resolve) => {
    open = { question, answer: resolve };
    changed();
  });
}

/** The question that is open, and how to hear of another. */
export const questions = {
  read: () => open,
  watch: (watcher: () => void) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  },
  close: (answer: Answer) => {
    const current = open;
    open = null;
    changed();
    current?.answer(answer);
  },
};

/** Whether something is being asked: what lies beneath then keeps still, also at Escape. */
export const useAsked = () => useSyncExternalStore(questions.watch, questions.read) !== null;

/** Loaded after the page stands. */
const toasts = () => import('./toasts');

/** Says that it is done, with the way back for eight seconds (R5). */
export async function done(t: T, message: string, undo?: () => unknown) {
  const { notifications } = await toasts();
  const id = `done-${Date.now()}`;
  notifications.show({
    id,
    autoClose: undo ? 8000 : 3500,
    withBorder: true,
    closeButtonProps: { 'aria-label': t('close') },
    message: undo ? (
      <Group justify="space-between" gap="sm" wrap="nowrap">
        <span>{message}</span>
        <LinkButton
          onClick={() => {
            notifications.hide(id);
            void Promise.resolve(undo()).catch((error: unknown) => void failed(t, error));
          }}
        >
          {t('undo')}
        </LinkButton>
      </Group>
    ) : (
      message
    ),
  });
}

export async function failed(t: T, error: unknown) {
  const { notifications } = await toasts();
  const said = explain(error, t);
  notifications.show({ color: 'red', autoClose: 10_000, withBorder: true, role: 'alert', title: said.title, message: said.detail ?? '', closeButtonProps: { 'aria-label': t('close') } });
}
