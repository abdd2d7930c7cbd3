"""What a debugger asks of a paused frame, and the answers: base64 of JSON both ways, in one evaluated expression.

    PAUSED_ASK('<base64 of a PausedRequest>')

is what a host has the debugger evaluate in the frame, in the context `clipboard`, which cuts nothing. The result is the
`repr` of a string: base64 of a `PausedAnswer`. The expression looks up no name, so a variable of the user's can't stand
in its way, and it never raises.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from torchtwin.protocol.events import Failure, Number, Operand, Operands, Site
from torchtwin.protocol.requests import Refused

PAUSED_ASK = "(lambda:0).__builtins__['__import__']('torchtwin.kernel.paused.debugger').kernel.paused.debugger.answer"
"""What stands before the parenthesis. A function knows its builtins without a look at the namespace around it."""


class Inspect(msgspec.Struct, frozen=True, gc=False, tag="inspect"):
    """Asks for the tensors of the frame, and for what its line is about to do."""


class Evaluate(msgspec.Struct, frozen=True, gc=False, tag="evaluate"):
    """Asks for the value of an expression in the frame."""

    expression: str
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 10.0
    """After so long it is given up, as soon as Python code runs: a single call of torch is waited for."""


PausedRequest = Inspect | Evaluate


class Statistics(msgspec.Struct, frozen=True, gc=False):
    """Of the elements that were looked at. Sizes are those of elements that are no NaN."""

    min: Number | None
    """Null, as the two others, where there is no such element, and of complex numbers."""
    max: Number | None
    mean: Number | None
    nans: int
    infs: int
    looked_at: int
    """Of a large tensor some, evenly spread."""
    elements: int


class FrameTensor(msgspec.Struct, frozen=True, gc=False):
    """A tensor that the frame has a name for."""

    name: str
    scope: Literal["local", "global"]
    shape: list[int]
    """-1 where the parts of a nested tensor differ."""
    dtype: str
    device: str
    requires_grad: bool
    has_grad: bool
    statistics: Statistics | None
    unread: str | None
    """Why there are no statistics: "it holds no values"."""


class Product(msgspec.Struct, frozen=True, gc=False):
    """A matmul that the line is about to compute: a layer's call, `F.linear` or `@`."""

    words: str
    """As it is written: `fc(x)`, `x @ w.T + b`."""
    name: str
    """The layer, or the words."""
    expression: str
    """The twin in the user's names; empty where nothing is known."""
    operands: Operands
    """With the shapes that they have or will have. Of `a @ b`, `b` is `weight_t`."""
    state: Literal["ahead", "running", "raised"]
    """`running`: the frame waits for it; `raised`: it did."""
    line: int | None
    error: Failure | None
    """What it will raise, or has raised; null where it fits, or nothing is known."""
    unknown: str | None
    """Why nothing is said of it, or not all: "`fc2(fc1(x))` does not exist yet"."""


class PausedFrame(msgspec.Struct, frozen=True, gc=False, tag="frame"):
    """A paused frame."""

    site: Site
    function: str
    """`forward`, `<module>` for a cell."""
    torch: bool
    """Whether torch is imported; there are no tensors before."""
    tensors: list[FrameTensor]
    """Locals first."""
    left_out: int
    """How many more there are."""
    products: list[Product]
    """In the order in which they will be computed."""
    unknown: str | None
    """Why nothing can be said of the line: "its source is not known"."""


class EvaluationError(msgspec.Struct, frozen=True, gc=False):
    type: str
    """The exception's class name."""
    message: str
    """Its first line."""
    column: int | None = None
    """Where a syntax error is, in characters of the expression, counted from 0."""
    line: int | None = None
    """Counted from 1; of a syntax error only."""


class Evaluated(msgspec.Struct, frozen=True, gc=False, tag="evaluated"):
    """The value of an expression, or the error that it raised."""

    expression: str
    class_name: str | None
    """Class of the value; null where there is none."""
    tensor: Operand | None
    """Of a tensor or a NumPy array; its `name` is empty."""
    statistics: Statistics | None
    unread: str | None
    table: list[list[Number]] | None
    """The first 8 rows and columns of the last two dimensions, of a real tensor."""
    table_of: list[int]
    """Index of the part that the table shows, one 0 for each further dimension."""
    text: str | None
    """`repr` of any other value, cut."""
    error: EvaluationError | None
    changed: list[str]
    """What the expression changed and nobody can put back: "`x`, in place"."""
    seconds: float


PausedReply = PausedFrame | Evaluated | Refused


class PausedAnswer(msgspec.Struct, frozen=True, gc=False):
    protocol: int
    """A receiver that reads another number decodes nothing else."""
    reply: PausedReply
