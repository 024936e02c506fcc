import { useSyncExternalStore } from 'react';

/** What the server tells: the event's name and its data. */
export interface StreamEvent {
  name: string;
  data: unknown;
}

export type StreamState = 'connecting' | 'live' | 'reconnecting' | 'paused' | 'off';

interface Status {
  state: StreamState;
  /** When something was last heard, the server's sign of life included. */
  heard: number;
}

// A browser opens at most six connections to a server that speaks HTTP/1.1, so the tabs of one person share one stream: the tab that
// holds the lock reads it, and tells the others.
const LOCK = 'barid.events';
const HIDDEN_FOR = 30_000;

export class Stream {
  private status: Status = { state: 'off', heard: Date.now() };
  private readonly watchers = new Set<() => void>();
  private readonly hearers = new Set<(event: StreamEvent) => void>();
  private readonly returned = new Set<() => void>();
  private channel: BroadcastChannel | null = null;
  private source: EventSource | null = null;
  private release: (() => void) | null = null;
  private asking: AbortController | null = null;
  private hiding: ReturnType<typeof setTimeout> | undefined;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  private wanted = false;
  private byHand = false;
  private lost = false;

  constructor(
    private readonly path: string,
    private readonly names: readonly string[],
  ) {}

  start() {
    if (this.wanted) return;
    this.wanted = true;
    document.addEventListener('visibilitychange', this.seen);
    window.addEventListener('online', this.again);
    if ('BroadcastChannel' in window) {
      this.channel = new BroadcastChannel(LOCK);
      this.channel.onmessage = ({ data }: MessageEvent<StreamEvent | Status>) => {
        if ('name' in data) this.tell(data);
        else if (!this.release) this.note(data.state);
      };
    }
    this.take();
  }

  stop() {
    this.wanted = false;
    document.removeEventListener('visibilitychange', this.seen);
    window.removeEventListener('online', this.again);
    this.let();
    this.channel?.close();
    this.channel = null;
    this.set('off');
  }

  /** Paused by hand until resumed. */
  hold(held: boolean) {
    this.byHand = held;
    if (held) {
      this.let();
      this.lost = true;
      this.set('paused');
    } else {
      this.take();
      this.back();
    }
  }

  hear(listener: (event: StreamEvent) => void): () => void {
    this.hearers.add(listener);
    return () => this.hearers.delete(listener);
  }

  /** Calls when the page may have missed something: everything in sight is to be read anew. */
  onReturn(listener: () => void): () => void {
    this.returned.add(listener);
    return () => this.returned.delete(listener);
  }

  watch = (listener: () => void): (() => void) => {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  };
  read = (): Status => this.status;

  private take() {
    if (!this.wanted || this.byHand || this.asking) return;
    this.set(this.lost ? 'reconnecting' : 'connecting');
    if (!('locks' in navigator)) {
      this.open();
      return;
    }
    const asking = new AbortController();
    this.asking = asking;
    // Until this tab is the one that reads, another one tells; ask it how it is.
    this.channel?.postMessage({ name: 'barid.who', data: null });
    navigator.locks
      .request(LOCK, { signal: asking.signal }, () => {
        if (asking.signal.aborted) return Promise.resolve();
        return new Promise<void>((resolve) => {
          this.release = resolve;
          this.open();
        });
      })
      .catch(() => undefined);
  }

  private let() {
    clearTimeout(this.waiting);
    this.asking?.abort();
    this.asking = null;
    this.source?.close();
    this.source = null;
    this.release?.();
    this.release = null;
  }

  private open() {
    clearTimeout(this.waiting);
    this.source?.close();
    const source = new EventSource(this.path, { withCredentials: true });
    this.source = source;
    source.onopen = () => {
      this.tries = 0;
      const missed = this.lost;
      this.lost = false;
      this.set('live');
      if (missed) this.back();
    };
    source.onerror = () => {
      this.lost = true;
      this.set('reconnecting');
      source.close();
      // The browser's own repetition gives up for good at an answer that is not 200; a server that restarts answers so.
      this.tries += 1;
      const pause = Math.min(500 * 2 ** Math.min(this.tries, 5), 10_000) * (0.7 + Math.random() * 0.6);
      this.waiting = setTimeout(() => this.source === source && this.open(), pause);
    };
    for (const name of this.names) {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        const event = { name, data: parse(message.data) };
        this.channel?.postMessage(event);
        this.tell(event);
      });
    }
  }

  private tell(event: StreamEvent) {
    if (event.name === 'barid.who') {
      if (this.release) this.channel?.postMessage(this.status);
      return;
    }
    this.status.heard = Date.now();
    if (!this.release && this.status.state !== 'live') this.set('live');
    if (event.name === 'reset') this.back();
    for (const listener of this.hearers) listener(event);
  }

  private back() {
    for (const listener of this.returned) listener();
  }

  private readonly again = () => {
    if (this.source && this.status.state === 'reconnecting') this.open();
  };

  private readonly seen = () => {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => {
        this.let();
        this.lost = true;
        this.set('paused');
      }, HIDDEN_FOR);
    } else if (!this.byHand) {
      const slept = this.status.state === 'paused' || Date.now() - this.status.heard > 60_000;
      this.take();
      if (slept) this.back();
    }
  };

  private note(state: StreamState) {
    const missed = this.status.state !== 'live' && this.lost && state === 'live';
    if (missed) this.lost = false;
    this.set(state);
    if (missed) this.back();
  }

  private set(state: StreamState) {
    if (this.status.state === state) return;
    this.status = { state, heard: state === 'live' ? Date.now() : this.status.heard };
    if (this.release) this.channel?.postMessage(this.status);
    for (const watcher of this.watchers) watcher();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const NAMES = [
  'hello', 'reset', 'message.created', 'message.status', 'conversation.updated', 'conversation.presence', 'send.failed', 'job.counts',
  'breaker.changed', 'sync.progress', 'batch.progress', 'notification.created', 'notification.updated', 'task.updated', 'lead.updated', 'channel.updated', 'endpoint.updated', 'breaker.updated', 'dead_letter.updated', 'task.created',
] as const;

export const stream = new Stream('/api/v1/events', NAMES);

export function useStream(): Status {
  return useSyncExternalStore(stream.watch, stream.read);
}
