import { useInfiniteQuery, useQueryClient, type InfiniteData } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

/** A page of rows as every list of the API gives it. */
export interface Slice<Row> {
  data: Row[];
  next?: string | null;
  has_more: boolean;
}

export interface Feed<Row> {
  rows: Row[];
  isPending: boolean;
  error: unknown;
  hasMore: boolean;
  isMore: boolean;
  /** Rows that came while the list stood still. */
  fresh: number;
  more(): void;
  /** Page one anew, and no more than page one. */
  refresh(): void;
}

export interface Selection {
  ids: ReadonlySet<string>;
  toggle(id: string): void;
  set(ids: Iterable<string>): void;
  clear(): void;
}

/** Rows as the description of a page says them: a field that may be null may be left out there. */
type Loose<Row> = { [K in keyof Row]?: Row[K] | undefined };

type Pages<Row> = InfiniteData<Slice<Row>, string | undefined>;

interface Options<Row> {
  key: readonly unknown[];
  read: (cursor: string | undefined, signal: AbortSignal) => Promise<Slice<Loose<Row>>>;
  id: (row: Row) => string;
  /** While rows are selected, order and content stand still (R2). */
  frozen?: boolean;
  enabled?: boolean;
  /** While another list of the same kind is fetched, the rows that were shown stay (no flash at each letter of a search), if they may be seen here. */
  stays?: (former: readonly unknown[]) => boolean;
}

/**
 * A list by cursor. What is invalidated is read anew from page one, never "what changed since" (R1); a failed reading keeps what is there. New rows
 * are merged on top of the pages already read, so that a reader far down keeps the place.
 */
export function useFeed<Row>({ key, read, id, frozen = false, enabled = true, stays }: Options<Row>): Feed<Row> {
  const client = useQueryClient();
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal) as Promise<Slice<Row>>,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Slice<Row>) => (page.has_more ? (page.next ?? undefined) : undefined),
    enabled,
    placeholderData: (rows, former) => (rows && former && stays?.(former.queryKey) ? rows : undefined),
  });
  const live = query.data?.pages;
  const held = useRef<Row[] | null>(null);
  const [, turn] = useState(0);
  const rows = useMemo(() => {
    const seen = new Set<string>();
    const all: Row[] = [];
    for (const page of live ?? []) {
      for (const row of page.data) {
        const name = id(row);
        if (!seen.has(name)) {
          seen.add(name);
          all.push(row);
        }
      }
    }
    return all;
  }, [live, id]);

  useEffect(() => {
    if (frozen && !held.current) held.current = rows;
    if (!frozen && held.current) {
      held.current = null;
      turn((n) => n + 1);
    }
  }, [frozen, rows]);

  const shown = frozen && held.current ? held.current : rows;
  const fresh = useMemo(() => {
    if (!frozen || !held.current) return 0;
    const known = new Set(held.current.map(id));
    return rows.filter((row) => !known.has(id(row))).length;
  }, [frozen, rows, id]);

  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const name = JSON.stringify(key);
  const refresh = useCallback(() => {
    held.current = null;
    client.setQueryData<Pages<Row>>(key, (old) => (old ? { pages: old.pages.slice(0, 1), pageParams: old.pageParams.slice(0, 1) } : old));
    void client.invalidateQueries({ queryKey: key });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [client, name]);

  return { rows: shown, isPending: query.isPending && enabled, error: query.error, hasMore: hasNextPage, isMore: isFetchingNextPage, fresh, more, refresh };
}

/** Which rows are picked. */
export function useSelection(): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  return useMemo(
    () => ({
      ids,
      toggle: (id: string) =>
        setIds((old) => {
          const next = new Set(old);
          if (!next.delete(id)) next.add(id);
          return next;
        }),
      set: (all: Iterable<string>) => setIds(new Set(all)),
      clear: () => setIds(new Set()),
    }),
    [ids],
  );
}
