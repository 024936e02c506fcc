import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, must, type Schemas } from '../../api/client';
import { useT } from '../../i18n';
import { useFormat } from '../../i18n/format';
import { Card, Ltr, Said, Tag, type Tone } from '../../parts/basics';
import s from './simulator.module.css';

type Event = Schemas['SimulatedEvent'];
const tones: Record<string, Tone> = { webhook: 'info', send: 'good', status: 'neutral', read: 'neutral' };

/** What went over the wire between Barid and the simulated WhatsApp, the newest first. */
export function Events({ phone }: { phone: string }) {
  const { t } = useT();
  const format = useFormat();
  const [mine, setMine] = useState('one');
  const query = useQuery({ queryKey: ['sim', 'events'], queryFn: () => must(api.GET('/simulator/events')), refetchInterval: 2000 });
  const events = [...((query.data?.events ?? []) as Event[])].reverse().filter((one) => mine === 'all' || one.phone === null || one.phone === phone).slice(0, 100);
  return (
    <Card title={t('sim.events')} actions={<SegmentedControl size="xs" aria-label={t('sim.events')} value={mine} onChange={setMine} data={[{ value: 'one', label: t('sim.events.one') }, { value: 'all', label: t('all') }]} />}>
      <ol className={s.events} aria-label={t('sim.events')} tabIndex={0}>
        {events.length === 0 ? <li className="quiet">{t('sim.events.none')}</li> : null}
        {events.map((one) => (
          <li key={one.order}>
            <time dateTime={one.at} className="num quiet">{format.time(one.at)}</time>
            <Tag tone={one.text.includes(' 4') || one.text.startsWith('failed') ? 'bad' : (tones[one.kind] ?? 'neutral')}>{t(`sim.events.${one.kind as 'send'}`)}</Tag>
            <span><Said>{one.text}</Said>{mine === 'all' && one.phone ? <> <Ltr className="quiet">{one.phone}</Ltr></> : null}</span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
