import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';

/** Filters of a page, in its address. */
export function useFilters(): { get: (name: string) => string | undefined; set: (values: Record<string, string | null | undefined>) => void; any: (...names: string[]) => boolean } {
  const search = useSearch({ strict: false }) as Record<string, string | undefined>;
  const navigate = useNavigate();
  const set = useCallback(
    (values: Record<string, string | null | undefined>) => {
      void navigate({
        to: '.',
        replace: true,
        search: ((old: Record<string, unknown>) => {
          const next: Record<string, unknown> = { ...old };
          for (const [key, value] of Object.entries(values)) {
            if (value === null || value === undefined || value === '') delete next[key];
            else next[key] = value;
          }
          return next;
        }) as never,
      });
    },
    [navigate],
  );
  return { get: (name) => search[name], set, any: (...names) => names.some((name) => Boolean(search[name])) };
}
