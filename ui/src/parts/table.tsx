import '../styles/more';
import { Button, Checkbox, Loader } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { createColumnHelper, tableFeatures, useTable } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, type KeyboardEvent, type ReactNode } from 'react';
import { useT } from '../i18n';
import { useFormat } from '../i18n/format';
import { Problem, Waiting } from './basics';
import type { Feed, Selection } from './feed';
import s from './parts.module.css';

const features = tableFeatures({});

export interface Column<Row> {
  id: string;
  header: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Left out where there is no room. */
  wide?: boolean;
  end?: boolean;
  /** Has nothing to say of this row: a card leaves it out. */
  bare?: (row: Row) => boolean;
  width?: number | string;
}

interface Props<Row> {
  label: string;
  feed: Feed<Row>;
  columns: Column<Row>[];
  id: (row: Row) => string;
  open?: (row: Row) => void;
  opened?: string | null;
  selection?: Selection;
  rowName?: (row: Row) => string;
  empty: ReactNode;
}

/** Rows of a feed: a table where there is room, cards on a phone; only what is in sight is drawn. */
export function DataTable<Row extends object>(props: Props<Row>) {
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const { feed } = props;
  if (feed.isPending) return <Waiting />;
  if (feed.error && feed.rows.length === 0) return <Problem error={feed.error} retry={feed.refresh} />;
  if (feed.rows.length === 0) return <>{props.empty}</>;
  return (
    <>
      {feed.error ? <Problem error={feed.error} retry={feed.refresh} /> : null}
      {narrow ? <Cards {...props} /> : <Grid {...props} />}
    </>
  );
}

function Grid<Row extends object>({ label, feed, columns, id, open, opened, selection, rowName }: Props<Row>) {
  const { t } = useT();
  const box = useRef<HTMLDivElement>(null);
  const medium = useMediaQuery('(max-width: 75em)', false, { getInitialValueInEffect: false });
  const shown = useMemo(() => columns.filter((c) => !(medium && c.wide)), [columns, medium]);
  const defs = useMemo(() => {
    const helper = createColumnHelper<typeof features, Row>();
    return helper.columns(shown.map((c) => helper.display({ id: c.id, header: () => c.header, cell: ({ row }) => c.cell(row.original) })));
  }, [shown]);
  const table = useTable({ features, columns: defs, data: feed.rows, getRowId: id });
  const rows = table.getRowModel().rows;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => 45, overscan: 12, getItemKey: (i) => rows[i]?.id ?? i });
  const items = virtual.getVirtualItems();
  const last = items[items.length - 1]?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 8) feed.more();
  }, [last, rows.length, feed]);
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items[items.length - 1]?.end ?? 0);
  const all = rows.length > 0 && rows.every((row) => selection?.ids.has(row.id));
  const some = rows.some((row) => selection?.ids.has(row.id));
  const span = shown.length + (selection ? 1 : 0);
  return (
    <div className={s.tableBox} ref={box} role="region" aria-label={label} tabIndex={0}>
      <Fresh feed={feed} top={() => box.current?.scrollTo({ top: 0 })} />
      <table className={s.table} aria-label={label} aria-rowcount={feed.hasMore ? -1 : rows.length + 1}>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} aria-rowindex={1}>
              {selection ? (
                <th className={s.pick}>
                  <Checkbox size="xs" aria-label={t('select.page')} checked={all} indeterminate={some && !all} onChange={() => (all ? selection.clear() : selection.set(rows.map((r) => r.id)))} />
                </th>
              ) : null}
              {group.headers.map((header, i) => (
                <th key={header.id} scope="col" className={shown[i]?.end ? s.end : undefined} style={{ width: shown[i]?.width }}>
                  <table.FlexRender header={header} />
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody onKeyDown={(event) => walk(event)}>
          {before > 0 ? <tr aria-hidden><td colSpan={span} style={{ height: before, padding: 0, border: 0 }} /></tr> : null}
          {items.map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            return (
              <tr
                key={row.id}
                ref={virtual.measureElement}
                data-index={item.index}
                data-row={open ? row.id : undefined}
                aria-rowindex={item.index + 2}
                aria-selected={selection ? selection.ids.has(row.id) || opened === row.id : opened === row.id ? true : undefined}
                tabIndex={open ? 0 : undefined}
                onClick={open ? (event) => !inside(event.target) && open(row.original) : undefined}
                onKeyDown={
                  open
                    ? (event) => {
                        if (event.target !== event.currentTarget) return;
                        if (event.key === 'Enter') open(row.original);
                        if (event.code === 'KeyX' && selection) selection.toggle(row.id);
                      }
                    : undefined
                }
              >
                {selection ? (
                  <td className={s.pick}>
                    <Checkbox size="xs" aria-label={t('select.row', { name: rowName?.(row.original) ?? row.id })} checked={selection.ids.has(row.id)} onChange={() => selection.toggle(row.id)} />
                  </td>
                ) : null}
                {row.getAllCells().map((cell, i) => (
                  <td key={cell.id} className={shown[i]?.end ? s.end : undefined}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
              </tr>
            );
          })}
          {after > 0 ? <tr aria-hidden><td colSpan={span} style={{ height: after, padding: 0, border: 0 }} /></tr> : null}
        </tbody>
      </table>
      <Foot feed={feed} />
    </div>
  );
}

function Cards<Row extends object>({ label, feed, columns, id, open, selection, rowName }: Props<Row>) {
  const { t } = useT();
  return (
    <div style={{ flex: 1, overflow: 'auto', minHeight: 0, position: 'relative' }} role="group" aria-label={label} tabIndex={0}>
      <Fresh feed={feed} top={() => undefined} />
      <div className={s.cards}>
        {feed.rows.map((row) => {
          const key = id(row);
          const [first, ...rest] = columns.filter((c) => !c.wide);
          return (
            <div key={key} className={s.rowCard} data-row={key} onClick={(event) => !inside(event.target) && open?.(row)}>
              <div className={s.rowCardFirst}>
                {selection ? <Checkbox size="xs" aria-label={t('select.row', { name: rowName?.(row) ?? key })} checked={selection.ids.has(key)} onChange={() => selection.toggle(key)} /> : null}
                <span style={{ flex: 1, minWidth: 0 }}>{first?.cell(row)}</span>
                {open ? (
                  <Button size="compact-xs" variant="default" onClick={() => open(row)} aria-label={`${t('open')}: ${rowName?.(row) ?? key}`}>
                    {t('open')}
                  </Button>
                ) : null}
              </div>
              {rest.filter((column) => !column.bare?.(row)).map((column) => (
                <div key={column.id} className={s.rowCardLine}>
                  <span>{column.header}</span>
                  <span>{column.cell(row)}</span>
                </div>
              ))}
            </div>
          );
        })}
      </div>
      <Foot feed={feed} />
    </div>
  );
}

function Fresh({ feed, top }: { feed: Feed<never> | Feed<any>; top: () => void }) {
  const { t } = useT();
  if (feed.fresh === 0) return null;
  return (
    <Button
      className={s.pill}
      size="compact-sm"
      radius="xl"
      onClick={() => {
        feed.refresh();
        top();
      }}
    >
      {t('rows.new', { count: feed.fresh })}
    </Button>
  );
}

function Foot({ feed }: { feed: Feed<never> | Feed<any> }) {
  const { t } = useT();
  const format = useFormat();
  return (
    <div className={s.foot}>
      {feed.isMore ? <Loader size="xs" aria-label={t('loading')} /> : null}
      {feed.hasMore ? (
        <Button size="compact-xs" variant="subtle" onClick={feed.more} disabled={feed.isMore}>
          {t('rows.more')}
        </Button>
      ) : (
        <span>{t('rows.end', { count: feed.rows.length, n: format.number(feed.rows.length) })}</span>
      )}
    </div>
  );
}

function inside(target: EventTarget): boolean {
  return target instanceof Element && target.closest('button, a, input, label, [role="menu"]') !== null;
}

/** j and k as well as the arrows move between rows. */
function walk(event: KeyboardEvent<HTMLTableSectionElement>) {
  const down = event.code === 'KeyJ' || event.code === 'ArrowDown';
  const up = event.code === 'KeyK' || event.code === 'ArrowUp';
  if ((!down && !up) || event.ctrlKey || event.metaKey || event.altKey) return;
  const here = (event.target as Element).closest('tr');
  if (event.target !== here) return;
  let next = down ? here?.nextElementSibling : here?.previousElementSibling;
  while (next && !next.hasAttribute('data-row')) next = down ? next.nextElementSibling : next.previousElementSibling;
  if (next instanceof HTMLElement) {
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: 'nearest' });
  }
}
