import { useQuery } from '@tanstack/react-query';
import { api, must, type User } from './client';
import { useMay, useSession } from './session';

/** The people of the team, for those who may know them; `others` without oneself. */
export function useTeam(): { all: User[]; others: User[]; name: (id: string) => string | undefined } {
  const session = useSession();
  const enabled = useMay('agent');
  const query = useQuery({ queryKey: ['users', 'team'], enabled, staleTime: 60_000, queryFn: () => must(api.GET('/users', { params: { query: { limit: 200 } } })) });
  const all = (query.data?.data ?? []).filter((one) => !one.disabled_at) as User[];
  return { all, others: all.filter((one) => one.id !== session.userId), name: (id) => (id === session.userId ? session.name : all.find((one) => one.id === id)?.name) };
}
