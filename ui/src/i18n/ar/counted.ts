type Counted = 'zero' | 'one' | 'two' | 'few' | 'many' | 'other';
type Both<K> = K extends `${infer B}_one` | `${infer B}_other` ? B : never;
type Plain<K> = K extends `${string}_one` | `${string}_other` ? never : K;

/** What Arabic has to say for these English texts; a text that is missing, or too many, does not compile. */
export type Arabic<English> = Record<Plain<keyof English> & string, string> & Record<`${Both<keyof English>}_${Counted}`, string>;

export const counted = <K extends string>(key: K, one: string, two: string, few: string, many: string) =>
  ({ [`${key}_zero`]: many, [`${key}_one`]: one, [`${key}_two`]: two, [`${key}_few`]: few, [`${key}_many`]: many, [`${key}_other`]: many }) as Record<`${K}_${Counted}`, string>;
