"""What a verdict on a second result rests on: the operands that it was computed from, as far as they are known.

Of a call's own output the operands are known. Another result, computed by hand, say, need not have used the very same
ones: where an operand was computed itself, each side may have rounded it otherwise, and that is carried on however far
the next layer carries it. So beyond a call's own bound a result is only proven to be different if

- its part of the autograd graph contains the call's very operands, or
- the operands are parameters and data that the call names (`fc(x)`, not `fc(x - mean)`): who compares with such a call
  means the same tensors; or
- they follow from earlier calls by functions that are followed, whose rounding is then carried on.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from torchtwin.kernel.comparing import enclosures
from torchtwin.kernel.comparing.activations import Activation, Reduction, steps_from
from torchtwin.kernel.comparing.data import is_name_of_data
from torchtwin.kernel.comparing.graph import follows_from, leaves
from torchtwin.kernel.past import Pass, Past, PastCall, Role
from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure, total
from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.twin import Twin

MAX_CALLS = 200
"""The newest calls that an operand may come from."""
MAX_CHAIN = 20
"""Layers that rounding is followed through."""
FAINT = 16
"""Times the square root of the unit roundoff, by experience: below it, beside its usual size, a gradient is faint.

In a precision lower than float32's all may be.
"""

_OF_A_LAYER = re.compile(r"(Addmm|Mm|Bmm|Add|View|UnsafeView|ReshapeAlias|Squeeze|ToCopy)Backward\d$")
"""What the output of a call may have for its node."""
PARAMETERS: tuple[Role, ...] = ("weight", "bias")
_MULTIPLIED: dict[Role, Role] = {"weight": "input", "input": "weight"}
"""What the gradient of the output is multiplied by, to give that of an operand."""


class Grounds:
    """Knows where the operands of recorded calls come from."""

    def __init__(self, recorder: Recorder, past: Past) -> None:
        self._recorder = recorder
        self._past = past

    def of_output(
        self, call: PastCall, result: Tensor, dtype: torch.dtype, depth: int = MAX_CHAIN
    ) -> Enclosure | str | None:
        """Where `result`, of `dtype`, lies if it is the same function as the call's output of the same operands.

        A reason if that is not known; null where rounding has no finite bound.
        """
        twin, record = call.twin(), self._recorder.call(call.id)
        if twin is None or record is None or record.operands.output is None:
            return "the operands of an earlier layer are not known any more"
        shape = torch.Size(record.operands.output.shape)
        if doubt := self._doubt_of_parameters(call, result):
            return doubt
        if follows_from(result, call.original("input")):
            return enclosures.of_output(dtype, twin, shape)
        source = self._source(call, twin.input)
        if source is None:
            return self._doubt_of_input(call) or enclosures.of_output(dtype, twin, shape)
        if depth == 0:
            return self._doubt(call, "input")
        earlier, step = source
        inner = self.of_output(earlier, result, twin.input.dtype, depth - 1)
        return inner if isinstance(inner, str | None) else self._through(step.of(inner), call, twin, shape, dtype)

    def doubt_of_output(self, call: PastCall, result: Tensor) -> str | None:
        """Why `result` need not have been computed from the call's very operands; null where it was."""
        if doubt := self._doubt_of_parameters(call, result):
            return doubt
        if follows_from(result, call.original("input")):
            return None
        return self._doubt_of_factor(call, "input")

    def _doubt_of_parameters(self, call: PastCall, result: Tensor) -> str | None:
        for role in PARAMETERS:
            original = call.original(role)
            if self._is_computed(call, role) and not follows_from(result, original):
                return self._doubt(call, role)
            if role == "weight" and original is not None and not _may_use(result, original, call):
                return f"the other side was not computed from {self._operand(call, role)} but from other parameters"
        return None

    def of_gradient(
        self, role: Role, passes: Sequence[tuple[PastCall, Twin, Pass]], dtype: torch.dtype
    ) -> Enclosure | str | None:
        """The same for a sum of shares of a gradient."""
        parts = []
        for call, twin, it in passes:
            if not it.is_given:
                return (
                    f"`{self._name(call)}` got a gradient that was computed on the way, from outputs that another "
                    "computation rounds otherwise"
                )
            factor = _MULTIPLIED.get(role)
            if factor is not None and (doubt := self._doubt_of_factor(call, factor)):
                return doubt
            parts.append(enclosures.of_gradient(dtype, role, twin, it.grad_output))
        known = [part for part in parts if part is not None]
        return _divided(total(known)) if known and len(known) == len(parts) else None

    def is_faint_input(self, call: PastCall) -> bool:
        """Whether an input may be little else than an earlier output's rounding, after a subtraction."""
        input = call.copies.get("input")
        if input is None or not input.numel():
            return False
        size = float(input.double().abs().max())
        earlier = (it for it in self._before(call) if it.stretch == call.stretch)
        sizes = [_size_of_output(it) for it in itertools.islice(earlier, MAX_CHAIN)]
        return any(size < FAINT * math.sqrt(_unit(input)) * other for other in sizes)

    def _through(
        self, before: Enclosure, call: PastCall, twin: Twin, shape: torch.Size, dtype: torch.dtype
    ) -> Enclosure | str | None:
        if twin.weight.dim() < 2 or enclosures.is_lower(dtype, before):
            return self._doubt(call, "input")
        return linear.output_through(before, twin, shape)

    def _doubt_of_factor(self, call: PastCall, role: Role) -> str | None:
        """Why an operand may have been computed on the way."""
        if role != "input":
            return self._doubt(call, role) if self._is_computed(call, role) else None
        twin = call.twin()
        if twin is not None and self._source(call, twin.input) is not None:
            return self._doubt(call, role)
        return self._doubt_of_input(call)

    def _doubt_of_input(self, call: PastCall) -> str | None:
        """Of an input that does not follow from an earlier call by a function that is followed."""
        if self._is_computed(call, "input"):
            return self._doubt(call, "input")
        earlier = self._may_follow_from(call)
        if earlier is None:
            return None
        return (
            f"{self._operand(call, 'input')} may have been computed from the output of `{self._name(earlier)}`, which "
            "each side may have rounded otherwise"
        )

    def _is_computed(self, call: PastCall, role: Role) -> bool:
        return role in call.computed or not self._is_named(call, role)

    def _is_named(self, call: PastCall, role: Role) -> bool:
        """Whether an operand is a leaf of autograd's, or has a name of the user's, and was not computed in the call."""
        original, record = call.original(role), self._recorder.call(call.id)
        operand = None if record is None else getattr(record.operands, role)
        if operand is None or (original is not None and original.is_leaf and original.requires_grad):
            return True
        return is_name_of_data(operand.name)

    def _source(self, call: PastCall, input: Tensor) -> tuple[PastCall, Activation | Reduction] | None:
        """The earlier call whose output the input follows from, and by what function."""
        original, is_named = call.original("input"), is_telling(input)
        for other in self._before(call):
            output = other.copies.get("output")
            if output is None or output.shape != input.shape:
                continue
            for step in steps_from(output, input):
                if is_named or leads_to(step, other, original):
                    return other, step
        return None

    def _may_follow_from(self, call: PastCall) -> PastCall | None:
        """The call whose output an input that autograd knows nothing of may be computed from.

        It may where nothing is followed (`no_grad`), and in one go where it was cut off (`detach`, NumPy).
        """
        before = list(self._before(call))
        known_since = max((at for at, it in enumerate(before) if _had_its_input(it, call)), default=-1)
        return next((other for other in before[known_since + 1 :] if self._may_lead_to(other, call)), None)

    def _may_lead_to(self, other: PastCall, call: PastCall) -> bool:
        of_other, of_call = self._recorder.call(other.id), self._recorder.call(call.id)
        if of_other is None or of_call is None or of_other.operands.output is None or of_call.operands.input is None:
            return False
        output, input = of_other.operands.output.shape, of_call.operands.input.shape
        is_same_layer = other.original("weight") is call.original("weight")
        if other.has_graph:
            return output == input and other.stretch == call.made_in and not is_same_layer
        is_at_hand = other.stretch == call.made_in or other.original("output") is not None
        return is_at_hand and (output == input or (output[:-1] == input[:-1] and not is_same_layer))

    def _before(self, call: PastCall) -> Iterator[PastCall]:
        """Newest first."""
        return itertools.islice((it for it in reversed(self._past) if it.id < call.id), MAX_CALLS)

    def _doubt(self, call: PastCall, role: Role) -> str:
        return f"{self._operand(call, role)} was computed itself, and each side may have rounded it otherwise"

    def _operand(self, call: PastCall, role: Role) -> str:
        record = self._recorder.call(call.id)
        operand = None if record is None else getattr(record.operands, role)
        of = f"the {role} of `{self._name(call)}`"
        return f"`{operand.name}`, {of}," if operand is not None and call.original(role) is not None else of

    def _name(self, call: PastCall) -> str:
        record = self._recorder.call(call.id)
        return call.text or ("a layer" if record is None else f"{record.name}(...)")


def is_telling(values: Tensor) -> bool:
    """Whether equal numbers elsewhere are hardly chance: several, and not one number over and over."""
    flat = values.detach().reshape(-1)
    return len(flat) > 1 and bool((flat != flat[0]).any())


def leads_to(step: Activation | Reduction, call: PastCall, tensor: Tensor | None) -> bool:
    """Whether the graph tells that `tensor` is what `step` made of the call's output."""
    node = None if tensor is None else tensor.grad_fn
    if tensor is None or node is None or not follows_from(tensor, call.original("weight")):
        return False
    if step.node is None:
        return _OF_A_LAYER.match(node.name()) is not None
    source = node.next_functions[0][0] if node.next_functions else None
    return node.name().startswith(step.node) and source is not None and _OF_A_LAYER.match(source.name()) is not None


def _may_use(result: Tensor, weight: Tensor, call: PastCall) -> bool:
    """Whether a weight, or a copy of it, is among the parameters that a result was computed from, if there are any."""
    used, known = leaves(result), call.operand("weight")
    if not used or not weight.requires_grad or any(leaf is weight for leaf in used):
        return True
    if known is None or follows_from(result, weight):
        return True
    turned = [leaf.detach().T for leaf in used if leaf.dim() == 2]
    return any(_is_copy(copy, known) for copy in [*(leaf.detach() for leaf in used), *turned])


def _is_copy(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.device == b.device and torch.equal(a.double(), b.double())


def is_faint(call: PastCall) -> bool:
    """Whether the gradients that reached a call may be little else than rounding, as far as is known.

    They may where they were computed on the way and are tiny beside the sizes that the output was summed of, for a mean
    over it: at the end of a training, say, where a loss subtracts what is nearly equal.
    """
    return not call.passes or any(not it.is_given and _is_tiny(it.grad_output, call.twin()) for it in call.passes)


def _had_its_input(earlier: PastCall, call: PastCall) -> bool:
    """Whether an earlier call had the same input, or one in a lower precision: then it was not computed after that.

    Equal numbers alone do not tell: a loop may compute them again.
    """
    input, other = call.original("input"), earlier.original("input")
    if input is not None and input is other:
        return True
    ours, theirs = call.copies.get("input"), earlier.copies.get("input")
    if ours is None or theirs is None or ours.shape != theirs.shape or ours.device != theirs.device:
        return False
    is_lower = ours.dtype != theirs.dtype and earlier.stretch == call.stretch
    return is_lower and torch.equal(ours.to(theirs.dtype), theirs)


def _size_of_output(call: PastCall) -> float:
    output = call.copies.get("output")
    return 0.0 if output is None or not output.numel() else float(output.double().abs().max())


def _unit(values: Tensor) -> float:
    return UNIT_ROUNDOFF.get(values.dtype, 0.0)


def _is_tiny(grad_output: Tensor, twin: Twin | None) -> bool:
    within = None if twin is None else linear.output(twin, grad_output.shape)
    if within is None or not grad_output.numel() or within.unit > UNIT_ROUNDOFF[torch.float32]:
        return True
    usual = float(within.scale.max()) / grad_output.numel()
    return float(grad_output.double().abs().max()) < FAINT * math.sqrt(within.unit) * usual


def _divided(within: Enclosure) -> Enclosure:
    """A mean over the outputs may be taken before the product or after it, which rounds once or twice more."""
    return replace(within, limit=within.limit + 4 * within.unit * within.scale)
