import { Menu } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { MenuProps } from './menu';

/** The menu of a [`MenuButton`], once its code is here. */
export function Choices({ target, entries, width, atEnd, opened: wanted }: MenuProps & { opened: boolean }) {
  const [opened, setOpened] = useState(false);
  useEffect(() => {
    if (wanted) setOpened(true);
  }, [wanted]);
  return (
    <Menu width={width} position={atEnd ? 'bottom-end' : 'bottom'} opened={opened} onChange={setOpened}>
      <Menu.Target>{target}</Menu.Target>
      <Menu.Dropdown>
        {opened
          ? entries().map((entry, i) => {
              if (!entry) return <Menu.Divider key={i} />;
              if ('heading' in entry) return <Menu.Label key={i} style={{ color: 'var(--b-soft)' }}>{entry.heading}</Menu.Label>;
              return (
                <Menu.Item key={i} lang={entry.lang} leftSection={entry.icon} rightSection={entry.side} onClick={entry.act}>
                  {entry.label}
                </Menu.Item>
              );
            })
          : null}
      </Menu.Dropdown>
    </Menu>
  );
}
