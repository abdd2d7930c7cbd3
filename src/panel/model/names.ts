/** How many characters of a name fit beside others in a narrow panel. */
export const NAME_LIMIT = 18;

/** The end of a long name behind an ellipsis, cut where a part begins: `….linear1.weight.T`. */
export function shorten(name: string, limit = NAME_LIMIT): string {
  if (name.length <= limit) return name;
  const room = name.slice(name.length - limit + 1);
  const start = room.search(/[._[(]/);
  return `…${start > 0 && start < room.length - 4 ? room.slice(start) : room}`;
}

/** Code with these names shortened in it. */
export function shortenIn(code: string, names: readonly string[], limit = NAME_LIMIT): string {
  return names.reduce((text, name) => text.replaceAll(name, shorten(name, limit)), code);
}

/** `[1, 2]`, as Python prints it. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** A text of several sentences cut into them; a full stop inside code ends none. */
export function sentences(text: string): string[] {
  const found = text.match(/(?:`[^`]*`|[^`])+?(?:[.!?](?=\s+[A-Z`])|$)/g) ?? [];
  return found.map((each) => each.trim()).filter(Boolean);
}

export interface Piece {
  text: string;
  code: boolean;
}

/** A sentence with code in backticks, cut into words and code. */
export function pieces(sentence: string): Piece[] {
  const parts = sentence.split('`').map((text, index) => ({ text, code: index % 2 === 1 }));
  return parts.filter(({ text }) => text !== '');
}
