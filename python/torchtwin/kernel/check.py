"""A layer's result against its formula's, in full or by a probe: the output when the call is made, and gradients."""

from __future__ import annotations

import msgspec
from torch import Tensor

from torchtwin.kernel.causes import hypotheses
from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.causes.hypotheses import LinearNames
from torchtwin.kernel.coverage import is_probed
from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.bounds import arithmetic, exact_product
from torchtwin.kernel.proof.enclosure import enclosure
from torchtwin.kernel.proof.judge import judge, other_shape
from torchtwin.kernel.proof.probe import Product, probed
from torchtwin.kernel.twin import Twin
from torchtwin.protocol import Verdict


def check_output(twin: Twin, output: Tensor, names: LinearNames) -> tuple[Verdict, Tensor | None]:
    """The verdict on `output`, of shape (*, N), and the formula's value of it; null where that was only probed."""
    layer, product = output.detach(), linear.product_of(twin, output.shape)
    if is_probed(product.left, product.right):
        return _probed_output(twin, product, layer), None
    formula = twin.evaluate()
    within = linear.output(twin, layer.shape)
    verdict = judge(layer, formula, within)
    if verdict.kind == "different" and within is not None:
        guesses = tuple(hypotheses.of_output(twin, layer.shape, names, []))
        verdict = _explained(verdict, Case(layer, within, "the layer's output", "the formula's", hypotheses=guesses))
    if formula.shape != layer.shape:
        verdict = other_shape(layer, formula, verdict, names.expression)
    return verdict, formula


def check_product(layer: Tensor, left: Tensor, right: Tensor) -> tuple[Verdict, Tensor | None]:
    """The verdict on `layer`, as `left @ right.T` of (M, K) and (N, K), and the formula's value if it was computed."""
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(left, right):
        return probed(Product(left, right, None), layer, lambda rows: left[rows] @ right.T, how), None
    formula = left @ right.T
    within = enclosure(exact_product(left, right), how)
    verdict = judge(layer, formula, within)
    if verdict.kind == "different" and within is not None:
        shaped = layer.reshape(within.value.shape)
        verdict = _explained(verdict, Case(shaped, within, "the layer's gradient", "the formula's", of="gradient"))
    return verdict, formula


def _explained(verdict: Verdict, case: Case) -> Verdict:
    """With the cause, where it is the layer that is wrong; the formula is ours."""
    if bool(case.right.holds(case.wrong.reshape(case.right.value.shape).double()).all()):
        return verdict
    return msgspec.structs.replace(verdict, diagnosis=diagnose(case))


def _probed_output(twin: Twin, product: Product, layer: Tensor) -> Verdict:
    bias = None if product.bias is None else product.bias.broadcast_to(len(product.left), len(product.right))

    def formula(rows: Tensor) -> Tensor:
        result = product.left[rows] @ product.right.T
        return result if bias is None else result + bias[rows]

    return probed(product, layer, formula, arithmetic(layer.dtype, layer.device))
