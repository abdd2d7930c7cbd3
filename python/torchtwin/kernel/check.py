"""The forward check: the layer's output against its twin's, when the call is made."""

from __future__ import annotations

from torch import Tensor

from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.judge import judge, other_shape
from torchtwin.kernel.twin import Twin
from torchtwin.protocol import Verdict


def check_output(twin: Twin, output: Tensor, expression: str) -> tuple[Verdict, Tensor]:
    """The verdict on `output`, of shape (*, N), and the formula's value of it."""
    formula = twin.evaluate()
    layer = output.detach()
    verdict = judge(layer, formula, linear.output(twin, layer.shape))
    if formula.shape != layer.shape:
        verdict = other_shape(layer, formula, verdict, expression)
    return verdict, formula
