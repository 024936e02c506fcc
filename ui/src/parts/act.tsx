import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useSyncExternalStore, useState } from 'react';
import { explain } from '../api/problem';
import { useT, type T } from '../i18n';
import { LinkButton } from './basics';

interface Question {
  title: string;
  body?: string;
  /** Words of the button that does it. */
  act: string;
  danger?: boolean;
  /** To be typed, for what cannot be undone (R5). */
  typed?: string;
  /** A reason is asked for, and wanted. */
  reason?: { label: string; required: boolean };
}

type Answer = { reason: string } | null;
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

export function Questions() {
  const current = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => open,
  );
  if (!current) return null;
  const done = (answer: Answer) => {
    open = null;
    changed();
    current.answer(answer);
  };
  return <Ask question={current.question} done={done} />;
}

function Ask({ question, done }: { question: Question; done: (answer: Answer) => void }) {
  const { t } = useT();
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const ready = (!question.typed || typed.trim() === question.typed) && (!question.reason?.required || reason.trim() !== '');
  return (
    <Modal opened onClose={() => done(null)} title={question.title} closeButtonProps={{ 'aria-label': t('close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) done({ reason: reason.trim() });
        }}
      >
        <Stack gap="sm">
          {question.body ? <Text size="sm">{question.body}</Text> : null}
          {question.reason ? <TextInput label={question.reason.label} value={reason} onChange={(e) => setReason(e.currentTarget.value)} required={question.reason.required} dir="auto" maxLength={300} /> : null}
          {question.typed ? <TextInput label={t('confirm.type', { word: question.typed })} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} autoComplete="off" dir="auto" /> : null}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" data-autofocus onClick={() => done(null)}>
              {t('cancel')}
            </Button>
            <Button type="submit" color={question.danger ? 'red' : undefined} disabled={!ready}>
              {question.act}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Says that it is done, with the way back for eight seconds (R5). */
export function done(t: T, message: string, undo?: () => unknown) {
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
            void Promise.resolve(undo()).catch((error: unknown) => failed(t, error));
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

export function failed(t: T, error: unknown) {
  const said = explain(error, t);
  notifications.show({ color: 'red', autoClose: 10_000, withBorder: true, role: 'alert', title: said.title, message: said.detail ?? '', closeButtonProps: { 'aria-label': t('close') } });
}
