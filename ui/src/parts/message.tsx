import '../styles/more';
import { Drawer, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, must } from '../api/client';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { Copy, Facts, Json, Ltr, Problem, Said, Tag, Waiting, When } from './basics';
import { Ticks } from './ticks';

/** Everything that is known of one message: every try to send it, every report, the work behind it, and how it came. */
export function MessageFate({ id }: { id: string }) {
  const { t } = useT();
  const format = useFormat();
  const query = useQuery({ queryKey: ['message', id], queryFn: () => must(api.GET('/messages/{id}', { params: { path: { id } } })) });
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />;
  const message = query.data;
  if (!message) return <Waiting rows={4} />;
  return (
    <Stack gap="md">
      <Text dir="auto" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{message.body}</Text>
      <Facts
        rows={[
          [t('jobs.state'), message.direction === 'out' ? <><Ticks status={message.status} /> {word(t, 'ticks', message.status)}</> : null],
          [t('failed.when'), format.full(message.created_at)],
          [t('ticks.sent'), message.sent_at ? format.full(message.sent_at) : null],
          [t('ticks.delivered'), message.delivered_at ? format.full(message.delivered_at) : null],
          [t('ticks.read'), message.read_at ? format.full(message.read_at) : null],
          [t('failed.why'), message.error ? <Said>{message.error}</Said> : null],
          ['ID', message.provider_id ? <><Ltr mono>{message.provider_id}</Ltr> <Copy text={message.provider_id} /></> : null],
          [t('jobs.request'), message.request_id ? <><Ltr mono>{message.request_id}</Ltr> <Copy text={message.request_id} /></> : null],
        ]}
      />
      {message.direction === 'out' ? (
        <div>
          <Text fw={600} size="sm" mb={4}>{t('failed.attempts')}</Text>
          {message.tries.length === 0 ? <Text size="sm" c="dimmed">{t('failed.noAttempts')}</Text> : (
            <Table aria-label={t('failed.attempts')}>
              <Table.Tbody>
                {message.tries.map((one, i) => (
                  <Table.Tr key={one.id}>
                    <Table.Td className="num">{i + 1}</Table.Td>
                    <Table.Td><When at={one.at} /></Table.Td>
                    <Table.Td><Tag tone={one.outcome === 'sent' ? 'good' : one.outcome === 'failed' ? 'bad' : 'warn'}>{word(t, 'outcome', one.outcome)}</Tag></Table.Td>
                    <Table.Td>
                      {one.error ? <Said>{one.error}</Said> : null} {one.code ? <Ltr mono>{one.code}</Ltr> : null} {one.http ? <Ltr mono>HTTP {one.http}</Ltr> : null}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )}
        </div>
      ) : null}
      {message.receipts.length > 0 ? (
        <div>
          <Text fw={600} size="sm" mb={4}>{t('message.receipts')}</Text>
          <Table aria-label={t('message.receipts')}>
            <Table.Tbody>
              {message.receipts.map((one, i) => (
                <Table.Tr key={i}>
                  <Table.Td>{word(t, 'ticks', one.status)}</Table.Td>
                  <Table.Td><When at={one.at} /></Table.Td>
                  <Table.Td>{one.error ? <Said>{one.error}</Said> : null}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      ) : null}
      {message.raw ? (
        <div>
          <Text fw={600} size="sm" mb={4}>{t('letters.payload')}</Text>
          <Json value={message.raw} label={t('letters.payload')} />
        </div>
      ) : null}
    </Stack>
  );
}

export function MessageDrawer({ id, close }: { id: string | null; close: () => void }) {
  const { t } = useT();
  return (
    <Drawer opened={id !== null} onClose={close} title={t('talk.details')} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
      {id ? <MessageFate id={id} /> : null}
    </Drawer>
  );
}
