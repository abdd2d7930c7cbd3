"""The forward check: the layer's output against its twin's, when the call is made."""

from __future__ import annotations

from torch import Tensor

from torchtwin.kernel.proof.bounds import arithmetic, exact_product
from torchtwin.kernel.proof.enclosure import enclosure
from torchtwin.kernel.proof.judge import judge, other_shape
from torchtwin.kernel.twin import Twin
from torchtwin.protocol import Verdict


def check_output(twin: Twin, output: Tensor, expression: str) -> tuple[Verdict, Tensor]:
    """The verdict on `output`, of shape (*, N), and the formula's value of it."""
    formula = twin.evaluate()
    layer = output.detach()
    verdict = _judge_rows(twin, layer, formula)
    if formula.shape != layer.shape:
        verdict = other_shape(layer, formula, verdict, expression)
    return verdict, formula


def _judge_rows(twin: Twin, layer: Tensor, formula: Tensor) -> Verdict:
    weight = twin.weight if twin.weight.dim() == 2 else twin.weight[None]
    rows = twin.input.reshape(twin.input.shape[:-1].numel(), weight.shape[1])
    bias = None if twin.bias is None else _rows_of_bias(twin.bias, layer, (len(rows), len(weight)))
    exact = exact_product(rows, weight, bias)
    return judge(layer, formula, enclosure(exact, arithmetic(layer.dtype, layer.device)))


def _rows_of_bias(bias: Tensor, layer: Tensor, shape: tuple[int, int]) -> Tensor:
    """The bias of every output element. A (1, N) bias may have more dimensions than the output."""
    return bias.broadcast_to(shape) if bias.dim() > layer.dim() else bias.broadcast_to(layer.shape).reshape(shape)
