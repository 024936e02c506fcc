import type { login as english } from '../en/login';
import type { Arabic } from './counted';

export const login = {
  'login.title': 'تسجيل الدخول',
  'login.email': 'البريد الإلكتروني',
  'login.password': 'كلمة المرور',
  'login.act': 'ادخل',
  'login.wrong': 'البريد الإلكتروني أو كلمة المرور غير صحيحة.',
  'login.expired': 'انتهت جلستك. سجّل الدخول ثانيةً؛ ما كنت تكتبه محفوظ.',
  'login.says': 'كل رسالة لها رد، ولا تضيع رسالة.',
  'first.title': 'أنشئ الحساب الأول',
  'first.more': 'له كامل الصلاحيات. يضاف الآخرون من الإعدادات.',
  'first.name': 'اسمك',
  'first.act': 'أنشئ الحساب',
  'first.none': 'لا يوجد حساب بعد',
  'first.noneMore': 'عند بدء بريد كُتب في سجله رابط يُستعمل مرة واحدة. افتح ذلك الرابط لإنشاء الحساب الأول.',
  'first.rule': '10 أحرف على الأقل',
  'link.title': 'جارٍ فتح العرض',
  'link.bad': 'لم يعد هذا الرابط صالحًا',
  'link.badMore': 'الرابط صالح لمرة واحدة ولوقت قصير. أعد تشغيل بريد للحصول على رابط جديد، أو سجّل الدخول.',
} satisfies Arabic<typeof english>;
