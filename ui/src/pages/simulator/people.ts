/** A customer of the simulated world. */
export interface Person {
  name: string;
  phone: string;
  /** Over which number; the first where it is left out. */
  channel?: string;
}

export const people: Person[] = [
  { name: 'Sara Khan', phone: '971500000301' },
  { name: 'فاطمة الزعابي', phone: '971500000302' },
  { name: 'Omar', phone: '971500000303' },
];
