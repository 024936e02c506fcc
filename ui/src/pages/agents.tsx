import '../styles/more';
import { SimpleGrid, Stack, Table } from '@mantine/core';
import { IconFlask, IconListDetails, IconRobot, IconRoute } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { api, must, type Schemas } from '../api/client';
import { useTenantId } from '../api/session';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { Sessions } from '../parts/sessions';
import { Switches } from '../parts/switches';
import { useLift, useProgress, Winner } from '../parts/winner';
import { Card, Empty, Facts, Ltr, Page, Problem, Said, Stat, Tag, Waiting, When } from '../parts/basics';

export function AgentsPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const query = { tenant };
  const agents = useQuery({ queryKey: ['agents', tenant], queryFn: () => must(api.GET('/agents', { params: { query } })) });
  const experiments = useQuery({ queryKey: ['experiments', tenant], queryFn: () => must(api.GET('/experiments', { params: { query } })) });
  const count = (one: { value: number; capped: boolean }) => `${format.number(one.value)}${one.capped ? '+' : ''}`;
  const progress = useProgress();
  const lift = useLift();
  return (
    <Page title={t('agents.title')}>
      <Stack gap="lg">
        {agents.error ? <Problem error={agents.error} retry={() => void agents.refetch()} /> : null}
        {agents.isPending ? <Waiting rows={2} height={120} /> : null}
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          {agents.data?.data.map((agent) => (
            <Card key={agent.id} icon={agent.kind === 'flow' ? <IconRoute size={18} aria-hidden /> : <IconRobot size={18} aria-hidden />} title={<Said>{agent.name}</Said>} actions={<Tag tone={agent.enabled ? 'good' : 'neutral'}>{agent.enabled ? t('agents.on') : t('agents.off')}</Tag>}>
              <Stack gap="md">
                {agent.day && agent.month ? (
                  <SimpleGrid cols={{ base: 2, sm: 4 }}>
                    <Stat value={format.number(agent.day.turns)} label={t('agents.turnsDay')} />
                    <Stat value={format.number(agent.day.cost, { maximumFractionDigits: 4 })} label={t('agents.costDay')} />
                    <Stat value={format.number(agent.month.cost, { maximumFractionDigits: 4 })} label={t('agents.costMonth')} />
                    <Stat value={format.number(agent.month.sessions)} label={t('agents.sessionsMonth')} />
                    <Stat value={agent.day.turns ? format.percent(1 - agent.day.replies / agent.day.turns, 1) : '–'} label={t('agents.errors')} tone={agent.day.turns > agent.day.replies ? 'warn' : undefined} />
                    <Stat value={agent.month.sessions ? format.percent(agent.month.handovers / agent.month.sessions, 1) : '–'} label={t('agents.handOffs')} />
                    <Stat value={agent.day.turns ? format.span(agent.day.p95_ms) : '–'} label={t('agents.p95')} />
                    <Stat value={format.percent(agent.percent / 100)} label={t('agents.rolledOut')} />
                  </SimpleGrid>
                ) : (
                  <SimpleGrid cols={2}>
                    <Stat value={count(agent.active)} label={t('agents.active')} />
                    <Stat value={count(agent.handed_over)} label={t('agents.handedOver')} />
                  </SimpleGrid>
                )}
                <Facts
                  rows={[
                    [t('agents.kind'), t(agent.kind === 'flow' ? 'agents.kind.flow' : 'agents.kind.agent')],
                    [t('agents.model'), agent.model ? <Ltr mono>{`${agent.provider ?? ''} ${agent.model}`.trim()}</Ltr> : t('agents.noModel')],
                    ...(agent.fallbacks.length > 0 ? [[t('agents.fallbacks'), <Ltr key="f" mono>{agent.fallbacks.join(', ')}</Ltr>] as [ReactNode, ReactNode]] : []),
                    ...(agent.prompt_hash ? [[t('agents.prompt'), <Ltr key="p" mono>{agent.prompt_hash}</Ltr>] as [ReactNode, ReactNode]] : []),
                  ]}
                />
                {agent.budget ? <Budget budget={agent.budget} /> : null}
                {agent.flag ? <Switches flag={agent.flag} on={agent.enabled} percent={agent.percent} name={agent.name} /> : null}
              </Stack>
            </Card>
          ))}
        </SimpleGrid>
        {agents.data?.data.length === 0 ? <Empty title={t('agents.empty')} icon={<IconRobot size={28} stroke={1.5} />}>{t('agents.emptyMore')}</Empty> : null}
        <Card icon={<IconFlask size={18} aria-hidden />} title={t('agents.experiments')}>
          {experiments.data?.data.length === 0 ? <Empty title={t('agents.noExperiments')} icon={<IconFlask size={28} stroke={1.5} />}>{t('agents.noExperimentsMore')}</Empty> : null}
          {experiments.error ? <Problem error={experiments.error} retry={() => void experiments.refetch()} /> : null}
          <Stack gap="lg">
            {experiments.data?.data.map((one) => (
              <Stack key={one.id} gap="xs" data-experiment={one.id}>
                <Table.ScrollContainer minWidth={560} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
                  <Table aria-label={one.id}>
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th><Ltr>{one.id}</Ltr> <Tag tone={!one.split_is_sound ? 'bad' : one.significant ? 'good' : 'neutral'}>{!one.split_is_sound ? t('agents.brokenSplit') : one.significant ? t('agents.significant') : t('agents.notYet')}</Tag> {one.status === 'stopped' ? <Tag>{t('agents.stopped')}</Tag> : null}</Table.Th>
                        <Table.Th>{t('agents.share')}</Table.Th>
                        <Table.Th>{t('agents.n')}</Table.Th>
                        <Table.Th>{word(t, 'goal', one.metric)}</Table.Th>
                        <Table.Th>{t('agents.lift')}</Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {one.arms.map((arm) => (
                        <Table.Tr key={arm.name}>
                          <Table.Td><Said>{arm.name}</Said>{one.winner === arm.name ? <> <Tag tone="good">{t('agents.best')}</Tag></> : null}{one.picked === arm.name ? <> <Tag tone="info">{t('agents.picked')}</Tag></> : null}</Table.Td>
                          <Table.Td>{format.percent(arm.share)}</Table.Td>
                          <Table.Td>{format.number(arm.decided)} <span className="quiet">/ {format.number(arm.conversations)}</span></Table.Td>
                          <Table.Td>{format.number(arm.reached)} {arm.decided ? `(${format.percent(arm.reached / arm.decided, 1)})` : ''}</Table.Td>
                          <Table.Td>{arm.lift ? <Ltr>{lift(arm.lift)}</Ltr> : '–'}</Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </Table.ScrollContainer>
                <p className="quiet">{progress(one)} {one.started_at ? <When at={one.started_at} /> : null}</p>
                <Switches
                  flag={one.flag}
                  on={one.status === 'running'}
                  percent={one.percent}
                  name={one.id}
                  effect={t('agents.stopEffect', {
                    decided: format.number(one.arms.reduce((sum, arm) => sum + arm.decided, 0)),
                    all: format.number(one.arms.reduce((sum, arm) => sum + arm.conversations, 0)),
                    state: !one.split_is_sound ? t('agents.brokenSplit') : one.winner ? t('agents.leads', { name: one.winner }) : t('agents.notYet'),
                  })}
                />
                {one.picked ? <p className="quiet">{t('agents.pickedMore', { arm: one.picked })}</p> : null}
                <Winner one={one} />
              </Stack>
            ))}
          </Stack>
        </Card>
        {agents.data?.data.some((agent) => agent.kind === 'agent') ? (
          <Card icon={<IconListDetails size={18} aria-hidden />} title={t('agents.sessions')}>
            <Sessions />
          </Card>
        ) : null}
      </Stack>
    </Page>
  );
}

/** Today's budget: how much is used, and in plain words when none is left. */
function Budget({ budget }: { budget: NonNullable<Schemas['Agent']['budget']> }) {
  const { t } = useT();
  const format = useFormat();
  const used = budget.tokens_cap
    ? t('agents.budgetOf', { used: format.number(budget.tokens), cap: format.number(budget.tokens_cap) })
    : t('agents.budgetOpen', { used: format.number(budget.tokens) });
  return (
    <div data-budget={budget.reached ? 'reached' : 'open'}>
      <p className="quiet">{used}{budget.cost_cap ? ` · ${t('agents.budgetCost', { used: format.number(budget.cost, { maximumFractionDigits: 2 }), cap: format.number(budget.cost_cap, { maximumFractionDigits: 2 }) })}` : ''}</p>
      {budget.reached ? <Tag tone="bad">{t('agents.budgetReached')}</Tag> : null}
      {budget.contacts_at_cap > 0 ? <Tag tone="warn">{t('agents.contactsAtCap', { n: format.number(budget.contacts_at_cap) })}</Tag> : null}
    </div>
  );
}
