import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Navigate, Outlet, redirect } from '@tanstack/react-router';
import { Broken, Missing } from './broken';
import { Gate } from './gate';

/** Filters live in the address: they survive a refresh and can be sent to a colleague (R2). */
export type Search = Record<string, string | undefined>;
const search = (raw: Record<string, unknown>): Search => Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, value === undefined ? undefined : String(value)]));

const root = createRootRoute({ component: Outlet, errorComponent: Broken, notFoundComponent: Missing, validateSearch: search });
const inside = createRoute({ getParentRoute: () => root, id: 'inside', component: Gate, errorComponent: Broken });

const at = <P extends string>(path: P, component: ReturnType<typeof lazyRouteComponent>) => createRoute({ getParentRoute: () => inside, path, component, errorComponent: Broken });

const inbox = createRoute({ getParentRoute: () => inside, path: '/inbox', component: lazyRouteComponent(() => import('../pages/inbox/page'), 'InboxPage'), errorComponent: Broken });
const talk = createRoute({ getParentRoute: () => inbox, path: '$id', component: () => null });

const tree = root.addChildren([
  createRoute({ getParentRoute: () => root, path: '/', component: () => <Navigate to="/inbox" replace /> }),
  createRoute({ getParentRoute: () => root, path: '/login', component: lazyRouteComponent(() => import('../pages/login'), 'LoginPage') }),
  createRoute({ getParentRoute: () => root, path: '/start', component: lazyRouteComponent(() => import('../pages/login'), 'StartPage') }),
  inside.addChildren([
    inbox.addChildren([talk]),
    at('/failed', lazyRouteComponent(() => import('../pages/failed'), 'FailedPage')),
    at('/dead-letters', lazyRouteComponent(() => import('../pages/letters'), 'LettersPage')),
    at('/jobs', lazyRouteComponent(() => import('../pages/jobs'), 'JobsPage')),
    at('/leads', lazyRouteComponent(() => import('../pages/leads/page'), 'LeadsPage')),
    at('/tasks', lazyRouteComponent(() => import('../pages/tasks'), 'TasksPage')),
    at('/notifications', lazyRouteComponent(() => import('../pages/notifications'), 'NotificationsPage')),
    at('/agents', lazyRouteComponent(() => import('../pages/agents'), 'AgentsPage')),
    at('/analytics', lazyRouteComponent(() => import('../pages/analytics/page'), 'AnalyticsPage')),
    at('/health', lazyRouteComponent(() => import('../pages/health'), 'HealthPage')),
    at('/simulator', lazyRouteComponent(() => import('../pages/simulator/page'), 'SimulatorPage')),
    createRoute({ getParentRoute: () => inside, path: '/settings', beforeLoad: () => { throw redirect({ to: '/settings/$part', params: { part: 'tenants' }, replace: true }); } }),
    at('/settings/$part', lazyRouteComponent(() => import('../pages/settings/page'), 'SettingsPage')),
  ]),
]);

export const router = createRouter({
  routeTree: tree,
  defaultPreload: 'intent',
  defaultPreloadStaleTime: 0,
  scrollRestoration: false,
  // Plain words in the address, not JSON.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (values) => {
    const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
    const text = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
    return text ? `?${text}` : '';
  },
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
