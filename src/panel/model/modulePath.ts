/** One step on the way to a module: `encoder`, `[3]`. */
export interface Step {
  /** What a person reads. */
  label: string;
  /** The user's words up to and with this step: `model.encoder.layers[3]`. */
  path: string;
}

const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const GETATTR = 'getattr(';
/** What `getattr` is called with: any words, and a string. */
const ARGUMENTS = /^(.+), ?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")$/s;

/**
 * The way that a call's name goes from a variable to the module: `model.blocks['a'].fc`, `getattr(model, '0')`. Words of
 * another form, as those of a function, are one step.
 */
export function stepsOf(name: string): Step[] {
  return parsed(name) ?? [{ label: name, path: name }];
}

/** Steps in one: `encoder.layers[3]`. */
export function joined(labels: readonly string[]): string {
  return labels.reduce((text, label) => text + (label.startsWith('[') ? '' : '.') + label);
}

function parsed(text: string): Step[] | null {
  const steps = text.startsWith(GETATTR) ? fromGetattr(text) : fromName(text);
  let end = steps?.at(-1)?.path.length ?? 0;
  while (steps && end < text.length) {
    const label = text[end] === '[' ? bracketed(text, end) : attribute(text, end);
    if (label === null) return null;
    end += label.length + (label.startsWith('[') ? 0 : 1);
    steps.push({ label, path: text.slice(0, end) });
  }
  return steps;
}

function fromName(text: string): Step[] | null {
  const name = nameAt(text, 0);
  return name === null ? null : [{ label: name, path: name }];
}

function fromGetattr(text: string): Step[] | null {
  const call = bracketed(text, GETATTR.length - 1);
  const [, words, key] = ARGUMENTS.exec(call?.slice(1, -1) ?? '') ?? [];
  const base = words && parsed(words);
  if (!call || !base || !key) return null;
  return [...base, { label: unquoted(key), path: text.slice(0, GETATTR.length - 1 + call.length) }];
}

function attribute(text: string, at: number): string | null {
  return text[at] === '.' ? nameAt(text, at + 1) : null;
}

function nameAt(text: string, at: number): string | null {
  NAME.lastIndex = at;
  return NAME.exec(text)?.[0] ?? null;
}

/** From the bracket at this place to the one that closes it; brackets within strings don't count. */
function bracketed(text: string, at: number): string | null {
  let depth = 0;
  for (const { 0: token, index } of text.slice(at).matchAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[([{]|[)\]}]/gs)) {
    if (/^[([{]/.test(token)) depth += 1;
    else if (/^[)\]}]/.test(token)) depth -= 1;
    if (depth === 0) return text.slice(at, at + index + token.length);
  }
  return null;
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gs, '$1');
}
