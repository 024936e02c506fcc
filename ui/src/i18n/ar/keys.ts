import type { keys as english } from '../en/keys';
import type { Arabic } from './counted';

export const keys = {
  'keys.title': 'اختصارات لوحة المفاتيح',
  'keys.on': 'الاختصارات مفعلة',
  'keys.everywhere': 'في كل مكان',
  'keys.lists': 'القوائم',
  'keys.conversation': 'المحادثة',
  'keys.help': 'هذه القائمة',
  'keys.next': 'الصف التالي',
  'keys.previous': 'الصف السابق',
  'keys.select': 'حدد الصف',
  'keys.reply': 'اكتب ردًا',
  'keys.note': 'اكتب ملاحظة',
  'keys.takeover': 'تولَّ المحادثة أو أعدها إلى المساعد',
  'keys.resolve': 'أنهِ أو أعد الفتح',
  'keys.assign': 'أسندها إليّ',
  'keys.snooze': 'أجّل',
  'keys.unread': 'اجعلها غير مقروءة',
  'keys.send': 'أرسل',
  'keys.back': 'عودة إلى القائمة',
} satisfies Arabic<typeof english>;
