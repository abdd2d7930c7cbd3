import { Notification } from '@jupyterlab/apputils';
import type { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { askAbout } from './about';

declare const TORCHTWIN_VERSION: string;

/** Notices that the package was upgraded under an open page, and says once that the page must be loaded anew. */
export class Handshake {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly trans: TranslationBundle,
  ) {}

  async check(): Promise<void> {
    const installed = (await askAbout(this.settings))?.version;
    if (installed && installed !== TORCHTWIN_VERSION && !this.told) {
      this.told = true;
      this.tell(installed);
    }
  }

  private tell(installed: string): void {
    const { trans } = this;
    const message = trans.__('Torchtwin %1 is installed, but this page runs %2.', installed, TORCHTWIN_VERSION);
    const reload = { label: trans.__('Reload the page'), callback: () => window.location.reload() };
    Notification.warning(message, { autoClose: false, actions: [reload] });
  }

  private told = false;
}
