"""A product too large to compute twice: random +-1 probes over all rows as an alarm, and a few elements exactly.

For y = x w^T + b and a vector v of random signs, y v is x (w^T v) + b v: O(MK + KN + MN) in place of O(MKN) (Freivalds,
Probabilistic machines can use less running time, IFIP 1977). Rounding moves y v by about sqrt(K) u S in row i, with
S = |x_i| |w| + |b_i|. A row in which the two lie further apart than four times that, and the probe's own rounding, is
computed exactly, and only exact rows are ever called different.

What a silent probe proves. In row i the two differ by E v_j + r + o: E the error of one element, r the rounding of the
row's other elements, summed with signs that do not depend on v_j, and o the probe's own rounding. If E is larger than
the limit and o, a probe is silent only if r has the opposite sign,

- which is as likely as not: one of R probes trips with a probability of at least 1 - 2^-R, whatever the rounding;
- and is at least E - limit - o. A sum of numbers e_j with random signs exceeds t |e| with a probability of at most
  exp(-t^2 / 2) (Hoeffding, Probability inequalities for sums of bounded random variables, 1963), and the row's other
  elements, where honest, are within their bounds: |e| <= g(K + 1) (|x_i| |w| + |b_i|). All R probes are silent with
  a probability of at most 1/16 if E is larger by t |e|, with t = sqrt(2 ln 16 / R).

The size that is stated is such that one of these gives 15/16. A call is probed once while it runs, in the arithmetic
of its own operands; if that trips, or numbers pass their range, four probes in float64 tell which rows to compute.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.proof.alarm import PROBABILITY, listen, wide
from torchtwin.kernel.proof.bounds import Arithmetic, exact_product
from torchtwin.kernel.proof.enclosure import enclosure
from torchtwin.kernel.proof.excerpt import Computed, Excerpt, judge_all, taken
from torchtwin.kernel.proof.judge import Part, bit_for_bit, judge, usual_verdict
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.product import Product
from torchtwin.kernel.values import number
from torchtwin.protocol import Probe, Verdict

PROBES = 4
"""In float64; so many need to know nothing of how the other elements round."""
EXACT_ROWS = 8
"""Computed exactly in any case."""
MAX_ALARMS = 64
"""Rows that tripped the probe and are computed exactly; of more, the first."""
_draw = random.Random(1)


@dataclass(frozen=True)
class Sample:
    """The rows of a product that are computed exactly, and what a probe found in all of them."""

    rows: Tensor
    """In rising order."""
    tripped: Tensor
    """Those that tripped the probe, which `rows` has the worst of."""
    smallest: float
    """Absolute size of an error of one element that would have tripped it in any row."""
    total: int

    @property
    def left_out(self) -> int:
        """How many rows tripped the probe, and are not computed."""
        return max(len(self.tripped) - MAX_ALARMS, 0)


def sampled(product: Product, results: Sequence[Tensor], how: Arithmetic, besides: Tensor) -> Sample:
    """Which rows of several results of one product, each of shape (M, N), are worth computing, and `besides`.

    Draws from generators of its own.
    """
    alarm = listen(product, results, how, PROBES, torch.float64)
    excess = alarm.excess()
    tripped = (excess > 1).nonzero()[:, 0]
    worst = tripped[excess[tripped].topk(min(MAX_ALARMS, len(tripped))).indices]
    total = len(excess)
    some = torch.tensor(_draw.sample(range(total), min(EXACT_ROWS, total)), dtype=torch.long, device=worst.device)
    smallest = float(alarm.smallest) if total else 0.0
    return Sample(torch.unique(torch.cat([worst, some, besides])), tripped, smallest, total)


@dataclass(frozen=True)
class Silent:
    """A probe that did not trip, and a few elements that are still to be judged."""

    excerpt: Excerpt
    smallest: float
    """Absolute size of an error of one element that would have tripped it in any row."""
    elements: int
    """Of the result."""


def on_all(verdict: Verdict, smallest: float, elements: int) -> Verdict:
    """The verdict on an excerpt as one on all elements, where a probe is silent."""
    if verdict.kind == "unchecked":
        return verdict
    if verdict.kind == "different":
        return msgspec.structs.replace(verdict, coverage=f"{verdict.elements:,} of {elements:,} elements")
    message = f"{verdict.message}, in a sample; a probe over all {elements:,} elements is silent"
    told = Probe(smallest, PROBABILITY, alarms=0)
    return msgspec.structs.replace(verdict, message=message, coverage="probe", probe=told)


def probe(product: Product, layer: Tensor, how: Arithmetic) -> Verdict | Silent:
    """Of `layer`, of M * N elements in any shape. Where nothing trips, `concluded` gives the verdict, at any time."""
    if not layer.numel():
        return bit_for_bit(0, 0.0)
    rows = layer.reshape(product.shape)
    alarm = listen(product, [rows], how, 1, wide(product.left.dtype))
    smallest = float(alarm.smallest)
    if math.isfinite(smallest) and alarm.is_silent():
        return Silent(taken(product, rows, layer.shape, how), smallest, layer.numel())
    return _of_rows(product, rows, layer.shape, alarm.excess().nonzero()[:MAX_ALARMS, 0], how)


def concluded(silent: Sequence[Silent]) -> list[Verdict]:
    """Where nothing tripped; many cost hardly more than one."""
    judged = judge_all([it.excerpt for it in silent])
    return [on_all(verdict, it.smallest, it.elements) for it, verdict in zip(silent, judged, strict=True)]


def probing(product: Product, layer: Tensor, how: Arithmetic) -> Pending | Verdict:
    """The same, queued on the layer's device: nothing is read before the verdict is asked for."""
    if not layer.numel():
        return bit_for_bit(0, 0.0)
    rows = layer.reshape(product.shape)
    alarm = listen(product, [rows], how, 1, wide(product.left.dtype), is_read=False)
    excerpt = taken(product, rows, layer.shape, how)
    computed = Computed.of([excerpt])
    if computed.within is None:
        return concluded([Silent(excerpt, math.inf, layer.numel())])[0]
    heard = torch.stack([alarm.is_silent().double(), torch.as_tensor(alarm.smallest).double()])
    # Numbers alone: what waits for the device holds none of its memory.
    some, all_elements, bound, largest = len(excerpt), layer.numel(), computed.within.usual, computed.within.largest

    def usual(facts: list[float]) -> Verdict | None:
        found = usual_verdict(facts[2:], some, bound, largest) if facts[0] and math.isfinite(facts[1]) else None
        return None if found is None else on_all(found, facts[1], all_elements)

    def closer() -> Verdict:
        return _of_rows(product, rows, layer.shape, alarm.excess().nonzero()[:MAX_ALARMS, 0], how)

    operands = [it for it in (layer, product.left, product.right, product.bias) if it is not None]
    return Pending(torch.cat([heard, computed.facts()[0]]), usual, closer, operands)


def covered(verdict: Verdict, sample: Sample, elements: int) -> Verdict:
    """A verdict on the sample's rows, which agree, as one on all."""
    computed = len(sample.rows)
    if computed == sample.total:
        return msgspec.structs.replace(verdict, coverage="all")
    rows = f"{computed:,} of {sample.total:,} rows"
    message = verdict.message + (f"; {rows} were computed" if verdict.elements == elements else f", in {rows}")
    if sample.left_out:
        message += f"; {sample.left_out:,} more tripped a probe, and were not computed"
        return msgspec.structs.replace(verdict, message=message, coverage=f"rows {computed} of {sample.total}")
    heard = "trips nowhere else" if len(sample.tripped) else "is silent"
    message += f"; a probe over all {elements:,} elements {heard}"
    told = Probe(number(sample.smallest), PROBABILITY, alarms=len(sample.tripped))
    return msgspec.structs.replace(verdict, message=message, coverage="probe", probe=told)


def _of_rows(product: Product, rows: Tensor, shape: torch.Size, tripped: Tensor, how: Arithmetic) -> Verdict:
    """Probed again in float64; the rows that trip, and those that `tripped` before, are computed exactly."""
    sample = sampled(product, [rows], how, tripped)
    some, part = product.part(sample.rows), Part.of_rows(sample.rows, rows.shape[1], shape)
    within = enclosure(exact_product(some.left, some.right, some.bias), how)
    verdict = judge(rows[sample.rows], some.evaluate(), within, part=part)
    if verdict.kind not in ("different", "unchecked"):
        return covered(verdict, sample, rows.numel())
    return msgspec.structs.replace(verdict, coverage=f"rows {len(sample.rows)} of {len(rows)}")
