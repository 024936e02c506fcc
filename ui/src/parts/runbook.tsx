import { Button, Drawer, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useT, word } from '../i18n';
import { Problem, Waiting } from './basics';

/** What to do about an alert, out of the runbook that the binary carries. */
export function Runbook({ kind }: { kind: string }) {
  const { t } = useT();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={`${t('health.todo')}: ${word(t, 'alert', kind)}`} onClick={() => setOpen(true)}>{t('health.todo')}</Button>
      <Drawer opened={open} onClose={() => setOpen(false)} title={word(t, 'alert', kind)} size="md" closeButtonProps={{ 'aria-label': t('close') }}>
        {open ? <Section kind={kind} /> : null}
      </Drawer>
    </>
  );
}

function Section({ kind }: { kind: string }) {
  const { t } = useT();
  const query = useQuery({ queryKey: ['runbook'], queryFn: read, staleTime: Infinity });
  if (query.error) return <Problem error={query.error} />;
  if (query.data === undefined) return <Waiting rows={4} />;
  const section = query.data.split('\n## ').find((one) => one.startsWith(`${kind}\n`)) ?? '';
  const lines = section.split('\n').slice(1).join('\n').split(/\n\n|\n(?=\*\*)/).map((one) => one.trim()).filter(Boolean);
  return (
    <Stack gap="sm" dir="ltr" lang="en">
      {lines.length === 0 ? <p>{t('empty.title')}</p> : null}
      {lines.map((line, n) => (
        <p key={n} style={{ margin: 0 }}>
          {pieces(line).map((piece, i) => (piece.startsWith('**') ? <strong key={i}>{piece.slice(2, -2)}</strong> : piece.startsWith('`') ? <code key={i}>{piece.slice(1, -1)}</code> : piece))}
        </p>
      ))}
    </Stack>
  );
}

async function read(): Promise<string> {
  const answer = await fetch('/docs/runbook.md');
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.text();
}

/** Bold, code, and links as their words: all the marks that the runbook uses. */
const pieces = (line: string): string[] => line.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('\n', ' ').split(/(\*\*[^*]+\*\*|`[^`]+`)/).filter(Boolean);
