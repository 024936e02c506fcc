export const message = {
  'message.receipts': 'What WhatsApp reported',
  'outcome.sent': 'Taken',
  'outcome.failed': 'Refused',
  'outcome.saved_only': 'Broke off',
  'outcome.unknown': 'Unclear',
} as const;
