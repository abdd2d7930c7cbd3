import type { Mode } from '../../protocol';

/**
 * The mode that a person has chosen for a kernel. It is to outlive a restart, and does for as long as it is what holds: the
 * user's own code, which may choose another at any time, has the last word.
 */
export class ChosenMode {
  private chosen: Mode | null = null;
  private told: Mode | null = null;

  /** `tell`: called with the mode to begin with after a restart, null for the kernel's own, whenever that is another. */
  constructor(private readonly tell: (mode: Mode | null) => void) {}

  /** A person has chosen; the kernel may say late, or never, that it does so. */
  choose(mode: Mode): void {
    this.chosen = mode;
  }

  /** Takes in which mode holds. */
  see(mode: Mode): void {
    const now = mode === this.chosen ? mode : null;
    if (now === this.told) return;
    this.told = now;
    this.tell(now);
  }
}
