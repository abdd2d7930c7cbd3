/** How many expressions are kept. */
export const KEPT = 50;

/** What was typed, to be gone through with the arrow keys; what is being typed is the last of it. */
export class History {
  private readonly entries: string[] = [];
  private at = 0;
  private draft = '';

  /** What stands in the box. */
  get text(): string {
    return this.entries[this.at] ?? this.draft;
  }

  type(text: string): void {
    this.at = this.entries.length;
    this.draft = text;
  }

  /** It was entered: the box is empty. */
  enter(text: string): void {
    if (this.entries.at(-1) !== text) this.entries.push(text);
    if (this.entries.length > KEPT) this.entries.shift();
    this.type('');
  }

  back(): void {
    this.at = Math.max(0, this.at - 1);
  }

  forth(): void {
    this.at = Math.min(this.entries.length, this.at + 1);
  }
}
