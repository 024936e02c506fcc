import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState, useSyncExternalStore } from 'react';
import { useT } from '../i18n';
import { questions, type Answer, type Question } from './act';
import { local } from './snooze';

export function Questions() {
  const current = useSyncExternalStore(questions.watch, questions.read);
  if (!current) return null;
  return <Ask question={current.question} done={questions.close} />;
}

function Ask({ question, done }: { question: Question; done: (answer: Answer) => void }) {
  const { t } = useT();
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const [when, setWhen] = useState(() => local(new Date(Date.now() + 2 * 3_600_000)));
  const at = question.when ? new Date(when) : undefined;
  const ready = (!question.typed || typed.trim() === question.typed) && (!question.reason?.required || reason.trim() !== '') && (!at || at.getTime() > Date.now());
  return (
    <Modal opened onClose={() => done(null)} title={question.title} closeButtonProps={{ 'aria-label': t('close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) done({ reason: reason.trim(), ...(at ? { when: at } : {}) });
        }}
      >
        <Stack gap="sm">
          {question.body ? <Text size="sm" style={{ whiteSpace: 'pre-line' }}>{question.body}</Text> : null}
          {question.reason ? <TextInput label={question.reason.label} value={reason} onChange={(e) => setReason(e.currentTarget.value)} required={question.reason.required} dir="auto" maxLength={300} /> : null}
          {question.when ? <TextInput type="datetime-local" label={question.when.label} value={when} min={local(new Date())} onChange={(e) => setWhen(e.currentTarget.value)} required data-autofocus /> : null}
          {question.typed ? <TextInput label={t('confirm.type', { word: question.typed })} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} autoComplete="off" dir="auto" /> : null}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" data-autofocus={question.when ? undefined : true} onClick={() => done(null)}>
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

