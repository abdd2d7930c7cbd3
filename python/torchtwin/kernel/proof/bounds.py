"""How far an honest result may lie from the exact one.

For y = x w^T + b with inner length K, in any order of summation and with any use of FMA, a computed y' obeys

    |y' - y| <= g(K + 1) (|x| |w|^T + |b|),   g(n) = n u / (1 - n u)

elementwise, u being the unit roundoff (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1).
Sums that are kept in a wider precision, and rounded at the end, add one rounding per result; see `allowance`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

UNIT_ROUNDOFF = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
_REDUCED = {"tf32": 2.0**-11, "high": 2.0**-11, "bf16": 2.0**-8, "medium": 2.0**-8}
"""Unit roundoff of float32 factors, by the name of the setting."""
_SUBNORMAL, _ONE = 5e-324, 1.0


@dataclass(frozen=True)
class Arithmetic:
    """How a product of this dtype rounds on this device, with the global settings as they are."""

    unit: float
    """Unit roundoff of the result's dtype."""
    sum_unit: float
    """Unit roundoff of the running sum."""
    factor_unit: float
    """Unit roundoff of the factors before they are multiplied (TF32, bf16 passes); 0 where they are taken whole."""
    underflow: float
    """What one underflow in the sum can cost: the smallest subnormal, or the smallest normal if flushed."""
    flushes: bool
    """Whether subnormal operands may count as zero."""
    result_underflow: float
    """The same for rounding the result to its dtype."""
    largest: float
    """Largest finite number of the result's dtype."""


def arithmetic(dtype: torch.dtype, device: torch.device) -> Arithmetic:
    """The rounding of matrix products of `dtype` (one of `UNIT_ROUNDOFF`) on `device`."""
    low = dtype in (torch.float16, torch.bfloat16)
    return _arithmetic(
        dtype,
        flushes=low or _flushes(),  # bf16 and fp16 instructions flush fp32 subnormals on some processors
        sums_in_low=low and _sums_in_low_precision(dtype, device),
        factor_unit=_factor_unit(device) if dtype == torch.float32 else 0.0,
    )


@functools.lru_cache
def _arithmetic(dtype: torch.dtype, flushes: bool, sums_in_low: bool, factor_unit: float) -> Arithmetic:
    info = torch.finfo(dtype)
    wide = torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
    sum_unit = UNIT_ROUNDOFF[dtype] if sums_in_low else UNIT_ROUNDOFF[wide]
    subnormal = float(torch.finfo(wide).smallest_normal) * 2 * UNIT_ROUNDOFF[wide]
    return Arithmetic(
        unit=UNIT_ROUNDOFF[dtype],
        sum_unit=sum_unit,
        factor_unit=factor_unit,
        underflow=float(torch.finfo(wide).smallest_normal) if flushes else subnormal,
        flushes=flushes,
        result_underflow=float(info.smallest_normal) * (1.0 if flushes else 2 * UNIT_ROUNDOFF[dtype]),
        largest=float(info.max),
    )


def _flushes() -> bool:
    """Whether `torch.set_flush_denormal(True)` is in force; torch has no getter.

    It is a state of the processor, which Python's own arithmetic is subject to as well.
    """
    return _SUBNORMAL * _ONE == 0


_fp32_precision: Callable[[str, str], str] = getattr(
    torch._C, "_get_fp32_precision_getter", lambda backend, operation: torch.get_float32_matmul_precision()
)
"""What `torch.backends.*.matmul.fp32_precision` reads; torch before 2.9 has one setting for all."""


def _factor_unit(device: torch.device) -> float:
    """float32 products may use fewer bits of their factors: `torch.backends.*.matmul.fp32_precision`."""
    backend = "cuda" if device.type == "cuda" else "mkldnn"
    return _REDUCED.get(_fp32_precision(backend, "matmul"), 0.0)


def _sums_in_low_precision(dtype: torch.dtype, device: torch.device) -> bool:
    matmul = torch.backends.cuda.matmul
    if device.type != "cuda":
        return False
    if dtype == torch.float16:
        return bool(matmul.allow_fp16_reduced_precision_reduction)
    return bool(matmul.allow_bf16_reduced_precision_reduction)


def gamma(n: int, unit: float) -> float:
    """g(n) = n u / (1 - n u); infinite where n u reaches 1."""
    return n * unit / (1 - n * unit) if n * unit < 1 else math.inf


@dataclass(frozen=True)
class Exact:
    """The result in float64, and the sizes that its bound is made of. All of one shape."""

    value: Tensor
    """y."""
    product: Tensor
    """y without the bias."""
    scale: Tensor
    """|x| |w|^T + |b|."""
    product_scale: Tensor
    """|x| |w|^T."""
    terms: int
    """K: how many products are summed."""
    biased: bool
    finite_scale: Callable[[], Tensor]
    """`scale` with non-finite operands left out: whether the finite ones alone can overflow."""
    operands: Callable[[], Tensor]
    """Sum of |x| over the row and of |w| over the row: what flushing subnormal factors costs, per smallest normal."""
    squares: Callable[[], Tensor]
    """Sum of the squares of all that was summed."""


def exact_product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Exact:
    """`left @ right.T + bias` for left (*, M, K), right (*, N, K), and a bias that broadcasts to (*, M, N)."""
    a, b = left.double(), right.double()
    size_a, size_b = a.abs(), b.abs()
    product, product_scale = a @ b.mT, size_a @ size_b.mT
    c = None if bias is None else bias.double()
    size_c = None if c is None else c.abs()
    return Exact(
        value=product if c is None else product + c,
        product=product,
        scale=product_scale if size_c is None else product_scale + size_c,
        product_scale=product_scale,
        terms=a.shape[-1],
        biased=c is not None,
        finite_scale=lambda: _finite_scale(size_a, size_b, size_c),
        operands=lambda: size_a.sum(-1)[..., :, None] + size_b.sum(-1)[..., None, :],
        squares=lambda: a.square() @ b.square().mT + (0.0 if c is None else c.square()),
    )


def _finite_scale(size_a: Tensor, size_b: Tensor, size_c: Tensor | None) -> Tensor:
    product = _finite(size_a) @ _finite(size_b).mT
    return product if size_c is None else product + _finite(size_c)


def _finite(values: Tensor) -> Tensor:
    return torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def exact_sum(terms: Tensor, shape: torch.Size) -> Exact:
    """`terms` summed down to `shape`, as the gradient of a bias of that shape is."""
    values = terms.double()
    sizes = values.abs()
    value, scale = _sum_to(values, shape), _sum_to(sizes, shape)
    return Exact(
        value=value,
        product=value,
        scale=scale,
        product_scale=scale,
        terms=terms.numel() // max(value.numel(), 1),
        biased=False,
        finite_scale=lambda: _sum_to(_finite(sizes), shape),
        operands=lambda: scale,
        squares=lambda: _sum_to(values.square(), shape),
    )


def _sum_to(values: Tensor, shape: torch.Size) -> Tensor:
    if len(shape) > values.dim():  # a bias with more dimensions than the output
        return values.reshape(shape)
    return values.sum_to_size(shape)


def usual_bound(terms: int, biased: bool, how: Arithmetic) -> float:
    """Twice the bound (layer and formula each have one) in units of u * scale, leaving underflow aside."""
    bound = gamma(terms + 1, how.sum_unit) + 2 * how.factor_unit + how.factor_unit**2
    roundings = (1 + biased) if how.unit > how.sum_unit else 0
    return 2 * (bound / how.unit + roundings)


def allowance(exact: Exact, how: Arithmetic) -> Tensor:
    """Elementwise, how far an honest result of this arithmetic may lie from `exact.value`."""
    n = exact.terms + 1
    own = gamma(n + 1, UNIT_ROUNDOFF[torch.float64])
    if not (how.factor_unit or how.flushes or how.unit > how.sum_unit or how.sum_unit > UNIT_ROUNDOFF[torch.float32]):
        # As below, with the factors of the scale taken together.
        return exact.scale * (gamma(n, how.sum_unit) * (1 + 2 * own) + own) + exact.terms * how.underflow * (
            1 + 2 * own
        )
    summed = gamma(n, how.sum_unit) * exact.scale + exact.terms * how.underflow
    if how.factor_unit:
        factors = 2 * how.factor_unit + how.factor_unit**2
        summed = summed + factors * (1 + gamma(n, how.sum_unit)) * exact.product_scale
    if how.flushes:
        summed = summed + how.underflow * exact.operands()
    if how.unit > how.sum_unit or how.sum_unit > UNIT_ROUNDOFF[torch.float32]:
        summed = _rounded_result(summed, exact, how)
    # The reference is a float64 sum itself, and so is the scale: each is within g(n) of the exact one.
    return summed * (1 + 2 * own) + own * exact.scale


def _rounded_result(summed: Tensor, exact: Exact, how: Arithmetic) -> Tensor:
    """The result is rounded to its dtype once; with a bias, perhaps after the product and again after the sum."""
    once = summed + how.unit * (exact.product.abs() + summed) + how.result_underflow
    if not exact.biased:
        return once
    return once + how.unit * (exact.value.abs() + once) + how.result_underflow
