import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { IDebugger } from '@jupyterlab/debugger';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { AutoLoad } from './autoload';
import { cellWith } from './cells';
import { Focus } from './focus';
import { Handshake } from './handshake';
import { JupyterHost } from './host';
import { Kernels } from './kernels';
import { addOpenCommand, OPEN, place } from './open';
import { Pauses } from './pauses';
import { PANEL_ID, SidePanel } from './side-panel';

const PLUGIN_ID = 'torchtwin:plugin';

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows every nn.Linear call of the notebook in focus beside its twin, the plain matmul.',
  autoStart: true,
  optional: [
    ILabShell,
    INotebookTracker,
    IConsoleTracker,
    ILayoutRestorer,
    ICommandPalette,
    ISettingRegistry,
    ITranslator,
    IDebugger,
  ],
  activate,
};

async function activate(
  app: JupyterFrontEnd,
  labShell: ILabShell | null,
  notebooks: INotebookTracker | null,
  consoles: IConsoleTracker | null,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  settings: ISettingRegistry | null,
  translator: ITranslator | null,
  debuggerService: IDebugger | null,
): Promise<void> {
  const trans = (translator ?? nullTranslator).load('torchtwin');
  const autoLoad = new AutoLoad();
  const kernels = new Kernels(autoLoad);
  const focus = new Focus(app.shell);
  const pauses = new Pauses((kernel, fits) => cellWith(kernels.sources(kernel), fits));
  const host = new JupyterHost(app, focus, kernels, pauses);
  const panel = new SidePanel(host, trans);
  panel.disposed.connect(() => {
    for (const part of [host, focus, kernels, pauses]) part.dispose();
  });
  const handshake = new Handshake(app.serviceManager.serverSettings, trans);

  // Before JupyterLab opens the first notebook: what loads the helper must not wait for settings then.
  await settings?.load(PLUGIN_ID).then(
    (loaded) => autoLoad.follow(loaded),
    (reason: unknown) => console.error('Torchtwin goes on without its settings.', reason),
  );

  for (const tracker of [notebooks, consoles]) {
    tracker?.forEach((source) => {
      kernels.watch(source);
    });
    tracker?.widgetAdded.connect((_, source) => kernels.watch(source));
  }
  if (debuggerService) {
    pauses.follow(debuggerService);
  }
  kernels.connected.connect(() => void handshake.check());
  void app.restored.then(() => focus.look());

  addOpenCommand(app, panel, trans);
  palette?.addItem({ command: OPEN, category: trans.__('Torchtwin') });
  restorer?.add(panel, PANEL_ID);
  if (labShell) {
    void panel.askForRoom(app.restored);
  }
  place(app, panel);
}

export default plugin;
