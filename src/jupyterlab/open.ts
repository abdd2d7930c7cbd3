import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { twinIcon } from './icon';

export const OPEN = 'torchtwin:open';

/** The command that brings the panel to sight. */
export function addOpenCommand(app: JupyterFrontEnd, panel: Widget, trans: TranslationBundle): void {
  app.commands.addCommand(OPEN, {
    label: trans.__('Torchtwin'),
    caption: trans.__('Show every nn.Linear call beside its twin, the plain matmul'),
    icon: twinIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      if (!panel.isAttached) {
        place(app, panel);
      }
      expandRight(app.shell, panel.id);
      app.shell.activateById(panel.id);
    },
  });
}

export function place(app: JupyterFrontEnd, panel: Widget): void {
  app.shell.add(panel, 'right', { rank: 600, type: 'Torchtwin' });
}

/** Notebook 7 keeps its right side closed until it is told to open it. */
function expandRight(shell: object, id: string): void {
  if ('expandRight' in shell && typeof shell.expandRight === 'function') {
    shell.expandRight(id);
  }
}
