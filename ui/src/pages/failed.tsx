import { Alert, Button, Chip, Drawer, Group, Select, Stack } from '@mantine/core';
import { IconAlertTriangle, IconArchive, IconChecks, IconMessage, IconSend } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { api, must, type FailedSend } from '../api/client';
import { Refused } from '../api/problem';
import { useMay, useTenantId } from '../api/session';
import { useFilters } from '../app/filters';
import { useT, word } from '../i18n';
import { useFormat } from '../i18n/format';
import { ask, done, failed } from '../parts/act';
import { Empty, Line, Ltr, Page, Phone, Said, Tag, When, type Tone } from '../parts/basics';
import { BulkBar, runBatch } from '../parts/bulk';
import { useFeed, useSelection } from '../parts/feed';
import { MessageFate } from '../parts/message';
import { DataTable, type Column } from '../parts/table';
import { retry } from './inbox/use-talk';

const idOf = (row: FailedSend) => row.id;
const spans = ['1', '24', '168'] as const;
const tones: Record<string, Tone> = { permanent: 'bad', transient: 'warn', throttled: 'warn', configuration: 'info', ambiguous: 'warn' };

export function FailedPage() {
  const { t } = useT();
  const format = useFormat();
  const tenant = useTenantId();
  const mayAct = useMay('agent');
  const filters = useFilters();
  const code = filters.get('code');
  const channel = filters.get('channel');
  const hours = spans.find((one) => one === filters.get('hours'));
  // Whole minutes, so that the same question is asked again and not a new one each second.
  const from = useMemo(() => (hours ? new Date(Math.floor(Date.now() / 60_000) * 60_000 - Number(hours) * 3_600_000).toISOString() : undefined), [hours]);
  const channels = useQuery({ queryKey: ['channels', tenant], queryFn: () => must(api.GET('/channels', { params: { query: { tenant } } })) });
  const selection = useSelection();
  const [opened, setOpened] = useState<FailedSend | null>(null);
  const feed = useFeed<FailedSend>({
    key: ['failed', 'list', tenant, code ?? '', channel ?? '', from ?? ''],
    id: idOf,
    frozen: selection.ids.size > 0,
    read: (cursor, signal) => must(api.GET('/failed-sends', { params: { query: { tenant, cursor, error_code: code === undefined ? undefined : Number(code), channel_id: channel, from } }, signal })),
  });
  const groups = useQuery({ queryKey: ['failed', 'groups', tenant], queryFn: () => must(api.GET('/failed-sends/groups', { params: { query: { tenant } } })) });
  const columns = useMemo<Column<FailedSend>[]>(
    () => [
      { id: 'who', header: t('failed.who'), cell: (row) => <div style={{ minWidth: 0 }}><div style={{ fontWeight: 600 }} className="clip"><Said>{row.contact_name ?? ''}</Said></div><Phone value={row.phone} /></div> },
      { id: 'text', header: t('failed.text'), cell: (row) => <Line width={280}>{row.preview}</Line> },
      {
        id: 'why',
        header: t('failed.why'),
        cell: (row) => (
          <span>
            <Said>{row.error ?? ''}</Said>
            {row.error_code ? <> <Ltr mono className="quiet">{row.error_code}</Ltr></> : null}
          </span>
        ),
      },
      { id: 'class', header: t('failed.class'), cell: (row) => (row.status === 'held' ? <Tag tone="warn">{t('failed.held')}</Tag> : row.fault ? <Tag tone={tones[row.fault] ?? 'neutral'}>{word(t, 'fault', row.fault)}</Tag> : null) },
      { id: 'tries', header: t('failed.tries'), end: true, cell: (row) => <span className="num">{format.number(row.attempts)}</span> },
      { id: 'by', header: t('failed.by'), wide: true, cell: (row) => (row.sender === 'AI' ? t('talk.assistant') : t('talk.team')) },
      { id: 'channel', header: t('failed.channel'), wide: true, cell: (row) => word(t, 'channel', row.channel_kind) },
      { id: 'when', header: t('failed.when'), end: true, cell: (row) => <When at={row.last_attempt_at ?? row.created_at} /> },
    ],
    [t, format],
  );
  const total = code === undefined ? groups.data?.total : undefined;
  const group = groups.data?.groups.find((one) => String(one.error_code ?? 0) === code);
  const matching = code === undefined ? (total?.value ?? 0) : (group?.count ?? 0);
  // With a number or a span the trial run counts: the button names the set, and no number that would be another (R8).
  const narrowed = Boolean(channel || hours);
  const matched = { ...(code === undefined ? {} : { error_code: Number(code) }), ...(channel ? { channel_id: channel } : {}), ...(from ? { from } : {}) };
  const again = async (ids?: string[]) => {
    const ok = await runBatch(t, { tenant, action: 'retry_failed_sends', ids, filter: ids ? {} : matched, ask: true });
    if (ok) selection.clear();
  };
  const putAway = async (ids?: string[]) => {
    const many = ids?.length ?? matching;
    const answer = await ask({ title: t('failed.dismissManyTitle'), body: t('failed.dismissMore'), act: ids ? t('failed.dismissSelected', { count: many }) : narrowed ? t('failed.dismissThese') : t('failed.dismissMatching', { count: many, n: format.number(many) }), reason: { label: t('reason'), required: false } });
    if (!answer) return;
    const ok = await runBatch(t, { tenant, action: 'dismiss_failed_sends', ids, filter: { ...(ids ? {} : matched), ...(answer.reason ? { reason: answer.reason } : {}) }, ask: true });
    if (ok) selection.clear();
  };
  return (
    <Page
      title={t('nav.failed')}
      scope={t('failed.scope')}
      flush
      filters={
        (groups.data?.groups.length ?? 0) > 0 ? (
          <>
          {(channels.data?.data.length ?? 0) > 1 ? (
            <Select size="xs" w={210} clearable aria-label={t('failed.channel')} placeholder={t('failed.anyChannel')} clearButtonProps={{ 'aria-label': t('clear') }} value={channel ?? null} onChange={(value) => filters.set({ channel: value })} data={(channels.data?.data ?? []).map((one) => ({ value: one.id, label: `${word(t, 'channel', one.kind)} ${one.number}` }))} />
          ) : null}
          <Select size="xs" w={150} clearable aria-label={t('failed.span')} placeholder={t('failed.anyTime')} clearButtonProps={{ 'aria-label': t('clear') }} value={hours ?? null} onChange={(value) => filters.set({ hours: value })} data={spans.map((one) => ({ value: one, label: t(`failed.span.${one}`) }))} />
          <Group gap={6} role="group" aria-label={t('failed.causes')}>
            <Chip size="xs" checked={code === undefined} onChange={() => filters.set({ code: null })}>{`${t('all')} · ${format.number(total?.value ?? groups.data?.total.value ?? 0)}${groups.data?.total.capped ? '+' : ''}`}</Chip>
            {groups.data?.groups.slice(0, 8).map((one) => (
              <Chip key={one.error_code ?? 0} size="xs" checked={code === String(one.error_code ?? 0)} onChange={() => filters.set({ code: String(one.error_code ?? 0) })} title={one.error ?? undefined}>
                <Ltr>{one.error_code ?? t('failed.noCode')}</Ltr>{` · ${format.number(one.count)}`}
              </Chip>
            ))}
          </Group>
          {group?.error ? <span className="quiet"><Said>{group.error}</Said></span> : null}
          </>
        ) : null
      }
      actions={
        mayAct && matching > 0 ? (
          <Group gap={6}>
            <Button variant="default" leftSection={<IconSend size={15} className="flip" />} onClick={() => void again()}>
              {narrowed ? t('failed.retryThese') : t('failed.retryMatching', { count: matching, n: format.number(matching) })}
            </Button>
            <Button variant="default" leftSection={<IconArchive size={15} />} onClick={() => void putAway()}>
              {narrowed ? t('failed.dismissThese') : t('failed.dismissMatching', { count: matching, n: format.number(matching) })}
            </Button>
          </Group>
        ) : null
      }
    >
      {selection.ids.size > 0 ? (
        <BulkBar selection={selection} total={feed.rows.length}>
          <Button size="compact-xs" onClick={() => void again([...selection.ids])}>
            {t('failed.retrySelected', { count: selection.ids.size })}
          </Button>
          <Button size="compact-xs" variant="default" onClick={() => void putAway([...selection.ids])}>
            {t('failed.dismissSelected', { count: selection.ids.size })}
          </Button>
        </BulkBar>
      ) : null}
      <DataTable
        label={t('nav.failed')}
        feed={feed}
        columns={columns}
        id={idOf}
        open={setOpened}
        opened={opened?.id}
        selection={mayAct ? selection : undefined}
        rowName={(row) => row.contact_name ?? row.phone ?? row.id}
        empty={
          code === undefined && !channel && !hours ? (
            <Empty good title={t('failed.empty')} icon={<IconChecks size={28} stroke={1.5} />}>{t('failed.emptyMore')}</Empty>
          ) : (
            <Empty title={t('empty.title')} action={<Button variant="default" onClick={() => filters.set({ code: null, channel: null, hours: null })}>{t('clear')}</Button>} />
          )
        }
      />
      <Drawer opened={opened !== null} onClose={() => setOpened(null)} title={t('failed.attempts')} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
        {opened ? <Detail row={opened} mayAct={mayAct} close={() => setOpened(null)} /> : null}
      </Drawer>
    </Page>
  );
}

function Detail({ row, mayAct, close }: { row: FailedSend; mayAct: boolean; close: () => void }) {
  const { t } = useT();
  const [busy, setBusy] = useState(false);
  const send = async (anyway: boolean) => {
    setBusy(true);
    try {
      await retry(row.id, anyway);
      void done(t, t('failed.queued'));
      close();
    } catch (error) {
      if (error instanceof Refused && error.status === 409 && !anyway && row.obstacle === 'may_have_arrived') {
        setBusy(false);
        if (await ask({ title: t('failed.retry'), body: t('failed.duplicate'), act: t('failed.anyway') })) await send(true);
        return;
      }
      void failed(t, error);
    }
    setBusy(false);
  };
  const client = useQueryClient();
  const dismiss = async () => {
    const answer = await ask({ title: t('failed.dismissTitle'), body: t('failed.dismissMore'), act: t('failed.dismiss'), reason: { label: t('reason'), required: false } });
    if (!answer) return;
    try {
      await must(api.POST('/failed-sends/{id}/dismiss', { params: { path: { id: row.id } }, body: answer.reason ? { reason: answer.reason } : {} }));
      void done(t, t('failed.dismissed'));
      void client.invalidateQueries({ queryKey: ['failed'] });
      void client.invalidateQueries({ queryKey: ['counts'] });
      close();
    } catch (error) {
      void failed(t, error);
    }
  };
  return (
    <Stack gap="md">
      {row.obstacle ? (
        <Alert icon={<IconAlertTriangle size={18} />} styles={{ root: { background: 'var(--b-warn-bg)', color: 'var(--b-warn-fg)' }, message: { color: 'inherit' }, icon: { color: 'inherit' } }}>
          {t(`obstacle.${row.obstacle}`)}
        </Alert>
      ) : null}
      <Group gap="xs">
        {mayAct ? (
          <Button loading={busy} disabled={row.obstacle === 'window_closed' || row.obstacle === 'opted_out'} onClick={() => void send(false)} leftSection={<IconSend size={15} className="flip" />}>
            {t('failed.retry')}
          </Button>
        ) : null}
        {mayAct ? (
          <Button variant="default" data-act="dismiss" onClick={() => void dismiss()} leftSection={<IconArchive size={15} />}>
            {t('failed.dismiss')}
          </Button>
        ) : null}
        <Button variant="default" component={Link} to={`/inbox/${row.conversation_id}`} leftSection={<IconMessage size={15} />}>
          {t('failed.talk')}
        </Button>
      </Group>
      <MessageFate id={row.id} />
    </Stack>
  );
}
