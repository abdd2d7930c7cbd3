/** What the server's route `kernels` tells of one kernel; only what is shown is named. */
export interface KernelRow {
  kernel: string;
  /** Of its notebook or console; empty where that is not known. */
  path: string;
  running: boolean;
  sessions: { session: string; calls: number; seen: number }[];
}

export interface KernelList {
  kernels: KernelRow[];
  /** Why the server can store nothing at the moment. */
  problem: string | null;
}

/** An answer of 400 or more, or none. */
export class ServerError extends Error {
  constructor(
    /** 0 where the server did not answer. */
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The routes of the server's extension. */
export class Api {
  /** `base`: the server's base URL, from the root of the host, with a slash at its end. */
  constructor(private readonly base: string) {}

  async kernels(): Promise<KernelList> {
    const body = await this.get('kernels');
    return { kernels: body.kernels, problem: body.storage?.problem ?? null };
  }

  /** A `Page` as it is stored, of the kernel's newest session. */
  records(kernel: string, after: number, limit: number): Promise<unknown> {
    return this.get(`kernels/${encodeURIComponent(kernel)}/records?after=${after}&limit=${limit}`);
  }

  /** Where a kernel's pages come live, from after a sequence number of a session on. */
  live(kernel: string, session: string | null, after: number): string {
    const known = session === null ? '' : `&session=${encodeURIComponent(session)}`;
    const url = new URL(`${this.base}torchtwin/api/kernels/${encodeURIComponent(kernel)}/live`, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return `${url}?after=${after}${known}`;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the body of an answer, whatever it is
  private async get(path: string): Promise<any> {
    const answer = await fetch(`${this.base}torchtwin/api/${path}`).catch(() => {
      throw new ServerError(0, 'The server does not answer.');
    });
    if (answer.ok) return answer.json();
    const body = await answer.json().catch(() => null);
    throw new ServerError(answer.status, body?.message ?? answer.statusText);
  }
}
