import { Button, Group, Stack } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, must, type Saga } from '../api/client';
import { useMay, useTenantId } from '../api/session';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from './act';
import { Ltr, Problem, Said, Tag, Waiting, When, type Tone } from './basics';

/** So many of each state, with their steps. */
const SHOWN = 10;
const states = ['stuck', 'unwinding', 'running'] as const;
const tones: Record<string, Tone> = { stuck: 'bad', failed: 'bad', unwinding: 'warn', compensating: 'warn', pending: 'neutral', running: 'info', done: 'good' };

/** The sagas that need eyes, those first that a person must decide about. One that runs is among them only if it waits: it then says why. */
async function open(tenant: string | undefined, signal: AbortSignal) {
  const lists = await Promise.all(
    states.map(async (state) => {
      const { data, has_more } = await must(api.GET('/sagas', { params: { query: { tenant, state, limit: state === 'running' ? 100 : SHOWN } }, signal }));
      const those = state === 'running' ? data.filter((saga) => saga.error) : data;
      return { ids: those.slice(0, SHOWN).map((saga) => saga.id), more: has_more || those.length > SHOWN };
    }),
  );
  const sagas = await Promise.all(lists.flatMap((list) => list.ids).map((id) => must(api.GET('/sagas/{id}', { params: { path: { id } }, signal }))));
  // Some may have ended between the two readings.
  return { sagas: sagas.filter((saga) => states.some((state) => state === saga.state)), more: lists.some((list) => list.more) };
}

/** Actions that are stuck, being undone or waiting, step by step; a person tries the stuck step again or passes over it (S3.6). */
export function Sagas() {
  const { t } = useT();
  const tenant = useTenantId();
  const query = useQuery({ queryKey: ['sagas', tenant], queryFn: ({ signal }) => open(tenant, signal), refetchInterval: 30_000 });
  if (query.isPending) return <Waiting rows={1} />;
  return (
    <Stack gap="md">
      {query.error ? <Problem error={query.error} retry={() => void query.refetch()} /> : null}
      {query.data?.sagas.length === 0 ? <p className="quiet">{t('sagas.none')}</p> : null}
      {query.data?.sagas.map((saga) => <One key={saga.id} saga={saga} />)}
      {query.data?.more ? <p className="quiet">{t('sagas.more', { n: SHOWN })}</p> : null}
    </Stack>
  );
}

function One({ saga }: { saga: Saga }) {
  const { t } = useT();
  const format = useFormat();
  const agent = useMay('agent');
  const client = useQueryClient();
  const name = [...new Set(saga.steps.map((step) => step.action))].join(', ');
  const settle = async (how: 'retry' | 'skip') => {
    const answer = await ask({ title: t(`sagas.${how}Title`), body: saga.state === 'stuck' ? t(`sagas.${how}More`) : undefined, act: t(`sagas.${how}`), danger: how === 'skip', reason: { label: t('reason'), required: how === 'skip' } });
    if (!answer) return;
    try {
      const asked = { params: { path: { id: saga.id } }, body: answer.reason ? { reason: answer.reason } : {} };
      await must(how === 'retry' ? api.POST('/sagas/{id}/retries', asked) : api.POST('/sagas/{id}/skip', asked));
      void done(t, t('sagas.settled'));
    } catch (error) {
      void failed(t, error);
    }
    await client.invalidateQueries({ queryKey: ['sagas'] });
  };
  return (
    <div data-saga={saga.id} style={{ minWidth: 0 }}>
      <Group gap={8} wrap="wrap">
        <Tag tone={tones[saga.state === 'running' ? 'pending' : saga.state]}>{t(`saga.${saga.state as 'stuck'}`)}</Tag>
        <h3 style={{ fontSize: 'inherit' }}><Ltr>{name}</Ltr></h3>
        <span className="quiet"><When at={saga.created_at} /></span>
        <Link to="/inbox/$id" params={{ id: saga.conversation_id }} style={{ color: 'var(--b-accent)' }}>{t('failed.talk')}</Link>
      </Group>
      {saga.due_at ? <div className="quiet">{t('breaker.next')} <When at={saga.due_at} /></div> : null}
      <ol style={{ margin: '6px 0', paddingInlineStart: 24 }}>
        {saga.steps.map((step) => (
          <li key={step.seq}>
            <Ltr>{step.action}</Ltr> ({word(t, 'effect', step.effect)}) <Tag tone={tones[step.state]}>{t(`step.${step.state}`)}</Tag>{' '}
            {step.attempts + step.undo_attempts > 0 ? <span className="quiet">{t('sagas.tries', { n: format.number(step.attempts + step.undo_attempts) })} </span> : null}
            {step.doubtful ? <Tag tone="warn">{t('sagas.doubtful')}</Tag> : null}
            {step.error ? <div className="quiet"><Said>{step.error}</Said></div> : null}
          </li>
        ))}
      </ol>
      {agent ? (
        <Group gap={6}>
          <Button size="compact-xs" aria-label={`${t('sagas.retry')}: ${name}`} onClick={() => void settle('retry')}>{t('sagas.retry')}</Button>
          {saga.state === 'stuck' ? <Button size="compact-xs" variant="default" aria-label={`${t('sagas.skip')}: ${name}`} onClick={() => void settle('skip')}>{t('sagas.skip')}</Button> : null}
        </Group>
      ) : null}
    </div>
  );
}
