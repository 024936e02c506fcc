import { Button, Group, Modal, Progress, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, useSyncExternalStore } from 'react';
import { api, must } from '../api/client';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { done as told } from './act';
import { Problem } from './basics';
import { batches, type Running } from './bulk';
import s from './parts.module.css';

export function Batches() {
  const asked = useSyncExternalStore(batches.watch, batches.asked);
  const id = useSyncExternalStore(batches.watch, batches.watched);
  return (
    <>
      {asked ? <Before running={asked} /> : null}
      {id ? <Progressing key={id} id={id} /> : null}
    </>
  );
}

function Before({ running }: { running: Running }) {
  const { t } = useT();
  const format = useFormat();
  const { trial } = running;
  return (
    <Modal opened onClose={() => running.answer(false)} title={t('batch.title')} closeButtonProps={{ 'aria-label': t('close') }}>
      <Stack gap="sm">
        <Text>{trial.done > 0 ? t('batch.will', { n: format.number(trial.done) }) : t('batch.nothing')}</Text>
        {trial.skipped.map((group) => (
          <Text key={group.reason} size="sm">
            {t('batch.skipped', { n: format.number(group.count), why: word(t, 'obstacle', group.reason) })}
          </Text>
        ))}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" data-autofocus onClick={() => running.answer(false)}>
            {t('cancel')}
          </Button>
          <Button disabled={trial.done === 0} color={running.order.action === 'discard_dead_letters' ? 'red' : undefined} onClick={() => running.answer(true)}>
            {t('batch.begin', { count: trial.done })}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Progressing({ id }: { id: string }) {
  const { t } = useT();
  const [error, setError] = useState<unknown>(null);
  const query = useQuery({
    queryKey: ['batch', id],
    queryFn: () => must(api.GET('/batches/{id}', { params: { path: { id } } })),
    refetchInterval: ({ state }) => (state.data && state.data.state !== 'running' ? false : 700),
  });
  const batch = query.data;
  if (!batch) return null;
  const skipped = batch.skipped.reduce((sum, group) => sum + group.count, 0);
  const total = batch.total.value;
  const seen = batch.done + batch.failed + skipped;
  return (
    <div role="status" style={{ position: 'fixed', insetBlockEnd: 16, insetInlineStart: 16, zIndex: 400, width: 330, maxWidth: 'calc(100vw - 32px)' }} className={s.card}>
      <Stack gap={8}>
        <Text size="sm" fw={600}>
          {batch.state === 'running'
            ? t('batch.running', { done: seen, total })
            : batch.state === 'cancelled'
              ? t('batch.cancelled', { done: batch.done, total })
              : t('batch.done', { done: batch.done, failed: batch.failed, skipped })}
        </Text>
        <Progress value={total ? (100 * seen) / total : 100} aria-label={t('batch.running', { done: seen, total })} />
        {batch.skipped.map((group) => (
          <Text key={group.reason} size="xs">
            {t('batch.skipped', { n: group.count, why: word(t, 'obstacle', group.reason) })}
          </Text>
        ))}
        {error ? <Problem error={error} /> : null}
        <Group justify="flex-end">
          {batch.state === 'running' ? (
            <Button size="compact-xs" variant="default" onClick={() => must(api.POST('/batches/{id}/cancel', { params: { path: { id } } })).then(() => void told(t, t('batch.cancel')), setError)}>
              {t('batch.cancel')}
            </Button>
          ) : (
            <Button size="compact-xs" variant="default" onClick={batches.close}>
              {t('close')}
            </Button>
          )}
        </Group>
      </Stack>
    </div>
  );
}
