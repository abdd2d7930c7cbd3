"""Where a tensor comes from: the recorded call that it is the output of, or a gradient of, or follows from."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torchtwin.kernel.causes import hypotheses
from torchtwin.kernel.causes.hypotheses import Hypothesis, LinearNames, Parameters
from torchtwin.kernel.comparing import enclosures
from torchtwin.kernel.comparing.activations import Activation, Reduction, steps_from
from torchtwin.kernel.comparing.graph import leaves
from torchtwin.kernel.comparing.ground import MAX_CALLS, PARAMETERS, Grounds, is_faint, is_telling, leads_to
from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.passes import Passes
from torchtwin.kernel.past import MAX_COPIED, Pass, Past, PastCall, Role
from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.enclosure import Enclosure, total
from torchtwin.kernel.proof.product import Product
from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.twin import Twin
from torchtwin.kernel.words import is_code
from torchtwin.protocol import Call

_PLACEHOLDER = re.compile(r"(?<![\w.])(?:input|weight|bias)_*(?![\w(])")
_WRITE = re.compile(r"^Write `(.*)`\.$")

MAX_MULTIPLY_ADDS = 10**9
"""Of a product that is computed in full for a question, in about half a second."""

Pick = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Large:
    """A product of more than `MAX_MULTIPLY_ADDS`."""

    product: Product
    shape: torch.Size
    """Of the output."""
    of_rows: Callable[[Tensor], Origin]
    """The same for some of the rows, given by their index, of shape (k, N)."""


@dataclass(frozen=True)
class Origin:
    """What a tensor was found to be."""

    call: PastCall
    record: Call
    of: Role
    """The output, or the operand whose gradient is meant."""
    name: str
    """In the user's words: `fc(x)`, `fc.weight.grad`."""
    pick: Pick
    """The tensor's elements among those of the output or gradient, in the tensor's shape."""
    within: Callable[[torch.dtype], Enclosure | None]
    """Where honest results of that dtype lie, given the operands that the call had; in the shape before `pick`."""
    ground: Callable[[Tensor, torch.dtype], Enclosure | str | None]
    """Where another result of that dtype lies that is to be the same, given what it was computed from; or the reason
    why that is not known. Null where rounding has no finite bound."""
    is_faint: Callable[[], bool]
    """Whether a gradient may be little else than rounding."""
    hypotheses: Callable[[], Iterator[Hypothesis]]
    """What else may have been computed; in the shape before `pick`."""
    is_held: bool = True
    """Whether copies of the operands are held; if not, they may have been changed where no version counts it."""
    sums: tuple[tuple[int, str], ...] = ()
    """What a gradient may be a sum or a mean over, each with its name."""
    large: Large | None = None
    """Of an output that takes long to compute anew."""
    is_in_order: bool = False
    """Whether the tensor has all elements of an output, in the same order."""


class Tracer:
    """Traces tensors to what is remembered of recorded calls."""

    def __init__(self, recorder: Recorder, past: Past, passes: Passes) -> None:
        self._recorder = recorder
        self._past = past
        self._passes = passes
        self._grounds = Grounds(recorder, past)
        self._gradients: list[tuple[Tensor, Tensor, str]] = []
        """Gradients that `torch.autograd.grad` gave, each after its tensor and before its name."""

    def with_gradient_of(self, leaf: Tensor, gradient: Tensor, name: str) -> Tracer:
        """One that knows as well what `torch.autograd.grad` gave for a tensor in the last backward."""
        tracer = Tracer(self._recorder, self._past, self._passes)
        tracer._gradients = [*self._gradients, (leaf, gradient, name)]
        return tracer

    def is_data(self, tensor: Tensor) -> None:
        """That a tensor depends on nothing that is computed from now on, as a gradient of our own drawing."""
        self._past.is_data(tensor)

    def origins(self, tensor: Tensor) -> Iterator[Origin]:
        """What `tensor` is, the surest first; nothing where it is no plain tensor of torch's."""
        if not has_storage(tensor):
            return
        yield from self._as_outputs(tensor)
        calls = list(self._newest())
        for call in calls:
            yield from self._as_gradient(call, tensor)
        for leaf, gradient, name in self._gradients:
            if gradient is tensor:
                yield from (replace(origin, name=name) for origin in self._as_given_gradient(calls, leaf))
        for call in calls:
            yield from self._as_result(call, tensor)

    def given_gradient(self, tensor: Tensor) -> Iterator[PastCall]:
        """The calls that an operand of has `tensor` for its `.grad`, also where the operands are not known any more."""
        for call in reversed(self._past):
            operands = (call.original(role) for role in ("weight", "bias", "input"))
            leaves = (it for it in operands if it is not None and (it.is_leaf or it.retains_grad))
            if any(leaf.grad is tensor for leaf in leaves):
                yield call

    def is_derived(self, tensor: Tensor) -> bool:
        """Whether autograd knows that a tensor was computed from the parameters of a recorded call."""
        used = {id(leaf) for leaf in leaves(tensor)}
        return any(id(call.original(role)) in used for call in self._newest() for role in PARAMETERS)

    def is_own(self, tensor: Tensor) -> bool:
        """Whether torch itself gave it: the output of a recorded call, a view of one, or the `.grad` of an operand."""
        if not has_storage(tensor):
            return False
        return any(next(found, None) is not None for found in (self._as_outputs(tensor), self.given_gradient(tensor)))

    def other_operands(self, tensor: Tensor, origin: Origin) -> str | None:
        """That a tensor is the output of a call with operands of its own, if it is."""
        if origin.of != "output" or not has_storage(tensor):
            return None
        theirs = next(self._as_outputs(tensor), None)
        if theirs is None or _have_same_operands(theirs.call, origin.call):
            return None
        return f"`{theirs.name}` is a call with operands of its own"

    def call_of(self, tensor: Tensor) -> PastCall | None:
        """The call that gave a tensor, or that whose output it is a view of; also where its operands are gone."""
        if not has_storage(tensor):
            return None
        for call in self._newest():
            held = call.originals.get("output")
            output = None if held is None else held.as_it_was()
            if output is not None and has_storage(output) and _view(output, tensor) is not None:
                return call
        return None

    def record(self, call: PastCall) -> Call | None:
        return self._recorder.call(call.id)

    def of_call(self, call: PastCall, of: Role) -> Origin | None:
        """The output of a call, or its share of a gradient in the last backward."""
        record = self._recorder.call(call.id)
        if record is None:
            return None
        if of == "output":
            return self._output(call, record, lambda t: t)
        return self._gradient(call, record, of, [(call, 1)]) if call.passes else None

    def _newest(self) -> Iterator[PastCall]:
        return itertools.islice(reversed(self._past), MAX_CALLS)

    def _as_outputs(self, tensor: Tensor) -> Iterator[Origin]:
        return (origin for call in self._newest() for origin in self._as_output(call, tensor))

    def _as_output(self, call: PastCall, tensor: Tensor) -> Iterator[Origin]:
        held, record = call.originals.get("output"), self._recorder.call(call.id)
        output = None if held is None else held.as_it_was()
        if output is None or record is None or not has_storage(output):
            return
        if (pick := _view(output, tensor)) is not None and (origin := self._output(call, record, pick)):
            is_in_order = tensor.numel() == output.numel() and tensor.is_contiguous()
            yield replace(origin, is_in_order=is_in_order)

    def _as_gradient(self, call: PastCall, tensor: Tensor) -> Iterator[Origin]:
        record = self._recorder.call(call.id)
        for role in ("weight", "bias", "input"):
            operand = call.original(role)
            if record is None or operand is None or not (operand.is_leaf or operand.retains_grad):
                continue
            if operand.grad is tensor and call.passes:
                parts = self._contributions(operand) or ([(call, 1)] if role == "input" else [])
                if parts and (origin := self._gradient(call, record, role, parts)):
                    yield origin

    def _as_given_gradient(self, calls: list[PastCall], leaf: Tensor) -> Iterator[Origin]:
        """The shares of the calls that used the tensor and that one backward reached, the newest first."""
        roles: tuple[Role, ...] = ("weight", "bias", "input")
        for role in roles:
            used = [call for call in calls if call.original(role) is leaf and call.passes]
            for number in sorted({call.passes[-1].backward for call in used}, reverse=True):
                parts = [(call, 1) for call in used if call.passes[-1].backward == number]
                record = self._recorder.call(parts[0][0].id)
                if record is not None and (origin := self._gradient(parts[0][0], record, role, parts)):
                    yield origin

    def _contributions(self, parameter: Tensor) -> list[tuple[PastCall, int]]:
        """The calls whose shares `.grad` holds, each with how often; none where that is not known."""
        calls = self._passes.contributions(parameter)
        found = [(self._past.get(id), calls.count(id)) for id in dict.fromkeys(calls)]
        known = [(call, n) for call, n in found if call is not None and len(call.passes) >= n]
        return known if len(known) == len(found) else []

    def _as_result(self, call: PastCall, tensor: Tensor) -> Iterator[Origin]:
        """What an activation or a sum gives of the output."""
        output, record = call.copies.get("output"), self._recorder.call(call.id)
        if output is None or record is None or not tensor.numel():
            return
        for step in steps_from(output, tensor.detach()):
            if not is_telling(tensor) and not leads_to(step, call, tensor):
                continue
            if (origin := self._output(call, record, lambda t: t)) is not None:
                yield _after(origin, step)

    def _output(self, call: PastCall, record: Call, pick: Pick) -> Origin | None:
        twin, output = call.twin(), record.operands.output
        if twin is None or output is None:
            return None
        shape = torch.Size(output.shape)
        names = _names(record)
        whole = Origin(
            call=call,
            record=record,
            of="output",
            name=call.text or f"{record.name}(...)",
            pick=pick,
            within=lambda dtype: enclosures.of_output(dtype, twin, shape),
            ground=lambda result, dtype: self._grounds.of_output(call, result, dtype),
            is_faint=lambda: self._grounds.is_faint_input(call),
            is_held=all(role in call.copies for role in call.originals if role != "output"),
            hypotheses=lambda: hypotheses.of_output(
                twin, shape, names, self._other_parameters(call), call.original("input")
            ),
        )
        work = shape.numel() * twin.weight.shape[-1]
        return whole if work <= MAX_MULTIPLY_ADDS else replace(whole, large=self._large(whole, twin, shape))

    def _large(self, whole: Origin, twin: Twin, shape: torch.Size) -> Large:
        product = linear.product_of(twin, shape)
        bias = None if product.bias is None else product.bias.broadcast_to(len(product.left), len(product.right))

        def of_rows(rows: Tensor) -> Origin:
            part = Twin(product.left[rows], product.right, None if bias is None else bias[rows])
            its_shape = torch.Size((len(rows), shape[-1]))
            names, others = _names(whole.record), self._other_parameters(whole.call)

            def ground(result: Tensor, dtype: torch.dtype) -> Enclosure | str | None:
                doubt = self._grounds.doubt_of_output(whole.call, result)
                return doubt or enclosures.of_output(dtype, part, its_shape)

            return replace(
                whole,
                pick=lambda t: t,
                within=lambda dtype: enclosures.of_output(dtype, part, its_shape),
                ground=ground,
                hypotheses=lambda: hypotheses.of_output(part, its_shape, names, others),
            )

        return Large(product, shape, of_rows)

    def _gradient(
        self, call: PastCall, record: Call, role: Role, parts: Sequence[tuple[PastCall, int]]
    ) -> Origin | None:
        passes = [(past, past.twin(), it) for past, n in parts for it in past.passes[-n:]]
        known = [(past, twin, it) for past, twin, it in passes if twin is not None]
        if len(known) < len(passes):
            return None

        def within(dtype: torch.dtype) -> Enclosure | None:
            found = [enclosures.of_gradient(dtype, role, twin, it.grad_output) for _, twin, it in known]
            each = [it for it in found if it is not None]
            return total(each) if len(each) == len(found) else None

        _, twin, first = known[0]
        return Origin(
            call=call,
            record=record,
            of=role,
            name=getattr(record.gradient_names, role) or "its gradient",
            pick=lambda t: t,
            within=within,
            ground=lambda _, dtype: self._grounds.of_gradient(role, known, dtype),
            is_faint=lambda: any(
                is_faint(past) or (role == "weight" and self._grounds.is_faint_input(past)) for past, _ in parts
            ),
            hypotheses=lambda: _of_gradient(role, known, within(twin.weight.dtype), record),
            sums=(
                (twin.input.shape[:-1].numel(), "the batch"),
                (first.grad_output.numel(), "all elements of the output"),
            ),
        )

    def _other_parameters(self, call: PastCall) -> list[Parameters]:
        """Other values that the same weight and bias have now, and had in other calls, newest first."""
        weight, bias, used = call.original("weight"), call.original("bias"), call.operand("weight")
        if weight is None or used is None or not _is_alike(weight, used) or weight.numel() > MAX_COPIED:
            return []
        found = [Parameters(weight.detach(), _of_shape(bias, call.operand("bias")), is_later=True)]
        for other in self._newest():
            copy = other.copies.get("weight")
            if copy is not None and other.original("weight") is weight and _is_alike(copy, used):
                of_bias = _of_shape(other.copies.get("bias"), call.operand("bias"))
                found.append(Parameters(copy, of_bias, is_later=other.id > call.id))
        known = [used]
        kept = []
        for one in found:
            if not any(one.weight is it or torch.equal(one.weight, it) for it in known):
                known.append(one.weight)
                kept.append(one)
        return kept


def _have_same_operands(a: PastCall, b: PastCall) -> bool:
    roles: tuple[Role, ...] = ("input", "weight", "bias")
    return all(_is_same(a.operand(role), b.operand(role)) for role in roles)


def _is_same(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b or (a is not None and b is not None and _is_alike(a, b) and torch.equal(a, b))


def _of_gradient(
    role: Role, shares: list[tuple[PastCall, Twin, Pass]], within: Enclosure | None, record: Call
) -> Iterator[Hypothesis]:
    name = getattr(record.gradient_names, role)
    each = [enclosures.of_gradient(twin.weight.dtype, role, twin, it.grad_output) for _, twin, it in shares]
    parts = [(it.backward, part) for (_, _, it), part in zip(shares, each, strict=True) if part is not None]
    passes = [total([part for number, part in parts if number == one]) for one in dict.fromkeys(n for n, _ in parts)]
    if len(passes) > 1:
        yield from hypotheses.of_fewer_passes(passes, name)
    elif len(parts) > 1:
        words = [f"`{call.text}`" if call.text else f"call {call.id}" for call, _, _ in shares]
        yield from hypotheses.of_fewer_calls([part for _, part in parts], words)
    if within is not None:
        names = _names(record)
        weight = None if names.weight in names.nameless else names.weight
        of_each = [(twin, it.grad_output) for _, twin, it in shares]
        yield from hypotheses.of_gradient(role, of_each[0][0], within, of_each, weight)


def _of_shape(bias: Tensor | None, used: Tensor | None) -> Tensor | None:
    """A bias of another time, where it can stand for the one that was used; else the one that was."""
    return bias.detach() if bias is not None and used is not None and _is_alike(bias, used) else used


def _is_alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device


def _names(record: Call) -> LinearNames:
    of = record.operands
    x, w, b = (it.name if it is not None else role for it, role in ((of.input, "x"), (of.weight, "w"), (of.bias, "b")))
    return LinearNames(x, w, b, record.expression, _nameless(record))


def _nameless(record: Call) -> frozenset[str]:
    """`input`, `weight` and `bias` where they stand in the expression, and no gradient goes by that name."""
    named = (record.gradient_names.input, record.gradient_names.weight, record.gradient_names.bias)
    return frozenset(word for word in _PLACEHOLDER.findall(record.expression) if f"{word}.grad" not in named)


def _after(origin: Origin, step: Activation | Reduction) -> Origin:
    def within(dtype: torch.dtype) -> Enclosure | None:
        inner = origin.within(dtype)
        return None if inner is None else step.of(inner)

    def ground(result: Tensor, dtype: torch.dtype) -> Enclosure | str | None:
        inner = origin.ground(result, dtype)
        return inner if isinstance(inner, str | None) else step.of(inner)

    def guesses() -> Iterator[Hypothesis]:
        for guess in origin.hypotheses():
            words = step.name.format(guess.what.strip("`"))
            advice = _WRITE.sub(lambda found: f"Write `{step.name.format(found[1])}`.", guess.advice)
            what = f"`{words}`" if is_code(guess.what) else guess.what
            yield replace(guess, within=step.of(guess.within), what=what, advice=advice)

    return replace(origin, name=step.name.format(origin.name), within=within, ground=ground, hypotheses=guesses)


def _view(output: Tensor, tensor: Tensor) -> Pick | None:
    """How `tensor` takes its elements from `output`, whose memory it shares; null where it does not."""
    if tensor is output:
        return lambda t: t
    same = tensor.dtype == output.dtype and tensor.device == output.device
    if not same or not tensor.numel() or not output.is_contiguous():
        return None
    if tensor.untyped_storage().data_ptr() != output.untyped_storage().data_ptr():
        return None
    start = tensor.storage_offset() - output.storage_offset()
    last = start + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    if start < 0 or last >= output.numel():
        return None
    shape, strides = tensor.shape, tensor.stride()
    return lambda t: t.contiguous().reshape(-1).as_strided(shape, strides, start)
