import createClient from 'openapi-fetch';
import { type ProblemBody, Refused } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Conversation = Schemas['Conversation'];
export type Message = Schemas['Message'];
export type Note = Schemas['Note'];
export type FailedSend = Schemas['FailedSend'];
export type Letter = Schemas['Letter'];
export type Job = Schemas['Job'];
export type Lead = Schemas['Lead'];
export type Task = Schemas['Task'];
export type Notification = Schemas['Notification'];
export type Tenant = Schemas['Tenant'];
export type Channel = Schemas['Channel'];
export type User = Schemas['User'];
export type Token = Schemas['Token'];
export type AuditRow = Schemas['AuditRow'];
export type Batch = Schemas['Batch'];
export type Breaker = Schemas['Breaker'];
export type Check = Schemas['Check'];
export type Saga = Schemas['Saga'];

export const api = createClient<paths>({ baseUrl: '/api/v1', credentials: 'same-origin' });

const lost = new Set<() => void>();

/** Calls when the server no longer knows this session. */
export function onSignedOut(listener: () => void): () => void {
  lost.add(listener);
  return () => lost.delete(listener);
}

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** The data, or the refusal as an error. */
export async function must<Data>(asked: Promise<Answer<Data>>): Promise<Data> {
  const { data, error, response } = await asked;
  if (response.ok) return data as Data;
  if (response.status === 401) for (const listener of lost) listener();
  throw new Refused(response.status, error && typeof error === 'object' ? (error as ProblemBody) : {});
}

/** A key for something that is to be done once, however often it is sent. */
export function once(): { 'Idempotency-Key': string } {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return { 'Idempotency-Key': Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('') };
}
