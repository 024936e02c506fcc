import '../../styles/more';
import { Drawer } from '@mantine/core';
import { useT } from '../../i18n';
import { About } from './about';

/** The person as a sheet over the conversation, where there is no room beside it. */
export default function Sheet({ id, close }: { id: string; close: () => void }) {
  const { t } = useT();
  return (
    <Drawer opened onClose={close} title={t('talk.about')} size="sm" closeButtonProps={{ 'aria-label': t('close') }}>
      <About id={id} />
    </Drawer>
  );
}
