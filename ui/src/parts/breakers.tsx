import { Button, Group, Stack } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { api, must, type Breaker } from '../api/client';
import { useMay } from '../api/session';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from './act';
import { Ltr, Said, Tag, When } from './basics';

type Turn = 'probe' | 'hold' | 'reset';

/** Every breaker with what a person may do to it; each act asks for its reason, which goes on record (S4.10). */
export function Breakers({ all, name }: { all: Breaker[]; name: (breaker: string) => string | undefined }) {
  const { t } = useT();
  const format = useFormat();
  const admin = useMay('admin');
  const client = useQueryClient();
  const turn = async (breaker: Breaker, how: Turn) => {
    const answer = await ask({ title: t(`breaker.${how}Title`), body: t(`breaker.${how}More`), act: t(`breaker.${how}`), danger: how === 'hold', reason: { label: t('reason'), required: true } });
    if (!answer) return;
    try {
      const body = { reason: answer.reason };
      const params = { path: { id: breaker.name } };
      await must(how === 'probe' ? api.POST('/breakers/{id}/probe', { params, body }) : how === 'hold' ? api.POST('/breakers/{id}/hold', { params, body }) : api.POST('/breakers/{id}/reset', { params, body }));
      void done(t, t(`breaker.${how}Done`));
      await client.invalidateQueries({ queryKey: ['health'] });
    } catch (error) {
      void failed(t, error);
    }
  };
  if (all.length === 0) return <p className="quiet">{t('health.noBreakers')}</p>;
  return (
    <Stack gap={8}>
      {all.map((one) => (
        <div key={one.name} data-breaker={one.name} style={{ minWidth: 0 }}>
          <Group gap={8} wrap="wrap">
            <Tag tone={one.state === 'closed' ? 'good' : one.state === 'open' ? 'bad' : 'warn'}>{one.held ? t('breaker.held') : word(t, 'breaker', one.state)}</Tag>
            <span style={{ fontWeight: 600 }}>{name(one.name) ? <Said>{name(one.name)}</Said> : <Ltr mono>{one.name}</Ltr>}</span>
            <span className="quiet">{t('breaker.since')}: <When at={one.since} /></span>
          </Group>
          {one.trips > 1 ? <div className="quiet">{t('breaker.trips', { n: format.number(one.trips) })}</div> : null}
          {one.reason ? <div className="quiet"><Said>{one.reason}</Said></div> : null}
          {one.next_try && !one.held ? <div className="quiet">{t('breaker.next')} <When at={one.next_try} /></div> : null}
          {admin ? (
            <Group gap={6} mt={4}>
              {one.state === 'closed' ? null : (
                <>
                  <Button size="compact-xs" onClick={() => void turn(one, 'probe')}>{t('breaker.probe')}</Button>
                  <Button size="compact-xs" variant="default" onClick={() => void turn(one, 'reset')}>{t('breaker.reset')}</Button>
                </>
              )}
              {one.held ? null : <Button size="compact-xs" variant="default" onClick={() => void turn(one, 'hold')}>{t('breaker.hold')}</Button>}
            </Group>
          ) : null}
        </div>
      ))}
    </Stack>
  );
}
