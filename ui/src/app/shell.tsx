import { ActionIcon, useMantineColorScheme } from '@mantine/core';
import { useDisclosure, useMediaQuery } from '@mantine/hooks';
import { IconDots, IconKeyboard, IconLanguage, IconLogout, IconMoon, IconSun, IconSunMoon, IconUserCircle, IconVolume } from '@tabler/icons-react';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useCounts, useSession, useSignOut, useTenant } from '../api/session';
import { stream, useStream } from '../api/stream';
import { languages, speak, useT } from '../i18n';
import { useFormat, useNow } from '../i18n/format';
import { useGo, useShortcuts } from '../parts/keys';
import { MenuButton } from '../parts/menu';
import p from '../parts/parts.module.css';
import { Announcer, isSilent, setSilent } from './announcer';
import { Logo } from './logo';
import { places, type Place } from './nav';
import s from './shell.module.css';

// What is shown seldom is loaded after the page stands.
const Overlays = lazy(() => import('./overlays'));

export function Shell() {
  const { t } = useT();
  const session = useSession();
  const navigate = useNavigate();
  const [help, helpActs] = useDisclosure(false);
  const [more, moreActs] = useDisclosure(false);
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const path = useRouterState({ select: (state) => state.location.pathname });

  useEffect(() => {
    stream.start();
    return () => stream.stop();
  }, []);
  useEffect(() => moreActs.close(), [path]);

  const go = (to: string) => () => void navigate({ to });
  useGo({ KeyI: go('/inbox'), KeyF: go('/failed'), KeyT: go('/tasks'), KeyN: go('/notifications'), KeyH: go('/health'), KeyL: go('/leads'), KeyS: go(session.demo ? '/simulator' : '/settings') });
  useShortcuts({ 'Shift+Slash': helpActs.open });

  return (
    <div className={s.app}>
      <a href="#main" className="skip">
        {t('skip')}
      </a>
      {narrow ? null : <nav className={s.side} aria-label={t('nav.label')}><Side path={path} /></nav>}
      <div className={s.top} role="region" aria-label={t('top')}>
        <Tenant />
        {session.demo && !narrow ? <span className={s.demo}>{t('demo')}</span> : null}
        <span className={p.grow} />
        <StreamState />
        <Language />
        <Person openKeys={helpActs.open} />
      </div>
      <main className={s.main} id="main" tabIndex={-1}>
        <Outlet />
      </main>
      {narrow && !/^\/inbox\/./.test(path) ? <Bottom path={path} openMore={moreActs.open} /> : null}
      <Suspense>
        <Overlays help={help} closeHelp={helpActs.close} more={more} closeMore={moreActs.close} side={<Side path={path} />} />
      </Suspense>
      <Announcer />
    </div>
  );
}

function Side({ path }: { path: string }) {
  const { t } = useT();
  const session = useSession();
  return (
    <>
      <Link to="/inbox" className={s.brand}>
        <Logo />
        <span>
          Barid
          <small>{t('brand.says')}</small>
        </span>
      </Link>
      {places.map((group) => (
        <div key={group.title ?? 'first'} role="group" aria-label={t(group.title ?? 'nav.work')}>
          {group.title ? <div className={s.group}>{t(group.title)}</div> : null}
          {group.places
            .filter((place) => !place.demo || session.demo)
            .map((place) => (
              <NavLink key={place.to} place={place} here={path.startsWith(place.to)} />
            ))}
        </div>
      ))}
      <div className={s.sideFoot}>
        <bdi dir="ltr">Barid {session.version}</bdi>
      </div>
    </>
  );
}

function NavLink({ place, here }: { place: Place; here: boolean }) {
  const { t } = useT();
  return (
    <Link to={place.to} className={s.link} data-here={here} aria-current={here ? 'page' : undefined}>
      <place.icon size={19} stroke={1.7} aria-hidden />
      <span>{t(place.text)}</span>
      <Count place={place} />
    </Link>
  );
}

function Count({ place, tab }: { place: Place; tab?: boolean }) {
  const { t } = useT();
  const format = useFormat();
  const counts = useCounts();
  const count = place.count ? counts[place.count] : undefined;
  if (!count || count.value === 0) return null;
  const bad = place.count === 'failed' || place.count === 'letters';
  const text = `${format.number(count.value)}${count.capped ? '+' : ''}`;
  const name = <span className="srOnly">{t(`nav.count.${place.count as 'inbox'}`, { n: text })}</span>;
  return (
    <i className={tab ? undefined : `${s.count} ${bad ? s.countBad : ''}`}>
      <span aria-hidden>{text}</span>
      {name}
    </i>
  );
}

const onPhone = ['/inbox', '/tasks', '/notifications', '/failed'];

function Bottom({ path, openMore }: { path: string; openMore: () => void }) {
  const { t } = useT();
  const all = places.flatMap((group) => group.places);
  return (
    <nav className={s.bottom} aria-label={t('nav.label')}>
      {onPhone.map((to) => {
        const place = all.find((one) => one.to === to);
        if (!place) return null;
        const here = path.startsWith(to);
        return (
          <Link key={to} to={to} className={s.tab} data-here={here} aria-current={here ? 'page' : undefined}>
            <place.icon size={21} stroke={1.7} aria-hidden />
            <span className="clip" style={{ maxWidth: '100%' }}>{t(place.text)}</span>
            <Count place={place} tab />
          </Link>
        );
      })}
      <button type="button" className={s.tab} onClick={openMore}>
        <IconDots size={21} stroke={1.7} aria-hidden />
        {t('nav.more')}
      </button>
    </nav>
  );
}

const swatches = ['#115562', '#b06d0c', '#5b3c88', '#1d6f3d', '#8f2f57', '#2c4f8f'];

/** Which business this is, always in sight; a menu where there are several. */
function Tenant() {
  const { t } = useT();
  const { tenant, tenants, choose } = useTenant();
  const face = (
    <span className={s.tenant}>
      <span className={s.swatch} style={{ background: swatches[Number(BigInt(tenant?.id ?? 0) % 6n)] }} aria-hidden />
      <bdi dir="auto" className="clip">
        {tenant?.business ?? t('tenant.none')}
      </bdi>
    </span>
  );
  if (tenants.length < 2) return face;
  return (
    <MenuButton
      target={
        <button type="button" className={s.state} style={{ color: 'inherit', fontSize: 'inherit', minWidth: 0 }} aria-label={t('tenant.choose')}>
          {face}
        </button>
      }
      entries={() => tenants.map((one) => ({ label: <bdi dir="auto">{one.business}</bdi>, act: () => choose(one.id), side: one.id === tenant?.id ? '✓' : null }))}
    />
  );
}

/** Whether what is seen is live, and how old it is (R16). Pressing it pauses. */
function StreamState() {
  const { t } = useT();
  const { state, heard } = useStream();
  const now = useNow();
  const format = useFormat();
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const tone = state === 'live' ? p.dotGood : state === 'paused' ? p.dotWarn : state === 'off' ? '' : p.dotBad;
  const [held, setHeld] = useState(false);
  const text = t(`stream.${state}`);
  const age = state === 'live' ? '' : ` · ${format.ago(Math.min(heard, now))}`;
  return (
      <button
        type="button"
        className={s.state}
        aria-label={`${text}${age}. ${held ? t('stream.resume') : t('stream.pause')}`}
        aria-pressed={held}
        title={held ? t('stream.resume') : t('stream.pause')}
        data-stream={state}
        onClick={() => {
          stream.hold(!held);
          setHeld(!held);
        }}
      >
        <span className={`${p.dot} ${tone} ${state === 'reconnecting' ? p.pulse : ''}`} />
        {narrow && state === 'live' ? null : <span>{text}{age}</span>}
      </button>
  );
}

export function Language() {
  const { t, language } = useT();
  return (
    <MenuButton
      target={
        <ActionIcon aria-label={t('language')} size="lg">
          <IconLanguage size={20} stroke={1.7} />
        </ActionIcon>
      }
      entries={() => languages.map((one) => ({ label: one.name, lang: one.code, act: () => void speak(one.code), side: one.code === language ? '✓' : null }))}
    />
  );
}

function Person({ openKeys }: { openKeys: () => void }) {
  const { t } = useT();
  const session = useSession();
  const signOut = useSignOut();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const schemes = [['light', IconSun], ['dark', IconMoon], ['auto', IconSunMoon]] as const;
  return (
    <MenuButton
      width={230}
      target={
        <ActionIcon aria-label={t('me')} size="lg">
          <IconUserCircle size={21} stroke={1.7} />
        </ActionIcon>
      }
      entries={() => [
        { heading: <bdi dir="auto">{session.name}</bdi> },
        ...schemes.map(([scheme, Icon]) => ({ label: t(`scheme.${scheme}`), icon: <Icon size={16} />, side: colorScheme === scheme ? '✓' : null, act: () => setColorScheme(scheme) })),
        null,
        { label: t('say.on'), icon: <IconVolume size={16} />, side: isSilent() ? null : '✓', act: () => setSilent(!isSilent()) },
        { label: t('keys.title'), icon: <IconKeyboard size={16} />, act: openKeys },
        { label: t('signOut'), icon: <IconLogout size={16} className="flip" />, act: () => void signOut() },
      ]}
    />
  );
}
