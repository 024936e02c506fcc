import { agents } from './agents';
import { analytics } from './analytics';
import { failed } from './failed';
import { frame } from './frame';
import type { health } from './health';
import type { hooks } from './hooks';
import { inbox } from './inbox';
import { jobs } from './jobs';
import { keys } from './keys';
import { leads } from './leads';
import { letters } from './letters';
import { login } from './login';
import { message } from './message';
import { notifications } from './notifications';
import type { settings } from './settings';
import type { simulator } from './simulator';
import { talk } from './talk';
import { tasks } from './tasks';
import { words } from './words';

export const en = { ...agents, ...analytics, ...failed, ...frame, ...inbox, ...jobs, ...keys, ...leads, ...letters, ...login, ...message, ...notifications, ...talk, ...tasks, ...words };

/** Texts that come with the part of the page that speaks them, so that nobody's first look waits for them. */
export type Later = typeof health & typeof hooks & typeof settings & typeof simulator;
