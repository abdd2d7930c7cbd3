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

/** Selects a line, counted from 1; the last one where the text has become shorter. */
export function selectLine(editor: Editor, line: number): void {
  const at = Math.min(line, editor.lineCount) - 1;
  const selection = { start: { line: at, column: 0 }, end: { line: at, column: editor.getLine(at)?.length ?? 0 } };
  editor.focus();
  editor.setSelection(selection);
  editor.revealSelection(selection);
}
