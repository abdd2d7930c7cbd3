"""A layer's result against its formula's, in full or by a probe: the output when the call is made, and gradients."""

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
from torchtwin.kernel.proof.bounds import arithmetic, exact_product, exact_sum
from torchtwin.kernel.proof.enclosure import Enclosure, enclosure
from torchtwin.kernel.proof.judge import identical_sums, judge, other_shape, queued_facts, usual_verdict
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.probe import probed, probing
from torchtwin.kernel.proof.product import Product
from torchtwin.kernel.twin import Twin
from torchtwin.protocol import Verdict


def check_output(twin: Twin, output: Tensor, names: LinearNames) -> tuple[Verdict, Tensor | None]:
    """The verdict on `output`, of shape (*, N), and the formula's value of it; null where that was only probed."""
    layer, product = output.detach(), linear.product_of(twin, output.shape)
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(product.left, product.right):
        return probed(product, layer, how), None
    formula = twin.evaluate()
    verdict = judge(layer, formula, enclosure(exact_product(product.left, product.right, product.bias), how))
    within = linear.output(twin, layer.shape) if verdict.kind == "different" else None
    if within is not None:
        guesses = tuple(hypotheses.of_output(twin, layer.shape, names, []))
        verdict = _explained(verdict, Case(layer, within, "the layer's output", "the formula's", hypotheses=guesses))
    if formula.shape != layer.shape:
        verdict = other_shape(layer, formula, verdict, names.expression)
    return verdict, formula


def check_product(
    layer: Tensor, left: Tensor, right: Tensor, left_sizes: Tensor | None = None
) -> tuple[Verdict, Tensor | None]:
    """The verdict on `layer`, as `left @ right.T` of (M, K) and (N, K), and the formula's value if it was computed.

    `left_sizes`: the Euclidean norms of left's rows, where they are known.
    """
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(left, right):
        return probed(Product(left, right, None, left_sizes), layer, how), None
    formula = left @ right.T
    within = enclosure(exact_product(left, right), how)
    verdict = judge(layer, formula, within)
    if verdict.kind == "different" and within is not None:
        shaped = layer.reshape(within.value.shape)
        verdict = _explained(verdict, Case(shaped, within, "the layer's gradient", "the formula's", of="gradient"))
    return verdict, formula


def check_sum(
    layer: Tensor, terms: Tensor, shape: torch.Size, column_sizes: Tensor | None = None
) -> tuple[Verdict, Tensor | None]:
    """The verdict on `layer`, as `terms` summed down to `shape`, and the formula's value if it was computed."""
    how = arithmetic(layer.dtype, layer.device)
    formula = terms.reshape(shape) if len(shape) > terms.dim() else terms.sum_to_size(shape)
    if column_sizes is not None and shape == column_sizes.shape:
        verdict = identical_sums(layer, formula, terms.reshape(-1, shape[0]), column_sizes, how)
        if verdict is not None:
            return verdict, formula
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
        return check_output(twin, output, names)[0]  # rare, and worth waiting for
    return _queued(layer, formula, within, operands, lambda: check_output(twin, output, names)[0])


def queue_product(layer: Tensor, left: Tensor, right: Tensor) -> Pending | Verdict:
    """`check_product`, queued."""
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(left, right):
        return probing(Product(left, right, None), layer, how)
    within = enclosure(exact_product(left, right), how)
    return _queued(layer, left @ right.T, within, [layer, left, right], lambda: check_product(layer, left, right)[0])


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
