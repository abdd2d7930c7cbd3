import type { CallVerdict } from './callVerdict';
import { type CallSource, Group } from './group';

type Part = (group: Group, verdicts: ReadonlySet<CallVerdict>) => Group;

/** Cuts groups down to the calls of some verdicts; a group that has not changed since is not gone through again. */
export function groupParts(source: CallSource): Part {
  const known = new WeakMap<Group, { version: number; verdicts: ReadonlySet<CallVerdict>; part: Group }>();
  return (group, verdicts) => {
    const before = known.get(group);
    if (before?.version === group.version && before.verdicts === verdicts) return before.part;
    const part = partOf(group, verdicts, source);
    known.set(group, { version: group.version, verdicts, part });
    return part;
  };
}

/** The group itself where all of it is wanted. */
function partOf(group: Group, verdicts: ReadonlySet<CallVerdict>, source: CallSource): Group {
  const wanted = [...verdicts].reduce((calls, verdict) => calls + group.tally[verdict], 0);
  if (wanted === group.count) return group;
  const part = new GroupPart(group, source);
  for (const id of group.ids()) {
    const verdict = source.verdictOf(id);
    if (verdict && verdicts.has(verdict)) part.take(id, verdict);
  }
  return part;
}

class GroupPart extends Group {
  constructor(
    private readonly all: Group,
    source: CallSource,
  ) {
    super(all.key, all.lastWhole, source);
  }

  take(id: number, verdict: CallVerdict): void {
    this.join(id);
    this.tell(id, verdict, null, 1);
  }

  /** Those of the whole group: to know them of a part, each of its calls would have to be made. */
  override get inputs(): (readonly number[])[] {
    return this.all.inputs;
  }

  override get outputs(): number[][] {
    return this.all.outputs;
  }
}
