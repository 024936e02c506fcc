import type { jobs as english } from '../en/jobs';
import type { Arabic } from './counted';

export const jobs = {
  'jobs.scope': 'كل رسالة من عميل عمل واحد',
  'jobs.state.queued': 'تنتظر',
  'jobs.state.running': 'جارية',
  'jobs.state.done': 'تمت',
  'jobs.state.done24': 'تمت خلال 24 ساعة',
  'jobs.state.failed': 'أُلغيت',
  'jobs.state.dead': 'متعثرة',
  'jobs.kind': 'النوع',
  'jobs.state': 'الحالة',
  'jobs.when': 'أُنشئ',
  'jobs.took': 'استغرق',
  'jobs.outcome': 'النتيجة',
  'jobs.request': 'الطلب',
  'jobs.kind.turn': 'الرد على رسالة',
  'jobs.timeline': 'كيف جرى',
  'jobs.created': 'أُنشئ',
  'jobs.run': 'يجوز بدؤه من',
  'jobs.started': 'آخر بدء',
  'jobs.completed': 'انتهى',
  'jobs.raw': 'الصف نفسه',
  'jobs.empty': 'لا أعمال هنا',
  'jobs.emptyMore': 'اختر حالة أخرى، أو اكتب شيئًا في المحاكي.',
} satisfies Arabic<typeof english>;
