import { api, must } from './client';
import type { Session } from './session';

/** Who is signed in, as the page uses it. */
export async function loadSession(): Promise<Session> {
  const me = await must(api.GET('/auth/me'));
  return { name: me.name, userId: me.id, role: me.role ?? 'viewer', demo: me.demo, version: me.version, tenants: me.tenants };
}
