/** Ids in one block. */
const BLOCK = 4096;

/** What is known of calls, in columns: a call takes 25 bytes, and none of it is an object of its own. */
class Block {
  /** 0: no such call. What else it says is up to the owner of the columns. */
  readonly kind = new Uint8Array(BLOCK);
  readonly like = new Uint32Array(BLOCK);
  readonly shape = new Uint32Array(BLOCK);
  readonly reason = new Uint32Array(BLOCK);
  readonly time = new Float64Array(BLOCK);
  count = 0;
  /** No call stands before it. */
  low = BLOCK;

  constructor(readonly number: number) {}

  get oldest(): number {
    while (!this.kind[this.low]) this.low += 1;
    return this.number * BLOCK + this.low;
  }
}

type Column = 'like' | 'shape' | 'reason' | 'time';

/** Columns by call id. Ids may come in any order and with gaps; blocks without calls are let go. */
export class Columns {
  size = 0;
  private readonly blocks = new Map<number, Block>();
  /** Blocks by number; null where that has to be found out anew. */
  private sorted: Block[] | null = null;

  kind(id: number): number {
    return this.blockOf(id)?.kind[id % BLOCK] ?? 0;
  }

  /** 0 where there is no such call. */
  get(column: Column, id: number): number {
    return this.blockOf(id)?.[column][id % BLOCK] ?? 0;
  }

  /** Adds a call, or says something else of it. */
  set(id: number, kind: number, values: Partial<Record<Column, number>> = {}): void {
    const block = this.blockOf(id) ?? this.newBlock(id);
    const at = id % BLOCK;
    if (!block.kind[at]) {
      block.count += 1;
      this.size += 1;
    }
    block.kind[at] = kind;
    block.low = Math.min(block.low, at);
    for (const column of ['like', 'shape', 'reason', 'time'] as const) block[column][at] = values[column] ?? 0;
  }

  /** Gives a call that is here another kind. */
  become(id: number, kind: number): void {
    const block = this.blockOf(id);
    if (block?.kind[id % BLOCK]) block.kind[id % BLOCK] = kind;
  }

  delete(id: number): void {
    const block = this.blockOf(id);
    if (!block?.kind[id % BLOCK]) return;
    block.kind[id % BLOCK] = 0;
    block.count -= 1;
    this.size -= 1;
    if (block.count > 0) return;
    this.blocks.delete(block.number);
    this.sorted = null;
  }

  /** Null where there is none. */
  get oldest(): number | null {
    const first = this.inOrder()[0];
    return first ? first.oldest : null;
  }

  /** Hands on ids and kinds, newest first, until `take` answers false. */
  eachNewestFirst(take: (id: number, kind: number) => boolean): void {
    const blocks = this.inOrder();
    for (let at = blocks.length - 1; at >= 0; at--) {
      const block = blocks[at] as Block;
      for (let offset = BLOCK - 1; offset >= 0; offset--) {
        const kind = block.kind[offset] as number;
        if (kind && !take(block.number * BLOCK + offset, kind)) return;
      }
    }
  }

  private inOrder(): Block[] {
    this.sorted ??= [...this.blocks.values()].sort((a, b) => a.number - b.number);
    return this.sorted;
  }

  private blockOf(id: number): Block | undefined {
    return this.blocks.get(Math.floor(id / BLOCK));
  }

  private newBlock(id: number): Block {
    const block = new Block(Math.floor(id / BLOCK));
    this.blocks.set(block.number, block);
    this.sorted = null;
    return block;
  }
}
