import type { Call, Verdict } from '../../protocol';

/** What a gradient's note says of `.grad`: how many backward passes it holds, or only that more was added to it. */
export interface Accumulated {
  /** Null where the note gives no number. */
  passes: number | null;
}

/** Null where the note says nothing of the kind: `.grad` is this call's share alone. */
export function accumulated({ note }: Verdict): Accumulated | null {
  if (!note) return null;
  const [, passes] = /holds (\d+) backward passes/.exec(note) ?? [];
  if (passes) return { passes: Number(passes) };
  return /added to|holds the shares/.test(note) ? { passes: null } : null;
}

/** For a closed card: `` `.grad` holds 2 passes `` in a few words, and the note in full; null where there is none. */
export function passesRemark({ gradients }: Call): { text: string; note: string } | null {
  for (const verdict of [gradients.weight, gradients.bias, gradients.input]) {
    const passes = verdict && accumulated(verdict)?.passes;
    if (passes && verdict.note) return { text: `\`.grad\` holds ${passes} passes`, note: verdict.note };
  }
  return null;
}

/** For the explanation of a gradient's element: why `.grad` may show another number. */
export function accumulationSentence(name: string, verdict: Verdict): string | null {
  const found = accumulated(verdict);
  if (!found) return null;
  const held = found.passes ? `: it holds ${found.passes} passes` : '';
  return `This is one call’s share. \`${name}\` adds up over backward passes${held}.`;
}
