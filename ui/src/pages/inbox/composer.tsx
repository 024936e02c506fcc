import { Button, Textarea } from '@mantine/core';
import { IconBolt, IconClockOff, IconLock, IconMessage, IconSend, IconTemplate } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useImperativeHandle, useRef, useState, type Ref } from 'react';
import { api, must, once, type Conversation } from '../../api/client';
import { Refused } from '../../api/problem';
import { useT } from '../../i18n';
import { useFormat, useNow } from '../../i18n/format';
import { ask, done, failed } from '../../parts/act';
import s from './inbox.module.css';

const TemplateForm = lazy(() => import('./template').then((part) => ({ default: part.TemplateForm })));

export interface ComposerHandle {
  write(mode: 'reply' | 'note'): void;
}

const draftOf = (id: string, mode: string) => `barid.draft.${id}.${mode}`;
const kept = (id: string, mode: string) => {
  try {
    return localStorage.getItem(draftOf(id, mode)) ?? '';
  } catch {
    return '';
  }
};
const keep = (id: string, mode: string, text: string) => {
  try {
    if (text) localStorage.setItem(draftOf(id, mode), text);
    else localStorage.removeItem(draftOf(id, mode));
  } catch {
    // Without storage the draft lives as long as the page.
  }
};

interface Props {
  talk: Conversation;
  newest: string | undefined;
  takeOver: () => Promise<boolean>;
  ref: Ref<ComposerHandle>;
}

/** Drafts belong to their conversation; a message goes out under one key, however often "send" is pressed. */
export function Composer({ talk, newest, takeOver, ref }: Props) {
  const { t } = useT();
  const format = useFormat();
  const now = useNow();
  const client = useQueryClient();
  const field = useRef<HTMLTextAreaElement>(null);
  const bot = talk.state === 'active';
  const silent = talk.state === 'opted_out' || talk.opted_out;
  const noteOnly = bot || silent;
  const [wished, setWished] = useState<'reply' | 'note'>('reply');
  const mode = noteOnly ? 'note' : wished;
  const [texts, setTexts] = useState(() => ({ reply: kept(talk.id, 'reply'), note: kept(talk.id, 'note') }));
  const [busy, setBusy] = useState(false);
  const [template, setTemplate] = useState(false);
  const key = useRef<{ text: string; header: { 'Idempotency-Key': string } } | null>(null);
  // What the writer had before their eyes when they began to write.
  const seen = useRef<string | undefined>(undefined);
  const text = texts[mode];
  const shut = mode === 'reply' && !talk.window_open;

  const write = (value: string) => {
    if (!text && value) seen.current = newest;
    setTexts((old) => ({ ...old, [mode]: value }));
    keep(talk.id, mode, value);
  };
  useImperativeHandle(ref, () => ({
    write: (to) => {
      setWished(to);
      setTimeout(() => field.current?.focus());
    },
  }));
  useEffect(() => {
    if (!text) seen.current = newest;
  }, [newest, text]);

  const send = async (anyway = false) => {
    const body = text.trim();
    if (!body || busy) return;
    setBusy(true);
    try {
      if (mode === 'note') {
        await must(api.POST('/conversations/{id}/notes', { params: { path: { id: talk.id } }, body: { body } }));
        await client.invalidateQueries({ queryKey: ['notes', talk.id] });
      } else {
        if (key.current?.text !== body + anyway) key.current = { text: body + anyway, header: once() };
        const input = { text: body, ...(anyway || !seen.current ? {} : { seen: seen.current }) };
        await must(api.POST('/conversations/{id}/messages', { params: { path: { id: talk.id }, header: key.current.header }, body: input } as never));
        key.current = null;
        void client.invalidateQueries({ queryKey: ['conversation', talk.id] });
        await client.invalidateQueries({ queryKey: ['thread', talk.id] });
      }
      setTexts((old) => ({ ...old, [mode]: '' }));
      keep(talk.id, mode, '');
      setBusy(false);
      field.current?.focus();
    } catch (error) {
      setBusy(false);
      if (error instanceof Refused && error.body.code === 'newer-message') {
        await client.invalidateQueries({ queryKey: ['thread', talk.id] });
        if (await ask({ title: t('talk.newer'), body: t('talk.newerMore'), act: t('talk.sendAnyway') })) await send(true);
        return;
      }
      void failed(t, error);
    }
  };

  const left = talk.window_closes_at ? Date.parse(talk.window_closes_at) - now : null;
  return (
    <div className={s.composer} data-note={mode === 'note'}>
      <div className={s.composerTop}>
        <div className={s.modes} role="group" aria-label={t('talk.reply')}>
          <button type="button" aria-pressed={mode === 'reply'} disabled={noteOnly} onClick={() => setWished('reply')}>
            <IconMessage size={14} aria-hidden />
            {t('talk.reply')}
          </button>
          <button type="button" aria-pressed={mode === 'note'} onClick={() => setWished('note')}>
            <IconLock size={13} aria-hidden />
            {t('talk.note')}
          </button>
        </div>
        <span className="hint" style={{ flex: 1, minWidth: 0, fontSize: '0.78rem' }}>
          {silent ? t('talk.optedOut') : bot ? t('talk.noteOnly') : mode === 'reply' && left !== null && left > 0 && !shut ? t('talk.window', { time: format.span(left) }) : ''}
        </span>
        {bot && !silent ? (
          <Button size="compact-sm" leftSection={<IconBolt size={14} />} onClick={() => void takeOver().then((ok) => ok && setTimeout(() => field.current?.focus(), 50))}>
            {t('talk.takeOver')}
          </Button>
        ) : null}
      </div>
      {shut ? (
        <div className={s.closed} role="note">
          <IconClockOff size={20} aria-hidden />
          <span style={{ flex: 1 }}>{t('talk.windowClosed')}</span>
          <Button variant="default" leftSection={<IconTemplate size={15} />} onClick={() => setTemplate(true)}>
            {t('talk.template')}
          </Button>
        </div>
      ) : (
        <div className={s.box}>
          <Textarea
            ref={field}
            style={{ flex: 1 }}
            autosize
            minRows={1}
            maxRows={7}
            dir="auto"
            maxLength={mode === 'note' ? 10_000 : 4096}
            aria-label={mode === 'note' ? t('talk.writeNote') : t('talk.writeReply')}
            placeholder={mode === 'note' ? t('talk.writeNote') : t('talk.writeReply')}
            value={text}
            onChange={(event) => write(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
                event.preventDefault();
                void send();
              }
              if (event.key === 'Escape') event.currentTarget.blur();
            }}
          />
          <Button size="sm" loading={busy} disabled={!text.trim()} onClick={() => void send()} leftSection={mode === 'note' ? <IconLock size={15} /> : <IconSend size={15} className="flip" />} title={t('talk.sendHint')}>
            {mode === 'note' ? t('talk.addNote') : t('talk.send')}
          </Button>
        </div>
      )}
      {template ? <Suspense><TemplateForm talk={talk.id} close={() => setTemplate(false)} sent={() => void done(t, t('talk.templateSent'))} /></Suspense> : null}
    </div>
  );
}
