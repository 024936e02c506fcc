import { useEffect, useRef, useState, useSyncExternalStore } from 'react';

/** By `event.code`: the key in its place, whatever letters the keyboard writes (R9). Never with Alt, which types letters elsewhere. */
export type Shortcuts = Partial<Record<string, () => void>>;

const STORED = 'barid.shortcuts';
let on = localStorage.getItem(STORED) !== 'off';
const watchers = new Set<() => void>();

export function setShortcuts(value: boolean) {
  on = value;
  localStorage.setItem(STORED, value ? 'on' : 'off');
  watchers.forEach((watcher) => watcher());
}

export function useShortcutsOn(): boolean {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => on,
  );
}

/** Single keys while no field has the focus. */
export function useShortcuts(shortcuts: Shortcuts) {
  const current = useRef(shortcuts);
  current.current = shortcuts;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!on || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
      const target = event.target as HTMLElement | null;
      if (target && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) return;
      if (document.querySelector('[role="dialog"][aria-modal="true"]')) return;
      const act = current.current[event.shiftKey ? `Shift+${event.code}` : event.code];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, []);
}

/** `g` and then a letter goes somewhere. */
export function useGo(places: Record<string, () => void>) {
  const waiting = useRef(0);
  const [, set] = useState(0);
  const shortcuts: Shortcuts = { KeyG: () => { waiting.current = Date.now(); set((n) => n + 1); } };
  const current = useRef(places);
  current.current = places;
  useShortcuts(shortcuts);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (Date.now() - waiting.current > 1200 || event.code === 'KeyG') return;
      const go = current.current[event.code];
      waiting.current = 0;
      if (go && on) {
        event.preventDefault();
        event.stopImmediatePropagation();
        go();
      }
    };
    window.addEventListener('keydown', press, true);
    return () => window.removeEventListener('keydown', press, true);
  }, []);
}
