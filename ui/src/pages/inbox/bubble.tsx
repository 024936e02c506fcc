import { Button } from '@mantine/core';
import { IconFile, IconLock, IconMapPin, IconMicrophone, IconPhoto, IconRobot, IconSettings, IconUser } from '@tabler/icons-react';
import { memo, useState } from 'react';
import type { Message, Note } from '../../api/client';
import { useT, word } from '../../i18n';
import { useFormat } from '../../i18n/format';
import { failed as told, done } from '../../parts/act';
import { Ltr, Said } from '../../parts/basics';
import { Ticks } from '../../parts/ticks';
import s from './inbox.module.css';
import { retry } from './use-talk';

const media: Record<string, typeof IconPhoto> = { image: IconPhoto, video: IconPhoto, sticker: IconPhoto, audio: IconMicrophone, voice: IconMicrophone, document: IconFile, location: IconMapPin };

interface Props {
  message: Message;
  mayAct: boolean;
  details: (message: Message) => void;
  quoted: Message | undefined;
}

export const Bubble = memo(function Bubble({ message, mayAct, details, quoted }: Props) {
  const { t } = useT();
  const format = useFormat();
  const out = message.direction === 'out';
  const bad = message.status === 'failed' || message.status === 'held';
  const Icon = media[message.kind];
  const by = message.sender === 'AI' ? t('talk.assistant') : message.sender === 'HUMAN' ? (message.author ?? t('talk.team')) : message.sender === 'SYSTEM' ? t('talk.system') : '';
  return (
    <div className={s.bubble} data-side={out ? 'out' : 'in'} data-by={message.sender} data-failed={bad} data-message={message.id} role="article" aria-label={`${by} ${format.full(message.created_at)}`.trim()}>
      {out ? (
        <div className={s.by}>
          {message.sender === 'AI' ? <IconRobot size={13} aria-hidden /> : message.sender === 'SYSTEM' ? <IconSettings size={13} aria-hidden /> : <IconUser size={13} aria-hidden />}
          <Said>{by}</Said>
        </div>
      ) : null}
      {message.quotes ? (
        <div className={s.quote}>
          <Said>{quoted?.body || t('talk.quoted')}</Said>
        </div>
      ) : null}
      {message.kind !== 'text' ? (
        <div className={s.media}>
          {Icon ? <Icon size={18} aria-hidden /> : null}
          {word(t, 'kind', message.kind)}
        </div>
      ) : null}
      {message.body ? (
        <div className={s.body} dir="auto">
          {message.body}
        </div>
      ) : null}
      <div className={s.meta}>
        {message.possible_duplicate ? <span>{t('talk.duplicate')}</span> : null}
        <button type="button" className={s.metaButton} onClick={() => details(message)} title={t('talk.details')}>
          <time dateTime={message.created_at}>{format.time(message.created_at)}</time>
          {out ? <Ticks status={message.status} /> : null}
          <span className="srOnly">{t('talk.details')}</span>
        </button>
      </div>
      {bad ? <Reason message={message} mayAct={mayAct} /> : null}
      {!bad && out && message.next_attempt_at && message.attempts > 0 && message.status === 'pending' ? (
        <div className={s.reason}>{t('talk.retrying', { when: format.ago(message.next_attempt_at) })}</div>
      ) : null}
    </div>
  );
});

/** Why it was not sent, in words that stand there, not behind a hover; and the way to send it again. */
function Reason({ message, mayAct }: { message: Message; mayAct: boolean }) {
  const { t } = useT();
  const [busy, setBusy] = useState(false);
  return (
    <div className={s.reason}>
      <span style={{ flex: '1 1 180px' }}>
        <strong>{message.status === 'held' ? t('failed.held') : t('talk.failed')}</strong>
        {message.error ? <> · <Said>{message.error}</Said></> : null}
        {message.error_code ? <> (<Ltr>{t('talk.code', { code: message.error_code })}</Ltr>)</> : null}
      </span>
      {mayAct ? (
        <Button
          size="compact-xs"
          variant="default"
          loading={busy}
          data-act="retry"
          onClick={async () => {
            setBusy(true);
            try {
              await retry(message.id);
              void done(t, t('talk.retried'));
            } catch (error) {
              void told(t, error);
            }
            setBusy(false);
          }}
        >
          {t('talk.retry')}
        </Button>
      ) : null}
    </div>
  );
}

export const NoteCard = memo(function NoteCard({ note }: { note: Note }) {
  const { t } = useT();
  const format = useFormat();
  return (
    <div className={s.note} role="article" aria-label={t('talk.noteBy', { name: note.author })}>
      <div className={s.by}>
        <IconLock size={13} aria-hidden />
        {t('talk.note')} · <Said>{note.author}</Said> · <time dateTime={note.created_at}>{format.time(note.created_at)}</time>
      </div>
      <div className={s.body} dir="auto">
        {note.body}
      </div>
    </div>
  );
});
