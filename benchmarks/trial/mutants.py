"""Results that are wrong in a known way, by at least four times the bound."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from benchmarks.trial import draws, honest
from benchmarks.trial.draws import Layer
from torch import Tensor
from torch.nn import functional

EFFECT = 4.0
"""Times the bound that the mutation must reach somewhere."""
MAX_DRAWS = 60


@dataclass(frozen=True)
class Mutant:
    """A layer's result, and a wrong one beside it."""

    group: str
    what: str
    actual: Tensor
    expected: Tensor
    causes: frozenset[str]
    """The codes that a right diagnosis names."""
    operands: object
    """Kept alive, as a notebook's variables are."""


@dataclass(frozen=True)
class _Subject:
    """A right result, before it is spoiled."""

    made: Layer
    right: Tensor
    """By the formula, in the dtype of the layer."""
    exact: Tensor
    bound: Tensor
    actual: Tensor
    largest: float
    """Of the sums of sizes, |x| |w|^T."""
    operands: object


Spoil = Callable[[random.Random, _Subject], Tensor | None]


def _scaled(draw: random.Random, subject: _Subject) -> Tensor | None:
    count = subject.right.numel()
    factors = [2.0, 3.0, 0.5, 1 / 3, float(count), 1 / count, 1024.0]
    factor = draw.choice([*factors, 0.37] if count >= 8 else factors)
    return None if factor == 1 else subject.right * factor


def _negated(draw: random.Random, subject: _Subject) -> Tensor:
    return -subject.right


def _permuted(draw: random.Random, subject: _Subject) -> Tensor | None:
    right = subject.right
    dims = [d for d in range(right.dim()) if right.shape[d] > 1]
    if not dims:
        return None
    dim = draw.choice(dims)
    n = right.shape[dim]
    way = draw.choice(["flip", "roll", "any", "reshape"])
    if way == "flip":
        return right.flip(dim)
    if way == "roll":
        return right.roll(draw.randrange(1, n), dim)
    if way == "any":
        order = list(range(n))
        draw.shuffle(order)
        return right.index_select(dim, torch.tensor(order))
    return right.transpose(-1, -2).reshape(right.shape) if right.dim() > 1 else None


def _wrong_size(draw: random.Random, subject: _Subject) -> float:
    """Enough to be far outside, whatever the values."""
    size = float(subject.bound.max()) * draw.uniform(8, 1000) + float(subject.exact.abs().median())
    return size * draw.choice([-1, 1])


def _single(draw: random.Random, subject: _Subject) -> Tensor | None:
    if subject.right.numel() < 2:
        return None
    spoiled = subject.right.clone(memory_format=torch.contiguous_format)
    spoiled.view(-1)[draw.randrange(spoiled.numel())] += _wrong_size(draw, subject)
    return spoiled


def _partial(draw: random.Random, subject: _Subject) -> Tensor | None:
    dims = [d for d in range(subject.right.dim()) if subject.right.shape[d] > 3]
    if not dims or subject.right.dim() < 2:
        return None
    dim = draw.choice(dims)
    n = subject.right.shape[dim]
    places = draw.sample(range(n), draw.randint(1, max(n // 4, 1)))
    spoiled = subject.right.clone(memory_format=torch.contiguous_format)
    chosen = spoiled.index_select(dim, torch.tensor(places))
    noise = torch.randn(chosen.shape, generator=torch.Generator().manual_seed(draw.getrandbits(40)))
    size = _wrong_size(draw, subject)
    spoiled.index_copy_(
        dim, torch.tensor(places), (chosen.double() + size * (1 + noise.double().abs())).to(spoiled.dtype)
    )
    return spoiled


def _nonfinite(draw: random.Random, subject: _Subject) -> Tensor:
    spoiled = subject.right.clone(memory_format=torch.contiguous_format)
    spoiled.view(-1)[draw.randrange(spoiled.numel())] = draw.choice([math.nan, math.inf, -math.inf])
    return spoiled


def _unexplained(draw: random.Random, subject: _Subject) -> Tensor | None:
    if subject.right.numel() < 8:
        return None
    noise = torch.randn(subject.right.shape, generator=torch.Generator().manual_seed(draw.getrandbits(40)))
    size = float(subject.exact.abs().max()) + 32 * float(subject.bound.max())
    return (noise.double() * size).to(subject.right.dtype)


def _shape(draw: random.Random, subject: _Subject) -> Tensor | None:
    right = subject.right
    ways = [right[None], right[..., None]]
    if right.dim() == 2 and right.shape[0] != right.shape[1]:
        ways.append(right.T)
    if right.dim() > 1:
        ways.append(right.reshape(-1))
    return draw.choice(ways)


ANYWHERE: dict[str, Spoil] = {
    "scaled": _scaled,
    "negated": _negated,
    "permuted": _permuted,
    "partial": _partial,
    "single": _single,
    "nonfinite": _nonfinite,
    "unexplained": _unexplained,
    "shape": _shape,
}
_CAUSE = {"single": "partial"}


def _formula(causes: frozenset[str], made: Layer) -> Tensor:
    """The layer with these causes planted in the formula."""
    x, w, b = made.used()
    product = x @ (w if "missing_transpose" in causes else w.T)
    if "missing_bias" in causes or b is None:
        return product
    return product + b + b if "bias_twice" in causes else product + b


FORMULAS = {
    "missing_transpose": frozenset({"missing_transpose"}),
    "missing_bias": frozenset({"missing_bias"}),
    "bias_twice": frozenset({"bias_twice"}),
    "transpose and bias": frozenset({"missing_transpose", "missing_bias"}),
    "transpose, bias twice": frozenset({"missing_transpose", "bias_twice"}),
}
PLANTED = (*ANYWHERE, *FORMULAS, "stale_operand", "lower_precision")
IN_GRADIENTS = (*ANYWHERE, "missing_transpose")


def mutants(seed: int, count: int) -> Iterator[Mutant]:
    """Each cause in outputs, and where it makes sense in gradients, in turn."""
    kinds = [*((cause, False) for cause in PLANTED), *((cause, True) for cause in IN_GRADIENTS)]
    for number in range(count):
        cause, in_gradient = kinds[number % len(kinds)]
        draw = random.Random(f"mutant {seed} {number}")
        found = next((it for _ in range(MAX_DRAWS) if (it := _drawn(draw, cause, in_gradient)) is not None), None)
        if found is not None:
            yield found


def _drawn(draw: random.Random, cause: str, in_gradient: bool) -> Mutant | None:
    square = "transpose" in cause
    biased = True if "bias" in cause else None
    kind = draw.choice(list(draws.DTYPES)) if in_gradient or cause == "stale_operand" else None
    if cause == "lower_precision":
        kind = draw.choice(["float64", "float32"])
    made = draws.layer(draw, square=square, biased=biased, kind=kind)
    if made.values == "subnormal" or (cause == "lower_precision" and made.values == "tiny"):
        return None  # all is rounding there; and the lower precision has no such numbers
    if cause == "stale_operand" and made.w.numel() > 2**16:
        return None  # of which no copy is kept
    subject = _gradient(draw, made, weight=square) if in_gradient else None
    if cause == "stale_operand":
        subject, spoiled = _stale(draw, made)
    elif subject is None:
        subject, spoiled = _output(made), None
    else:
        spoiled = None
    if cause in ANYWHERE:
        spoiled = ANYWHERE[cause](draw, subject)
    elif cause in FORMULAS:
        spoiled = subject.right.T.contiguous() if in_gradient else _formula(FORMULAS[cause], made)
    elif cause == "lower_precision":
        spoiled = _lower(draw, made)
    causes = FORMULAS.get(cause, frozenset({_CAUSE.get(cause, cause)}))
    if spoiled is None or not _matters(cause, subject, spoiled):
        return None
    if (
        not in_gradient
        and cause != "shape"
        and any(
            not _is_apart(_formula(other, made).reshape(spoiled.shape), subject, spoiled)
            for other in _other_formulas(made, causes)
        )
    ):
        return None  # another formula gives the same, as where the bias is all that counts
    where = "gradient" if in_gradient else "output"
    return Mutant(
        cause, f"{cause} in {where}, {made.kind}, {made.values}", subject.actual, spoiled, causes, subject.operands
    )


def _is_ambiguous(made: Layer, causes: frozenset[str], subject: _Subject, spoiled: Tensor) -> bool:
    """Whether another wrong formula gives the same, as where the bias is all that counts."""
    others = (_formula(other, made).reshape(spoiled.shape) for other in _other_formulas(made, causes))
    return any(not _is_apart(other, subject, spoiled) for other in others)


def _other_formulas(made: Layer, causes: frozenset[str]) -> Iterator[frozenset[str]]:
    for formula in FORMULAS.values():
        square = made.w.shape[0] == made.w.shape[1]
        has_operands = square if "missing_transpose" in formula else True
        has_operands = has_operands and (made.b is not None or formula == FORMULAS["missing_transpose"])
        if has_operands and formula != causes:
            yield formula


def _matters(cause: str, subject: _Subject, spoiled: Tensor) -> bool:
    """Whether the effect reaches four times the bound, of a result that is finite itself."""
    if not bool(subject.exact.isfinite().all()) or not bool(subject.right.isfinite().all()):
        return False
    if cause == "shape":
        return True
    if cause == "nonfinite":
        return subject.largest < torch.finfo(subject.right.dtype).max / 2  # else an honest overflow
    return bool(spoiled.isfinite().all()) and _is_apart(subject.exact, subject, spoiled)


def _is_apart(right: Tensor, subject: _Subject, spoiled: Tensor) -> bool:
    return bool(((spoiled.double() - right.double()).abs() >= EFFECT * subject.bound).any())


def _output(made: Layer) -> _Subject:
    x, w, b = made.used()
    exact = x.double() @ w.double().T + (0.0 if b is None else b.double())
    actual = honest.call(made)
    right = honest.WAYS["x @ w.T + b"](x, w, b).reshape(actual.shape)
    return _Subject(
        made,
        right,
        exact.reshape(actual.shape),
        made.bound(),
        actual,
        float((x.double().abs() @ w.double().abs().T).max()),
        made,
    )


def _gradient(draw: random.Random, made: Layer, weight: bool) -> _Subject | None:
    """`.grad` of one operand after the layer's backward."""
    leaves, g = honest.leaves(made), draws.gradient(made, draw.getrandbits(40))
    functional.linear(*leaves).backward(g)
    of = 1 if weight else draw.choice([at for at, leaf in enumerate(leaves) if leaf is not None])
    x = leaves[0].detach().reshape(-1, leaves[0].shape[-1])
    w, rows = leaves[1].detach(), g.reshape(-1, leaves[1].shape[0])
    left, right = {0: (rows, w.T), 1: (rows.T, x.T), 2: (rows.T, torch.ones(1, len(rows), dtype=x.dtype))}[of]
    leaf = leaves[of]
    assert leaf is not None
    assert leaf.grad is not None
    shape = leaf.shape
    exact = (left.double() @ right.double().T).reshape(shape)
    bound = draws.bound(left.double().abs(), right.double().abs(), None, made.dtype).reshape(shape)
    largest = float((left.double().abs() @ right.double().abs().T).max())
    return _Subject(made, leaf.grad.detach().clone(), exact, bound, leaf.grad, largest, leaves)


def _stale(draw: random.Random, made: Layer) -> tuple[_Subject, Tensor]:
    """The formula with the weight as it was before an in-place update."""
    w = made.w.detach().clone().requires_grad_()
    layer = Layer(made.kind, made.values, made.x, w, made.b)
    honest.call(layer)
    old = _output(layer).right
    with torch.no_grad():
        w.mul_(draw.choice([0.5, 1.5])).add_(_tensor_like(draw, w))
    return _output(layer), old


def _tensor_like(draw: random.Random, w: Tensor) -> Tensor:
    noise = torch.randn(w.shape, generator=torch.Generator().manual_seed(draw.getrandbits(40)))
    return (noise.double() * float(w.detach().double().abs().mean())).to(w.dtype)


def _lower(draw: random.Random, made: Layer) -> Tensor:
    """Computed in a lower precision, in whole or in its factors alone."""
    x, w, b = made.used()
    low = draw.choice([torch.bfloat16, torch.float16])
    if draw.random() < 0.5:
        return honest.WAYS["x @ w.T + b"](x.to(low).to(x.dtype), w.to(low).to(w.dtype), b)
    return honest.WAYS["x @ w.T + b"](x.to(low), w.to(low), None if b is None else b.to(low)).to(x.dtype)
