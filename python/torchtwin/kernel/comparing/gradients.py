"""The gradients of two functions with respect to one tensor, held against each other."""

from __future__ import annotations

from torch import Tensor

from torchtwin.kernel.comparing.arguments import words_of_side
from torchtwin.kernel.comparing.compare import Comparer
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import Diagnosis, Verdict

NOTHING = "nothing depends on it"
_Of = tuple[str, Tensor | str]
"""Which function, and the gradient of it."""
OfOne = tuple[Tensor, Tensor | str]
"""A tensor, and what `torch.autograd.grad` gave for it, or why it gave nothing."""


def compare_gradient(tracer: Tracer, words: str, first: OfOne, second: OfOne) -> Verdict:
    """The verdict on the gradients that the first and the second function gave for the tensor called `words`."""
    each = (("first", first[1]), ("second", second[1]))
    if cut_off := _cut_off(words, each):
        return cut_off
    if missing := _missing(*each):
        return unchecked(f"`{words}`: {missing}")
    for at, (leaf, gradient) in enumerate((first, second)):
        assert isinstance(gradient, Tensor)
        tracer = tracer.with_gradient_of(leaf, gradient, f"the gradient of {words_of_side(words, at)}")
    names = f"the first gradient of `{words}`", f"the second gradient of `{words}`"
    return Comparer(tracer).compare(first[1], second[1], names)


def _missing(first: _Of, second: _Of) -> str:
    """Why there is no gradient, in one function or in both."""
    if isinstance(first[1], str) and first[1] == second[1]:
        return f"in both functions {first[1]}"
    return "; ".join(f"in the {which} function {it}" for which, it in (first, second) if isinstance(it, str))


def _cut_off(words: str, each: tuple[_Of, _Of]) -> Verdict | None:
    """Where one function alone depends on the tensor, and by more than zero."""
    (which, gradient), (_, other) = each if each[0][1] == NOTHING else reversed(each)
    if not isinstance(gradient, str) or gradient != NOTHING or isinstance(other, str):
        return None
    if not has_storage(other) or not bool(other.any()):
        return None
    where = f"In the {which} function nothing depends on `{words}`"
    return Verdict(
        kind="different",
        message=f"different: in the {which} function {NOTHING}, in the other its gradient is not zero",
        elements=other.numel(),
        coverage="all",
        diagnosis=Diagnosis("unexplained", f"{where}: a `detach()`, `.data`, `no_grad` or a copy cuts it off."),
    )
