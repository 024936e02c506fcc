import type { T } from '../i18n';

/** RFC 9457, as the server answers it. */
export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  detail?: string | null;
  instance?: string | null;
  code?: string;
  retryable?: boolean;
  errors?: { pointer?: string; detail?: string }[] | null;
}

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: ProblemBody,
  ) {
    super(body.title ?? `HTTP ${status}`);
  }
}

export interface Said {
  title: string;
  detail: string | undefined;
  reference: string | undefined;
}

export function explain(error: unknown, t: T): Said {
  if (error instanceof Refused) {
    const detail = [error.body.detail, ...(error.body.errors ?? []).map((e) => [e.pointer, e.detail].filter(Boolean).join(': '))].filter(Boolean).join(' · ');
    if (error.status === 403) return { title: t('problem.forbidden'), detail: detail || undefined, reference: undefined };
    if (error.status === 429) return { title: t('problem.busy'), detail: detail || undefined, reference: undefined };
    return { title: error.body.title ?? t('problem.title'), detail: detail || undefined, reference: error.status >= 500 ? (error.body.instance ?? undefined) : undefined };
  }
  if (error instanceof TypeError) return { title: t('problem.offline'), detail: t('problem.offlineMore'), reference: undefined };
  return { title: t('problem.title'), detail: error instanceof Error ? error.message : undefined, reference: undefined };
}
