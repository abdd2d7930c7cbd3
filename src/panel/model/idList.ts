/** Ids in ascending order. They mostly come and go in that order, which is quick; others wait to be sorted until asked. */
export class IdList {
  private ids = new Uint32Array(4);
  private start = 0;
  private end = 0;
  private sorted = true;
  /** Of `ids`, as they are now; null where that has to be made anew. */
  private view: Uint32Array | null = null;

  get size(): number {
    return this.end - this.start;
  }

  /** The id must not be in the list yet. */
  add(id: number): void {
    if (this.end === this.ids.length) this.makeRoom();
    if (this.size && (this.ids[this.end - 1] as number) > id) this.sorted = false;
    this.ids[this.end++] = id;
    this.view = null;
  }

  remove(id: number): void {
    const ids = this.ascending();
    const at = ids[0] === id ? 0 : this.placeOf(id);
    if (ids[at] !== id) return;
    this.view = null;
    if (at === 0) this.start += 1;
    else {
      ids.copyWithin(at, at + 1);
      this.end -= 1;
    }
  }

  /** Oldest first; good until the next change. */
  ascending(): Uint32Array {
    this.view ??= this.ids.subarray(this.start, this.end);
    if (!this.sorted) this.view.sort();
    this.sorted = true;
    return this.view;
  }

  /** 0: the newest. Undefined beyond the oldest. */
  newest(index: number): number | undefined {
    const ids = this.ascending();
    return index < 0 ? undefined : ids[ids.length - 1 - index];
  }

  /** The place of an id among the others, newest first; -1 where it is not in the list. */
  indexOf(id: number): number {
    const at = this.placeOf(id);
    return this.ascending()[at] === id ? this.size - 1 - at : -1;
  }

  /** Where the id is, or would be, oldest first. */
  private placeOf(id: number): number {
    const ids = this.ascending();
    let [low, high] = [0, ids.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ids[middle] as number) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private makeRoom(): void {
    const ids = this.ids.subarray(this.start, this.end);
    const room = new Uint32Array(Math.max(4, 2 * ids.length));
    room.set(ids);
    this.ids = room;
    this.end = ids.length;
    this.start = 0;
  }
}
