import { IconCircle, IconCircleCheckFilled } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useSyncExternalStore } from 'react';
import { stream } from '../../api/stream';
import { useT } from '../../i18n';
import { Card } from '../../parts/basics';
import s from './simulator.module.css';

const steps = ['write', 'inbox', 'takeover', 'break', 'retry', 'trace', 'account', 'number'] as const;
/** Steps that are a look at another page. */
const pages: Partial<Record<Step, string>> = { trace: '/agents', account: '/settings/users', number: '/settings/channels' };
type Step = (typeof steps)[number];
const STORED = 'barid.tour';

let done: ReadonlySet<string> = new Set((localStorage.getItem(STORED) ?? '').split(',').filter(Boolean));
const watchers = new Set<() => void>();

/** A step of the first tour was taken. */
export function note(step: Step) {
  if (done.has(step)) return;
  done = new Set([...done, step]);
  localStorage.setItem(STORED, [...done].join(','));
  watchers.forEach((watcher) => watcher());
}

stream.hear(({ name }) => {
  if (name === 'send.failed') note('break');
});
// What is done elsewhere on the page counts, too.
document.addEventListener('click', (event) => {
  const act = (event.target as Element | null)?.closest?.('[data-act]')?.getAttribute('data-act');
  if (act === 'takeover' || act === 'retry') note(act);
});

export function Tour() {
  const { t } = useT();
  const seen = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => done,
  );
  return (
    <Card title={t('sim.checklist')}>
      <ol className={s.steps}>
        {steps.map((step) => (
          <li key={step} data-done={seen.has(step)}>
            {seen.has(step) ? <IconCircleCheckFilled size={17} aria-hidden /> : <IconCircle size={17} aria-hidden />}
            {pages[step] ? <Link to={pages[step]} onClick={() => note(step)} style={{ color: 'inherit' }}>{t(`sim.step.${step}`)}</Link> : t(`sim.step.${step}`)}
            {seen.has(step) ? <span className="srOnly">✓</span> : null}
          </li>
        ))}
      </ol>
    </Card>
  );
}
