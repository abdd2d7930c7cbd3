"""The gradients of two functions with respect to one tensor, held against each other."""

from __future__ import annotations

from torch import Tensor

from torchtwin.kernel.comparing.compare import Comparer
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import Verdict

OfOne = tuple[Tensor, Tensor | str]
"""A tensor, and what `torch.autograd.grad` gave for it, or why it gave nothing."""


def compare_gradient(tracer: Tracer, words: str, first: OfOne, second: OfOne) -> Verdict:
    """The verdict on the gradients that the first and the second function gave for the tensor called `words`."""
    each = (("first", first[1]), ("second", second[1]))
    missing = [f"in the {which} function {gradient}" for which, gradient in each if isinstance(gradient, str)]
    if missing:
        return unchecked(f"`{words}`: {'; '.join(missing)}")
    for leaf, gradient in (first, second):
        assert isinstance(gradient, Tensor)
        tracer = tracer.with_gradient_of(leaf, gradient, f"the gradient of {words}")
    names = f"the first gradient of `{words}`", f"the second gradient of `{words}`"
    return Comparer(tracer).compare(first[1], second[1], names)
