"""Draws the operands of a layer: dtypes, sizes, shapes, distributions of values, layouts."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.session import session

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
KINDS = (*DTYPES, "autocast")
"""`autocast`: float32 operands in a region of bfloat16."""
UNIT = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
VALUES = ("normal", "positive", "lognormal", "tiny", "huge", "integers", "zeros", "subnormal")
MAX_WORK = 2_000_000
"""Multiply-adds of one pair."""


@dataclass(frozen=True)
class Layer:
    """The operands of one call."""

    kind: str
    values: str
    x: Tensor
    """Shape (*, K)."""
    w: Tensor
    """Shape (N, K)."""
    b: Tensor | None
    """Shape (N,) or (1, N)."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the output."""
        return torch.bfloat16 if self.kind == "autocast" else DTYPES[self.kind]

    def used(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """The operands as the layer multiplies them."""
        bias = None if self.b is None else self.b.detach().to(self.dtype)
        return self.x.to(self.dtype), self.w.detach().to(self.dtype), bias

    def bound(self) -> Tensor:
        """Elementwise bound on an honest output's error."""
        x, w, b = (None if t is None else t.double().abs() for t in self.used())
        assert x is not None
        assert w is not None
        return bound(x.reshape(-1, x.shape[-1]), w, b, self.dtype).reshape(*x.shape[:-1], len(w))


def bound(left: Tensor, right: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Of `left @ right.T + bias`, given the sizes of the operands; by the textbook, a little generous.

    In bfloat16 and float16 it includes sums that are written in pieces, which round each of them.
    """
    flat = None if bias is None else bias.reshape(-1, len(right))
    scale = left @ right.T if flat is None else left @ right.T + flat
    squares = left.square() @ right.square().T if flat is None else left.square() @ right.square().T + flat.square()
    unit, terms = UNIT[dtype], right.shape[1] + 2
    tiny = torch.finfo(torch.float32 if unit > UNIT[torch.float32] else dtype).tiny
    if unit <= UNIT[torch.float32]:
        return 1.01 * terms * unit * scale + terms * tiny * 2 * unit
    summed = 1.01 * terms * UNIT[torch.float32] * scale + 2.1 * unit * scale
    flushed = tiny * (left.sum(1)[:, None] + right.sum(1) + terms) + 3 * torch.finfo(dtype).tiny
    return summed + flushed + 4 * math.sqrt(terms) * unit * (squares.sqrt() + scale)


def layer(draw: random.Random, square: bool = False, biased: bool | None = None, kind: str | None = None) -> Layer:
    """A layer of any shape; `square` for a weight whose transpose has the same shape.

    It is data as in a cell of its own: not computed from what other layers gave before.
    """
    session.answered()
    kind = kind or draw.choice(KINDS)
    dtype = torch.float32 if kind == "autocast" else DTYPES[kind]
    features = int(2 ** draw.uniform(0, 14)) if not square else int(2 ** draw.uniform(1, 7))
    outputs = features if square else draw.choice([1, 2, 3, 7, 16, 50, 128])
    batch = [draw.choice([1, 2, 3, 5, 8]) for _ in range(draw.randint(0, 3))]
    while math.prod(batch) * features * outputs > MAX_WORK:
        outputs = max(outputs // 2, 1) if not square else outputs
        batch = batch[1:] if math.prod(batch) > 1 else batch
    values = draw.choice(VALUES)
    x = _strided(draw, _tensor(draw, [*batch, features], values, dtype))
    w = _strided(draw, _tensor(draw, [outputs, features], values, dtype)).requires_grad_()
    has_bias = draw.random() < 0.7 if biased is None else biased
    shape = [1, outputs] if batch and draw.random() < 0.25 else [outputs]
    b = _tensor(draw, shape, values, dtype).requires_grad_() if has_bias else None
    return Layer(kind, values, x, w, b)


def _tensor(draw: random.Random, shape: list[int], values: str, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(draw.getrandbits(60))
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    info = torch.finfo(dtype)
    made = {
        "normal": lambda: normal,
        "positive": lambda: torch.rand(shape, generator=generator, dtype=torch.float64),
        "lognormal": lambda: normal.sign() * torch.randn(shape, generator=generator, dtype=torch.float64).mul(3).exp(),
        "tiny": lambda: normal * math.sqrt(info.tiny) * 16,
        "huge": lambda: normal * math.sqrt(info.max) / 256,
        "integers": lambda: (normal * 10).round(),
        "zeros": lambda: normal * (torch.rand(shape, generator=generator) < 0.1),
        "subnormal": lambda: normal * info.tiny / 4,
    }[values]()
    return made.to(dtype)


def _strided(draw: random.Random, tensor: Tensor) -> Tensor:
    """The same elements, contiguous or not."""
    way = draw.randrange(4)
    if way == 0 and tensor.dim() > 1:
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    if way == 1:
        return torch.stack([tensor, torch.zeros_like(tensor)], dim=-1)[..., 0]
    return tensor


def gradient(made: Layer, seed: int) -> Tensor:
    """Of the output: data, which stood in a variable before the layer was called."""
    shape = (*made.x.shape[:-1], len(made.w))
    g = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(made.dtype)
    tracer = session.tracer()
    assert tracer is not None
    tracer.is_data(g)
    return g
