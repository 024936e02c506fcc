import { Kbd, Modal, Switch, Table } from '@mantine/core';
import { useT, type Key } from '../i18n';
import { setShortcuts, useShortcutsOn } from './keys';

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

