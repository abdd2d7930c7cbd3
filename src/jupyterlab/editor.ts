import type { Site } from '../protocol';

interface Position {
  line: number;
  column: number;
}

/** As much of JupyterLab's `CodeEditor.IEditor` as is needed to show a line. */
export interface Editor {
  readonly lineCount: number;
  getLine(line: number): string | undefined;
  setSelection(selection: { start: Position; end: Position }): void;
  revealSelection(selection: { start: Position; end: Position }): void;
  focus(): void;
}

export type Place = Pick<Site, 'line' | 'source'>;

/** Selects the line of a place; false, and nothing is selected, where it is not there any more. */
export function showPlace(editor: Editor, place: Place): boolean {
  const line = lineOf(linesOf(editor), place);
  if (line !== null) {
    selectLine(editor, line);
  }
  return line !== null;
}

/** Where the line is now, counted from 1: the text may have been edited since. Null where no line is like it. */
export function lineOf(lines: string[], { line, source }: Place): number | null {
  if (!line) {
    return null;
  }
  if (source == null) {
    return line <= lines.length ? line : null;
  }
  const alike = lines.flatMap((text, index) => (text.trim() === source ? index + 1 : []));
  const [nearest] = alike.sort((one, other) => Math.abs(one - line) - Math.abs(other - line));
  return nearest ?? null;
}

function linesOf(editor: Editor): string[] {
  return Array.from({ length: editor.lineCount }, (_, index) => editor.getLine(index) ?? '');
}

function selectLine(editor: Editor, line: number): void {
  const at = line - 1;
  const selection = { start: { line: at, column: 0 }, end: { line: at, column: editor.getLine(at)?.length ?? 0 } };
  editor.focus();
  editor.setSelection(selection);
  editor.revealSelection(selection);
}
