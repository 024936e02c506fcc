import '../styles/more';
import '@mantine/notifications/styles.css';
import { Drawer } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import type { ReactNode } from 'react';
import { useT } from '../i18n';
import { Questions } from '../parts/ask';
import { Batches } from '../parts/batches';
import { KeysHelp } from '../parts/help';
import s from './shell.module.css';

interface Props {
  help: boolean;
  closeHelp: () => void;
  more: boolean;
  closeMore: () => void;
  side: ReactNode;
}

/** Everything that may lie over the page. */
export default function Overlays({ help, closeHelp, more, closeMore, side }: Props) {
  const { t } = useT();
  return (
    <>
      <Drawer opened={more} onClose={closeMore} position="left" size={260} title="Barid" closeButtonProps={{ 'aria-label': t('close') }}>
        <nav aria-label={t('nav.label')} className={s.side} style={{ display: 'flex', borderRadius: 12 }}>
          {side}
        </nav>
      </Drawer>
      <Notifications position="bottom-right" limit={4} zIndex={3000} />
      <KeysHelp opened={help} close={closeHelp} />
      <Questions />
      <Batches />
    </>
  );
}
