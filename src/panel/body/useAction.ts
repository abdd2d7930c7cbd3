import { useEffect, useState } from 'react';
import { type Answer, refusalOf } from '../model/answer';
import type { Snapshot } from '../model/panelModel';
import type { Records } from '../model/records';

/** Something that a person asks the kernel for, and how the records show that it was done, however late. */
export interface Action {
  ask: () => Promise<Answer>;
  done: (records: Records) => boolean;
}

interface State {
  /** The kernel and session that it is about. */
  of: string;
  working: boolean;
  refused: { message: string; done: Action['done'] } | null;
}

const IDLE: State = { of: '', working: false, refused: null };

/**
 * Runs one action at a time, and tells why it was not carried out for as long as that is true. `refusals` counts them: two
 * with the same words are two.
 */
export function useAction({ view, sync }: Pick<Snapshot, 'view' | 'sync'>) {
  const of = `${view.id} ${sync?.records.session}`;
  const [last, setLast] = useState(IDLE);
  const [refusals, count] = useState(0);
  const { working, refused } = last.of === of ? last : IDLE;
  const done = refused !== null && sync !== null && refused.done(sync.records);
  const free = view.status.type === 'ready' && !view.busy && !view.restarting;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another kernel or session drops what was told of this one
  useEffect(() => setLast(IDLE), [of]);
  useEffect(() => {
    if (free || done) setLast((now) => ({ ...now, refused: null }));
  }, [free, done]);
  const run = async (action: Action) => {
    setLast({ of, working: true, refused: null });
    const answer = await action.ask().catch(refusalOf);
    const message = answer.type === 'refused' ? answer.message : null;
    const after = { of, working: false, refused: message === null ? null : { message, done: action.done } };
    setLast((now) => (now.of === of ? after : now));
    if (message !== null) count((before) => before + 1);
  };
  return { notice: done ? '' : (refused?.message ?? ''), refusals, working, run };
}
