import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { api, must, once, type Batch, type Schemas } from '../api/client';
import { useT, type T } from '../i18n';
import { failed } from './act';
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

export interface Running {
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

/** What stands before the person: a trial run's count, or work that goes on. */
export const batches = {
  asked: () => open,
  watched: () => watched,
  watch,
  close: () => {
    watched = null;
    changed();
  },
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
    void failed(t, error);
    return false;
  }
}

