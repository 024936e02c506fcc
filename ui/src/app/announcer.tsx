import { useEffect, useRef, useState } from 'react';
import { stream } from '../api/stream';
import { useT } from '../i18n';

const PAUSE = 5000;
const STORED = 'barid.silent';

export const isSilent = () => localStorage.getItem(STORED) === '1';
export function setSilent(silent: boolean) {
  if (silent) localStorage.setItem(STORED, '1');
  else localStorage.removeItem(STORED);
}

/** Says aloud what came in, at most every few seconds, counted and not read out one by one (R15), unless somebody wants quiet. */
export function Announcer() {
  const { t } = useT();
  const [text, setText] = useState('');
  const waiting = useRef({ messages: 0, failed: 0 });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const said = useRef(t);
  said.current = t;
  useEffect(() => {
    const speak = () => {
      timer.current = undefined;
      if (isSilent()) {
        waiting.current = { messages: 0, failed: 0 };
        return;
      }
      const { messages, failed } = waiting.current;
      waiting.current = { messages: 0, failed: 0 };
      const parts = [messages ? said.current('say.messages', { count: messages }) : '', failed ? said.current('say.failed', { count: failed }) : ''];
      setText(parts.filter(Boolean).join('. '));
    };
    const stop = stream.hear(({ name, data }) => {
      const incoming = name === 'message.created' && (data as { direction?: string } | null)?.direction === 'in';
      if (incoming) waiting.current.messages += 1;
      else if (name === 'send.failed') waiting.current.failed += 1;
      else return;
      timer.current ??= setTimeout(speak, PAUSE);
    });
    return () => {
      stop();
      clearTimeout(timer.current);
    };
  }, []);
  return (
    <div role="status" aria-live="polite" className="srOnly">
      {text}
    </div>
  );
}
