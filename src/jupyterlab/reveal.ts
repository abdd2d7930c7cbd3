import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ConsolePanel } from '@jupyterlab/console';
import { NotebookPanel } from '@jupyterlab/notebook';

import type { Site } from '../protocol';
import { type Editor, type Place, showPlace } from './editor';
import { revealFile } from './file';
import type { Source } from './focus';

interface Cell {
  model: { id: string };
  node: HTMLElement;
  editor: Editor | null;
  ready: Promise<void>;
}

/** Shows the line that a call came from; false when the cell or file can't be found any more. */
export async function reveal(app: JupyterFrontEnd, sources: Source[], site: Site): Promise<boolean> {
  for (const source of sources) {
    if (site.cell_id && (await revealCell(app, source, site.cell_id, site))) {
      return true;
    }
  }
  return site.file ? revealFile(app, site.file, site) : false;
}

async function revealCell(app: JupyterFrontEnd, source: Source, id: string, place: Place): Promise<boolean> {
  const cell = source instanceof NotebookPanel ? await notebookCell(source, id) : consoleCell(source, id);
  if (!cell) {
    return false;
  }
  app.shell.activateById(source.id);
  if (cell.editor) {
    showPlace(cell.editor, place);
  }
  return true;
}

async function notebookCell(panel: NotebookPanel, id: string): Promise<Cell | null> {
  const notebook = panel.content;
  const index = notebook.widgets.findIndex((widget) => widget.model.id === id);
  const cell = notebook.widgets[index];
  if (!cell) {
    return null;
  }
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  await notebook.scrollToItem(index, 'smart');
  // A cell far out of sight gets its editor only now.
  await cell.ready;
  notebook.mode = 'edit';
  return cell;
}

function consoleCell(panel: ConsolePanel, id: string): Cell | null {
  const cell = [...panel.console.cells].find((widget) => widget.model.id === id) ?? null;
  cell?.node.scrollIntoView({ block: 'nearest' });
  return cell;
}
