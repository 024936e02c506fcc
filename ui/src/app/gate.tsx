import { Button, Center, Loader } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Navigate, useNavigate, useRouterState } from '@tanstack/react-router';
import { useCallback, useEffect } from 'react';
import { loadSession } from '../api/load';
import { Refused } from '../api/problem';
import { SessionProvider, useExpiry } from '../api/session';
import { useT } from '../i18n';
import { Empty } from '../parts/basics';
import { follow } from './live';
import { Shell } from './shell';

/** Only who is signed in comes further. */
export function Gate() {
  const { t } = useT();
  const navigate = useNavigate();
  const client = useQueryClient();
  const here = useRouterState({ select: (state) => state.location.href });
  const session = useQuery({ queryKey: ['session'], queryFn: loadSession, staleTime: 60_000, retry: (n, error) => !(error instanceof Refused) && n < 3 });
  const expired = useCallback(
    (back: string) => {
      client.removeQueries({ queryKey: ['session'] });
      void navigate({ to: '/login', search: { back, expired: '1' } as never });
    },
    [client, navigate],
  );
  useExpiry(expired);
  useEffect(() => follow(client), [client]);
  if (session.data) {
    return (
      <SessionProvider session={session.data}>
        <Shell />
      </SessionProvider>
    );
  }
  if (session.error instanceof Refused && session.error.status === 401) return <Navigate to="/login" search={{ back: here } as never} replace />;
  if (session.error) {
    return (
      <main style={{ display: 'grid', height: '100%' }}>
        <Empty title={t('problem.offline')} icon={<IconPlugConnectedX size={28} stroke={1.5} />} action={<Button onClick={() => void session.refetch()}>{t('again')}</Button>}>
          {t('problem.offlineMore')}
        </Empty>
      </main>
    );
  }
  return (
    <Center h="100%">
      <Loader aria-label={t('loading')} />
    </Center>
  );
}
