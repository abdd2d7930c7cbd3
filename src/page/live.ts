/** What `Live` needs of a WebSocket. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  close(): void;
}

const RETRY = [500, 1000, 2000, 5000, 10_000];
/** Milliseconds of silence after a connection that lasted so long count as the first attempt again. */
const LASTED = 5000;

/** Pages of one kernel as they come, over connections that are made anew until `close`. */
export class Live {
  constructor(
    private readonly connect: (session: string | null, after: number) => Socket,
    private readonly tell: (page: unknown) => void,
    private readonly changed: () => void,
  ) {
    this.open();
  }

  /** Whether pages can come. */
  connected = false;

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }

  private open(): void {
    const socket = this.connect(this.session, this.upto);
    const began = Date.now();
    this.socket = socket;
    socket.onopen = () => this.see(true);
    socket.onmessage = ({ data }) => this.take(data);
    socket.onclose = () => {
      if (this.closed) return;
      if (Date.now() - began > LASTED) this.attempts = 0;
      this.see(false);
      this.timer = setTimeout(() => this.open(), RETRY[Math.min(this.attempts++, RETRY.length - 1)]);
    };
  }

  private see(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    this.changed();
  }

  private take(data: unknown): void {
    let page: { session?: unknown; upto?: unknown };
    try {
      page = JSON.parse(String(data));
    } catch {
      return; // not a page, whoever sent it
    }
    // Only to say where the next connection goes on: the panel decodes it.
    if (typeof page?.session === 'string' && typeof page.upto === 'number') {
      this.session = page.session;
      this.upto = page.upto;
    }
    this.tell(page);
  }

  private socket: Socket | null = null;
  private session: string | null = null;
  private upto = 0;
  private attempts = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
}
