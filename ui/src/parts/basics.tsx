import { ActionIcon, Button, Skeleton, UnstyledButton } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconCopy, IconMoodSmile } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { explain } from '../api/problem';
import { useT } from '../i18n';
import { useFormat } from '../i18n/format';
import s from './parts.module.css';

export type Tone = 'neutral' | 'good' | 'warn' | 'bad' | 'info' | 'note';

export function Tag({ tone = 'neutral', icon, children, title }: { tone?: Tone; icon?: ReactNode; children: ReactNode; title?: string }) {
  return (
    <span className={`${s.tag} ${tone === 'neutral' ? '' : s[tone]}`} title={title}>
      {icon}
      <span>{children}</span>
    </span>
  );
}

/** Text that people wrote: its own direction, never that of the page. */
export function Said({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <bdi dir="auto" className={className}>
      {children}
    </bdi>
  );
}

/** Text of people on one line: its own direction, so that its beginning is what stays; never wider than a phone. */
export function Line({ children, width }: { children: ReactNode; width: number }) {
  return (
    <span className="clip" dir="auto" style={{ display: 'block', maxWidth: `min(${width}px, 58vw)`, textAlign: 'match-parent' }}>
      {children}
    </span>
  );
}

/** Phones, ids, codes, amounts: always left to right (R10). */
export function Ltr({ children, mono, className }: { children: ReactNode; mono?: boolean; className?: string }) {
  return (
    <bdi dir="ltr" className={`${mono ? 'mono ' : ''}${className ?? ''}`}>
      {children}
    </bdi>
  );
}

export function Phone({ value }: { value: string | null | undefined }) {
  if (!value) return null;
  return <Ltr className="num nowrap">{pretty(value)}</Ltr>;
}

function pretty(value: string): string {
  const digits = value.replace(/^\+/, '');
  if (!/^\d{7,15}$/.test(digits)) return value;
  const uae = /^971(\d{1,2})(\d{3})(\d{4})$/.exec(digits);
  return uae ? `+971 ${uae[1]} ${uae[2]} ${uae[3]}` : `+${digits}`;
}

export function When({ at, brief, plain }: { at: string | null | undefined; brief?: boolean; plain?: boolean }) {
  const format = useFormat();
  if (!at) return <span className="quiet">–</span>;
  return (
    <time dateTime={at} title={format.full(at)} className={plain ? 'num' : 'quiet num'}>
      {brief ? format.brief(at) : format.ago(at)}
    </time>
  );
}

export function Page({ title, scope, actions, filters, flush, children }: { title: ReactNode; scope?: ReactNode; actions?: ReactNode; filters?: ReactNode; flush?: boolean; children: ReactNode }) {
  return (
    <section className={s.page}>
      <div className={s.pageHead}>
        <h1>{title}</h1>
        {scope ? <span className={s.scope}>{scope}</span> : null}
        <span className={s.grow} />
        {actions}
      </div>
      {filters ? <div className={s.filters}>{filters}</div> : null}
      {flush ? <div className={s.pageBodyFlush}>{children}</div> : <div className={s.pageBody} tabIndex={0}>{children}</div>}
    </section>
  );
}

export function Card({ title, icon, actions, children, className }: { title?: ReactNode; icon?: ReactNode; actions?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`${s.card} ${className ?? ''}`}>
      {title ? (
        <div className={s.cardTitle}>
          {icon}
          <h2 style={{ fontSize: 'inherit', flex: 1, minWidth: 0 }}>{title}</h2>
          {actions}
        </div>
      ) : null}
      {children}
    </section>
  );
}

export function Stat({ value, label, tone }: { value: ReactNode; label: ReactNode; tone?: Tone }) {
  return (
    <div className={s.stat}>
      <span className={s.value} style={tone === 'bad' ? { color: 'var(--b-bad-fg)' } : undefined}>{value}</span>
      <span className={s.label}>{label}</span>
    </div>
  );
}

export function Empty({ title, children, icon, good, action }: { title: ReactNode; children?: ReactNode; icon?: ReactNode; good?: boolean; action?: ReactNode }) {
  return (
    <div className={s.empty}>
      <span className={`${s.emptyMark} ${good ? s.emptyGood : ''}`}>{icon ?? <IconMoodSmile size={28} stroke={1.5} />}</span>
      <strong>{title}</strong>
      {children ? <p>{children}</p> : null}
      {action}
    </div>
  );
}

export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useT();
  if (!error) return null;
  const said = explain(error, t);
  return (
    <div className={s.problem} role="alert">
      <IconAlertTriangle size={18} aria-hidden />
      <div style={{ flex: 1 }}>
        <strong>{said.title}</strong>
        {said.detail ? <div dir="auto">{said.detail}</div> : null}
        {said.reference ? <div className="mono">{t('problem.reference', { id: said.reference })}</div> : null}
      </div>
      {retry ? (
        <Button size="compact-xs" variant="default" onClick={retry}>
          {t('again')}
        </Button>
      ) : null}
    </div>
  );
}

export function Waiting({ rows = 6, height = 44 }: { rows?: number; height?: number }) {
  const { t } = useT();
  return (
    <div role="status" aria-label={t('loading')} style={{ display: 'grid', gap: 8, padding: 8 }}>
      {Array.from({ length: rows }, (_, i) => (
        <Skeleton key={i} height={height} radius="md" />
      ))}
    </div>
  );
}

/** Copies, on plain http too, where the browser offers no clipboard (R13). */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.setAttribute('readonly', '');
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

export function Copy({ text, label }: { text: string; label?: string }) {
  const { t } = useT();
  const [done, setDone] = useState(false);
  const name = done ? t('copied') : (label ?? t('copy'));
  return (
      <ActionIcon
        size="sm"
        aria-label={name}
        title={name}
        onClick={(event) => {
          event.stopPropagation();
          void copy(text).then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 1500);
          });
        }}
      >
        {done ? <IconCheck size={15} /> : <IconCopy size={15} />}
      </ActionIcon>
  );
}

export function Json({ value, label }: { value: unknown; label: string }) {
  const text = typeof value === 'string' ? tidy(value) : JSON.stringify(value, null, 2);
  return (
    <div style={{ position: 'relative' }}>
      <pre className={s.json} dir="ltr" tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <div style={{ position: 'absolute', insetBlockStart: 6, insetInlineEnd: 6 }}>
        <Copy text={text ?? ''} />
      </div>
    </div>
  );
}

function tidy(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function Facts({ rows }: { rows: [ReactNode, ReactNode][] }) {
  return (
    <dl className={s.facts}>
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value], i) => (
          <div key={i} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

const inks = ['#115562', '#7a4a10', '#5b3c88', '#1d6f3d', '#8f2f57', '#2c4f8f', '#5f5a14', '#8a3a24'];

/** A face made of initials, always the same colour for the same person. */
export function Face({ name, size = 34 }: { name: string; size?: number }) {
  const parts = name.trim().split(/\s+/).filter((part) => /\p{L}/u.test(part));
  const letters = (parts.length ? [parts[0], parts.length > 1 ? parts[parts.length - 1] : ''] : ['#'])
    .map((part) => Array.from(part ?? '')[0] ?? '')
    .join('\u200c');
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return (
    <span
      aria-hidden
      style={{ display: 'grid', placeItems: 'center', flex: 'none', width: size, height: size, borderRadius: '50%', background: inks[sum % inks.length], color: '#fff', fontWeight: 600, fontSize: size * 0.38 }}
    >
      {letters.toLocaleUpperCase()}
    </span>
  );
}

export function LinkButton({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <UnstyledButton onClick={onClick} style={{ color: 'var(--b-accent)', fontSize: 'inherit', fontWeight: 600, textDecoration: 'underline', textUnderlineOffset: 3 }}>
      {children}
    </UnstyledButton>
  );
}
