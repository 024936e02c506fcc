import type { tasks as english } from '../en/tasks';
import type { Arabic } from './counted';

export const tasks = {
  'tasks.tab.overdue': 'متأخرة',
  'tasks.tab.today': 'اليوم',
  'tasks.tab.upcoming': 'قادمة',
  'tasks.tab.undated': 'بلا موعد',
  'tasks.tab.done': 'منجزة',
  'tasks.new': 'مهمة جديدة',
  'tasks.name': 'المطلوب',
  'tasks.more': 'تفاصيل',
  'tasks.due': 'الموعد',
  'tasks.for': 'لأجل',
  'tasks.owner': 'المسؤول',
  'tasks.source': 'من',
  'tasks.source.person': 'الفريق',
  'tasks.source.assistant': 'المساعد',
  'tasks.complete': 'أُنجزت: {{title}}',
  'tasks.reopen': 'لم تُنجز بعد: {{title}}',
  'tasks.completed': 'أُنجزت المهمة',
  'tasks.added': 'أُضيفت المهمة',
  'tasks.empty': 'لا شيء مطلوب هنا',
  'tasks.emptyMore': 'المفتاح c لمهمة جديدة، وd لإنجاز المهمة التي تقف عندها.',
  'tasks.everyone': 'الفريق',
} satisfies Arabic<typeof english>;
