import { cloneElement, useEffect, useLayoutEffect, useRef, useState, type ReactElement, type ReactNode } from 'react';
import type { Choices } from './choices';

export interface Choice {
  label: ReactNode;
  act: () => void;
  icon?: ReactNode;
  /** What stands at the other end: a tick, a count. */
  side?: ReactNode;
  lang?: string;
}

/** A choice, a heading over the next ones, or `null`: a line between them. */
export type Entry = Choice | { heading: ReactNode } | null;

export interface MenuProps {
  /** The button that opens it. */
  target: ReactElement<{ onClick?: () => void }>;
  entries: () => Entry[];
  width?: number;
  atEnd?: boolean;
}

type Loaded = typeof Choices;
let loaded: Loaded | undefined;
const load = () => import('./choices').then((part) => (loaded = part.Choices));

/** A menu whose code comes after the page stands: its button is there at once, and opens it as soon as it can. */
export function MenuButton(props: MenuProps) {
  const [Part, setPart] = useState<Loaded | undefined>(() => loaded);
  const [wanted, setWanted] = useState(false);
  const box = useRef<HTMLSpanElement>(null);
  const focused = useRef(false);
  useEffect(() => {
    if (Part) return;
    let here = true;
    const take = () => {
      void load().then((part) => {
        focused.current = box.current?.contains(document.activeElement) ?? false;
        if (here) setPart(() => part);
      });
    };
    const timer = setTimeout(take, wanted ? 0 : 400);
    return () => {
      here = false;
      clearTimeout(timer);
    };
  }, [Part, wanted]);
  // The button is made anew with its menu; who was on it stays on it.
  useLayoutEffect(() => {
    if (Part && focused.current) box.current?.querySelector('button')?.focus();
  }, [Part]);
  return (
    <span ref={box} style={{ display: 'contents' }}>
      {Part ? <Part {...props} opened={wanted} /> : cloneElement(props.target, { onClick: () => setWanted(true), 'aria-haspopup': 'menu', 'aria-expanded': false } as object)}
    </span>
  );
}
