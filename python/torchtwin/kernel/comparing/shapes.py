"""The verdict on two results of different shapes: what they would broadcast to, and what makes them one shape."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torchtwin.kernel.causes.changes import in_order
from torchtwin.kernel.comparing.sides import Side
from torchtwin.kernel.words import AS_IT_IS, is_code, written
from torchtwin.protocol import Diagnosis, Verdict

Compare = Callable[[Side, Side], Verdict]
MAX_DIMS = 5
"""That are put into every order."""


@dataclass(frozen=True)
class _Pair:
    """Two sides, of which one is to be written otherwise."""

    actual: Side
    expected: Side
    compare: Compare
    is_second: bool
    """Whether the second one is to be written otherwise."""

    @property
    def changing(self) -> Side:
        return self.expected if self.is_second else self.actual

    @property
    def target(self) -> torch.Size:
        """The shape that it ought to have."""
        return (self.actual if self.is_second else self.expected).value.shape

    def written(self, method: str) -> str:
        """In a sentence: its words with the method."""
        return self.changing.on(method)

    def with_(self, method: str, value: Tensor) -> Verdict:
        """The verdict where it has another value, that of the method. It is not traced by itself then."""
        of = self.changing
        code = written(of.words, of.as_tensor, method) if is_code(of.name) else None
        words, as_tensor = (of.words, of.as_tensor) if code is None else (code, AS_IT_IS)
        changed = replace(of, words=words, value=value, original=value, as_tensor=as_tensor)
        return self.compare(self.actual, changed) if self.is_second else self.compare(changed, self.expected)


def other_shapes(
    a: Side, b: Side, compare: Compare, is_recorded: Callable[[Side], bool] = lambda side: False
) -> Verdict:
    """Always `different`. Where another shape of one side makes them agree, that is the advice.

    The side to be written otherwise is the first, but for a recorded call's result beside one that is none.
    """
    shape_a, shape_b = tuple(a.value.shape), tuple(b.value.shape)
    met = f"{_text(shape_a)} met {_text(shape_b)}"
    meeting = _meeting(shape_a, shape_b)
    pair = _Pair(a, b, compare, is_second=is_recorded(a) and not is_recorded(b))
    diagnosis = _reordered(pair) or _reshaped(pair) or _reduced(pair)
    advice = diagnosis or f"{a.name} has {a.value.numel():,} elements, {b.name} {b.value.numel():,}."
    return Verdict(
        kind="different",
        message=f"another shape: {a.name} is {_text(shape_a)}, {b.name} {_text(shape_b)}",
        elements=a.value.numel(),
        coverage="all",
        diagnosis=Diagnosis("shape", f"{met}: {meeting}. {advice}"),
    )


def _meeting(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    try:
        both = tuple(torch.broadcast_shapes(a, b))  # type: ignore[no-untyped-call]
    except RuntimeError:
        return "the two don't broadcast"
    if both in (a, b):
        return f"`==` and `-` broadcast the smaller to {_text(both)}"
    return f"`==` and `-` broadcast both to {_text(both)}, every element against every other"


def _reordered(pair: _Pair) -> str | None:
    """With the dimensions in another order, where that is more than another shape of the same order of elements."""
    found = None
    for dims in _orders(pair.changing.value.shape, pair.target):
        method = in_order(dims)
        verdict = pair.with_(method, pair.changing.value.permute(dims))
        if _agree(verdict):
            how = "Transposed" if len(dims) == 2 else "With the dimensions in another order"
            return f"{how} they agree: write {pair.written(method)}."
        cause = verdict.diagnosis
        if found is None and cause is not None and cause.code not in ("partial", "unexplained"):
            found = cause.message
    return found


def _orders(shape: torch.Size, target: torch.Size) -> Iterator[list[int]]:
    """Those that lead from one shape to the other, swaps of two dimensions first."""
    n = len(shape)
    if not 2 <= n <= MAX_DIMS or n != len(target) or sorted(shape) != sorted(target):
        return
    longer = [d for d in range(n) if shape[d] != 1]
    orders = [list(dims) for dims in itertools.permutations(range(n)) if [shape[d] for d in dims] == list(target)]
    # Dimensions of one element are no order: to move them is to reshape.
    telling = (dims for dims in orders if [d for d in dims if d in longer] != longer)
    yield from sorted(telling, key=lambda dims: sum(at != d for at, d in enumerate(dims)))


def _reshaped(pair: _Pair) -> str | None:
    value, shape = pair.changing.value, pair.target
    if value.numel() != shape.numel():
        return None
    method = f".reshape({', '.join(map(str, shape))})" if len(shape) else ".reshape(())"
    verdict = pair.with_(method, value.reshape(shape))
    if _agree(verdict):
        return f"As for the values, they are {verdict.message}. Write {pair.written(method)}."
    return f"Of one shape, as {pair.written(method)}, they are {verdict.message}."


def _reduced(pair: _Pair) -> str | None:
    """The larger one summed, or averaged, over its first dimensions."""
    larger = replace(pair, is_second=pair.expected.value.numel() > pair.actual.value.numel())
    value, target = larger.changing.value, list(larger.target)
    if not value.numel() or not (value.is_floating_point() or value.is_complex()):
        return None
    for count in range(1, value.dim() + 1):
        dims, rest = list(range(count)), list(value.shape[count:])
        keeps = target == [1] * count + rest
        if not keeps and target != rest:
            continue
        for name, of in (("sum", torch.sum), ("mean", torch.mean)):
            method = f".{name}({_dims(dims, value.dim())}{', keepdim=True' * keeps})".replace("(, ", "(")
            if _agree(larger.with_(method, of(value, dims, keepdim=keeps))):
                done = "Summed" if name == "sum" else "Averaged"
                over = (
                    "all of it"
                    if not rest
                    else "its first dimension"
                    if count == 1
                    else f"its first {count} dimensions"
                )
                return f"{done} over {over}, {larger.changing.name} agrees: write {larger.written(method)}."
    return None


def _dims(dims: list[int], of: int) -> str:
    """As arguments: nothing for all of them."""
    if len(dims) == of:
        return ""
    return "0" if dims == [0] else f"({', '.join(map(str, dims))})"


def _agree(verdict: Verdict) -> bool:
    return verdict.kind in ("identical", "rounding")


def _text(shape: tuple[int, ...]) -> str:
    """As Python writes it: `(4,)`."""
    return str(shape)
