import type { message as english } from '../en/message';
import type { Arabic } from './counted';

export const message = {
  'message.receipts': 'ما أبلغ عنه واتساب',
  'outcome.sent': 'قُبلت',
  'outcome.failed': 'رُفضت',
  'outcome.saved_only': 'انقطعت',
  'outcome.unknown': 'غير واضحة',
} satisfies Arabic<typeof english>;
