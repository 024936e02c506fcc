import { Button } from '@mantine/core';
import { IconMapOff, IconTool } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useT } from '../i18n';
import { Empty } from '../parts/basics';

export function Broken({ error, reset }: { error: unknown; reset?: () => void }) {
  const { t } = useT();
  return (
    <main style={{ display: 'grid', minHeight: '60vh' }}>
      <Empty title={t('problem.page')} icon={<IconTool size={28} stroke={1.5} />} action={<Button onClick={() => (reset ? reset() : location.reload())}>{t('again')}</Button>}>
        <bdi dir="auto">{error instanceof Error ? error.message : null}</bdi>
      </Empty>
    </main>
  );
}

export function Missing() {
  const { t } = useT();
  return (
    <main style={{ display: 'grid', height: '100%' }}>
      <Empty title={t('missing.title')} icon={<IconMapOff size={28} stroke={1.5} />} action={<Button component={Link} to="/inbox">{t('nav.inbox')}</Button>}>
        {t('missing.more')}
      </Empty>
    </main>
  );
}
