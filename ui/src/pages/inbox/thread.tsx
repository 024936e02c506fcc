import { ActionIcon, Button, Loader } from '@mantine/core';
import { IconArrowDown } from '@tabler/icons-react';
import { Fragment, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { Message } from '../../api/client';
import { useT } from '../../i18n';
import { useFormat } from '../../i18n/format';
import { Problem } from '../../parts/basics';
import type { Feed } from '../../parts/feed';
import { Bubble, NoteCard } from './bubble';
import s from './inbox.module.css';
import type { Item } from './use-talk';

interface Props {
  items: Item[];
  feed: Feed<Message>;
  firstUnread: number;
  mayAct: boolean;
  details: (message: Message) => void;
}

export function Thread({ items, feed, firstUnread, mayAct, details }: Props) {
  const { t } = useT();
  const format = useFormat();
  const box = useRef<HTMLDivElement>(null);
  const below = useRef(true);
  const height = useRef(0);
  const first = items[0]?.at;
  const firstSeen = useRef(first);
  const [away, setAway] = useState(false);

  // At the end it stays at the end; further up, older messages come in above without moving what is read.
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    if (below.current) el.scrollTop = el.scrollHeight;
    else if (firstSeen.current !== first) el.scrollTop += el.scrollHeight - height.current;
    firstSeen.current = first;
    height.current = el.scrollHeight;
  }, [items, first]);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const observer = new ResizeObserver(() => {
      if (below.current) el.scrollTop = el.scrollHeight;
    });
    observer.observe(el);
    return () => observer.disconnect();
  }, []);
  const scrolled = () => {
    const el = box.current;
    if (!el) return;
    below.current = el.scrollHeight - el.scrollTop - el.clientHeight < 60;
    setAway(!below.current);
    if (el.scrollTop < 120) feed.more();
  };
  const quotes = useMemo(() => new Map(feed.rows.filter((m) => m.provider_id).map((m) => [m.provider_id as string, m])), [feed.rows]);
  const incoming = feed.rows.filter((message) => message.direction === 'in');
  const unreadFrom = firstUnread > 0 ? incoming[Math.min(firstUnread, incoming.length) - 1]?.id : undefined;
  let day = '';
  return (
    <div style={{ position: 'relative', flex: 1, minHeight: 0, display: 'flex' }}>
      <div className={s.thread} ref={box} onScroll={scrolled} role="log" aria-live="off" aria-label={t('analytics.messages')} tabIndex={0}>
        {feed.error ? <Problem error={feed.error} retry={feed.refresh} /> : null}
        {feed.isPending ? <Loader size="sm" m="auto" aria-label={t('loading')} /> : null}
        {feed.hasMore ? (
          <Button variant="subtle" size="compact-sm" style={{ alignSelf: 'center' }} loading={feed.isMore} onClick={feed.more}>
            {t('talk.older')}
          </Button>
        ) : null}
        {/* Little to show stands at the bottom, where the next message comes. */}
        <span style={{ marginBlockStart: 'auto' }} />
        {items.map((item) => {
          const today = new Date(item.at).toDateString();
          const turn = today !== day;
          day = today;
          return (
            <Fragment key={item.message ? `m${item.message.id}` : `n${item.note.id}`}>
              {turn ? <div className={s.day}>{format.day(item.at)}</div> : null}
              {item.message && item.message.id === unreadFrom ? <div className={s.newLine} role="separator" aria-label={t('talk.unread')}>{t('talk.unread')}</div> : null}
              {item.message ? <Bubble message={item.message} mayAct={mayAct} details={details} quoted={item.message.quotes ? quotes.get(item.message.quotes) : undefined} /> : <NoteCard note={item.note} />}
            </Fragment>
          );
        })}
      </div>
      {away ? (
        <ActionIcon
          className={s.toNewest}
          variant="default"
          radius="xl"
          size="lg"
          aria-label={t('talk.newest')}
          onClick={() => {
            below.current = true;
            box.current?.scrollTo({ top: box.current.scrollHeight, behavior: 'smooth' });
          }}
        >
          <IconArrowDown size={18} />
        </ActionIcon>
      ) : null}
    </div>
  );
}
