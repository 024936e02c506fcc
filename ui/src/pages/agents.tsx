import '../styles/more';
import { SimpleGrid, Stack, Table } from '@mantine/core';
import { IconFlask, IconRobot, IconRoute } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, must } from '../api/client';
import { useTenantId } from '../api/session';
import { useT } from '../i18n';
import { useFormat } from '../i18n/format';
import { Card, Empty, Facts, Ltr, Page, Problem, Said, Stat, Tag, Waiting } from '../parts/basics';

export function AgentsPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const query = { tenant };
  const agents = useQuery({ queryKey: ['agents', tenant], queryFn: () => must(api.GET('/agents', { params: { query } })) });
  const experiments = useQuery({ queryKey: ['experiments', tenant], queryFn: () => must(api.GET('/experiments', { params: { query } })) });
  const count = (one: { value: number; capped: boolean }) => `${format.number(one.value)}${one.capped ? '+' : ''}`;
  return (
    <Page title={t('agents.title')}>
      <Stack gap="lg">
        {agents.error ? <Problem error={agents.error} retry={() => void agents.refetch()} /> : null}
        {agents.isPending ? <Waiting rows={2} height={120} /> : null}
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          {agents.data?.data.map((agent) => (
            <Card key={agent.id} icon={agent.kind === 'flow' ? <IconRoute size={18} aria-hidden /> : <IconRobot size={18} aria-hidden />} title={<Said>{agent.name}</Said>} actions={<Tag tone={agent.enabled ? 'good' : 'neutral'}>{agent.enabled ? t('agents.on') : t('agents.off')}</Tag>}>
              <Stack gap="md">
                <SimpleGrid cols={2}>
                  <Stat value={count(agent.active)} label={t('agents.active')} />
                  <Stat value={count(agent.handed_over)} label={t('agents.handedOver')} />
                </SimpleGrid>
                <Facts
                  rows={[
                    [t('agents.kind'), agent.kind === 'flow' ? t('agents.kind.flow') : <Said>{agent.kind}</Said>],
                    [t('agents.model'), agent.model ? <Ltr mono>{`${agent.provider ?? ''} ${agent.model}`.trim()}</Ltr> : t('agents.noModel')],
                  ]}
                />
              </Stack>
            </Card>
          ))}
        </SimpleGrid>
        {agents.data?.data.length === 0 ? <Empty title={t('agents.empty')} icon={<IconRobot size={28} stroke={1.5} />}>{t('agents.emptyMore')}</Empty> : null}
        <Card icon={<IconFlask size={18} aria-hidden />} title={t('agents.experiments')}>
          {experiments.data?.data.length === 0 ? <Empty title={t('agents.noExperiments')} icon={<IconFlask size={28} stroke={1.5} />}>{t('agents.noExperimentsMore')}</Empty> : null}
          {experiments.data?.data.map((one) => (
            <Table key={one.id} aria-label={one.id}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th><Ltr>{one.id}</Ltr> <Tag tone={one.significant ? 'good' : 'neutral'}>{one.significant ? t('agents.significant') : t('agents.notYet')}</Tag></Table.Th>
                  <Table.Th>{t('agents.share')}</Table.Th>
                  <Table.Th>{t('nav.inbox')}</Table.Th>
                  <Table.Th><Said>{one.metric}</Said></Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {one.arms.map((arm) => (
                  <Table.Tr key={arm.name}>
                    <Table.Td><Said>{arm.name}</Said></Table.Td>
                    <Table.Td>{format.percent(arm.share)}</Table.Td>
                    <Table.Td>{format.number(arm.conversations)}</Table.Td>
                    <Table.Td>{format.number(arm.reached)} {arm.conversations ? `(${format.percent(arm.reached / arm.conversations, 1)})` : ''}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          ))}
        </Card>
      </Stack>
    </Page>
  );
}
