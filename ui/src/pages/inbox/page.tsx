import { Button, Drawer } from '@mantine/core';
import { useLocalStorage, useMediaQuery } from '@mantine/hooks';
import { IconMessages } from '@tabler/icons-react';
import { useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { useSession } from '../../api/session';
import { useT } from '../../i18n';
import { Empty } from '../../parts/basics';
import { About } from './about';
import s from './inbox.module.css';
import { InboxList } from './list';
import { Talk } from './talk';

/** List, conversation and person side by side; on a phone one of them, by the address, so that going back works (R11). */
export function InboxPage() {
  const { t } = useT();
  const { id } = useParams({ strict: false }) as { id?: string };
  const session = useSession();
  const navigate = useNavigate();
  const wide = useMediaQuery('(min-width: 75.01em)', true, { getInitialValueInEffect: false });
  const [pinned, pin] = useLocalStorage({ key: 'barid.about', defaultValue: true, getInitialValueInEffect: false });
  const [sheet, setSheet] = useState(false);
  const beside = wide && pinned && Boolean(id);
  return (
    <div className={s.inbox} data-open={Boolean(id)} data-about={beside}>
      <InboxList open={id} />
      <div className={s.talk}>
        {id ? (
          <Talk key={id} id={id} toggleAbout={() => (wide ? pin(!pinned) : setSheet(true))} />
        ) : (
          <Empty
            title={t('inbox.choose')}
            icon={<IconMessages size={28} stroke={1.5} />}
            action={session.demo ? <Button variant="default" onClick={() => void navigate({ to: '/simulator' })}>{t('inbox.openSimulator')}</Button> : null}
          >
            {t('inbox.chooseMore')}
          </Empty>
        )}
      </div>
      {beside && id ? (
        <aside className={s.about} aria-label={t('talk.about')} tabIndex={0}>
          <About id={id} />
        </aside>
      ) : null}
      <Drawer opened={sheet && !wide && Boolean(id)} onClose={() => setSheet(false)} title={t('talk.about')} size="sm" closeButtonProps={{ 'aria-label': t('close') }}>
        {id ? <About id={id} /> : null}
      </Drawer>
    </div>
  );
}
