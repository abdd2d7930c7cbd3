"""A layer's result against its formula's, in full or by a probe: the output when the call is made, and gradients.

A probe that is silent leaves a few elements still to be judged; `proof/queue.py` does so for many calls at once.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.causes import hypotheses
from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.causes.hypotheses import LinearNames
from torchtwin.kernel.coverage import is_probed
from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.bounds import arithmetic, exact_product, exact_sum, usual_bound
from torchtwin.kernel.proof.enclosure import Enclosure, enclosure
from torchtwin.kernel.proof.judge import bit_for_bit, judge, other_shape, queued_facts, same_bits, usual_verdict
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.probe import Silent, probe, probing
from torchtwin.kernel.proof.product import Product
from torchtwin.kernel.twin import Twin
from torchtwin.protocol import Verdict

MAX_ELEMENTS_SUMMED = 2**16
"""More are summed in float64 only where layer and formula are not the same bits, all of them finite, anyway."""


def check_output(twin: Twin, output: Tensor, names: LinearNames) -> tuple[Verdict | Silent, Tensor | None]:
    """The verdict on `output`, of shape (*, N), and the formula's value of it; null where that was only probed."""
    layer, product = output.detach(), linear.product_of(twin, output.shape)
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(product.left, product.right):
        return probe(product, layer, how), None
    return _output_in_full(twin, layer, names)


def _output_in_full(twin: Twin, layer: Tensor, names: LinearNames) -> tuple[Verdict, Tensor]:
    product, how = linear.product_of(twin, layer.shape), arithmetic(layer.dtype, layer.device)
    formula = twin.evaluate()
    verdict = judge(layer, formula, enclosure(exact_product(product.left, product.right, product.bias), how))
    within = linear.output(twin, layer.shape) if verdict.kind == "different" else None
    if within is not None:
        guesses = tuple(hypotheses.of_output(twin, layer.shape, names, []))
        verdict = _explained(verdict, Case(layer, within, "the layer's output", "the formula's", hypotheses=guesses))
    if formula.shape != layer.shape:
        verdict = other_shape(layer, formula, verdict, names.expression)
    return verdict, formula


def check_product(layer: Tensor, left: Tensor, right: Tensor) -> tuple[Verdict | Silent, Tensor | None]:
    """The verdict on `layer`, as `left @ right.T` of (M, K) and (N, K), and the formula's value if it was computed."""
    if is_probed(left, right):
        return probe(Product(left, right, None), layer, arithmetic(layer.dtype, layer.device)), None
    return _product_in_full(layer, left, right)


def _product_in_full(layer: Tensor, left: Tensor, right: Tensor) -> tuple[Verdict, Tensor]:
    how = arithmetic(layer.dtype, layer.device)
    formula = left @ right.T
    within = enclosure(exact_product(left, right), how)
    verdict = judge(layer, formula, within)
    if verdict.kind == "different" and within is not None:
        shaped = layer.reshape(within.value.shape)
        verdict = _explained(verdict, Case(shaped, within, "the layer's gradient", "the formula's", of="gradient"))
    return verdict, formula


def check_sum(layer: Tensor, terms: Tensor, shape: torch.Size) -> tuple[Verdict, Tensor]:
    """The verdict on `layer`, as `terms` summed down to `shape`, and the formula's value."""
    how = arithmetic(layer.dtype, layer.device)
    formula = terms.reshape(shape) if len(shape) > terms.dim() else terms.sum_to_size(shape)
    if terms.numel() > MAX_ELEMENTS_SUMMED and same_bits(layer, formula) and bool(layer.isfinite().all()):
        return bit_for_bit(layer.numel(), usual_bound(terms.numel() // max(layer.numel(), 1), False, how)), formula
    return judge(layer, formula, enclosure(exact_sum(terms, shape), how)), formula


def queue_output(twin: Twin, output: Tensor, names: LinearNames) -> Pending | Verdict:
    """`check_output` for a device that works on its own: queued, and read when the verdict is asked for."""
    layer, product = output.detach(), linear.product_of(twin, output.shape)
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(product.left, product.right):
        return probing(product, layer, how)
    formula = twin.evaluate()
    within = enclosure(exact_product(product.left, product.right, product.bias), how)
    operands = [it for it in (layer, twin.input, twin.weight, twin.bias) if it is not None]
    if formula.shape != layer.shape:
        return _output_in_full(twin, layer, names)[0]  # rare, and worth waiting for
    return _queued(layer, formula, within, operands, lambda: _output_in_full(twin, layer, names)[0])


def queue_product(layer: Tensor, left: Tensor, right: Tensor) -> Pending | Verdict:
    """`check_product`, queued."""
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(left, right):
        return probing(Product(left, right, None), layer, how)
    within = enclosure(exact_product(left, right), how)
    return _queued(layer, left @ right.T, within, [layer, left, right], lambda: _product_in_full(layer, left, right)[0])


def queue_sum(layer: Tensor, terms: Tensor, shape: torch.Size) -> Pending | Verdict:
    """`check_sum`, queued."""
    within = enclosure(exact_sum(terms, shape), arithmetic(layer.dtype, layer.device))
    formula = terms.reshape(shape) if len(shape) > terms.dim() else terms.sum_to_size(shape)
    return _queued(layer, formula, within, [layer, terms], lambda: check_sum(layer, terms, shape)[0])


def _queued(
    layer: Tensor, formula: Tensor, within: Enclosure | None, operands: list[Tensor], closer: Callable[[], Verdict]
) -> Pending | Verdict:
    if within is None or not layer.numel():
        return closer()  # where nothing is read
    shape, elements, bound, largest = within.value.shape, layer.numel(), within.usual, within.largest
    facts = queued_facts(layer.reshape(shape), formula.reshape(shape), within)

    def usual(told: list[float]) -> Verdict | None:
        return usual_verdict(told, elements, bound, largest)

    return Pending(facts, usual, closer, operands)


def _explained(verdict: Verdict, case: Case) -> Verdict:
    """With the cause, where it is the layer that is wrong; the formula is ours."""
    if bool(case.right.holds(case.wrong.reshape(case.right.value.shape).double()).all()):
        return verdict
    return msgspec.structs.replace(verdict, diagnosis=diagnose(case))
