import '../../styles/more';
import { ActionIcon, Button, Menu, Modal, Stack, Textarea, TextInput } from '@mantine/core';
import { IconFile, IconInbox, IconMapPin, IconMaximize, IconMicrophone, IconMinimize, IconPhoto, IconPlus, IconRefresh, IconSend, IconUserPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { api, must } from '../../api/client';
import { Refused } from '../../api/problem';
import { useSession, useTenant } from '../../api/session';
import { stream } from '../../api/stream';
import { later, useT } from '../../i18n';
import { simulator } from '../../i18n/en/simulator';
import { useFormat } from '../../i18n/format';
import { failed } from '../../parts/act';
import { Empty, Face, Said } from '../../parts/basics';
import { Ticks } from '../../parts/ticks';
import { Talk } from '../inbox/talk';
import inbox from '../inbox/inbox.module.css';
import { Chaos } from './chaos';
import { Events } from './events';
import { people as known, type Person } from './people';
import s from './simulator.module.css';
import { note, Tour } from './tour';

later(simulator);

/** A customer's phone beside the inbox: what is written here takes the way of a real webhook, signature and all. */
export function SimulatorPage() {
  const { t } = useT();
  const session = useSession();
  if (!session.demo) return <Empty title={t('sim.notDemo')}>{t('sim.notDemoMore')}</Empty>;
  return <Stage />;
}

function Stage() {
  const { t } = useT();
  const { tenant } = useTenant();
  const [people, setPeople] = useState<Person[]>(known);
  const [phone, setPhone] = useState(() => sessionStorage.getItem('barid.sim') ?? (known[0] as Person).phone);
  const [adding, setAdding] = useState(false);
  const [small, setSmall] = useState(() => localStorage.getItem('barid.sim.small') === '1');
  const resize = (to: boolean) => {
    localStorage.setItem('barid.sim.small', to ? '1' : '0');
    setSmall(to);
  };
  const person = people.find((one) => one.phone === phone) ?? (people[0] as Person);
  const choose = (one: Person) => {
    sessionStorage.setItem('barid.sim', one.phone);
    setPhone(one.phone);
  };
  // The same person from a number that nobody knows: a conversation begins at its beginning again.
  const again = () => {
    const fresh = { ...person, phone: `9715${String(Date.now()).slice(-8)}` };
    setPeople((old) => [...old.filter((one) => one.phone !== person.phone), fresh]);
    choose(fresh);
  };
  const found = useQuery({
    queryKey: ['conversations', tenant?.id, 'sim', person.phone],
    queryFn: () => must(api.GET('/conversations', { params: { query: { tenant: tenant?.id, q: person.phone, limit: 10 } } })),
  });
  const talk = found.data?.data.find((one) => one.phone === person.phone && one.channel_number === (person.channel ?? one.channel_number));
  useEffect(() => {
    if (talk) note('inbox');
  }, [talk]);
  return (
    <div className={s.sim} data-small={small}>
      <h1 className="srOnly">{t('nav.simulator')}</h1>
      <section className={s.stage} aria-label={t('sim.phone')}>
        <div className={s.people} role="group" aria-label={t('sim.who')}>
          {people.map((one) => (
            <button key={one.phone} type="button" className={s.person} aria-pressed={one.phone === person.phone} onClick={() => choose(one)}>
              <Face name={one.name} size={22} />
              <Said>{one.name}</Said>
            </button>
          ))}
          <ActionIcon variant="default" radius="xl" aria-label={t('sim.new')} title={t('sim.new')} onClick={() => setAdding(true)}>
            <IconUserPlus size={16} />
          </ActionIcon>
        </div>
        <Handset key={person.phone} person={person} small={small} resize={resize} again={again} business={tenant?.business ?? ''} />
      </section>
      <section className={s.inboxSide} aria-label={t('sim.inbox')}>
        <h2><IconInbox size={16} aria-hidden />{t('sim.inbox')}</h2>
        <div className={inbox.talk}>
          {talk ? <Talk key={talk.id} id={talk.id} toggleAbout={() => undefined} /> : <Empty title={t('inbox.empty')} icon={<IconInbox size={28} stroke={1.5} />}>{t('inbox.emptyMore')}</Empty>}
        </div>
      </section>
      <aside className={s.right} aria-label={t('sim.chaos')} tabIndex={0}>
        <Tour />
        <Chaos person={person} />
        <Events phone={person.phone} />
      </aside>
      {adding ? <NewPerson close={() => setAdding(false)} made={(one) => { setPeople([...people, one]); choose(one); setAdding(false); }} /> : null}
    </div>
  );
}

const others = [['image', IconPhoto], ['voice', IconMicrophone], ['location', IconMapPin], ['document', IconFile]] as const;

function Handset({ person, business, small, resize, again }: { person: Person; business: string; small: boolean; resize: (to: boolean) => void; again: () => void }) {
  const { t, language } = useT();
  const format = useFormat();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const screen = useRef<HTMLDivElement>(null);
  const query = useQuery({
    queryKey: ['sim', person.phone, person.channel ?? ''],
    queryFn: ({ signal }) => must(api.GET('/simulator/messages', { params: { query: { phone: person.phone, channel: person.channel } }, signal })),
    // Typing and what the phone alone knows has no event; while the page is in sight it is looked at often.
    refetchInterval: 900,
  });
  // The phone follows the inbox's news at once.
  useEffect(() => stream.hear(({ name }) => {
    if (name.startsWith('message.')) void client.invalidateQueries({ queryKey: ['sim', person.phone] });
  }), [client, person.phone]);
  const bubbles = query.data?.bubbles ?? [];
  const typing = query.data?.typing ?? false;
  useEffect(() => {
    screen.current?.scrollTo({ top: screen.current.scrollHeight });
  }, [bubbles.length, typing]);
  const send = async (kind: string, body: string) => {
    if (busy || (kind === 'text' && !body.trim())) return;
    setBusy(true);
    try {
      const posted = await must(api.POST('/simulator/messages', { body: { phone: person.phone, name: person.name, channel: person.channel ?? null, kind, text: body } as never }));
      if (posted.status !== 200) void failed(t, new Refused(posted.status ?? 0, { title: t('sim.posted', { status: posted.status ?? '–' }), detail: posted.answer }));
      setText('');
      note('write');
      void client.invalidateQueries({ queryKey: ['sim', person.phone] });
      void client.invalidateQueries({ queryKey: ['conversations'] });
    } catch (error) {
      void failed(t, error);
    }
    setBusy(false);
  };
  const quick = language === 'ar' ? (['sim.quick.arabic', 'sim.quick.price', 'sim.quick.human'] as const) : (['sim.quick.price', 'sim.quick.arabic', 'sim.quick.human'] as const);
  return (
    <div className={s.phone} data-phone={person.phone}>
      <div className={s.bar}>
        <Face name={business} size={34} />
        <div style={{ minWidth: 0 }}>
          <strong className="clip"><Said>{business}</Said></strong>
          <small>{typing ? t('sim.typing') : t('sim.online')}</small>
        </div>
        <span className={s.badge}>{t('sim.badge')}</span>
        <ActionIcon variant="transparent" c="inherit" size="sm" aria-label={t('sim.again')} title={t('sim.again')} onClick={again}>
          <IconRefresh size={16} />
        </ActionIcon>
        <ActionIcon variant="transparent" c="inherit" size="sm" aria-label={small ? t('sim.big') : t('sim.small')} title={small ? t('sim.big') : t('sim.small')} onClick={() => resize(!small)}>
          {small ? <IconMaximize size={16} /> : <IconMinimize size={16} />}
        </ActionIcon>
      </div>
      <div className={s.screen} ref={screen} role="log" aria-label={t('sim.phone')} tabIndex={0}>
        {bubbles.length === 0 && !query.isPending ? <p className={s.hint}>{t('sim.emptyPhone')}</p> : null}
        {bubbles.map((one) => (
          <div key={one.order} className={s.msg} data-from={one.from}>
            <div dir="auto">{one.text}</div>
            <div className={s.msgMeta}>
              <time dateTime={one.at}>{format.time(one.at)}</time>
              {one.from === 'lead' ? <Ticks status={one.status === 'accepted' ? 'delivered' : one.status} size={14} /> : null}
            </div>
          </div>
        ))}
        {typing ? <div className={s.typing} role="img" aria-label={t('sim.typing')}><i /><i /><i /></div> : null}
      </div>
      <div className={s.quick}>
        {quick.map((key) => (
          <button key={key} type="button" onClick={() => void send('text', t(key))}>
            <Said>{t(key)}</Said>
          </button>
        ))}
      </div>
      <form className={s.write} onSubmit={(event) => { event.preventDefault(); void send('text', text); }}>
        <Menu position="top-start">
          <Menu.Target>
            <ActionIcon variant="default" radius="xl" size="lg" aria-label={t('sim.attach')}><IconPlus size={17} /></ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {others.map(([kind, Icon]) => (
              <Menu.Item key={kind} leftSection={<Icon size={16} />} onClick={() => void send(kind, '')}>{t(`sim.${kind}`)}</Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
        <Textarea
          style={{ flex: 1 }}
          autosize
          minRows={1}
          maxRows={4}
          dir="auto"
          radius="lg"
          aria-label={t('sim.write')}
          placeholder={t('sim.write')}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              void send('text', text);
            }
          }}
        />
        <ActionIcon type="submit" variant="filled" color="green.8" radius="xl" size="lg" aria-label={t('sim.send', { name: person.name })} disabled={!text.trim()}>
          <IconSend size={17} className="flip" />
        </ActionIcon>
      </form>
    </div>
  );
}

function NewPerson({ close, made }: { close: () => void; made: (one: Person) => void }) {
  const { t } = useT();
  const [name, setName] = useState('');
  const [phone, setPhone] = useState('9715');
  const add = (event: FormEvent) => {
    event.preventDefault();
    made({ name: name.trim(), phone });
  };
  return (
    <Modal opened onClose={close} title={t('sim.new')} closeButtonProps={{ 'aria-label': t('close') }}>
      <form onSubmit={add}>
        <Stack gap="sm">
          <TextInput label={t('sim.name')} required data-autofocus dir="auto" maxLength={100} value={name} onChange={(e) => setName(e.currentTarget.value)} />
          <TextInput label={t('sim.number')} required dir="ltr" inputMode="numeric" pattern="[0-9]{6,15}" value={phone} onChange={(e) => setPhone(e.currentTarget.value.replace(/\D/g, ''))} />
          <Button type="submit" style={{ alignSelf: 'flex-end' }}>{t('sim.new')}</Button>
        </Stack>
      </form>
    </Modal>
  );
}
