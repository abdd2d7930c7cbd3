"""A layer's result against its formula's, in full or by a probe: the output when the call is made, and gradients."""

from __future__ import annotations

from torch import Tensor

from torchtwin.kernel.coverage import is_probed
from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.bounds import arithmetic, exact_product
from torchtwin.kernel.proof.enclosure import enclosure
from torchtwin.kernel.proof.judge import judge, other_shape
from torchtwin.kernel.proof.probe import Product, probed
from torchtwin.kernel.twin import Twin
from torchtwin.protocol import Verdict


def check_output(twin: Twin, output: Tensor, expression: str) -> tuple[Verdict, Tensor | None]:
    """The verdict on `output`, of shape (*, N), and the formula's value of it; null where that was only probed."""
    layer, product = output.detach(), linear.product_of(twin, output.shape)
    if is_probed(product.left, product.right):
        return _probed_output(twin, product, layer), None
    formula = twin.evaluate()
    verdict = judge(layer, formula, linear.output(twin, layer.shape))
    if formula.shape != layer.shape:
        verdict = other_shape(layer, formula, verdict, expression)
    return verdict, formula


def check_product(layer: Tensor, left: Tensor, right: Tensor) -> tuple[Verdict, Tensor | None]:
    """The verdict on `layer`, as `left @ right.T` of (M, K) and (N, K), and the formula's value if it was computed."""
    how = arithmetic(layer.dtype, layer.device)
    if is_probed(left, right):
        return probed(Product(left, right, None), layer, lambda rows: left[rows] @ right.T, how), None
    formula = left @ right.T
    return judge(layer, formula, enclosure(exact_product(left, right), how)), formula


def _probed_output(twin: Twin, product: Product, layer: Tensor) -> Verdict:
    bias = None if product.bias is None else product.bias.broadcast_to(len(product.left), len(product.right))

    def formula(rows: Tensor) -> Tensor:
        result = product.left[rows] @ product.right.T
        return result if bias is None else result + bias[rows]

    return probed(product, layer, formula, arithmetic(layer.dtype, layer.device))
