"""The gradients of two functions with respect to one tensor, held against each other."""

from __future__ import annotations

from torch import Tensor

from torchtwin.kernel.comparing.compare import Comparer
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import Verdict


def compare_gradient(tracer: Tracer, words: str, leaf: Tensor, actual: Tensor | str, expected: Tensor | str) -> Verdict:
    """`actual` and `expected` are gradients, or why there is none. `leaf` is what the first is a gradient of."""
    missing = {side: it for side, it in (("first", actual), ("second", expected)) if isinstance(it, str)}
    if missing:
        told = "; ".join(f"in the {side} function {reason}" for side, reason in missing.items())
        return unchecked(f"`{words}`: {told}")
    assert isinstance(actual, Tensor)
    assert isinstance(expected, Tensor)
    names = f"the first gradient of {words}", f"the second gradient of {words}"
    return Comparer(tracer.with_gradient_of(leaf, actual)).compare(actual, expected, names)
