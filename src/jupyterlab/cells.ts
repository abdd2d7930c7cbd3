import { NotebookPanel } from '@jupyterlab/notebook';

import type { Source } from './focus';

/** The id of the first cell of these notebooks and consoles whose code fits; null where none does. */
export function cellWith(sources: Source[], fits: (code: string) => boolean): string | null {
  for (const source of sources) {
    const cells = source instanceof NotebookPanel ? source.content.widgets : [...source.console.cells];
    const found = cells.find(({ model }) => model.type === 'code' && fits(model.sharedModel.getSource()));
    if (found) {
      return found.model.id;
    }
  }
  return null;
}
