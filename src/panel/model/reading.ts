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
  private readonly calls = new Set<number>();
  private readonly groups = new Map<string, boolean>();
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
    return this.calls.has(call);
  }

  readonly toggle = (call: number): void => this.open(call, !this.isOpen(call));

  open(call: number, open = true): void {
    if (open) this.calls.add(call);
    else this.calls.delete(call);
    this.emit();
  }

  get openCalls(): number[] {
    return [...this.calls];
  }

  /** Undefined where nobody has said so. */
  isUnfolded(group: string): boolean | undefined {
    return this.groups.get(group);
  }

  unfold(group: string, unfolded: boolean): void {
    this.groups.set(group, unfolded);
    this.emit();
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
