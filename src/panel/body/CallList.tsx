import { type RefObject, useCallback, useEffect, useMemo, useRef } from 'react';
import type { CallLog } from '../model/callLog';
import type { Group } from '../model/group';
import { type Row, Rows } from '../model/rows';
import { CallCard } from './CallCard';
import { useReading } from './context';
import { useFocusedRow } from './focus';
import { GroupCard, StuckHead } from './GroupCard';
import { useVirtualRows, type VirtualRows } from './useVirtualRows';

interface Props {
  calls: CallLog;
  /** Those that are listed, in this order. */
  groups: readonly Group[];
  watching: boolean;
}

/** The calls, newest first, those of a loop folded into one. Only what is in sight is drawn, and what is open. */
export function CallList({ calls, groups, watching }: Props) {
  return (
    <>
      {groups.length === 0 && <p className='jp-Torchtwin-more'>{none(calls, watching)}</p>}
      <List calls={calls} groups={groups} />
    </>
  );
}

function none({ tally }: CallLog, watching: boolean): string {
  if (!watching) return 'The watch is off: switch it on to record the calls of nn.Linear.';
  return tally.failed ? 'No other calls yet.' : 'Run a cell that calls nn.Linear.';
}

function List({ calls, groups }: Omit<Props, 'watching'>) {
  const reading = useReading();
  const list = useRef<HTMLDivElement>(null);
  const { key: focused, onFocus, onBlur } = useFocusedRow();
  const rows = useRows(calls, groups);
  const openCalls = () => reading.openCalls.map((id) => rows.indexOfCall(id, calls.groupOf(id)));
  const indexOfFocused = () => indexOfKey(rows, calls, focused.current);
  const virtual = useVirtualRows({ rows, list, kept: () => [...openCalls(), indexOfFocused()] });
  const goTo = useGoTo(rows, virtual, list);
  const unfold = useCallback((group: Group, on: boolean) => reading.unfold(group.key, on), [reading]);
  const show = useCallback(
    (group: Group, id: number) => {
      reading.unfold(group.key, true);
      reading.open(id);
      goTo((now) => now.indexOfCall(id, group));
    },
    [reading, goTo],
  );
  const fold = (group: Group) => {
    unfold(group, false);
    goTo((now) => now.indexOfGroup(group));
  };
  const draw = (row: Row) => {
    const { place, of } = row;
    if (row.type === 'group') {
      const { group, unfolded } = row;
      const { version } = group;
      const latest = calls.verdictOf(group.newestChecked ?? 0);
      const failing = calls.verdictOf(group.firstFailing ?? 0);
      return <GroupCard {...{ group, version, latest, failing, unfolded, unfold, show, place, of }} />;
    }
    const call = calls.get(row.id);
    const open = reading.isOpen(row.id);
    return call && <CallCard {...{ call, open, place, of }} alone={row.alone} toggle={reading.toggle} />;
  };
  const stuck = stuckGroup(rows, virtual);
  return (
    <div
      ref={list}
      role='feed'
      aria-label='Calls'
      className='jp-Torchtwin-rows'
      style={{ height: virtual.getTotalSize() }}
      onFocus={onFocus}
      onBlur={onBlur}
    >
      {stuck && <StuckHead key='stuck' group={stuck} version={stuck.version} fold={() => fold(stuck)} />}
      {virtual.getVirtualItems().map(({ index, key, start }) => {
        const row = rows.at(index);
        const style = { transform: `translateY(${start - virtual.options.scrollMargin}px)` };
        return (
          <div
            key={key}
            ref={virtual.measureElement}
            data-index={index}
            data-key={key}
            role='presentation'
            style={style}
          >
            {row && draw(row)}
          </div>
        );
      })}
    </div>
  );
}

/** A group is unfolded where a person has said so, or reads one of its calls. */
function useRows(calls: CallLog, groups: readonly Group[]): Rows {
  const reading = useReading();
  const [version, seen] = [calls.version, reading.version()];
  // biome-ignore lint/correctness/useExhaustiveDependencies: the calls, and what is done with them, change in place
  return useMemo(() => {
    const read = new Set(reading.openCalls.map((id) => calls.groupOf(id)?.key));
    return new Rows(groups, (group) => reading.isUnfolded(group.key) ?? read.has(group.key));
  }, [calls, groups, reading, version, seen]);
}

function indexOfKey(rows: Rows, calls: CallLog, key: string | null): number {
  if (key === null) return -1;
  const group = calls.groups().find((each) => each.key === key);
  if (group) return rows.indexOfGroup(group);
  return rows.indexOfCall(Number(key), calls.groupOf(Number(key)));
}

/** The group whose calls pass below the top, its head out of sight. */
function stuckGroup(rows: Rows, virtual: VirtualRows): Group | null {
  const reading = (virtual.scrollOffset ?? 0) > virtual.options.scrollMargin;
  return reading ? rows.unfoldedAt(virtual.range?.startIndex ?? 0) : null;
}

/** Brings a line into sight once it is drawn, and the focus to its button. */
function useGoTo(rows: Rows, virtual: VirtualRows, list: RefObject<HTMLElement>) {
  const wanted = useRef<((rows: Rows) => number) | null>(null);
  useEffect(() => {
    const index = wanted.current?.(rows) ?? -1;
    wanted.current = null;
    if (index < 0) return;
    virtual.scrollToIndex(index, { align: 'start' });
    const focus = () =>
      list.current?.querySelector<HTMLElement>(`[data-index="${index}"] h3 button`)?.focus({ preventScroll: true });
    requestAnimationFrame(() => requestAnimationFrame(focus));
  });
  return useCallback((find: (rows: Rows) => number) => {
    wanted.current = find;
  }, []);
}
