import type { Editor } from '../../../src/jupyterlab/editor';

/** An editor that remembers which text was selected. */
export class FakeEditor implements Editor {
  selected: string | null = null;
  focused = false;
  revealed = false;
  private readonly lines: string[];

  constructor(text: string) {
    this.lines = text.split('\n');
  }

  get lineCount(): number {
    return this.lines.length;
  }

  getLine(line: number): string | undefined {
    return this.lines[line];
  }

  setSelection({ start, end }: Parameters<Editor['setSelection']>[0]): void {
    this.selected = this.lines[start.line]?.slice(start.column, end.column) ?? null;
  }

  revealSelection(): void {
    this.revealed = true;
  }

  focus(): void {
    this.focused = true;
  }
}
