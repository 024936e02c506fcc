import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from 'react';
import { api, must, onSignedOut, type Schemas, type Tenant } from './client';
import { stream } from './stream';

export interface Session {
  name: string;
  userId: string;
  role: 'viewer' | 'agent' | 'admin';
  demo: boolean;
  version: string;
  tenants: Tenant[];
}

interface Value {
  session: Session;
  tenant: Tenant | undefined;
  choose: (id: string) => void;
}

const Context = createContext<Value | null>(null);
const STORED = 'barid.tenant';

export const authState = () => must(api.GET('/auth/state'));

export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  const client = useQueryClient();
  const [chosen, setChosen] = useState(() => localStorage.getItem(STORED));
  const tenant = session.tenants.find((one) => one.id === chosen) ?? session.tenants[0];
  const choose = useCallback(
    (id: string) => {
      localStorage.setItem(STORED, id);
      setChosen(id);
      client.removeQueries();
    },
    [client],
  );
  const value = useMemo(() => ({ session, tenant, choose }), [session, tenant, choose]);
  useEffect(() => {
    document.title = tenant ? `${tenant.business} · Barid` : 'Barid';
  }, [tenant]);
  return <Context value={value}>{children}</Context>;
}

function useValue(): Value {
  const value = use(Context);
  if (!value) throw new Error('used outside of a session');
  return value;
}

export const useSession = () => useValue().session;
export function useTenant() {
  const { session, tenant, choose } = useValue();
  return { tenant, tenants: session.tenants, choose };
}
/** The business whose rows are shown, as the API takes it. */
export const useTenantId = () => useValue().tenant?.id;
export function useMay(role: Session['role']): boolean {
  const order = ['viewer', 'agent', 'admin'];
  return order.indexOf(useValue().session.role) >= order.indexOf(role);
}

export function useSignOut() {
  const client = useQueryClient();
  return async () => {
    stream.stop();
    await api.POST('/auth/logout', {}).catch(() => undefined);
    client.clear();
    location.assign('/login');
  };
}

/** Goes to the sign-in page when the server no longer knows the session; what was being written stays in this browser. */
export function useExpiry(go: (back: string) => void) {
  useEffect(() => onSignedOut(() => go(location.pathname + location.search)), [go]);
}

export interface Counts {
  inbox: Schemas['Count'] | undefined;
  failed: Schemas['Count'] | undefined;
  letters: Schemas['Count'] | undefined;
  notifications: Schemas['Count'] | undefined;
}

/** The numbers beside the pages' names; each is the number of what its page lists at first (R8). */
export function useCounts(): Counts {
  const tenant = useTenantId();
  const query = { tenant };
  const inbox = useQuery({ queryKey: ['counts', 'inbox', tenant], queryFn: () => must(api.GET('/conversations/counts', { params: { query } })) });
  const letters = useQuery({ queryKey: ['counts', 'letters', tenant], queryFn: () => must(api.GET('/dead-letters/counts', { params: { query } })) });
  const notices = useQuery({ queryKey: ['counts', 'notifications', tenant], queryFn: () => must(api.GET('/notifications/count', { params: { query } })) });
  const failed = useQuery({ queryKey: ['failed', 'groups', tenant], queryFn: () => must(api.GET('/failed-sends/groups', { params: { query } })) });
  return {
    inbox: inbox.data?.all,
    letters: letters.data?.pending,
    notifications: notices.data,
    failed: failed.data?.total,
  };
}
