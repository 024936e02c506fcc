import { IconAlertOctagon, IconBell, IconChartHistogram, IconChecklist, IconDeviceMobileMessage, IconHeartbeat, IconInbox, IconMailX, IconRobot, IconSettings, IconStack2, IconUsers, type Icon } from '@tabler/icons-react';
import type { Key } from '../i18n';

export type Counted = 'inbox' | 'failed' | 'letters' | 'notifications';

export interface Place {
  to: string;
  text: Key;
  icon: Icon;
  count?: Counted;
  demo?: boolean;
}

export const places: { title: Key | null; places: Place[] }[] = [
  {
    title: null,
    places: [
      { to: '/inbox', text: 'nav.inbox', icon: IconInbox, count: 'inbox' },
      { to: '/leads', text: 'nav.leads', icon: IconUsers },
      { to: '/tasks', text: 'nav.tasks', icon: IconChecklist },
      { to: '/notifications', text: 'nav.notifications', icon: IconBell, count: 'notifications' },
    ],
  },
  {
    title: 'nav.trouble',
    places: [
      { to: '/failed', text: 'nav.failed', icon: IconMailX, count: 'failed' },
      { to: '/dead-letters', text: 'nav.letters', icon: IconAlertOctagon, count: 'letters' },
      { to: '/jobs', text: 'nav.jobs', icon: IconStack2 },
    ],
  },
  {
    title: 'nav.insight',
    places: [
      { to: '/agents', text: 'nav.agents', icon: IconRobot },
      { to: '/analytics', text: 'nav.analytics', icon: IconChartHistogram },
      { to: '/health', text: 'nav.health', icon: IconHeartbeat },
    ],
  },
  {
    title: 'nav.house',
    places: [
      { to: '/simulator', text: 'nav.simulator', icon: IconDeviceMobileMessage, demo: true },
      { to: '/settings', text: 'nav.settings', icon: IconSettings },
    ],
  },
];
