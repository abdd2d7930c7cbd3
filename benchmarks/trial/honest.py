"""Pairs that are the same function of the same operands, each side written in an honest way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from benchmarks.trial import draws
from benchmarks.trial.draws import Layer
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Pair:
    """A layer's result and another."""

    group: str
    """In the table."""
    what: str
    """To find it again."""
    actual: Tensor
    expected: object
    operands: object
    """Kept alive, as a notebook's variables are."""


def _rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


def _added(product: Tensor, b: Tensor | None) -> Tensor:
    return product if b is None else product + b


def _matmul(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return _added(x @ w.T, b)


def _addmm(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    rows = _rows(x)
    bias = torch.zeros(len(w), dtype=x.dtype) if b is None else b
    return torch.addmm(bias, rows, w.T).reshape(*x.shape[:-1], len(w))


def _einsum(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return _added(torch.einsum("...k,nk->...n", x, w), b)


def _bmm(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    rows = _rows(x)
    product = torch.bmm(rows[:, None], w.T.expand(len(rows), *w.T.shape))
    return _added(product.reshape(*x.shape[:-1], len(w)), b)


def _loop(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return _added(torch.stack([row @ w.T for row in _rows(x)]).reshape(*x.shape[:-1], len(w)), b)


def _chunks(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    parts = [part @ w.T for part in _rows(x).chunk(3)]
    return _added(torch.cat(parts).reshape(*x.shape[:-1], len(w)), b)


def _slice(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    rows = _rows(x)
    larger = torch.cat([rows, rows, rows])
    return _added((larger @ w.T)[len(rows) : 2 * len(rows)].reshape(*x.shape[:-1], len(w)), b)


def _columns(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return _added(torch.stack([(x * row).sum(-1) for row in w], dim=-1), b)


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "x @ w.T + b": _matmul,
    "addmm": _addmm,
    "einsum": _einsum,
    "bmm": _bmm,
    "loop over rows": _loop,
    "chunks": _chunks,
    "slice of a larger batch": _slice,
    "sum of products": _columns,
}


def outputs(seed: int, count: int) -> Iterator[Pair]:
    """Outputs of layers against the same in another way."""
    for number in range(count):
        draw = random.Random(f"honest {seed} {number}")
        made = draws.layer(draw)
        way = draw.choice([*WAYS, "numpy"] if made.kind in ("float64", "float32") else list(WAYS))
        if way == "sum of products" and made.dtype in (torch.bfloat16, torch.float16):
            way = "x @ w.T + b"  # there the products themselves are rounded: another arithmetic than a matmul's
        yield Pair(made.kind, f"output {seed} {number}: {way}, {made.values}", call(made), _written(made, way), made)


def call(made: Layer) -> Tensor:
    """The layer itself."""
    if made.kind == "autocast":
        with torch.autocast("cpu", torch.bfloat16):
            return functional.linear(made.x, made.w, made.b)
    return functional.linear(made.x, made.w, made.b)


def _written(made: Layer, way: str) -> object:
    x, w, b = made.used()
    if way == "numpy":
        product = x.numpy() @ w.numpy().T
        return product if b is None else product + b.numpy()
    return WAYS[way](x, w, b)


def gradients(seed: int, count: int) -> Iterator[Pair]:
    """`.grad` after the layer's backward against `.grad` after the formula's."""
    for number in range(count):
        draw = random.Random(f"honest gradient {seed} {number}")
        made = draws.layer(draw, kind=draw.choice(list(draws.DTYPES)))
        way = draw.choice(["x @ w.T + b", "einsum", "chunks"])
        ours, theirs, g = leaves(made), leaves(made), draws.gradient(made, number)
        functional.linear(*ours).backward(g)
        WAYS[way](*theirs).backward(g)
        of = draw.choice([at for at, leaf in enumerate(ours) if leaf is not None])
        a, b = ours[of], theirs[of]
        assert a is not None
        assert b is not None
        what = f"gradient {seed} {number}: {'xwb'[of]}, {way}, {made.values}"
        yield Pair(f"{made.kind}, gradient", what, a.grad, b.grad, ours)  # type: ignore[arg-type]


def leaves(made: Layer) -> tuple[Tensor, Tensor, Tensor | None]:
    """Fresh copies that gradients are taken of."""
    x, w, b = (None if t is None else t.detach().clone().requires_grad_() for t in (made.x, made.w, made.b))
    assert x is not None
    assert w is not None
    return x, w, b
