import '../../styles/more';
import { Button, Group, Modal, Stack, TextInput, Textarea } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, must, once } from '../../api/client';
import { useT } from '../../i18n';
import { Problem } from '../../parts/basics';

/** An approved template: what WhatsApp takes when the 24 hours are over. */
export function TemplateForm({ talk, close, sent }: { talk: string; close: () => void; sent: () => void }) {
  const { t, language: spoken } = useT();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [language, setLanguage] = useState<string>(spoken);
  const [values, setValues] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const header = useRef(once());
  return (
    <Modal opened onClose={close} title={t('talk.template')} closeButtonProps={{ 'aria-label': t('close') }}>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          setBusy(true);
          try {
            await must(api.POST('/conversations/{id}/messages', { params: { path: { id: talk }, header: header.current }, body: { template: { name: name.trim(), language: language.trim(), parameters: values.split('\n').map((one) => one.trim()).filter(Boolean) } } } as never));
            await client.invalidateQueries({ queryKey: ['thread', talk] });
            sent();
            close();
          } catch (problem) {
            setError(problem);
            header.current = once();
          }
          setBusy(false);
        }}
      >
        <Stack gap="sm">
          <TextInput label={t('talk.templateName')} required value={name} onChange={(e) => setName(e.currentTarget.value)} dir="ltr" data-autofocus />
          <TextInput label={t('talk.templateLanguage')} required value={language} onChange={(e) => setLanguage(e.currentTarget.value)} dir="ltr" maxLength={15} />
          <Textarea label={t('talk.templateValues')} description={t('talk.templateValuesMore')} value={values} onChange={(e) => setValues(e.currentTarget.value)} dir="auto" autosize minRows={2} maxRows={6} />
          <Problem error={error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>{t('cancel')}</Button>
            <Button type="submit" loading={busy}>{t('talk.send')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
