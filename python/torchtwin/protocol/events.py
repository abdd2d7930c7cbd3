"""What the kernel tells: one tagged union, `Event`, in envelopes, in pages.

Every entity (the watch state, the tensor table, each call) is sent whole; a later event about the same entity replaces
an earlier one. So a receiver needs only the newest event of each, and a page may leave out what a later one replaced.

`gc=False`: no event can be part of a reference cycle, so the garbage collector of the user's process can skip them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

PROTOCOL = 1
"""Version of the wire. A receiver that reads another number shows "reload the page" and decodes nothing."""

Number = float | Literal["nan", "inf", "-inf"]
"""An element's value. JSON has no NaN and no infinities, so these three travel as words."""

Mode = Literal["shapes", "auto", "every"]
"""`shapes`: calls are recorded, and not checked; `auto`: as many are checked as the budget allows; `every`: all are."""

VerdictKind = Literal["identical", "rounding", "different", "unchecked"]


DiagnosisCode = Literal[
    "shape",
    "missing_transpose",
    "missing_bias",
    "bias_twice",
    "scaled",
    "negated",
    "permuted",
    "stale_operand",
    "lower_precision",
    "partial",
    "nonfinite",
    "unexplained",
]


class Diagnosis(msgspec.Struct, frozen=True, gc=False):
    """Why a verdict is `different`. Any cause that is named was tried: without it, the two sides agree."""

    code: DiagnosisCode
    message: str
    """What is wrong, and what to write instead, in the user's names; code in backticks."""
    also: list[DiagnosisCode] = []
    """Further causes, where only several together explain the difference."""


class Probe(msgspec.Struct, frozen=True, gc=False):
    """What a random +-1 probe over all rows would have seen: any one wrong element of at least `smallest`."""

    smallest: Number
    """Absolute size of the error, in the row where the probe sees least."""
    probability: float
    """With which such an error trips the probe, whatever the rounding of the other elements."""
    alarms: int
    """Rows that tripped the probe, and were computed exactly."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The result of holding the layer's values against the formula's. Counts and sizes are null when `unchecked`."""

    kind: VerdictKind
    message: str
    """One sentence for a person, without the name of the operand."""
    reason: str | None = None
    """Why nothing was compared; only for `unchecked`."""
    equal_elements: int | None = None
    elements: int | None = None
    max_abs_diff: Number | None = None
    max_ulp_diff: int | None = None
    """Largest distance in units in the last place of the compared dtype."""
    units: Number | None = None
    """Largest difference in multiples of u * (|x| |w|^T + |b|), u the unit roundoff of the dtype."""
    bound: Number | None = None
    """How much rounding can explain, in the same unit, at the same element."""
    outside: list[int] | None = None
    """Places, in row-major order, of the first 256 elements that rounding can't explain; only for `different`."""
    coverage: str | None = None
    """`all`: every element was compared; `rows 8 of 4096`: those; `probe`: some rows, and a probe over all of them."""
    probe: Probe | None = None
    """Only for coverage `probe`."""
    proof: bool = False
    """Whether the kind follows from the operands by a rigorous bound; else it is judged by the values alone."""
    diagnosis: Diagnosis | None = None
    note: str | None = None
    """What else a person should know, e.g. "`fc.weight.grad` holds 2 backward passes"."""


class Operand(msgspec.Struct, frozen=True, gc=False):
    """A tensor that takes part in a call."""

    name: str
    """The user's name for it, or where it came from (`relu(...)`), or its role (`input`)."""
    shape: list[int]
    dtype: str
    """Without the `torch.` prefix: `float32`."""
    device: str
    requires_grad: bool


class Operands(msgspec.Struct, frozen=True, gc=False):
    """Null where unknown or absent: no bias, or no output because the call raised."""

    input: Operand | None
    weight: Operand | None
    weight_t: Operand | None
    bias: Operand | None
    output: Operand | None


class Site(msgspec.Struct, frozen=True, gc=False):
    """Where the call was made. A notebook cell has `cell_id`; code in a file has `file`."""

    cell_id: str | None = None
    execution_count: int | None = None
    """The number in the cell's prompt when the code ran (`In [3]`), for a person to recognise the cell."""
    file: str | None = None
    line: int | None = None
    """Counted from 1, in the cell or in the file."""
    source: str | None = None
    """The source line, stripped."""


class Gradients(msgspec.Struct, frozen=True, gc=False):
    """Verdicts on this call's share of each gradient; null before backward reached the call (and for no bias)."""

    weight: Verdict | None = None
    bias: Verdict | None = None
    input: Verdict | None = None


class GradientFormulas(msgspec.Struct, frozen=True, gc=False):
    """The formula of each gradient in the user's names, with `g` for the gradient of the output."""

    weight: str
    bias: str | None
    input: str


class GradientNames(msgspec.Struct, frozen=True, gc=False):
    """Where autograd puts each gradient: `fc.weight.grad`, not that of another tensor on the same memory."""

    weight: str
    bias: str | None
    input: str


class Clash(msgspec.Struct, frozen=True, gc=False):
    """A dimension that does not fit: `operand` is a field name of `Operands`, `dim` an index into its shape."""

    operand: Literal["input", "weight", "weight_t", "bias"]
    dim: int


class Failure(msgspec.Struct, frozen=True, gc=False):
    """A call that raised, explained."""

    type: str
    """The exception's class name."""
    message: str
    """The exception's own first line."""
    explanation: str
    """One sentence in the user's names, e.g. "`h` has 128 features, `fc2` takes 64."."""
    suggestions: list[str]
    """What would fit, most likely first; code in backticks."""
    clash: list[Clash]


class Values(msgspec.Struct, frozen=True, gc=False):
    """Elements in row-major order, each field null where the tensor is unknown or has more than 256 elements.

    Operands are as the layer multiplied them, cast as autocast did. The `twin_*` fields are what the formula gave. They
    are null too where they equal the layer's bit for bit.
    """

    input: list[Number] | None = None
    weight: list[Number] | None = None
    bias: list[Number] | None = None
    output: list[Number] | None = None
    twin_output: list[Number] | None = None
    grad_output: list[Number] | None = None
    grad_weight: list[Number] | None = None
    twin_grad_weight: list[Number] | None = None
    grad_bias: list[Number] | None = None
    twin_grad_bias: list[Number] | None = None
    grad_input: list[Number] | None = None
    twin_grad_input: list[Number] | None = None


class Match(msgspec.Struct, frozen=True, gc=False):
    """A variable of the user's that was held against a call's output or one of its gradients, unasked."""

    name: str
    """`fc_out_alternative`, `w.grad`."""
    of: Literal["output", "weight", "bias", "input"]
    """The output, or the operand whose gradient is meant."""
    verdict: Verdict
    """`different` only with a diagnosis that explains it: a near miss."""


class Call(msgspec.Struct, frozen=True, gc=False, tag="call"):
    """One execution of `F.linear`."""

    id: int
    """Running number within the session, from 1."""
    name: str
    """The module as the user would say it (`model.layers[0].ff`), else its class name or the function called."""
    expression: str
    """The matmul that the call equals, in the names visible where it was made: `x @ w.T + b`."""
    site: Site
    operands: Operands
    forward: Verdict
    gradients: Gradients
    gradient_formulas: GradientFormulas
    gradient_names: GradientNames
    error: Failure | None
    values: Values
    time: float
    """When the call was made, in seconds since the epoch."""
    matches: list[Match] = []
    """The newest match of each name and value."""
    rank: int | None = None
    """Rank of the process within `torch.distributed`; null outside of it."""


class Run(msgspec.Struct, frozen=True, gc=False, tag="run"):
    """Calls that were recorded one after the other, and not checked.

    Each is as the call `like` was, which is told whole: at the same place, of the same layer. Only the leading sizes of
    its input and output differ, its time, and that nothing was compared. A `Call` of the same id replaces one of them.
    """

    first: int
    """Id of the first; the others' follow."""
    like: list[int]
    """For each, the id of the call that it is like."""
    shapes: list[list[int]]
    """Of inputs: those that occur."""
    shape: list[int]
    """For each, the place of its input's shape in `shapes`."""
    time: float
    """When the first was made, in seconds since the epoch."""
    seconds: float
    """How much later the last was made. When each of the others was is not noted: they are taken as evenly spread."""
    reason: str
    """Why they were not checked."""


class TensorRow(msgspec.Struct, frozen=True, gc=False):
    """A tensor in the user's namespace."""

    name: str
    shape: list[int]
    dtype: str
    device: str
    requires_grad: bool
    has_grad: bool
    shares: list[str]
    """Names that share its storage: `fc.weight`, or another tensor."""
    output_of: str | None
    """The source text of the recorded call that returned it: `fc(x)`."""
    changed: bool
    """Whether the last cell bound it anew or changed it in place."""
    new: bool = False
    """Whether no tensor had this name before."""


class Tensors(msgspec.Struct, frozen=True, gc=False, tag="tensors"):
    """The user's tensors after a cell."""

    rows: list[TensorRow]
    left_out: int
    """How many more there are beyond the 500 listed."""
    unmatched: int = 0
    """How many new or changed ones were not held against recorded calls, for want of time."""


class InternalErrors(msgspec.Struct, frozen=True, gc=False):
    """Faults of our own that were kept away from the user's code."""

    count: int
    first: str
    """Traceback of the first, to report."""


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What the watch takes, in the cell that runs or ran last; outside a notebook, since the watch began. Seconds."""

    spent: float
    """By Torchtwin."""
    running: float
    """By the user's code, without that."""


class Unseen(msgspec.Struct, frozen=True, gc=False):
    """Layers that run where the tap can't see them: nothing is known of these calls but that they may be made."""

    kind: Literal["early_bound", "fused", "compiled", "scripted"]
    """`early_bound`: the function was bound to a name before the watch; `fused`: torch took a fast path that computes
    several layers at once; `compiled`: `torch.compile`; `scripted`: `torch.jit`."""
    where: str
    """In the user's words: "`linear` in `mylib.layers`", "`encoder.layers[0]`", "`compiled_model`"."""
    calls: int | None
    """How many calls ran unseen since the start or the last clear; null where they can't be counted."""
    message: str
    """One sentence: what is not seen, and what to do; code in backticks."""


class State(msgspec.Struct, frozen=True, gc=False, tag="state"):
    """The watch, and what the buffer holds."""

    watching: bool
    torch: str | None
    """Version of the imported torch; null before `import torch`."""
    torchtwin: str
    calls: int
    """Calls recorded since the start or the last clear."""
    dropped: int
    """How many of them fell off the ring buffer."""
    internal_errors: InternalErrors | None
    mode: Mode = "auto"
    budget: float = 0.03
    """How much of the user's running time the watch may take in mode `auto`."""
    cost: Cost | None = None
    """Null before anything ran."""
    unseen: list[Unseen] = []
    """What is known to run, or to have run, unseen."""


class ComparedGradient(msgspec.Struct, frozen=True, gc=False):
    """The gradients of two callables with respect to one tensor."""

    wrt: str
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True, gc=False, tag="comparison"):
    """The answer to `torchtwin.compare` and `%twin A == B`."""

    actual: str
    """The words of the first side."""
    expected: str
    verdict: Verdict
    gradients: list[ComparedGradient]
    """Of callables, one for each tensor in `wrt`."""


class Cleared(msgspec.Struct, frozen=True, gc=False, tag="cleared"):
    """The records were cleared: calls with an id of at most `up_to` are gone."""

    up_to: int


Event = State | Tensors | Call | Run | Cleared | Comparison


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """`(session, seq)` identifies an event, whichever transport brought it; `seq` counts from 1."""

    protocol: int
    session: str
    seq: int
    event: Event


class Page(msgspec.Struct, frozen=True, gc=False):
    """What has happened after `after`, up to and including `upto`, with replaced events left out.

    A receiver whose last `upto` is smaller than `after` has missed something and asks for a replay.
    """

    protocol: int
    session: str
    after: int
    upto: int
    latest: int
    """The newest sequence number in the kernel; greater than `upto` when there is a next page."""
    envelopes: list[Envelope]
