import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** What the server part tells. */
export interface About {
  version: string | null;
  /** The folder that the server shows, as written and with links resolved; empty where it shows none of its disk. */
  roots: string[] | null;
}

/** Null where there is no server part: JupyterLite, or a server that was started before the package was installed. */
export async function askAbout(settings: ServerConnection.ISettings): Promise<About | null> {
  try {
    const url = URLExt.join(settings.baseUrl, 'torchtwin/api/about');
    const response = await ServerConnection.makeRequest(url, {}, settings);
    return response.ok ? aboutIn(await response.json()) : null;
  } catch {
    return null;
  }
}

function aboutIn(answer: unknown): About | null {
  if (typeof answer !== 'object' || answer === null) {
    return null;
  }
  const [version, roots] = [Reflect.get(answer, 'version'), Reflect.get(answer, 'roots')];
  return { version: typeof version === 'string' ? version : null, roots: areTexts(roots) ? roots : null };
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
