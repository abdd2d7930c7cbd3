// Made from schema.json by `npm run generate`. Do not edit.
/**
 * An element's value. JSON has no NaN and no infinities, so these three travel as words.
 */
export type ElementValue = number | ('-inf' | 'inf' | 'nan');

export interface Answered {
  id: string;
  reply: Pages | Done | ElementTerms | Refused;
}
export interface Pages {
  page: Page;
  type: 'page';
}
/**
 * What has happened after `after`, up to and including `upto`, with replaced events left out.
 *
 *     A receiver whose last `upto` is smaller than `after` has missed something and asks for a replay.
 */
export interface Page {
  after: number;
  envelopes: Envelope[];
  latest: number;
  protocol: number;
  session: string;
  upto: number;
}
/**
 * `(session, seq)` identifies an event, whichever transport brought it; `seq` counts from 1.
 */
export interface Envelope {
  event: State | Tensors | Call | Run | Cleared | Comparison;
  protocol: number;
  seq: number;
  session: string;
}
/**
 * The watch, and what the buffer holds.
 */
export interface State {
  budget?: number;
  calls: number;
  cost?: Cost | null;
  dropped: number;
  internal_errors: InternalErrors | null;
  mode?: 'auto' | 'every' | 'shapes';
  torch: string | null;
  torchtwin: string;
  type: 'state';
  unseen?: Unseen[];
  watching: boolean;
}
/**
 * What the watch takes, in the cell that runs or ran last; outside a notebook, since the watch began. Seconds.
 */
export interface Cost {
  running: number;
  spent: number;
}
/**
 * Faults of our own that were kept away from the user's code.
 */
export interface InternalErrors {
  count: number;
  first: string;
}
/**
 * Layers that run where the tap can't see them: nothing is known of these calls but that they may be made.
 */
export interface Unseen {
  calls: number | null;
  kind: 'compiled' | 'early_bound' | 'fused' | 'scripted';
  message: string;
  where: string;
}
/**
 * The user's tensors after a cell.
 */
export interface Tensors {
  left_out: number;
  rows: TensorRow[];
  type: 'tensors';
  unmatched?: number;
}
/**
 * A tensor in the user's namespace.
 */
export interface TensorRow {
  changed: boolean;
  device: string;
  dtype: string;
  has_grad: boolean;
  name: string;
  new?: boolean;
  output_of: string | null;
  requires_grad: boolean;
  shape: number[];
  shares: string[];
}
/**
 * One execution of `F.linear`.
 */
export interface Call {
  error: Failure | null;
  expression: string;
  forward: Verdict;
  gradient_formulas: GradientFormulas;
  gradient_names: GradientNames;
  gradients: Gradients;
  id: number;
  matches?: Match[];
  name: string;
  operands: Operands;
  rank?: number | null;
  site: Site;
  time: number;
  type: 'call';
  values: Values;
}
/**
 * A call that raised, explained.
 */
export interface Failure {
  clash: Clash[];
  explanation: string;
  message: string;
  suggestions: string[];
  type: string;
}
/**
 * A dimension that does not fit: `operand` is a field name of `Operands`, `dim` an index into its shape.
 */
export interface Clash {
  dim: number;
  operand: 'bias' | 'input' | 'weight' | 'weight_t';
}
/**
 * The result of holding the layer's values against the formula's. Counts and sizes are null when `unchecked`.
 */
export interface Verdict {
  bound?: ElementValue | null;
  coverage?: string | null;
  diagnosis?: Diagnosis | null;
  elements?: number | null;
  equal_elements?: number | null;
  kind: 'different' | 'identical' | 'rounding' | 'unchecked';
  max_abs_diff?: ElementValue | null;
  max_ulp_diff?: number | null;
  message: string;
  note?: string | null;
  outside?: number[] | null;
  probe?: Probe | null;
  proof?: boolean;
  reason?: string | null;
  units?: ElementValue | null;
}
/**
 * Why a verdict is `different`. Any cause that is named was tried: without it, the two sides agree.
 */
export interface Diagnosis {
  also?: string[];
  code: string;
  message: string;
}
/**
 * What a random +-1 probe over all rows would have seen: any one wrong element of at least `smallest`.
 */
export interface Probe {
  alarms: number;
  probability: number;
  smallest: ElementValue;
}
/**
 * The formula of each gradient in the user's names, with `g` for the gradient of the output.
 */
export interface GradientFormulas {
  bias: string | null;
  input: string;
  weight: string;
}
/**
 * Where autograd puts each gradient: `fc.weight.grad`, not that of another tensor on the same memory.
 */
export interface GradientNames {
  bias: string | null;
  input: string;
  weight: string;
}
/**
 * Verdicts on this call's share of each gradient; null before backward reached the call (and for no bias).
 */
export interface Gradients {
  bias?: Verdict | null;
  input?: Verdict | null;
  weight?: Verdict | null;
}
/**
 * A variable of the user's that was held against a call's output or one of its gradients, unasked.
 */
export interface Match {
  name: string;
  of: 'bias' | 'input' | 'output' | 'weight';
  verdict: Verdict;
}
/**
 * Null where unknown or absent: no bias, or no output because the call raised.
 */
export interface Operands {
  bias: Operand | null;
  input: Operand | null;
  output: Operand | null;
  weight: Operand | null;
  weight_t: Operand | null;
}
/**
 * A tensor that takes part in a call.
 */
export interface Operand {
  device: string;
  dtype: string;
  name: string;
  requires_grad: boolean;
  shape: number[];
}
/**
 * Where the call was made. A notebook cell has `cell_id`; code in a file has `file`.
 */
export interface Site {
  cell_id?: string | null;
  execution_count?: number | null;
  file?: string | null;
  line?: number | null;
  source?: string | null;
}
/**
 * Elements in row-major order, each field null where the tensor is unknown or has more than 256 elements.
 *
 *     Operands are as the layer multiplied them, cast as autocast did. The `twin_*` fields are what the formula gave. They
 *     are null too where they equal the layer's bit for bit.
 */
export interface Values {
  bias?: ElementValue[] | null;
  grad_bias?: ElementValue[] | null;
  grad_input?: ElementValue[] | null;
  grad_output?: ElementValue[] | null;
  grad_weight?: ElementValue[] | null;
  input?: ElementValue[] | null;
  output?: ElementValue[] | null;
  twin_grad_bias?: ElementValue[] | null;
  twin_grad_input?: ElementValue[] | null;
  twin_grad_weight?: ElementValue[] | null;
  twin_output?: ElementValue[] | null;
  weight?: ElementValue[] | null;
}
/**
 * Calls that were recorded one after the other, and not checked.
 *
 *     Each is as the call `like` was, which is told whole: at the same place, of the same layer. Only the leading sizes of
 *     its input and output differ, its time, and that nothing was compared. A `Call` of the same id replaces one of them.
 */
export interface Run {
  first: number;
  like: number[];
  reason: string;
  seconds: number;
  shape: number[];
  shapes: number[][];
  time: number;
  type: 'run';
}
/**
 * The records were cleared: calls with an id of at most `up_to` are gone.
 */
export interface Cleared {
  type: 'cleared';
  up_to: number;
}
/**
 * The answer to `torchtwin.compare` and `%twin A == B`.
 */
export interface Comparison {
  actual: string;
  expected: string;
  gradients: ComparedGradient[];
  type: 'comparison';
  verdict: Verdict;
}
/**
 * The gradients of two callables with respect to one tensor.
 */
export interface ComparedGradient {
  verdict: Verdict;
  wrt: string;
}
/**
 * The request was carried out; what changed comes as events.
 */
export interface Done {
  type: 'done';
}
/**
 * One element as `sum(left[k] * right[k]) + bias`.
 */
export interface ElementTerms {
  bias: ElementValue | null;
  bias_name: string | null;
  layer: ElementValue | null;
  left: ElementValue[];
  left_name: string;
  right: ElementValue[];
  right_name: string;
  type: 'element';
}
/**
 * The request can't be answered: `gone` (the tensors no longer exist), `too_large` (the values were too large to
 *     travel with the call and are not kept), `unknown` (no such call), `invalid`, or `failed` (a fault of ours).
 */
export interface Refused {
  code: 'failed' | 'gone' | 'invalid' | 'too_large' | 'unknown';
  message: string;
  type: 'refused';
}
export interface Asked {
  id: string;
  request: Replay | SetWatch | SetMode | Clear | ElementRequest;
}
/**
 * Asks for the page after `after`, with at most `limit` envelopes.
 */
export interface Replay {
  after: number;
  limit?: number;
  type: 'replay';
}
/**
 * Switches the watch on or off.
 */
export interface SetWatch {
  on: boolean;
  type: 'watch';
}
/**
 * Chooses which calls are checked.
 */
export interface SetMode {
  budget?: number | null;
  mode: 'auto' | 'every' | 'shapes';
  type: 'mode';
}
/**
 * Drops all records.
 */
export interface Clear {
  type: 'clear';
}
/**
 * Asks how one element came about, of a call whose values were too large to travel.
 */
export interface ElementRequest {
  call: number;
  index: number[];
  of: 'bias' | 'input' | 'output' | 'weight';
  type: 'element';
}
/**
 * Asks for the value of an expression in the frame.
 */
export interface Evaluate {
  expression: string;
  seconds?: number;
  type: 'evaluate';
}
/**
 * The value of an expression, or the error that it raised.
 */
export interface Evaluated {
  changed: string[];
  class_name: string | null;
  error: EvaluationError | null;
  expression: string;
  seconds: number;
  statistics: Statistics | null;
  table: ElementValue[][] | null;
  table_of: number[];
  tensor: Operand | null;
  text: string | null;
  type: 'evaluated';
  unread: string | null;
}
export interface EvaluationError {
  column?: number | null;
  line?: number | null;
  message: string;
  type: string;
}
/**
 * Of the elements that were looked at. Sizes are those of elements that are no NaN.
 */
export interface Statistics {
  elements: number;
  infs: number;
  looked_at: number;
  max: ElementValue | null;
  mean: ElementValue | null;
  min: ElementValue | null;
  nans: number;
}
/**
 * A tensor that the frame has a name for.
 */
export interface FrameTensor {
  device: string;
  dtype: string;
  has_grad: boolean;
  name: string;
  requires_grad: boolean;
  scope: 'global' | 'local';
  shape: number[];
  statistics: Statistics | null;
  unread: string | null;
}
/**
 * Asks for the tensors of the frame, and for what its line is about to do.
 */
export interface Inspect {
  type: 'inspect';
}
export interface PausedAnswer {
  protocol: number;
  reply: PausedFrame | Evaluated | Refused;
}
/**
 * A paused frame.
 */
export interface PausedFrame {
  function: string;
  left_out: number;
  products: Product[];
  site: Site;
  tensors: FrameTensor[];
  torch: boolean;
  type: 'frame';
  unknown: string | null;
}
/**
 * A matmul that the line is about to compute: a layer's call, `F.linear` or `@`.
 */
export interface Product {
  error: Failure | null;
  expression: string;
  line: number | null;
  name: string;
  operands: Operands;
  state: 'ahead' | 'raised' | 'running';
  unknown: string | null;
  words: string;
}
