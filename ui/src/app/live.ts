import type { QueryClient } from '@tanstack/react-query';
import { stream, type StreamEvent } from '../api/stream';

// Which lists an event touches. They are read anew from page one, never patched with what the event says (R1): an event is only a hint.
const touched: Record<string, string[]> = {
  'message.created': ['conversations', 'counts', 'notifications', 'sim'],
  'message.status': ['conversations', 'failed', 'sim'],
  'send.failed': ['failed', 'counts', 'conversations'],
  'conversation.updated': ['conversations', 'counts', 'leads'],
  'notification.created': ['notifications', 'counts', 'health', 'sagas'],
  'notification.updated': ['notifications', 'counts'],
  'job.counts': ['jobs'],
  'dead_letter.created': ['letters', 'counts'],
  'dead_letter.updated': ['letters', 'counts'],
  'task.created': ['tasks'],
  'task.updated': ['tasks'],
  'lead.updated': ['leads'],
  'breaker.updated': ['health'],
  'channel.updated': ['health', 'channels'],
  'endpoint.updated': ['endpoints', 'deliveries'],
  'batch.progress': ['batch', 'failed', 'letters', 'counts'],
};

/** The open thread at once; lists a moment later, together. */
const PAUSE = 250;

export function follow(client: QueryClient): () => void {
  const waiting = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    for (const key of waiting) void client.invalidateQueries({ queryKey: [key] });
    waiting.clear();
  };
  const hear = ({ name, data }: StreamEvent) => {
    const talk = (data as { conversation_id?: string | null } | null)?.conversation_id;
    if (talk) {
      if (name.startsWith('message.')) void client.invalidateQueries({ queryKey: ['thread', talk] });
      else if (name === 'conversation.updated') {
        void client.invalidateQueries({ queryKey: ['conversation', talk] });
        void client.invalidateQueries({ queryKey: ['notes', talk] });
      }
    }
    for (const key of touched[name] ?? []) waiting.add(key);
    if (waiting.size > 0) timer ??= setTimeout(flush, PAUSE);
  };
  // After a gap nothing that is in sight can be trusted: all of it is read anew, and answers under way are dropped.
  const anew = () => void client.cancelQueries().then(() => client.invalidateQueries());
  const ends = [stream.hear(hear), stream.onReturn(anew)];
  return () => {
    clearTimeout(timer);
    for (const end of ends) end();
  };
}
