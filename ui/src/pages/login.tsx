import '../styles/more';
import { Button, Loader, Paper, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Navigate, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { api, must } from '../api/client';
import { Refused } from '../api/problem';
import { authState } from '../api/session';
import { Logo } from '../app/logo';
import { Language } from '../app/shell';
import { useT } from '../i18n';
import { Empty, Problem } from '../parts/basics';
import s from './login.module.css';

function Frame({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useT();
  return (
    <div className={s.screen}>
      <aside className={s.art} aria-hidden>
        <Logo size={64} />
        <strong>Barid</strong>
        <span>{t('login.says')}</span>
        <bdi className={s.word} lang="ar" dir="rtl">بريد</bdi>
      </aside>
      <main className={s.side}>
        <div className={s.language}>
          <Language />
        </div>
        <Paper className={s.form} p={0}>
          <span className={s.small}><Logo size={40} /></span>
          <h1>{title}</h1>
          {children}
        </Paper>
      </main>
    </div>
  );
}

/** Where to go after signing in: only ever to a page of this address. */
const safe = (back: string | undefined) => (back && /^\/(?![/\\])/.test(back) && !back.startsWith('/login') ? back : '/inbox');

export function LoginPage() {
  const { t } = useT();
  const search = useSearch({ strict: false }) as { back?: string; expired?: string };
  const client = useQueryClient();
  const navigate = useNavigate();
  const state = useQuery({ queryKey: ['auth'], queryFn: authState });
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const signIn = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await must(api.POST('/auth/login', { body: { email: email.trim(), password } }));
      client.clear();
      await navigate({ to: safe(search.back) as '/inbox', replace: true });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  if (state.data?.needs_first_admin) {
    return (
      <Frame title={t('first.none')}>
        <Text>{t('first.noneMore')}</Text>
      </Frame>
    );
  }
  const wrong = error instanceof Refused && error.status === 401;
  return (
    <Frame title={t('login.title')}>
      {search.expired ? <Text size="sm" role="status">{t('login.expired')}</Text> : null}
      <form onSubmit={(event) => void signIn(event)}>
        <Stack gap="sm">
          <TextInput label={t('login.email')} type="email" name="email" autoComplete="username" required dir="ltr" value={email} onChange={(e) => setEmail(e.currentTarget.value)} data-autofocus size="md" />
          <PasswordInput label={t('login.password')} name="password" autoComplete="current-password" required dir="ltr" value={password} onChange={(e) => setPassword(e.currentTarget.value)} size="md" />
          {wrong ? <Text role="alert" c="var(--b-bad-fg)" size="sm">{t('login.wrong')}</Text> : <Problem error={error} />}
          <Button type="submit" size="md" loading={busy} fullWidth>
            {t('login.act')}
          </Button>
        </Stack>
      </form>
    </Frame>
  );
}

/** The one-time link: makes the first administrator, or opens a session. */
export function StartPage() {
  const { t } = useT();
  const { token, admin } = useSearch({ strict: false }) as { token?: string; admin?: string };
  const state = useQuery({ queryKey: ['auth'], queryFn: authState });
  // The token leaves the address at once: it is not to stay in the history, nor go anywhere with it.
  const kept = useRef(admin ?? token);
  const first = useRef(admin !== undefined);
  useEffect(() => history.replaceState(history.state, '', '/start'), []);
  if (state.isPending) return <Frame title={t('link.title')}><Loader aria-label={t('loading')} /></Frame>;
  if (!kept.current) return <Navigate to="/login" replace />;
  return first.current ? <First token={kept.current} /> : <Opening token={kept.current} demo={state.data?.demo ?? false} />;
}

const used = new Map<string, Promise<unknown>>();

function Opening({ token, demo }: { token: string; demo: boolean }) {
  const { t } = useT();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    let here = true;
    // Once, even where React runs this twice: the link opens once.
    const asked = used.get(token) ?? must(api.POST('/auth/link', { body: { token } }));
    used.set(token, asked);
    asked.then(
      () => {
        client.clear();
        if (here) void navigate({ to: demo ? '/simulator' : '/inbox', replace: true });
      },
      (problem: unknown) => here && setError(problem),
    );
    return () => {
      here = false;
    };
  }, [token, demo, navigate, client]);
  if (!error) return <Frame title={t('link.title')}><Loader aria-label={t('loading')} /></Frame>;
  return (
    <Frame title={t('link.bad')}>
      <Empty title={t('link.bad')} icon={<IconKey size={28} stroke={1.5} />} action={<Button onClick={() => void navigate({ to: '/login' })}>{t('login.title')}</Button>}>
        {t('link.badMore')}
      </Empty>
    </Frame>
  );
}

function First({ token }: { token: string }) {
  const { t } = useT();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<unknown>(null);
  const make = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await must(api.POST('/auth/first-admin', { body: { token, name: name.trim(), email: email.trim(), password } }));
      client.clear();
      await navigate({ to: '/inbox', replace: true });
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Frame title={t('first.title')}>
      <Text size="sm">{t('first.more')}</Text>
      <form onSubmit={(event) => void make(event)}>
        <Stack gap="sm">
          <TextInput label={t('first.name')} autoComplete="name" required dir="auto" value={name} onChange={(e) => setName(e.currentTarget.value)} maxLength={120} />
          <TextInput label={t('login.email')} type="email" autoComplete="username" required dir="ltr" value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
          <PasswordInput label={t('login.password')} description={t('first.rule')} autoComplete="new-password" required minLength={10} dir="ltr" value={password} onChange={(e) => setPassword(e.currentTarget.value)} />
          <Problem error={error} />
          <Button type="submit" size="md" fullWidth>
            {t('first.act')}
          </Button>
        </Stack>
      </form>
    </Frame>
  );
}
