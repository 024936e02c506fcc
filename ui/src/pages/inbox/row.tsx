import { Checkbox } from '@mantine/core';
import { IconAlertCircleFilled, IconClockHour4, IconFlag3Filled, IconHourglass, IconRobot, IconUser, IconUserExclamation } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import type { Conversation } from '../../api/client';
import { useT, word } from '../../i18n';
import { useFormat, useNow } from '../../i18n/format';
import { Face, Ltr, Phone, Said } from '../../parts/basics';
import { Ticks } from '../../parts/ticks';
import s from './inbox.module.css';

export const nameOf = (talk: { lead_name?: string | null; contact_name?: string | null; phone?: string | null; id?: string }) => talk.lead_name || talk.contact_name || talk.phone || `#${talk.id ?? ''}`;

interface Props {
  talk: Conversation;
  here: boolean;
  start: number;
  picked: boolean;
  picking: boolean;
  pick: (id: string) => void;
  search: Record<string, unknown>;
  /** The business has several numbers: which one it came to is said. */
  several: boolean;
}

export const Row = memo(function Row({ talk, here, start, picked, picking, pick, search, several }: Props) {
  const { t } = useT();
  const format = useFormat();
  const now = useNow();
  const last = talk.last_message;
  const name = nameOf(talk);
  const closes = talk.window_closes_at ? Date.parse(talk.window_closes_at) - now : null;
  const needs = talk.state === 'handed_over';
  return (
    <div className={s.row} style={{ transform: `translateY(${start}px)` }} data-here={here} data-picked={picked} data-talk={talk.id} role="listitem">
      <div className={s.face}>
        <Face name={name} size={38} />
        <span className={s.pick}>
          <Checkbox size="xs" checked={picked} onChange={() => pick(talk.id)} aria-label={t('select.row', { name })} />
        </span>
        <span className={`${s.owner} ${needs ? s.ownerNeeds : ''}`} role="img" aria-label={t(`talk.state.${talk.state}`)} title={t(`talk.state.${talk.state}`)}>
          {talk.state === 'active' ? <IconRobot size={12} /> : needs ? <IconUserExclamation size={12} /> : <IconUser size={12} />}
        </span>
      </div>
      <Link
        to="/inbox/$id"
        params={{ id: talk.id }}
        search={search as never}
        className={s.rowMain}
        aria-current={here ? 'true' : undefined}
        onKeyDown={(event) => {
          if (event.code === 'KeyX' && !event.ctrlKey && !event.metaKey) {
            event.stopPropagation();
            pick(talk.id);
          }
        }}
        onClick={(event) => {
          if (picking && event.detail > 0 && !(event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            pick(talk.id);
          }
        }}
      >
        <div className={s.rowTop}>
          <span className={s.rowName}>{talk.lead_name || talk.contact_name ? <Said>{name}</Said> : <Phone value={talk.phone} />}</span>
          <time className={s.rowTime} dateTime={talk.last_message_at} title={format.full(talk.last_message_at)}>
            {format.brief(talk.last_message_at)}
          </time>
        </div>
        <div className={s.rowText} data-unread={talk.unread > 0}>
          {last?.direction === 'out' ? <Ticks status={last.status} size={15} /> : null}
          <bdi dir="auto">
            {last && last.kind !== 'text' ? `${word(t, 'kind', last.kind)}${last.preview ? ` · ${last.preview}` : ''}` : (last?.preview ?? '')}
          </bdi>
          {talk.unread > 0 ? (
            <span className={s.unread}>
              <span aria-hidden>{talk.unread >= 100 ? '99+' : format.number(talk.unread)}</span>
              <span className="srOnly">{t('inbox.unread', { count: talk.unread })}</span>
            </span>
          ) : null}
        </div>
        <div className={s.rowTags}>
          {talk.failed_sends > 0 ? (
            <span className={s.badText}>
              <IconAlertCircleFilled size={13} aria-hidden />
              {t('inbox.failed', { count: talk.failed_sends })}
            </span>
          ) : null}
          {talk.priority === 'high' || talk.priority === 'critical' ? (
            <span className={s.warnText}>
              <IconFlag3Filled size={12} aria-hidden />
              {t(`priority.${talk.priority}`)}
            </span>
          ) : null}
          {talk.waiting_since ? (
            <span className={s.warnText} title={format.full(talk.waiting_since)}>
              <IconHourglass size={12} aria-hidden />
              {t('inbox.waits', { time: format.span(Math.max(0, now - Date.parse(talk.waiting_since))) })}
            </span>
          ) : null}
          {closes !== null && talk.window_open ? (
            <span className={closes < 6 * 3_600_000 ? s.warnText : s.window} title={t('inbox.window', { time: format.span(closes) })}>
              <IconClockHour4 size={12} aria-hidden />
              {format.span(Math.max(0, closes))}
            </span>
          ) : null}
          {!talk.window_open ? <span title={t('inbox.windowClosed')}>{t('talk.template')}</span> : null}
          {talk.assignee ? <Said className="clip">{talk.assignee.name}</Said> : null}
          {talk.service ? <Said className="clip">{talk.service}</Said> : null}
          {several ? (
            <span title={`${word(t, 'channel', talk.channel_kind)} ${talk.channel_number}`}>
              <Ltr>··{talk.channel_number.slice(-4)}</Ltr>
            </span>
          ) : null}
        </div>
      </Link>
    </div>
  );
});
