import { ActionIcon, Button, CloseButton, Loader, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconArrowsSort, IconFilter, IconHandGrab, IconInbox, IconSearch } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { api, must, type Conversation } from '../../api/client';
import { useMay, useSession, useTenantId } from '../../api/session';
import { useFilters } from '../../app/filters';
import { useT } from '../../i18n';
import { useFormat } from '../../i18n/format';
import { done, failed } from '../../parts/act';
import { Empty, Problem, Waiting } from '../../parts/basics';
import { BulkBar, runBatch } from '../../parts/bulk';
import { useFeed, useSelection } from '../../parts/feed';
import { useShortcuts } from '../../parts/keys';
import { MenuButton } from '../../parts/menu';
import { morning } from '../../parts/snooze';
import p from '../../parts/parts.module.css';
import s from './inbox.module.css';
import { Row } from './row';

const tabs = ['mine', 'unassigned', 'all'] as const;
const statuses = ['open', 'pending', 'snoozed', 'resolved', 'any'] as const;
const sorts = ['last', 'waiting', 'priority', 'created'] as const;
const idOf = (talk: Conversation) => talk.id;
const ROW = 76;
const nothing = () => undefined;

export function InboxList({ open }: { open: string | undefined }) {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const session = useSession();
  const mayAct = useMay('agent');
  const navigate = useNavigate();
  const filters = useFilters();
  const tab = (tabs.find((one) => one === filters.get('tab')) ?? 'all') as (typeof tabs)[number];
  const status = (statuses.find((one) => one === filters.get('status')) ?? 'any') as (typeof statuses)[number];
  const sort = (sorts.find((one) => one === filters.get('sort')) ?? 'last') as (typeof sorts)[number];
  const q = filters.get('q') ?? '';
  const client = useQueryClient();
  const selection = useSelection();
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(q);
  const search = useDebouncedCallback((text: string) => filters.set({ q: text }), 220);

  const counts = useQuery({ queryKey: ['counts', 'inbox', tenant, status], queryFn: () => must(api.GET('/conversations/counts', { params: { query: { tenant, status: status === 'any' ? undefined : status } } })) });
  const feed = useFeed<Conversation>({
    key: ['conversations', tenant, tab, status, sort, q],
    id: idOf,
    frozen: selection.ids.size > 0,
    stays: (former) => former[1] === tenant,
    read: (cursor, signal) =>
      must(
        api.GET('/conversations', {
          params: { query: q ? { tenant, q, cursor } : { tenant, tab, status: status === 'any' ? undefined : status, sort, cursor } },
          signal,
        }),
      ),
  });
  const rows = feed.rows;
  const several = useMemo(() => new Set(rows.map((row) => row.channel_number)).size > 1, [rows]);
  const virtual = useVirtualizer({ count: rows.length + 1, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 8, getItemKey: (i) => rows[i]?.id ?? 'end' });
  const items = virtual.getVirtualItems();
  const last = items[items.length - 1]?.index ?? 0;
  useEffect(() => {
    if (rows.length > 0 && last >= rows.length - 12) feed.more();
  }, [last, rows.length, feed]);

  const kept = useMemo(() => ({ tab: filters.get('tab'), status: filters.get('status'), sort: filters.get('sort'), q: q || undefined }), [filters, q]);
  const step = (by: number) => {
    const here = rows.findIndex((row) => row.id === open);
    const next = rows[here < 0 ? 0 : here + by];
    if (!next) return;
    virtual.scrollToIndex(rows.indexOf(next), { align: 'auto' });
    void navigate({ to: '/inbox/$id', params: { id: next.id }, search: kept as never });
  };
  useShortcuts({
    KeyJ: () => step(1),
    ArrowDown: () => step(1),
    KeyK: () => step(-1),
    ArrowUp: () => step(-1),
    Slash: () => field.current?.focus(),
    KeyX: () => open && mayAct && selection.toggle(open),
    Escape: () => (selection.ids.size > 0 ? selection.clear() : open && void navigate({ to: '/inbox', search: kept as never })),
  });

  /** One thing to each that is selected; what could not be done is said (another took it meanwhile, it was closed). */
  const each = async (act: (id: string) => Promise<{ response: Response }>) => {
    const ids = [...selection.ids];
    let good = 0;
    for (const id of ids) if (await act(id).then(({ response }) => response.ok, () => false)) good += 1;
    selection.clear();
    await Promise.all(['conversations', 'conversation', 'counts'].map((key) => client.invalidateQueries({ queryKey: [key] })));
    void done(t, [t('inbox.changed', { count: good }), good < ids.length ? t('inbox.someLeft', { count: ids.length - good }) : ''].filter(Boolean).join('. '));
  };
  /** Who waits longest and is nobody's becomes mine. */
  const pickNext = async () => {
    try {
      const waiting = await must(api.GET('/conversations', { params: { query: { tenant, tab: 'unassigned', status: 'open', sort: 'waiting', limit: 1 } } }));
      const next = waiting.data[0];
      if (!next) return void done(t, t('inbox.noneWaits'));
      await must(api.POST('/conversations/{id}/assign', { params: { path: { id: next.id } }, body: { user_id: session.userId } }));
      void client.invalidateQueries({ queryKey: ['conversations'] });
      void client.invalidateQueries({ queryKey: ['counts'] });
      void navigate({ to: '/inbox/$id', params: { id: next.id }, search: kept as never });
    } catch (error) {
      void failed(t, error);
    }
  };
  const tally = (count: { value: number; capped: boolean } | undefined) => (count ? ` ${format.number(count.value)}${count.capped ? '+' : ''}` : '');
  const filtered = filters.any('q', 'status', 'tab');
  return (
    <section className={s.list} aria-label={t('inbox.list')}>
      <div className={s.listHead}>
        <div className={s.listTitle}>
          <h2>{t('inbox.title')}</h2>
          {mayAct ? (
            <ActionIcon aria-label={t('inbox.pickNext')} title={t('inbox.pickNextMore')} onClick={() => void pickNext()} data-act="pick-next">
              <IconHandGrab size={17} />
            </ActionIcon>
          ) : null}
          <MenuButton
            target={
              <Button variant="subtle" size="compact-xs" leftSection={<IconFilter size={14} />}>
                {t(`inbox.status.${status}`)}
              </Button>
            }
            entries={() =>
              statuses.map((one) => ({
                label: <>{t(`inbox.status.${one}`)}{one === 'any' ? null : <span className="quiet num">{tally(counts.data?.[one])}</span>}</>,
                side: one === status ? '✓' : null,
                act: () => filters.set({ status: one === 'any' ? null : one }),
              }))
            }
          />
          <MenuButton
            target={
              <ActionIcon aria-label={`${t('inbox.sort')}: ${t(`inbox.sort.${sort}`)}`} title={t(`inbox.sort.${sort}`)}>
                <IconArrowsSort size={17} />
              </ActionIcon>
            }
            entries={() => sorts.map((one) => ({ label: t(`inbox.sort.${one}`), side: one === sort ? '✓' : null, act: () => filters.set({ sort: one === 'last' ? null : one }) }))}
          />
        </div>
        <TextInput
          ref={field}
          size="xs"
          placeholder={t('inbox.search')}
          aria-label={t('inbox.search')}
          leftSection={<IconSearch size={15} />}
          rightSection={typed ? <CloseButton size="sm" aria-label={t('clear')} onClick={() => { setTyped(''); filters.set({ q: null }); }} /> : null}
          value={typed}
          dir="auto"
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            search(event.currentTarget.value.trim());
          }}
        />
        <div className={s.tabs} role="group" aria-label={t('inbox.list')}>
          {tabs.map((one) => {
            // The numbers are of what the list shows (R8); a search has none.
            const count = q ? undefined : counts.data?.[one];
            return (
              <button key={one} type="button" aria-pressed={tab === one} onClick={() => filters.set({ tab: one === 'all' ? null : one })}>
                {t(`inbox.tab.${one}`)}
                <span className="num">{tally(count)}</span>
              </button>
            );
          })}
        </div>
      </div>
      {selection.ids.size > 0 ? (
        <BulkBar
          selection={selection}
          total={rows.length}
          matching={
            // All that match, not only those that are shown: where the server knows the same filter (R3).
            status === 'open' && tab === 'all' && !q && feed.hasMore ? (
              <Button
                size="compact-xs"
                variant="default"
                onClick={async () => {
                  if (await runBatch(t, { tenant, action: 'resolve_conversations', ask: true })) selection.clear();
                }}
              >
                {t('inbox.resolveMatching', { count: counts.data?.open?.value ?? 0, n: `${format.number(counts.data?.open?.value ?? 0)}${counts.data?.open?.capped ? '+' : ''}` })}
              </Button>
            ) : null
          }
        >
          {selection.ids.size < rows.length ? <Button size="compact-xs" variant="subtle" onClick={() => selection.set(rows.map(idOf))}>{t('inbox.selectAll')}</Button> : null}
          <Button size="compact-xs" variant="default" onClick={() => void each((id) => api.POST('/conversations/{id}/assign', { params: { path: { id } }, body: { user_id: session.userId } }))}>
            {t('inbox.assignSelected', { count: selection.ids.size })}
          </Button>
          <Button size="compact-xs" variant="default" onClick={() => void each((id) => api.POST('/conversations/{id}/snooze', { params: { path: { id } }, body: { until: morning(1).toISOString() } }))}>
            {t('inbox.snoozeSelected', { count: selection.ids.size })}
          </Button>
          <Button
            size="compact-xs"
            onClick={async () => {
              const ids = [...selection.ids];
              await runBatch(t, { tenant, action: 'resolve_conversations', ids, ask: false });
              selection.clear();
            }}
          >
            {t('inbox.resolveSelected', { count: selection.ids.size })}
          </Button>
        </BulkBar>
      ) : null}
      {feed.isPending ? <Waiting rows={9} height={58} /> : null}
      {feed.error ? <div style={{ padding: 10 }}><Problem error={feed.error} retry={feed.refresh} /></div> : null}
      {!feed.isPending && rows.length === 0 && !feed.error ? (
        <Empty
          title={filtered ? t('inbox.filtered') : t('inbox.empty')}
          icon={<IconInbox size={28} stroke={1.5} />}
          action={
            filtered ? (
              <Button variant="default" onClick={() => { setTyped(''); filters.set({ q: null, status: null, tab: null }); }}>
                {t('clear')}
              </Button>
            ) : session.demo ? (
              <Button onClick={() => void navigate({ to: '/simulator' })}>{t('inbox.openSimulator')}</Button>
            ) : null
          }
        >
          {filtered ? null : t('inbox.emptyMore')}
        </Empty>
      ) : null}
      <div className={s.rows} ref={box} hidden={rows.length === 0} tabIndex={-1}>
        {feed.fresh > 0 ? (
          <Button className={p.pill} size="compact-sm" radius="xl" onClick={feed.refresh}>
            {t('rows.new', { count: feed.fresh })}
          </Button>
        ) : null}
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }} role="list" aria-label={t('inbox.list')}>
          {items.map((item) => {
            const talk = rows[item.index];
            if (!talk) {
              return (
                <div key="end" className={s.listFoot} style={{ transform: `translateY(${item.start}px)` }} role="listitem">
                  {feed.isMore ? <Loader size="xs" aria-label={t('loading')} /> : feed.hasMore ? '' : t('rows.end', { count: rows.length, n: format.number(rows.length) })}
                </div>
              );
            }
            return <Row key={talk.id} talk={talk} here={talk.id === open} start={item.start} picked={selection.ids.has(talk.id)} picking={selection.ids.size > 0} pick={mayAct ? selection.toggle : nothing} search={kept} several={several} />;
          })}
        </div>
      </div>
    </section>
  );
}
