import type { ElementValue } from '../../protocol';

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** Rounds to the nearest value that the dtype has, ties to even. Unknown dtypes are taken for float64. */
export function roundTo(dtype: string, value: number): number {
  if (dtype === 'float32') return Math.fround(value);
  if (dtype === 'bfloat16') return toBfloat16(value);
  return dtype === 'float16' ? toFloat16(value) : value;
}

function toBfloat16(value: number): number {
  single[0] = value;
  const word = bits[0] ?? 0;
  if (!Number.isFinite(single[0])) return single[0] ?? value;
  bits[0] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  return single[0] ?? value;
}

function toFloat16(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), -14);
  const step = 2 ** (exponent - 10);
  const rounded = toEven(value / step) * step;
  return Math.abs(rounded) > 65504 ? Math.sign(value) * Number.POSITIVE_INFINITY : rounded;
}

function toEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

export function toNumber(value: ElementValue): number {
  if (typeof value === 'number') return value;
  if (value === 'nan') return Number.NaN;
  return value === 'inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/**
 * The shortest decimal that the dtype maps back to the same value. What the dtype does not have at all is of a wider
 * one: an operand before the cast of autocast.
 */
export function shortest(value: ElementValue | number, dtype: string): string {
  const number = toNumber(value);
  if (Number.isNaN(number)) return 'nan';
  if (!Number.isFinite(number)) return number > 0 ? 'inf' : '-inf';
  if (Object.is(number, -0)) return '-0';
  const own = [dtype, 'float32'].find((each) => roundTo(each, number) === number) ?? 'float64';
  return shortestOf(number, own);
}

function shortestOf(number: number, dtype: string): string {
  for (let digits = 1; digits < 17; digits++) {
    const candidate = Number(number.toPrecision(digits));
    if (roundTo(dtype, candidate) === number) return String(candidate);
  }
  return String(number);
}

/** At most five digits, for a grid; the whole number stands beside it elsewhere. */
export function compact(value: ElementValue, dtype: string): string {
  const text = shortest(value, dtype);
  const rounded = String(Number(toNumber(value).toPrecision(5)));
  return Number.isFinite(toNumber(value)) && rounded.length < text.length ? rounded : text;
}

/** A size for a person: two or three digits are enough. */
export function brief(value: ElementValue): string {
  const number = toNumber(value);
  if (!Number.isFinite(number)) return shortest(number, 'float64');
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-3 || size >= 1e12)) return number.toExponential(1);
  if (size >= 1e4) return number.toLocaleString('en-US', { maximumSignificantDigits: 2 });
  return size >= 100 ? Math.round(number).toLocaleString('en-US') : String(Number(number.toPrecision(2)));
}

/** Made once: every row that is scrolled by has a number. */
const WHOLE = new Intl.NumberFormat('en-US');

export function count(number: number): string {
  return WHOLE.format(number);
}
