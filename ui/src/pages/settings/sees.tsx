import { Checkbox, Stack } from '@mantine/core';
import { useTenant } from '../../api/session';
import { useT } from '../../i18n';
import { Said } from '../../parts/basics';

/** Which businesses somebody sees: all of them, those to come included, or some. */
export interface Sees {
  all: boolean;
  some: string[];
}

export const everything: Sees = { all: true, some: [] };
/** As the API takes it. */
export const granted = (sees: Sees) => (sees.all ? { all_tenants: true } : { all_tenants: false, tenants: sees.some });
export const isSomething = (sees: Sees) => sees.all || sees.some.length > 0;

export function SeesInput({ value, change }: { value: Sees; change: (to: Sees) => void }) {
  const { t } = useT();
  const { tenants } = useTenant();
  return (
    <Stack gap={6}>
      <Checkbox size="xs" label={`${t('users.tenants')}: ${t('users.allTenants')}`} checked={value.all} onChange={(e) => change({ ...value, all: e.currentTarget.checked })} />
      {value.all ? null : (
        <Checkbox.Group label={t('users.tenants')} value={value.some} onChange={(some) => change({ ...value, some })}>
          <Stack gap={6} mt={6}>
            {tenants.map((one) => (
              <Checkbox key={one.id} value={one.id} size="xs" label={<Said>{one.business}</Said>} />
            ))}
          </Stack>
        </Checkbox.Group>
      )}
    </Stack>
  );
}
