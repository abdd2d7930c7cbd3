interface Content {
  data?: { envelopes?: { event: Told }[] };
}

/** As much of an event as the tests read. */
type Told = { type: 'call'; id: number } | { type: 'run'; first: number; like: number[] } | { type: 'other' };

/** The content of a kernel message in a frame of `v1.kernel.websocket.jupyter.org`. */
export function jsonParts(frame: Buffer): { content: Content | null } {
  // A count, that many offsets, then channel, header, parent header, metadata and content.
  const offset = (index: number) => Number(frame.readBigUInt64LE(8 * (index + 1)));
  const content = frame.subarray(offset(4), offset(5)).toString('utf8');
  return { content: content.startsWith('{') ? JSON.parse(content) : null };
}
