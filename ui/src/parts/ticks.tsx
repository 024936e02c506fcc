import { IconAlertCircleFilled, IconCheck, IconChecks, IconClock, IconHandStop, IconHelpCircle } from '@tabler/icons-react';
import { useT, word } from '../i18n';
import s from './parts.module.css';

/** What is known of an outgoing message: a picture for the eye, words for whoever hears the page. */
export function Ticks({ status, size = 16 }: { status: string; size?: number }) {
  const { t } = useT();
  const text = word(t, 'ticks', status);
  const icon = picture(status, size);
  if (!icon) return null;
  const tone = status === 'read' || status === 'played' ? s.ticksRead : status === 'failed' ? s.ticksBad : '';
  return (
    <span className={`${s.ticks} ${tone}`} role="img" aria-label={text} title={text} data-status={status}>
      {icon}
    </span>
  );
}

function picture(status: string, size: number) {
  switch (status) {
    case 'pending':
    case 'sending':
      return <IconClock size={size} stroke={1.8} />;
    case 'unknown':
      return <IconHelpCircle size={size} stroke={1.8} />;
    case 'held':
      return <IconHandStop size={size} stroke={1.8} />;
    case 'sent':
      return <IconCheck size={size} stroke={2} />;
    case 'delivered':
    case 'read':
    case 'played':
      return <IconChecks size={size} stroke={2} />;
    case 'failed':
      return <IconAlertCircleFilled size={size} />;
    default:
      return null;
  }
}
