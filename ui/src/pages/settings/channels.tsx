import { Button, Group, Modal, Stack, Table, Textarea, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { api, must, once, type Channel, type Schemas } from '../../api/client';
import { useMay, useTenantId } from '../../api/session';
import { useT, word } from '../../i18n';
import { Card, Ltr, Problem, Said, Tag, Waiting, When, type Tone } from '../../parts/basics';
import { MessageFate } from '../../parts/message';

type Check = Schemas['ChannelCheck'];
const qualities: Record<string, Tone> = { GREEN: 'good', YELLOW: 'warn', RED: 'bad' };

/** A tenant's numbers: does each send, do its webhooks come, does the provider take our token, and a message to see it all work. */
export function Channels() {
  const { t } = useT();
  const tenant = useTenantId();
  const admin = useMay('admin');
  const [testing, setTesting] = useState<Channel | null>(null);
  const query = useQuery({ queryKey: ['channels', tenant], queryFn: () => must(api.GET('/channels', { params: { query: { tenant } } })) });
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Waiting rows={3} />;
  return (
    <Card>
      <p className="quiet" style={{ marginBlockEnd: 10 }}>{t('tenants.more')}</p>
      <Table.ScrollContainer minWidth={760} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label={t('settings.channels')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('about.number')}</Table.Th>
              <Table.Th>{t('jobs.state')}</Table.Th>
              <Table.Th>{t('channels.webhook')}</Table.Th>
              <Table.Th title={t('channels.credentialsMore')}>{t('channels.credentials')}</Table.Th>
              <Table.Th>{t('channels.token')}</Table.Th>
              <Table.Th><span className="srOnly">{t('talk.actions')}</span></Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {(query.data.data as Channel[]).map((one) => (
              <Row key={one.id} channel={one} admin={admin} test={() => setTesting(one)} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {testing ? <Test channel={testing} close={() => setTesting(null)} /> : null}
    </Card>
  );
}

function Row({ channel, admin, test }: { channel: Channel; admin: boolean; test: () => void }) {
  const { t } = useT();
  const client = useQueryClient();
  const [check, setCheck] = useState<Check | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    setError(null);
    try {
      setCheck((await must(api.POST('/channels/{id}/check', { params: { path: { id: channel.id } } }))) as Check);
      void client.invalidateQueries({ queryKey: ['channels'] });
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  const name = `${word(t, 'channel', channel.kind)} ${channel.number}`;
  return (
    <Table.Tr data-channel={channel.id}>
      <Table.Td>{word(t, 'channel', channel.kind)} <Ltr mono>{channel.number}</Ltr></Table.Td>
      <Table.Td><Tag tone={channel.state === 'ready' ? 'good' : 'bad'}>{word(t, 'state', channel.state)}</Tag> {channel.reason ? <Said>{channel.reason}</Said> : null} <span className="quiet"><When at={channel.since} /></span></Table.Td>
      <Table.Td>{channel.last_message_at ? <When at={channel.last_message_at} /> : <span className="quiet">{t('channels.notLately')}</span>}</Table.Td>
      <Table.Td><Ltr mono>{channel.credentials}</Ltr></Table.Td>
      <Table.Td>
        {check ? <Tag tone={check.ok ? 'good' : 'bad'}>{check.ok ? t('channels.takes') : t('channels.refuses')}</Tag> : <span className="quiet">–</span>}
        {check?.quality ? <> <Tag tone={qualities[check.quality] ?? 'neutral'}>{t('channels.quality')} <Ltr>{check.quality}</Ltr></Tag></> : null}
        {check?.detail ? <div className="quiet"><Said>{check.detail}</Said></div> : null}
        {error ? <Problem error={error} /> : null}
      </Table.Td>
      <Table.Td style={{ textAlign: 'end' }}>
        {admin ? (
          <Group gap={6} justify="flex-end" wrap="nowrap">
            <Button size="compact-xs" variant="default" loading={busy} aria-label={`${t('channels.check')}: ${name}`} onClick={() => void ask()}>{t('channels.check')}</Button>
            <Button size="compact-xs" variant="default" aria-label={`${t('channels.test')}: ${name}`} onClick={test}>{t('channels.test')}</Button>
          </Group>
        ) : null}
      </Table.Td>
    </Table.Tr>
  );
}

function Test({ channel, close }: { channel: Channel; close: () => void }) {
  const { t } = useT();
  const [to, setTo] = useState('');
  const [text, setText] = useState(t('channels.testText'));
  const [sent, setSent] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const answer = (await must(api.POST('/channels/{id}/test', { params: { path: { id: channel.id }, header: once() }, body: { to, text } } as never))) as Schemas['ChannelTest'];
      setSent(answer.message_id);
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  return (
    <Modal opened onClose={close} title={t('channels.test')} size="lg" closeButtonProps={{ 'aria-label': t('close') }}>
      {sent ? (
        <Stack gap="sm">
          <MessageFate id={sent} />
          <Button style={{ alignSelf: 'flex-end' }} variant="default" onClick={close}>{t('close')}</Button>
        </Stack>
      ) : (
        <form onSubmit={(event) => void send(event)}>
          <Stack gap="sm">
            <TextInput label={t('channels.to')} required data-autofocus dir="ltr" inputMode="tel" value={to} onChange={(e) => setTo(e.currentTarget.value)} maxLength={30} />
            <Textarea label={t('failed.text')} description={t('channels.testMore')} required dir="auto" autosize minRows={2} maxRows={6} maxLength={4096} value={text} onChange={(e) => setText(e.currentTarget.value)} />
            <Problem error={error} />
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>{t('cancel')}</Button>
              <Button type="submit" loading={busy}>{t('channels.send')}</Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
