"""The arithmetic of random +-1 probes: what they find in each row of a result. What that proves: `probe.py`."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF, Arithmetic, usual_bound
from torchtwin.kernel.proof.product import Product

PROBABILITY = 15 / 16
"""With which an error of the stated size trips one of the probes."""
BLOCK = 2**18
"""Elements of an operand that are converted, or squared, at once."""
_LIMIT = 4
"""In units of the usual size of rounding; honest rows stay below 2.8."""
_OWN = 0.5
"""How far a probe's own sums of n numbers may be off, in units of sqrt(n) u |numbers|; seen: 0.18."""
_POOL = 2**17
"""Random signs that are drawn at once; each probe takes some that lie together, from a random one on."""
_draw = random.Random(1)
_pools: dict[tuple[torch.device, torch.dtype], Tensor] = {}


Number = float | Tensor
"""A tensor without dimensions where it can't be read without waiting for a device."""


@dataclass(frozen=True)
class Alarm:
    """What the probes of a product found."""

    off: Tensor
    """How far each row of the results is from what the operands give, at most; of shape (M,). NaN where a result is."""
    limit: Tensor
    """What trips a probe, in each row."""
    smallest: Number
    """Absolute size of an error of one element that trips it in any row, with `PROBABILITY`; no less than any limit."""

    def is_silent(self) -> Tensor:
        return (self.off <= self.limit).all()

    def excess(self) -> Tensor:
        """How far the rows go beyond the limit, as a factor beyond 1; 0 where they don't."""
        is_silent = (self.off <= self.limit) & self.limit.isfinite()
        return torch.where(is_silent, 0.0, self.off / self.limit).nan_to_num(nan=torch.inf)


@dataclass(frozen=True)
class _Factors:
    """Of S_i = |x_i| |w| + |b_i| and of |x_i| |w^T v|, for a product of one shape and arithmetic."""

    limit: float
    smallest: float
    """Beside twice `folded`."""
    folded: float
    hidden: float | None
    """Of |x_i| |w_j| + |b_j|, what rounding can hide of an error, where `smallest` does not cover that."""


def wide(dtype: torch.dtype) -> torch.dtype:
    """In which numbers of this dtype are summed no worse than where they are products' results."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def listen(
    product: Product, results: Sequence[Tensor], how: Arithmetic, probes: int, dtype: torch.dtype, is_read: bool = True
) -> Alarm:
    """Probes of results of one product, each of shape (M, N), by sums of `dtype`; draws from a generator of its own.

    `is_read`: numbers without dimensions are computed with in Python, which is faster, but waits for a device.
    """
    number: Callable[[Tensor], Number] = Tensor.item if is_read else _as_it_is
    columns, bias = product.right.shape[0], product.bias_rows()
    factors = _factors(columns, product.terms, bias is not None, how, probes, dtype)
    signs = _signs(columns, probes, dtype, product.left.device)
    folded = _times(product.right.T, signs)
    expected = _times(product.left, folded, None if bias is None else _times(bias, signs))
    of_left = _row_sizes(product.left, dtype)
    of_right = number(torch.linalg.vector_norm(product.right, dtype=dtype))
    of_folded = factors.folded * number(torch.linalg.vector_norm(folded))
    limit = of_left * (factors.limit * of_right + of_folded)
    largest = number(of_left.amax())
    smallest = largest * (factors.smallest * of_right + 2 * of_folded)
    if bias is not None:
        of_bias = torch.linalg.vector_norm(bias, dim=1, dtype=dtype)
        limit = limit.add_(of_bias, alpha=factors.limit)
        smallest = smallest + factors.smallest * number(of_bias.amax())
    if factors.hidden is not None:
        smallest = max(smallest, factors.hidden * _largest_scale(product, float(largest)))
    return Alarm(_most([_off(rows, signs, expected) for rows in results]), limit, smallest)


def _as_it_is(tensor: Tensor) -> Number:
    return tensor


@functools.lru_cache(1024)
def _factors(columns: int, terms: int, biased: bool, how: Arithmetic, probes: int, dtype: torch.dtype) -> _Factors:
    unit = _OWN * UNIT_ROUNDOFF[dtype] + how.factor_unit / math.sqrt(columns + terms + 1)
    own = 2 * math.sqrt(columns) * unit  # of w^T v, and of y v
    limit = _LIMIT * _usual(terms, biased, how) + own
    bound = usual_bound(terms, biased, how) / 2 * how.unit
    is_enough = 1 - 2.0**-probes >= PROBABILITY
    opposed = 0.0 if is_enough else bound * max(math.sqrt(2 * math.log(1 / (1 - PROBABILITY)) / probes), 2.0)
    return _Factors(limit, limit + own + opposed, math.sqrt(terms) * unit, 2 * bound if is_enough else None)


def _usual(terms: int, biased: bool, how: Arithmetic) -> float:
    """The size of rounding in a row, in units of S: as a random walk in the sum, and once or twice in the result."""
    result = (1 + biased) * how.unit if how.unit > how.sum_unit else 0.0
    return math.sqrt(terms + 1) * how.sum_unit + 2 * how.factor_unit + result


def _signs(count: int, probes: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    if 2 * count * probes > _POOL:
        signs = _drawn(count * probes, dtype, device)
    else:
        pool = _pools.get((device, dtype))
        if pool is None:
            pool = _pools[device, dtype] = _drawn(_POOL, dtype, device)
        start = _draw.randrange(_POOL - count * probes)
        signs = pool[start : start + count * probes]
    return signs if probes == 1 else signs.view(count, probes)


def _drawn(count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    draw = torch.Generator(device).manual_seed(_draw.getrandbits(60))
    return torch.empty(count, dtype=dtype, device=device).random_(2, generator=draw).mul_(2).sub_(1)


def _off(rows: Tensor, signs: Tensor, expected: Tensor) -> Tensor:
    off = _times(rows, signs, expected, -1).abs_()
    return off if off.dim() == 1 else off.amax(1)


def _most(found: list[Tensor]) -> Tensor:
    return found[0] if len(found) == 1 else torch.stack(found).amax(0)  # NaN where one is


def _largest_scale(product: Product, of_left: float) -> float:
    """Of |x| |w|^T + |b|, by |x| |w|^T <= norm(x) norm(w)."""
    size = of_left * float(_row_sizes(product.right, torch.float64).amax())
    return size if product.bias is None else size + float(product.bias.abs().amax())


def _times(matrix: Tensor, vectors: Tensor, beside: Tensor | None = None, sign: int = 1) -> Tensor:
    """`beside + sign * matrix @ vectors` in the dtype of the few vectors, without a copy of the whole matrix."""
    if matrix.dtype == vectors.dtype and vectors.dim() == 1:
        return torch.mv(matrix, vectors) if beside is None else torch.addmv(beside, matrix, vectors, alpha=sign)
    if matrix.dtype == vectors.dtype:
        many = (vectors.T @ matrix.T).T
    else:
        many = torch.cat([block.to(vectors.dtype) @ vectors for block in _blocks(matrix)])
    return many if beside is None else torch.add(beside, many, alpha=sign)


def _row_sizes(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """The Euclidean norms of the rows."""
    if matrix.stride(0) != 1 or matrix.stride(1) == 1:
        norms: Tensor = torch.linalg.vector_norm(matrix, dim=1, dtype=dtype)
        return norms
    by_memory = [block.to(dtype).square().sum(0) for block in _blocks(matrix.T)]
    squares = by_memory[0] if len(by_memory) == 1 else torch.stack(by_memory).sum(0)
    return squares.sqrt_()


def _blocks(matrix: Tensor) -> Iterator[Tensor]:
    """Rows of it, `BLOCK` elements at once; one block at least."""
    return iter(torch.split(matrix, max(BLOCK // max(matrix.shape[1], 1), 1)))
