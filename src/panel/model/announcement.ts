import type { Counts } from './counts';
import { count } from './numbers';

/** What is read aloud of the counts. A loop changes them many times a second, so they are told when it is over. */
export interface Announcement {
  text: string;
  /** How many calls had failed or differed when no cell ran last. */
  calm: number;
}

export const SILENCE: Announcement = { text: '', calm: 0 };

/** What to say next: all of it when no cell runs; while one runs, once that there is a failure or a difference. */
export function announce(before: Announcement, counts: Counts, busy: boolean): Announcement {
  const grave = counts.failed + counts.differs;
  const text = spoken(counts, busy);
  if (!busy) return before.text === text && before.calm === grave ? before : { text, calm: grave };
  return grave <= before.calm || isAlarm(before.text) ? before : { ...before, text };
}

const ALARM = 'So far ';

function isAlarm(text: string): boolean {
  return text.startsWith(ALARM);
}

function spoken({ calls, failed, differs, agrees, unchecked, dropped }: Counts, busy: boolean): string {
  const bad = [
    failed && `${count(failed)} failed`,
    differs && `${count(differs)} ${differs === 1 ? 'differs' : 'differ'}`,
  ];
  if (busy) return `${ALARM}${bad.filter(Boolean).join(', ')}`;
  const all = [
    `${count(calls)} ${calls === 1 ? 'call' : 'calls'}`,
    ...bad,
    agrees && `${count(agrees)} ${agrees === 1 ? 'agrees' : 'agree'}`,
    unchecked && `${count(unchecked)} unchecked`,
    dropped && `${count(dropped)} dropped`,
  ];
  return all.filter(Boolean).join(', ');
}
