import type { leads as english } from '../en/leads';
import type { Arabic } from './counted';

export const leads = {
  'leads.scope': 'الأشخاص وما يريدون',
  'leads.search': 'اسم أو هاتف أو بريد',
  'leads.status.open': 'مفتوح',
  'leads.status.won': 'كُسب',
  'leads.status.lost': 'خُسر',
  'leads.status.archived': 'محفوظ',
  'leads.updated': 'آخر تغيير',
  'leads.export': 'نزّل CSV',
  'leads.saved': 'حُفظ',
  'leads.changed': 'غيّره شخص آخر في هذه الأثناء. راجعه ثم احفظ.',
  'leads.optOut': 'أوقف الرسائل',
  'leads.optOutTitle': 'أتوقف كل الرسائل إلى هذا الشخص؟',
  'leads.optOutMore': 'لن يستطيع المساعد ولا الفريق مراسلته حتى يُسمح بذلك ثانيةً.',
  'leads.optIn': 'اسمح بالرسائل ثانيةً',
  'leads.optedOut': 'أوقف الرسائل',
  'leads.optedIn': 'تجوز مراسلته من جديد',
  'leads.empty': 'لا عملاء بعد',
  'leads.emptyMore': 'من يكتب يصبح عميلًا تلقائيًا.',
} satisfies Arabic<typeof english>;
