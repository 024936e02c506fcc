import { Kbd, Modal, Switch, Table } from '@mantine/core';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { useT, type Key } from '../i18n';

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

const groups: { title: Key; keys: [string[], Key][] }[] = [
  { title: 'keys.everywhere', keys: [[['?'], 'keys.help'], [['g', 'i'], 'nav.inbox'], [['g', 'f'], 'nav.failed'], [['g', 't'], 'nav.tasks'], [['g', 'n'], 'nav.notifications'], [['g', 'h'], 'nav.health'], [['g', 's'], 'nav.simulator']] },
  { title: 'keys.lists', keys: [[['j', '↓'], 'keys.next'], [['k', '↑'], 'keys.previous'], [['Enter'], 'open'], [['x'], 'keys.select'], [['/'], 'search']] },
  { title: 'keys.conversation', keys: [[['r'], 'keys.reply'], [['n'], 'keys.note'], [['t'], 'keys.takeover'], [['e'], 'keys.resolve'], [['a'], 'keys.assign'], [['s'], 'keys.snooze'], [['u'], 'keys.unread'], [['Ctrl', 'Enter'], 'keys.send'], [['Esc'], 'keys.back']] },
];

export function KeysHelp({ opened, close }: { opened: boolean; close: () => void }) {
  const { t } = useT();
  const enabled = useShortcutsOn();
  return (
    <Modal opened={opened} onClose={close} title={t('keys.title')} closeButtonProps={{ 'aria-label': t('close') }}>
      <Switch label={t('keys.on')} checked={enabled} onChange={(e) => setShortcuts(e.currentTarget.checked)} mb="sm" />
      {groups.map((group) => (
        <Table key={group.title} mb="sm">
          <caption style={{ captionSide: 'top', fontWeight: 600, textAlign: 'start', color: 'var(--b-text)' }}>{t(group.title)}</caption>
          <Table.Tbody>
            {group.keys.map(([keys, what]) => (
              <Table.Tr key={what}>
                <Table.Td>{t(what)}</Table.Td>
                <Table.Td style={{ textAlign: 'end', whiteSpace: 'nowrap' }}>
                  <bdi dir="ltr">
                    {keys.map((key, i) => (
                      <span key={key}>
                        {i > 0 ? ' ' : ''}
                        <Kbd size="xs">{key}</Kbd>
                      </span>
                    ))}
                  </bdi>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ))}
    </Modal>
  );
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
