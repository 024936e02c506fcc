import '../styles/more';
import { ActionIcon, Button, Menu, SegmentedControl, Select, Tooltip } from '@mantine/core';
import { IconAlertOctagon, IconAlertTriangle, IconBell, IconCheck, IconChecks, IconCircleCheck, IconClockPause, IconMailOff, IconMailX, IconMessage, IconPlugConnectedX, IconTrash, IconUserExclamation } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, must, type Notification } from '../api/client';
import { useMay, useTenantId } from '../api/session';
import { useFilters } from '../app/filters';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from '../parts/act';
import { Empty, Page, Problem, Said, Tag, Waiting, When } from '../parts/basics';
import { useFeed } from '../parts/feed';
import { snoozes, type Until } from '../parts/snooze';
import s from './notifications.module.css';

const idOf = (row: Notification) => row.id;
const tabs = ['unread', 'snoozed', 'read', 'all'] as const;
const sorts = ['newest', 'oldest', 'urgent'] as const;
const kinds = ['needs_person', 'send_failed', 'send_held', 'channel_paused', 'dead_letter', 'saga_stuck', 'saga_undone', 'alert_raised', 'alert_cleared'] as const;
const looks: Record<string, [typeof IconBell, string]> = {
  needs_person: [IconUserExclamation, 'warn'],
  send_failed: [IconMailX, 'bad'],
  send_held: [IconMailX, 'warn'],
  channel_paused: [IconPlugConnectedX, 'bad'],
  dead_letter: [IconAlertOctagon, 'bad'],
  saga_stuck: [IconAlertOctagon, 'bad'],
  saga_undone: [IconAlertTriangle, 'warn'],
  alert: [IconAlertTriangle, 'warn'],
  alert_raised: [IconAlertTriangle, 'bad'],
  alert_cleared: [IconCircleCheck, 'info'],
};

export function NotificationsPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const mayAct = useMay('agent');
  const client = useQueryClient();
  const filters = useFilters();
  const tab = tabs.find((one) => one === filters.get('tab')) ?? 'unread';
  const sort = sorts.find((one) => one === filters.get('sort')) ?? 'newest';
  const kind = kinds.find((one) => one === filters.get('kind'));
  const feed = useFeed<Notification>({ key: ['notifications', tenant, tab, kind, sort], id: idOf, read: (cursor, signal) => must(api.GET('/notifications', { params: { query: { tenant, filter: tab, kind, sort, cursor } }, signal })) });
  const fresh = async () => {
    await Promise.all([client.invalidateQueries({ queryKey: ['notifications'] }), client.invalidateQueries({ queryKey: ['counts', 'notifications'] })]);
  };
  const act = async (asked: () => Promise<unknown>, said: string, undo?: () => Promise<unknown>) => {
    try {
      await asked();
      await fresh();
      void done(t, said, undo ? async () => { await undo(); await fresh(); } : undefined);
    } catch (error) {
      void failed(t, error);
    }
  };
  const path = (id: string) => ({ params: { path: { id } } });
  const read = (id: string) => () => must(api.POST('/notifications/{id}/read', path(id)));
  const unread = (id: string) => () => must(api.POST('/notifications/{id}/unread', path(id)));
  const put = async (id: string, at: () => Until | Promise<Until>) => {
    const until = await at();
    if (until === undefined) return;
    const body = until ? { until: until.toISOString() } : {};
    await act(() => must(api.POST('/notifications/{id}/snooze', { ...path(id), body })), until ? t('talk.snoozed', { when: format.full(until) }) : t('talk.snoozedReply'), unread(id));
  };
  return (
    <Page
      title={t('nav.notifications')}
      filters={
        <>
          <SegmentedControl size="xs" aria-label={t('nav.notifications')} value={tab} onChange={(value) => filters.set({ tab: value === 'unread' ? null : value })} data={tabs.map((one) => ({ value: one, label: t(`notices.tab.${one}`) }))} />
          <Select size="xs" w={180} aria-label={t('notices.kind')} value={kind ?? 'any'} onChange={(value) => filters.set({ kind: value === 'any' ? null : value })} data={[{ value: 'any', label: t('notices.kind.any') }, ...kinds.map((one) => ({ value: one, label: t(`notice.${one}`) }))]} />
          <Select size="xs" w={150} aria-label={t('notices.sort')} value={sort} onChange={(value) => filters.set({ sort: value === 'newest' ? null : value })} data={sorts.map((one) => ({ value: one, label: t(`notices.sort.${one}`) }))} />
        </>
      }
      actions={
        mayAct && (tab === 'all' || tab === 'read') && feed.rows.some((one) => one.read_at) ? (
          <Button
            variant="default"
            leftSection={<IconTrash size={15} />}
            onClick={async () => {
              if (await ask({ title: t('notices.deleteReadTitle'), body: t('notices.deleteReadMore'), act: t('notices.deleteRead'), danger: true })) await act(() => must(api.POST('/notifications/delete-read', { body: { tenant } })), t('notices.deleted'));
            }}
          >
            {t('notices.deleteRead')}
          </Button>
        ) : mayAct && tab === 'unread' && !kind && feed.rows.length > 0 ? (
          <Button variant="default" leftSection={<IconChecks size={15} />} onClick={() => void act(() => must(api.POST('/notifications/read-all', { body: { tenant, upto: feed.rows.reduce((newest, one) => (BigInt(one.id) > BigInt(newest) ? one.id : newest), '0') } as never })), t('notices.allRead'))}>
            {t('notices.readAll')}
          </Button>
        ) : null
      }
    >
      {feed.isPending ? <Waiting /> : null}
      {feed.error ? <Problem error={feed.error} retry={feed.refresh} /> : null}
      {!feed.isPending && feed.rows.length === 0 ? (
        kind ? <Empty title={t('notices.filtered')} action={<Button variant="default" onClick={() => filters.set({ kind: null })}>{t('clear')}</Button>} /> : <Empty good={tab === 'unread'} title={tab === 'unread' ? t('notices.empty') : t('empty.title')} icon={<IconBell size={28} stroke={1.5} />}>{tab === 'unread' ? t('notices.emptyMore') : null}</Empty>
      ) : null}
      <ul className={s.list}>
        {feed.rows.map((one) => {
          const [Icon, tone] = looks[one.kind] ?? [IconBell, 'info'];
          const snoozed = !one.read_at && one.snoozed_until && Date.parse(one.snoozed_until) > Date.now();
          return (
            <li key={one.id} className={s.one} data-unread={!one.read_at} data-notice={one.id}>
              <span className={s.mark} data-tone={tone} aria-hidden><Icon size={19} stroke={1.7} /></span>
              <div style={{ minWidth: 0 }}>
                <h2><Said>{one.title}</Said></h2>
                <p><Said>{one.body}</Said></p>
                <p style={{ display: 'flex', gap: 10, flexWrap: 'wrap', alignItems: 'center' }}>
                  <Tag tone={tone === 'info' ? 'info' : (tone as 'bad' | 'warn')}>{word(t, 'notice', one.kind)}</Tag>
                  <When at={one.created_at} />
                  {tab === 'snoozed' && one.until_reply ? <Tag icon={<IconClockPause size={13} />}>{t('notices.untilReply')}</Tag> : null}
                  {snoozed && one.snoozed_until ? <Tag icon={<IconClockPause size={13} />}>{t('notices.until', { when: format.full(one.snoozed_until) })}</Tag> : null}
                  {one.conversation_id ? <Link to="/inbox/$id" params={{ id: one.conversation_id }} style={{ color: 'var(--b-accent)', display: 'inline-flex', gap: 4, alignItems: 'center' }}><IconMessage size={14} aria-hidden />{t('failed.talk')}</Link> : null}
                  {one.kind === 'saga_stuck' ? <Link to="/health" style={{ color: 'var(--b-accent)' }}>{t('health.sagas')}</Link> : null}
                </p>
              </div>
              {mayAct ? (
                <div className={s.acts}>
                  <Menu position="bottom-end">
                    <Menu.Target>
                      <Button variant="subtle" size="compact-sm" leftSection={<IconClockPause size={15} />} data-act="snooze">{t('notices.snooze')}</Button>
                    </Menu.Target>
                    <Menu.Dropdown>
                      {snoozes(t)
                        .filter((span) => one.conversation_id || span.text !== t('talk.snooze.reply'))
                        .map((span) => (
                          <Menu.Item key={span.text} onClick={() => void put(one.id, span.at)}>
                            {span.text}
                          </Menu.Item>
                        ))}
                    </Menu.Dropdown>
                  </Menu>
                  <Tooltip label={one.read_at ? t('notices.unread') : t('notices.read')}>
                    <ActionIcon aria-label={one.read_at ? t('notices.unread') : t('notices.read')} onClick={() => void (one.read_at ? act(unread(one.id), t('notices.wasUnread'), read(one.id)) : act(read(one.id), t('notices.wasRead'), unread(one.id)))}>
                      {one.read_at ? <IconMailOff size={17} /> : <IconCheck size={17} />}
                    </ActionIcon>
                  </Tooltip>
                  <Tooltip label={t('notices.delete')}>
                    <ActionIcon
                      aria-label={t('notices.delete')}
                      data-act="delete"
                      onClick={async () => {
                        if (await ask({ title: t('notices.deleteTitle'), act: t('notices.delete'), danger: true })) await act(() => must(api.DELETE('/notifications/{id}', path(one.id))), t('notices.deleted'));
                      }}
                    >
                      <IconTrash size={17} />
                    </ActionIcon>
                  </Tooltip>
                </div>
              ) : null}
            </li>
          );
        })}
      </ul>
      {feed.hasMore ? <Button mt="sm" variant="subtle" loading={feed.isMore} onClick={feed.more}>{t('rows.more')}</Button> : null}
    </Page>
  );
}
