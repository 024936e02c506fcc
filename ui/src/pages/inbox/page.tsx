import { Button } from '@mantine/core';
import { useLocalStorage, useMediaQuery } from '@mantine/hooks';
import { IconMessages } from '@tabler/icons-react';
import { useNavigate, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useSession } from '../../api/session';
import { useT } from '../../i18n';
import { Empty, Waiting } from '../../parts/basics';
import s from './inbox.module.css';
import { InboxList } from './list';

// The list stands first; the conversation's parts are fetched while it is looked at.
const loadTalk = () => import('./talk').then((part) => ({ default: part.Talk }));
const loadAbout = () => import('./about').then((part) => ({ default: part.About }));
const Talk = lazy(loadTalk);
const About = lazy(loadAbout);
const Sheet = lazy(() => import('./sheet'));

/** List, conversation and person side by side; on a phone one of them, by the address, so that going back works (R11). */
export function InboxPage() {
  const { t } = useT();
  const { id } = useParams({ strict: false }) as { id?: string };
  const session = useSession();
  const navigate = useNavigate();
  const wide = useMediaQuery('(min-width: 75.01em)', true, { getInitialValueInEffect: false });
  const [pinned, pin] = useLocalStorage({ key: 'barid.about', defaultValue: true, getInitialValueInEffect: false });
  const [sheet, setSheet] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => void Promise.all([loadTalk(), loadAbout()]), 300);
    return () => clearTimeout(timer);
  }, []);
  const beside = wide && pinned && Boolean(id);
  return (
    <div className={s.inbox} data-open={Boolean(id)} data-about={beside}>
      <h1 className="srOnly">{t('inbox.title')}</h1>
      <InboxList open={id} />
      <div className={s.talk}>
        {id ? (
          <Suspense fallback={<Waiting rows={7} height={40} />}>
            <Talk key={id} id={id} toggleAbout={() => (wide ? pin(!pinned) : setSheet(true))} />
          </Suspense>
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
          <Suspense>
            <About id={id} />
          </Suspense>
        </aside>
      ) : null}
      {sheet && !wide && id ? <Suspense><Sheet id={id} close={() => setSheet(false)} /></Suspense> : null}
    </div>
  );
}
