import { Notification } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

declare const TORCHTWIN_VERSION: string;

/** Notices that the package was upgraded under an open page, and says once that the page must be loaded anew. */
export class Handshake {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly trans: TranslationBundle,
  ) {}

  async check(): Promise<void> {
    const installed = await installedVersion(this.settings);
    if (installed !== null && installed !== TORCHTWIN_VERSION && !this.told) {
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

/** Null where there is no server part: JupyterLite, or a server that was started before the package was installed. */
async function installedVersion(settings: ServerConnection.ISettings): Promise<string | null> {
  try {
    const url = URLExt.join(settings.baseUrl, 'torchtwin/api/about');
    const response = await ServerConnection.makeRequest(url, {}, settings);
    const about: unknown = response.ok ? await response.json() : null;
    return versionIn(about);
  } catch {
    return null;
  }
}

function versionIn(about: unknown): string | null {
  const found = typeof about === 'object' && about !== null && 'version' in about ? about.version : null;
  return typeof found === 'string' ? found : null;
}
