import { ActionIcon, Button, Menu, Tooltip } from '@mantine/core';
import { IconArrowLeft, IconBolt, IconCheck, IconClockPause, IconDotsVertical, IconFlag3, IconHandStop, IconInfoCircle, IconLink, IconMailOpened, IconRobot, IconRotateClockwise, IconUser, IconUserCheck, IconUserExclamation } from '@tabler/icons-react';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import type { Conversation, Message } from '../../api/client';
import { Refused } from '../../api/problem';
import { useMay, useSession } from '../../api/session';
import { useT } from '../../i18n';
import { useFormat } from '../../i18n/format';
import { done } from '../../parts/act';
import { copy, Empty, Phone, Problem, Said, Waiting } from '../../parts/basics';
import { useShortcuts } from '../../parts/keys';
import { snoozes } from '../../parts/snooze';
import { Composer, type ComposerHandle } from './composer';
import s from './inbox.module.css';
import { nameOf } from './row';
import { Thread } from './thread';
import { useActs, useTalk, useThread } from './use-talk';

const MessageDrawer = lazy(() => import('../../parts/message').then((part) => ({ default: part.MessageDrawer })));

export function Talk({ id, toggleAbout }: { id: string; toggleAbout: () => void }) {
  const { t } = useT();
  const navigate = useNavigate();
  const search = useSearch({ strict: false });
  const mayAct = useMay('agent');
  const query = useTalk(id);
  const { feed, items } = useThread(id);
  const talk = query.data;
  const acts = useActs(talk, id);
  const me = useSession();
  const composer = useRef<ComposerHandle>(null);
  const [shown, setShown] = useState<Message | null>(null);
  const unread = talk?.unread ?? 0;
  const newest = feed.rows[0]?.id;
  const [firstUnread, setFirstUnread] = useState<number | null>(null);
  const quiet = useRef(false);

  // The line "new" stays where it was when the conversation was opened.
  useEffect(() => {
    if (talk && firstUnread === null) setFirstUnread(talk.unread);
  }, [talk, firstUnread]);
  useEffect(() => {
    if (!mayAct || unread === 0 || document.hidden || quiet.current) return;
    const timer = setTimeout(() => void acts.read(), 600);
    return () => clearTimeout(timer);
  }, [unread, newest, mayAct, acts]);

  const format = useFormat();
  const put = async (choice: number) => {
    const until = await snoozes(t)[choice]?.at();
    if (until !== undefined) await acts.snooze(until, until ? t('talk.snoozed', { when: format.full(until) }) : t('talk.snoozedReply'));
  };
  const resolved = talk?.status === 'resolved' || talk?.status === 'snoozed';
  useShortcuts(
    mayAct && talk
      ? {
          KeyR: () => composer.current?.write('reply'),
          KeyN: () => composer.current?.write('note'),
          KeyT: () => void (talk.state === 'active' ? acts.takeOver() : acts.giveBack()),
          KeyE: () => void (resolved ? acts.reopen() : acts.resolve()),
          KeyA: () => void acts.assign({ id: me.userId, name: me.name }),
          KeyS: () => void put(1),
          KeyU: () => {
            quiet.current = true;
            void acts.unread();
          },
        }
      : {},
  );

  if (query.error && !talk) {
    const gone = query.error instanceof Refused && query.error.status === 404;
    return gone ? <Empty title={t('talk.gone')} action={<Button component={Link} to="/inbox">{t('nav.inbox')}</Button>} /> : <div style={{ padding: 16 }}><Problem error={query.error} retry={() => void query.refetch()} /></div>;
  }
  if (!talk) return <Waiting rows={7} height={40} />;
  const name = nameOf(talk);
  return (
    <section style={{ display: 'contents' }} aria-label={t('talk.label', { name })}>
      <div className={s.talkHead}>
        <Tooltip label={t('back')}>
          <ActionIcon hiddenFrom="xs" aria-label={t('back')} onClick={() => void navigate({ to: '/inbox', search: search as never })} size="lg">
            <IconArrowLeft size={20} className="flip" />
          </ActionIcon>
        </Tooltip>
        <div className={s.talkName}>
          <h2><Said>{name}</Said></h2>
          <div>
            <Phone value={talk.phone} />
            {talk.service ? <Said className="clip">{talk.service}</Said> : null}
          </div>
        </div>
        {mayAct ? (
          <>
            <Button variant="default" leftSection={resolved ? <IconRotateClockwise size={15} /> : <IconCheck size={15} />} onClick={() => void (resolved ? acts.reopen() : acts.resolve())}>
              {resolved ? t('talk.reopen') : t('talk.resolve')}
            </Button>
            <More talk={talk} acts={acts} put={put} onUnread={() => (quiet.current = true)} />
          </>
        ) : null}
        <Tooltip label={t('talk.showAbout')}>
          <ActionIcon aria-label={t('talk.showAbout')} onClick={toggleAbout} size="lg">
            <IconInfoCircle size={19} />
          </ActionIcon>
        </Tooltip>
      </div>
      <Owner talk={talk} acts={acts} mayAct={mayAct} />
      <Thread items={items} feed={feed} firstUnread={firstUnread ?? 0} mayAct={mayAct} details={setShown} />
      {mayAct ? <Composer ref={composer} talk={talk} newest={newest} takeOver={acts.takeOver} /> : null}
      {shown ? <Suspense><MessageDrawer id={shown.id} close={() => setShown(null)} /></Suspense> : null}
    </section>
  );
}

type Acts = ReturnType<typeof useActs>;

/** Who answers here, always in sight, with the one thing that changes it. */
function Owner({ talk, acts, mayAct }: { talk: Conversation; acts: Acts; mayAct: boolean }) {
  const { t } = useT();
  const format = useFormat();
  const Icon = { active: IconRobot, paused: IconUser, handed_over: IconUserExclamation, opted_out: IconHandStop, closed: IconCheck }[talk.state] ?? IconUser;
  const until = talk.state === 'paused' ? (talk.state_until ? t('talk.until', { when: format.ago(talk.state_until) }) : t('talk.untilReturn')) : '';
  return (
    <div className={s.owns} data-state={talk.state} role="status">
      <Icon size={17} aria-hidden />
      <span>
        <strong>{t(`talk.state.${talk.state}`)}</strong>
        {until ? <span className={talk.state_until ? undefined : s.untilReturn}>{` · ${until}`}</span> : null}
      </span>
      {!mayAct ? null : talk.state === 'active' || talk.state === 'handed_over' ? (
        <Button size="compact-sm" leftSection={<IconBolt size={14} />} onClick={() => void acts.takeOver()} data-act="takeover">
          {t('talk.takeOver')}
        </Button>
      ) : null}
      {mayAct && (talk.state === 'paused' || talk.state === 'handed_over') ? (
        <Menu>
          <Menu.Target>
            <Button size="compact-sm" variant="default" leftSection={<IconRobot size={14} />} data-act="return">
              {t('talk.return')}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => void acts.giveBack()}>{t('talk.return.now')}</Menu.Item>
            <Menu.Item onClick={() => void acts.giveBack(new Date(Date.now() + 3_600_000).toISOString())}>{t('talk.return.hour')}</Menu.Item>
            <Menu.Item onClick={() => void acts.resolve()}>{t('talk.return.resolve')}</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      ) : null}
    </div>
  );
}

function More({ talk, acts, put, onUnread }: { talk: Conversation; acts: Acts; put: (choice: number) => Promise<void>; onUnread: () => void }) {
  const { t } = useT();
  const me = useSession();
  return (
    <Menu width={240} position="bottom-end">
      <Menu.Target>
        <ActionIcon aria-label={t('talk.actions')} size="lg">
          <IconDotsVertical size={19} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {talk.assignee?.id === me.userId ? (
          <Menu.Item leftSection={<IconUserCheck size={16} />} onClick={() => void acts.assign(null)}>{t('talk.unassigned')}</Menu.Item>
        ) : (
          <Menu.Item leftSection={<IconUserCheck size={16} />} onClick={() => void acts.assign({ id: me.userId, name: me.name })}>{t('talk.assignMe')}</Menu.Item>
        )}
        <Menu.Item leftSection={<IconLink size={16} />} onClick={() => void copy(`${location.origin}/inbox/${talk.id}`).then(() => done(t, t('copied')))}>{t('talk.copyLink')}</Menu.Item>
        <Menu.Item leftSection={<IconMailOpened size={16} />} onClick={() => { onUnread(); void acts.unread(); }}>{t('talk.markUnread')}</Menu.Item>
        <Menu.Divider />
        <Menu.Label style={{ color: 'var(--b-soft)' }}>{t('talk.snooze')}</Menu.Label>
        {snoozes(t).map((one, i) => (
          <Menu.Item key={one.text} leftSection={<IconClockPause size={16} />} onClick={() => void put(i)}>{one.text}</Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label style={{ color: 'var(--b-soft)' }}>{t('talk.priority')}</Menu.Label>
        {(['low', 'normal', 'high', 'critical'] as const).map((one) => (
          <Menu.Item key={one} leftSection={<IconFlag3 size={16} />} rightSection={talk.priority === one ? '✓' : null} onClick={() => void acts.priority(one)}>{t(`priority.${one}`)}</Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

