import { Button, Select, Stack } from '@mantine/core';
import { IconBan, IconClockShare, IconCopy, IconKeyOff, IconMailQuestion, IconMoodSad, IconSortDescending, IconHourglassHigh, type Icon } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, must } from '../../api/client';
import { useT, type Key } from '../../i18n';
import { useFormat } from '../../i18n/format';
import { done, failed } from '../../parts/act';
import { Card } from '../../parts/basics';
import type { Person } from './people';
import s from './simulator.module.css';

const faults: { fault: string; title: Key; more: Key; icon: Icon; always?: boolean }[] = [
  { fault: 'refuse', title: 'sim.fault.refuse', more: 'sim.fault.refuseMore', icon: IconBan },
  { fault: 'answer_lost', title: 'sim.fault.lost', more: 'sim.fault.lostMore', icon: IconMailQuestion },
  { fault: 'fail_later', title: 'sim.fault.status', more: 'sim.fault.statusMore', icon: IconMoodSad },
  { fault: 'disorder', title: 'sim.disorder', more: 'sim.disorderMore', icon: IconSortDescending },
  { fault: 'slow', title: 'sim.fault.slow', more: 'sim.fault.slowMore', icon: IconHourglassHigh },
  { fault: 'token_expired', title: 'sim.fault.token', more: 'sim.fault.tokenMore', icon: IconKeyOff, always: true },
];

const codes = ['131026', '131047', '131049', '131056', '132001', '131000'] as const;

/** Makes things go wrong as they do in the world, to see what becomes of it. */
export function Chaos({ person }: { person: Person }) {
  const { t } = useT();
  const format = useFormat();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [code, setCode] = useState('131026');
  const world = useQuery({ queryKey: ['sim', 'world'], queryFn: () => must(api.GET('/simulator')), refetchInterval: 2000 });
  const armed = new Map(world.data?.faults.map((one) => [one.fault, one.times]) ?? []);
  const run = async (asked: Promise<unknown>, said: string) => {
    setBusy(true);
    try {
      await asked;
      void done(t, said);
      await client.invalidateQueries({ queryKey: ['sim'] });
    } catch (error) {
      void failed(t, error);
    }
    setBusy(false);
  };
  return (
    <Card title={t('sim.chaos')} actions={armed.size > 0 ? <Button size="compact-xs" variant="default" onClick={() => void run(must(api.DELETE('/simulator/faults')), t('sim.cleared'))}>{t('sim.clear')}</Button> : null}>
      <Stack gap={7}>
        <p className="quiet" style={{ fontSize: '0.8rem' }}>{t('sim.chaosMore')}</p>
        <Select size="xs" label={t('sim.code')} allowDeselect={false} value={code} onChange={(value) => value && setCode(value)} data={codes.map((one) => ({ value: one, label: `${one} · ${t(`sim.code.${one}`)}` }))} />
        {faults.map((one) => (
          <button
            key={one.fault}
            type="button"
            className={s.fault}
            data-fault={one.fault}
            aria-pressed={armed.has(one.fault)}
            disabled={busy}
            onClick={() => void run(must(api.POST('/simulator/faults', { body: { fault: one.fault, ...(one.fault === 'refuse' || one.fault === 'fail_later' ? { code: Number(code) } : {}) } as never })), t('sim.armed'))}
          >
            <one.icon size={18} stroke={1.7} aria-hidden />
            <div>
              <strong>{t(one.title)}</strong>
              <span>{t(one.more)}</span>
            </div>
          </button>
        ))}
        <button type="button" className={s.fault} data-fault="duplicate" disabled={busy} onClick={() => void run(must(api.POST('/simulator/messages', { body: { phone: person.phone, name: person.name, channel: person.channel ?? null, text: t('sim.quick.price'), copies: 3 } as never })), t('sim.repeated'))}>
          <IconCopy size={18} stroke={1.7} aria-hidden />
          <div>
            <strong>{t('sim.duplicate')}</strong>
            <span>{t('sim.duplicateMore')}</span>
          </div>
        </button>
        <button type="button" className={s.fault} data-fault="clock" disabled={busy} onClick={() => void run(must(api.POST('/simulator/clock', { body: { hours: 25 } })), t('sim.clock'))}>
          <IconClockShare size={18} stroke={1.7} aria-hidden />
          <div>
            <strong>{t('sim.clock')}</strong>
            <span>{world.data && world.data.hours_ahead > 0 ? t('sim.clockNow', { hours: format.number(world.data.hours_ahead) }) : t('sim.clockMore')}</span>
          </div>
        </button>
      </Stack>
    </Card>
  );
}
