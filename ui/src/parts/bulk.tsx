import { Button, Group, Modal, Progress, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, useSyncExternalStore, type ReactNode } from 'react';
import { api, must, once, type Batch, type Schemas } from '../api/client';
import { useT, word, type T } from '../i18n';
import { useFormat } from '../i18n/format';
import { done as told, failed } from './act';
import { Problem } from './basics';
import type { Selection } from './feed';
import s from './parts.module.css';

/** What stands over a list while rows are selected: how many, and what can be done with exactly these (R4). */
export function BulkBar({ selection, total, matching, children }: { selection: Selection; total: number; matching?: ReactNode; children: ReactNode }) {
  const { t } = useT();
  return (
    <div className={s.bulk} role="region" aria-label={t('select.count', { count: selection.ids.size })}>
      <strong>{t('select.count', { count: selection.ids.size })}</strong>
      <span>{t('select.paused')}</span>
      {selection.ids.size >= total ? matching : null}
      <span className={s.grow} />
      {children}
      <Button size="compact-xs" variant="default" onClick={selection.clear}>
        {t('select.none')}
      </Button>
    </div>
  );
}

type Action = Schemas['BatchAction'];
interface Order {
  tenant: string | undefined;
  action: Action;
  ids?: string[];
  filter?: Partial<Schemas['BatchFilter']>;
  /** Ask first, with a trial run's count. Always so above 25 rows (R4). */
  ask: boolean;
}

interface Running {
  order: Order;
  trial: Batch;
  answer: (go: boolean) => void;
}

let open: Running | null = null;
let watched: string | null = null;
const watchers = new Set<() => void>();
const changed = () => watchers.forEach((watcher) => watcher());
const watch = (watcher: () => void) => {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
};

const body = (order: Order, dry: boolean) => ({ tenant: order.tenant, action: order.action, filter: { ...order.filter, ...(order.ids ? { ids: order.ids } : {}) }, dry_run: dry });
const begin = (order: Order, dry: boolean) => must(api.POST('/batches', { params: { header: once() }, body: body(order, dry) } as never)) as Promise<Batch>;

/** One action on many rows, done by the server: counted first, watched while it runs, told when it ends (R3). Whether it began. */
export async function runBatch(t: T, order: Order): Promise<boolean> {
  try {
    if (order.ask || !order.ids || order.ids.length > 25) {
      const trial = await begin(order, true);
      const go = await new Promise<boolean>((resolve) => {
        open = { order, trial, answer: resolve };
        changed();
      });
      open = null;
      changed();
      if (!go) return false;
    }
    const batch = await begin(order, false);
    watched = batch.id ?? null;
    changed();
    return true;
  } catch (error) {
    failed(t, error);
    return false;
  }
}

export function Batches() {
  const asked = useSyncExternalStore(watch, () => open);
  const id = useSyncExternalStore(watch, () => watched);
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
  const close = () => {
    watched = null;
    changed();
  };
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
            <Button size="compact-xs" variant="default" onClick={() => must(api.POST('/batches/{id}/cancel', { params: { path: { id } } })).then(() => told(t, t('batch.cancel')), setError)}>
              {t('batch.cancel')}
            </Button>
          ) : (
            <Button size="compact-xs" variant="default" onClick={close}>
              {t('close')}
            </Button>
          )}
        </Group>
      </Stack>
    </div>
  );
}
