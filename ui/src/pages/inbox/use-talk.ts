import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import { api, must, once, type Conversation, type Message, type Note } from '../../api/client';
import { useFeed } from '../../parts/feed';
import { done, failed } from '../../parts/act';
import { useT } from '../../i18n';

const idOf = (row: { id: string }) => row.id;
const path = (id: string) => ({ params: { path: { id } } });

export function useTalk(id: string) {
  return useQuery({ queryKey: ['conversation', id], queryFn: ({ signal }) => must(api.GET('/conversations/{id}', { ...path(id), signal })) });
}

export type Item = { at: string; message: Message; note?: undefined } | { at: string; note: Note; message?: undefined };

export function useThread(id: string) {
  const feed = useFeed<Message>({
    key: ['thread', id],
    id: idOf,
    read: (cursor, signal) => must(api.GET('/conversations/{id}/messages', { params: { path: { id }, query: { cursor, limit: 60 } }, signal })),
  });
  const notes = useQuery({ queryKey: ['notes', id], queryFn: ({ signal }) => must(api.GET('/conversations/{id}/notes', { params: { path: { id }, query: { limit: 200 } }, signal })) });
  const items = useMemo<Item[]>(() => {
    const oldest = feed.rows[feed.rows.length - 1]?.created_at ?? '';
    const all: Item[] = feed.rows.map((message) => ({ at: message.created_at, message }));
    for (const note of notes.data?.data ?? []) if (!feed.hasMore || note.created_at >= oldest) all.push({ at: note.created_at, note });
    return all.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }, [feed.rows, feed.hasMore, notes.data]);
  return { feed, items };
}

/** What can be done with a conversation; each says that it is done, and how to undo it. */
export function useActs(talk: Conversation | undefined, id: string) {
  const { t } = useT();
  const client = useQueryClient();
  const run = useCallback(
    async (asked: Promise<Conversation>, message: string, undo?: () => Promise<unknown>) => {
      try {
        client.setQueryData(['conversation', id], await asked);
        void client.invalidateQueries({ queryKey: ['conversations'] });
        void client.invalidateQueries({ queryKey: ['counts'] });
        if (message) {
          done(t, message, undo
            ? async () => {
                client.setQueryData(['conversation', id], await undo());
                await client.invalidateQueries({ queryKey: ['conversations'] });
              }
            : undefined);
        }
        return true;
      } catch (error) {
        failed(t, error);
        return false;
      }
    },
    [client, id, t],
  );
  return useMemo(() => {
    const takeover = () => must(api.POST('/conversations/{id}/takeover', { ...path(id), body: {} }));
    const giveBack = (at?: string) => must(api.POST('/conversations/{id}/return', { ...path(id), body: at ? { at } : {} }));
    const resolve = () => must(api.POST('/conversations/{id}/resolve', { ...path(id), body: {} }));
    const reopen = () => must(api.POST('/conversations/{id}/reopen', { ...path(id), body: {} }));
    const assign = (user: string | null) => must(api.POST('/conversations/{id}/assign', { ...path(id), body: { user_id: user } }));
    const unread = () => must(api.POST('/conversations/{id}/unread', path(id)));
    const read = () => must(api.POST('/conversations/{id}/read', { ...path(id), body: {} }));
    return {
      takeOver: () => run(takeover(), t('talk.tookOver'), () => giveBack()),
      giveBack: (at?: string) => run(giveBack(at), t('talk.returned'), takeover),
      resolve: () => run(resolve(), t('talk.resolved'), reopen),
      reopen: () => run(reopen(), t('talk.reopened'), resolve),
      snooze: (until: Date | null, said: string) =>
        run(must(api.POST('/conversations/{id}/snooze', { ...path(id), body: until ? { until: until.toISOString() } : {} })), said, reopen),
      assign: (user: { id: string; name: string } | null) => {
        const before = talk?.assignee?.id ?? null;
        return run(assign(user?.id ?? null), user ? t('talk.assigned', { name: user.name }) : t('talk.unassigned'), () => assign(before));
      },
      priority: (priority: Conversation['priority']) => run(must(api.POST('/conversations/{id}/priority', { ...path(id), body: { priority } })), ''),
      labels: (labels: string[]) => run(must(api.PUT('/conversations/{id}/labels', { ...path(id), body: { labels } })), ''),
      unread: () => run(unread(), t('talk.markedUnread'), read),
      read: () => read().then((now) => client.setQueryData(['conversation', id], now)).catch(() => undefined),
    };
  }, [id, run, t, talk, client]);
}

export const retry = (id: string, anyway = false) =>
  must(api.POST('/failed-sends/{id}/retries', { params: { path: { id }, header: once() }, body: anyway ? { anyway: true } : {} } as never)) as Promise<unknown>;
