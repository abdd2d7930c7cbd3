/** `value` with every part that equals the same part of `like` replaced by that one, so that it is held once. */
export function shared<T>(value: T, like: unknown): T {
  if (value === like) return like as T;
  if (Array.isArray(value)) return (Array.isArray(like) ? sharedArray(value, like) : value) as T;
  return isRecord(value) && isRecord(like) ? sharedRecord(value, like) : value;
}

function sharedArray(value: unknown[], like: unknown[]): unknown[] {
  const parts = value.map((part, at) => shared(part, like[at]));
  return parts.length === like.length && parts.every((part, at) => part === like[at]) ? like : parts;
}

function sharedRecord<T extends Record<string, unknown>>(value: T, like: Record<string, unknown>): T {
  const copy: Record<string, unknown> = {};
  let same = true;
  for (const key in value) {
    copy[key] = shared(value[key], like[key]);
    same &&= copy[key] === like[key];
  }
  for (const key in like) same &&= key in value;
  return (same ? like : copy) as T;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Values that many calls have in common, each held once, under a number, for as long as it is used. */
export class Pool<T> {
  private readonly entries: ({ key: string; value: T; users: number } | undefined)[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly free: number[] = [];

  constructor(private readonly keyOf: (value: T) => string) {}

  take(value: T): number {
    const key = this.keyOf(value);
    const known = this.numbers.get(key);
    const number = known ?? this.free.pop() ?? this.entries.length;
    const entry = known === undefined ? undefined : this.entries[known];
    if (entry) entry.users += 1;
    else {
      this.entries[number] = { key, value, users: 1 };
      this.numbers.set(key, number);
    }
    return number;
  }

  get(number: number): T | undefined {
    return this.entries[number]?.value;
  }

  release(number: number): void {
    const entry = this.entries[number];
    if (!entry) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    this.numbers.delete(entry.key);
    this.entries[number] = undefined;
    this.free.push(number);
  }
}
