import { Browsing } from './browsing';

/**
 * What a person has opened, folded and put away in one session of a kernel.
 *
 * It stands beside the records, not in what draws them: it waits there while another notebook is looked at.
 */
export class Reading {
  /** Failed calls up to this id are put away. */
  dismissed = 0;
  readonly browsing = new Browsing(() => this.emit());
  private readonly calls = new Map<number, boolean>();
  private readonly folded = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private changes = 0;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Another number after every change. */
  readonly version = (): number => this.changes;

  isOpen(call: number): boolean {
    return this.calls.get(call) ?? false;
  }

  readonly toggle = (call: number): void => {
    this.calls.set(call, !this.isOpen(call));
    this.emit();
  };

  /** The calls that were ever opened: they stay in sight, so that none is lost by being closed either. */
  get touched(): number[] {
    return [...this.calls.keys()];
  }

  dismiss(upTo: number): void {
    this.dismissed = upTo;
    this.emit();
  }

  isFolded(section: string): boolean {
    return this.folded.has(section);
  }

  fold(section: string, folded: boolean): void {
    if (folded) this.folded.add(section);
    else this.folded.delete(section);
    this.emit();
  }

  private emit(): void {
    this.changes += 1;
    for (const listener of this.listeners) listener();
  }
}
