import '../styles/more';
import { Button, SimpleGrid, Stack, Table } from '@mantine/core';
import { IconBellRinging, IconCircleCheckFilled, IconHeartbeat, IconListCheck, IconMailForward, IconPhone, IconPlugConnected, IconRefresh, IconStack2, IconAlertTriangleFilled } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, must, type Check } from '../api/client';
import { useMay, useTenantId } from '../api/session';
import { later, useT, word } from '../i18n';
import { health } from '../i18n/en/health';
import { useFormat } from '../i18n/format';
import { done, failed } from '../parts/act';
import { Breakers } from '../parts/breakers';
import { Card, Ltr, Page, Problem, Said, Stat, Tag, Waiting, When } from '../parts/basics';
import { Runbook } from '../parts/runbook';
import { Sagas } from '../parts/sagas';

later(health);

/** Checks whose finding is a number that the page can say in its own language. */
const said = new Set(['database', 'queue_lag', 'processing_p95', 'dead_letters']);

export function HealthPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const admin = useMay('admin');
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['health', tenant], queryFn: () => must(api.GET('/health', { params: { query: { tenant } } })), refetchInterval: 5000 });
  const health = query.data;
  const resume = async (id: string) => {
    try {
      await must(api.POST('/channels/{id}/resume', { params: { path: { id } } }));
      void done(t, t('health.resumed'));
      await client.invalidateQueries({ queryKey: ['health'] });
    } catch (error) {
      void failed(t, error);
    }
  };
  const numberOf = (breaker: string) => {
    const channel = health?.channels.find((one) => breaker === `channel_${one.id}`);
    return channel ? `${word(t, 'channel', channel.kind)} ${channel.number}` : undefined;
  };
  /** People know a number by itself, not by the name of its breaker. */
  const named = (text: string) => text.replace(/channel_\d+/g, (name) => numberOf(name) ?? name);
  /** A check in the page's own words: its name, and what it found. */
  const told = (check: Check): [ReactNode, ReactNode] => {
    if (said.has(check.name)) return [<Ltr>{word(t, 'check', check.name)}</Ltr>, t(`check.said.${check.name as 'database'}`, { n: format.number(Math.round(check.value * 10) / 10) })];
    const channel = health?.channels.find((one) => check.name === `channel ${one.kind} ${one.number}`);
    if (channel) return [<>{t('check.channel')} {word(t, 'channel', channel.kind)} <Ltr mono className="quiet">{channel.number}</Ltr></>, check.ok ? t('check.said.channel') : <Said>{check.detail}</Said>];
    const breaker = health?.breakers.find((one) => check.name === `breaker ${one.name}`);
    if (breaker) return [<>{t('check.breaker')} <Said>{numberOf(breaker.name) ?? breaker.name}</Said></>, breaker.reason ? <Said>{breaker.reason}</Said> : word(t, 'breaker', breaker.state)];
    return [<Ltr>{check.name}</Ltr>, <Said>{check.detail}</Said>];
  };
  return (
    <Page title={t('nav.health')} scope={health ? <When at={health.checked_at} /> : null} actions={health ? <Tag tone={health.ok ? 'good' : 'warn'} icon={health.ok ? <IconCircleCheckFilled size={15} /> : <IconAlertTriangleFilled size={14} />}>{health.ok ? t('health.good') : t('health.bad')}</Tag> : null}>
      {query.error ? <Problem error={query.error} retry={() => void query.refetch()} /> : null}
      {query.isPending ? <Waiting rows={3} height={120} /> : null}
      {health ? (
        <Stack gap="md">
          <SimpleGrid cols={{ base: 1, sm: 2, xl: 4 }} spacing="md">
            <Card icon={<IconStack2 size={18} aria-hidden />} title={t('health.queue')}>
              <SimpleGrid cols={3}>
                <Stat value={format.number(health.queue.queued)} label={t('health.waiting')} />
                <Stat value={format.number(health.queue.running)} label={t('health.running')} />
                <Stat value={format.span(health.queue.oldest_wait_seconds * 1000)} label={t('health.oldest')} />
                <Stat value={format.number(health.queue.done_24h)} label={t('health.done24')} />
                <Stat value={format.span(health.queue.p95_processing_ms)} label={t('health.p95')} />
                <Stat value={health.queue.done_24h + health.queue.failed_24h > 0 ? format.percent(health.queue.success_rate <= 1 ? health.queue.success_rate : health.queue.success_rate / 100, 1) : '–'} label={t('health.success')} />
              </SimpleGrid>
            </Card>
            <Card icon={<IconMailForward size={18} aria-hidden />} title={t('health.sends')}>
              <SimpleGrid cols={3}>
                <Stat value={format.number(health.sends.pending)} label={t('health.waiting')} />
                <Stat value={format.number(health.sends.sending)} label={t('health.sending')} />
                <Stat value={format.number(health.sends.unknown)} label={t('health.unknown')} tone={health.sends.unknown ? 'bad' : undefined} />
                <Stat value={format.number(health.sends.hour)} label={t('health.hour')} />
                <Stat value={health.sends.hour ? format.percent(health.sends.hour_failed_percent / 100, 1) : '–'} label={t('health.hourFailed')} tone={health.sends.hour_failed_percent > 10 ? 'bad' : undefined} />
                <Stat value={health.sends.hour_p95_ms == null ? '–' : format.span(health.sends.hour_p95_ms)} label={t('health.p95')} />
                <Stat value={`${format.number(health.sends.failed.value)}${health.sends.failed.capped ? '+' : ''}`} label={t('nav.failed')} tone={health.sends.failed.value ? 'bad' : undefined} />
                <Stat value={`${format.number(health.dead_letters.value)}${health.dead_letters.capped ? '+' : ''}`} label={t('nav.letters')} tone={health.dead_letters.value ? 'bad' : undefined} />
              </SimpleGrid>
            </Card>
            <Card icon={<IconRefresh size={18} aria-hidden />} title={t('health.sync')}>
              <p className="quiet">{t('health.noSync')}</p>
            </Card>
            <Card icon={<IconPlugConnected size={18} aria-hidden />} title={t('health.breakers')}>
              <Breakers all={health.breakers} name={numberOf} />
            </Card>
          </SimpleGrid>
          <Card icon={<IconBellRinging size={18} aria-hidden />} title={t('health.alerts')}>
            {health.alerts.length === 0 ? <p className="quiet">{t('health.noAlerts')}</p> : (
              <Table aria-label={t('health.alerts')}>
                <Table.Tbody>
                  {health.alerts.map((alert) => (
                    <Table.Tr key={alert.id} data-alert={alert.kind}>
                      <Table.Td><Tag tone="bad">{word(t, 'alert', alert.kind)}</Tag></Table.Td>
                      <Table.Td><Said>{named(alert.detail)}</Said> <span className="quiet"><When at={alert.raised_at} /></span></Table.Td>
                      <Table.Td className="quiet">{alert.deliveries.map((way) => `${way.sink}: ${way.told_at ? t('alert.told') : way.next_try ? t('alert.trying') : t('alert.gaveUp')}`).join(' · ')}</Table.Td>
                      <Table.Td style={{ textAlign: 'end' }}><Runbook kind={alert.kind} /></Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            )}
          </Card>
          <Card icon={<IconListCheck size={18} aria-hidden />} title={t('health.sagas')}>
            <Sagas />
          </Card>
          <Card icon={<IconPhone size={18} aria-hidden />} title={t('health.channels')}>
            <Table aria-label={t('health.channels')}>
              <Table.Tbody>
                {health.channels.map((channel) => (
                  <Table.Tr key={channel.id}>
                    <Table.Td>{word(t, 'channel', channel.kind)} <Ltr mono className="quiet">{channel.number}</Ltr></Table.Td>
                    <Table.Td><Tag tone={channel.state === 'ready' ? 'good' : 'bad'}>{word(t, 'state', channel.state)}</Tag></Table.Td>
                    <Table.Td>{channel.reason ? <Said>{channel.reason}</Said> : null} <span className="quiet"><When at={channel.since} /></span></Table.Td>
                    <Table.Td style={{ textAlign: 'end' }}>{admin && channel.state !== 'ready' ? <Button variant="default" onClick={() => void resume(channel.id)}>{t('health.resume')}</Button> : null}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Card>
          <Card icon={<IconHeartbeat size={18} aria-hidden />} title={t('health.checks')}>
            <Table aria-label={t('health.checks')}>
              <Table.Tbody>
                {health.checks.map((check) => {
                  const [name, found] = told(check);
                  return (
                    <Table.Tr key={check.name}>
                      <Table.Td><Tag tone={check.ok ? 'good' : 'bad'}>{check.ok ? t('state.ok') : t('state.fail')}</Tag></Table.Td>
                      <Table.Td>{name}</Table.Td>
                      <Table.Td>{found}</Table.Td>
                    </Table.Tr>
                  );
                })}
              </Table.Tbody>
            </Table>
          </Card>
        </Stack>
      ) : null}
    </Page>
  );
}
