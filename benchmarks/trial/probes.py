"""Large products, honest and with one wrong element, as the probe sees them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import arithmetic
from torchtwin.kernel.proof.probe import concluded, probe
from torchtwin.kernel.proof.product import Product
from torchtwin.protocol import Verdict

SIZES = ((256, 512, 128), (64, 4096, 64), (512, 64, 512))
"""M, K, N."""


@dataclass(frozen=True)
class Trial:
    """One product, probed."""

    group: str
    rows: int
    honest: Verdict
    spoiled: Verdict
    """With one element that is wrong by just more than what the honest verdict states."""


def trials(seed: int, count: int) -> Iterator[Trial]:
    """Dtypes, sizes and distributions in turn."""
    for number in range(count):
        draw = random.Random(f"probe {seed} {number}")
        dtype = draw.choice([torch.float32, torch.float64, torch.bfloat16])
        values = draw.choice(["normal", "positive", "lognormal"])
        rows, terms, columns = draw.choice(SIZES)
        shapes = (rows, terms), (columns, terms), (columns,)
        left, right, bias = (_values(draw, shape, values).to(dtype) for shape in shapes)
        product, layer = Product(left, right, bias), torch.nn.functional.linear(left, right, bias)
        honest = _judged(product, layer)
        if honest.probe is None or isinstance(honest.probe.smallest, str):
            raise AssertionError(f"{number}: {honest}")
        at = (draw.randrange(rows), draw.randrange(columns))
        yield Trial(values, rows, honest, _judged(product, _spoiled(layer, at, honest.probe.smallest, draw)))


def _spoiled(layer: Tensor, at: tuple[int, int], size: float, draw: random.Random) -> Tensor:
    """Wrong by a little more than `size`, rounding included."""
    wrong = layer.clone()
    value = float(layer[at])
    unit = torch.finfo(layer.dtype).eps
    wrong[at] = value + draw.choice([-1, 1]) * (1.1 * size + 2 * unit * (abs(value) + size))
    return wrong


def _judged(product: Product, layer: Tensor) -> Verdict:
    found = probe(product, layer, arithmetic(layer.dtype, layer.device))
    return found if isinstance(found, Verdict) else concluded([found])[0]


def _values(draw: random.Random, shape: tuple[int, ...], values: str) -> Tensor:
    generator = torch.Generator().manual_seed(draw.getrandbits(60))
    if values == "positive":
        return torch.rand(shape, generator=generator, dtype=torch.float64)
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    return normal if values == "normal" else normal.sign() * torch.randn(shape, generator=generator).double().exp()
