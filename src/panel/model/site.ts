import type { Site } from '../../protocol';

/** Where a call was made, for a person: `cell [2], line 9` or `layers.py:41`. */
export function siteText({ cell_id, execution_count, file, line }: Site): string {
  if (cell_id != null || execution_count != null) {
    const cell = execution_count == null ? 'cell' : `cell [${execution_count}]`;
    return line == null ? cell : `${cell}, line ${line}`;
  }
  if (file == null) return 'unknown place';
  const name = file.split(/[/\\]/).pop() ?? file;
  return line == null ? name : `${name}:${line}`;
}

/** Everything known about the place, for a tooltip. */
export function siteTitle({ file, line, source }: Site): string {
  const place = file == null ? '' : `${file}${line == null ? '' : `:${line}`}`;
  return [place, source ?? ''].filter(Boolean).join('\n');
}
