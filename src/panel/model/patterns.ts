import type { Call } from '../../protocol';
import type { Group } from './group';

/** A call that others are like, for as long as there are such. */
export interface Pattern {
  /** Null where it has not come yet. */
  call: Call | null;
  group: Group | null;
  seq: number;
  users: number;
  /** Calls that wait for it to come. */
  waiting: number[];
}

/** The calls that others are like, by id: they outlive their own place in the log. */
export class Patterns {
  private readonly patterns = new Map<number, Pattern>();

  get(id: number): Pattern | undefined {
    return this.patterns.get(id);
  }

  /** For one more call that is like it. `known`: the call, if it is there. */
  use(id: number, known?: Pick<Pattern, 'call' | 'group' | 'seq'>): Pattern {
    const pattern = this.patterns.get(id) ?? { call: null, group: null, seq: 0, ...known, users: 0, waiting: [] };
    pattern.users += 1;
    this.patterns.set(id, pattern);
    return pattern;
  }

  release(id: number): void {
    const pattern = this.patterns.get(id);
    if (!pattern) return;
    pattern.users -= 1;
    if (pattern.users === 0) this.patterns.delete(id);
  }
}
