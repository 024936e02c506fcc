import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState, useSyncExternalStore } from 'react';
import { useT } from '../i18n';
import { questions, type Answer, type Question } from './act';

export function Questions() {
  const current = useSyncExternalStore(questions.watch, questions.read);
  if (!current) return null;
  return <Ask question={current.question} done={questions.close} />;
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

