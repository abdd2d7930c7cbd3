"""The gradients of two functions with respect to one tensor, held against each other."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from torchtwin.kernel.comparing.arguments import words_of_side
from torchtwin.kernel.comparing.compare import Comparer
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.comparing.pair import noted
from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import Diagnosis, Verdict


@dataclass(frozen=True)
class Missing:
    """Why `torch.autograd.grad` gave nothing for a tensor."""

    reason: str
    cause: str = ""
    """A sentence on the `{which}` function and the tensor `{words}`, where the gradient counts as zero."""


NOTHING = Missing(
    "nothing depends on it",
    "In the {which} function nothing depends on `{words}`: it is not used, or cut off by a `detach()`, `.data`, "
    "`no_grad` or a copy.",
)
_Of = tuple[str, Tensor | Missing]
"""Which function, and the gradient of it."""
OfOne = tuple[Tensor, Tensor | Missing]
"""A tensor, and its gradient."""


def returned_none(function: str | None) -> Missing:
    """Though the result was computed from the tensor. `function`: the user's `autograd.Function` on the way, if one."""
    by = f"`{function}.backward`" if function else "a backward on the way"
    cause = f"In the {{which}} function {by} gave None for what it computed from `{{words}}`"
    return Missing(f"{by} gave None in place of its gradient", f"{cause}: return its gradient there.")


def compare_gradient(tracer: Tracer, words: str, first: OfOne, second: OfOne, is_transposed: bool = False) -> Verdict:
    """The verdict on the gradients that the first and the second function gave for the tensor called `words`.

    `is_transposed`: the two know a matrix and its transpose by that name, whose gradients are transposes as well.
    """
    each = (("first", first[1]), ("second", second[1]))
    if cut_off := _cut_off(words, each):
        return cut_off
    if missing := _missing(*each):
        return unchecked(f"`{words}`: {missing}")
    for at, (leaf, gradient) in enumerate((first, second)):
        assert not isinstance(gradient, Missing)
        tracer = tracer.with_gradient_of(leaf, gradient, f"the gradient of {words_of_side(words, at)}")
    if is_transposed and isinstance(first[1], Tensor) and isinstance(second[1], Tensor):
        return _compare_transposed(tracer, words, first[1], second[1])
    names = f"the first gradient of `{words}`", f"the second gradient of `{words}`"
    return Comparer(tracer).compare(first[1], second[1], names)


def _compare_transposed(tracer: Tracer, words: str, first: Tensor, second: Tensor) -> Verdict:
    """One of them is turned, and that the one which no recorded call is known to have given."""
    names = [f"the first gradient of `{words}`", f"the second gradient of `{words}`"]
    turned = 0 if next(tracer.origins(first), None) is None else 1
    names[turned] = names[turned].replace("the", "the transposed", 1)
    both = (first.T, second) if turned == 0 else (first, second.T)
    verdict = Comparer(tracer).compare(*both, (names[0], names[1]))
    of_one, of_other = (words_of_side(words, at) for at in (turned, 1 - turned))
    return noted(verdict, f"`{of_one}` is the transpose of `{of_other}`, so its gradient was compared transposed")


def _missing(first: _Of, second: _Of) -> str:
    """Why there is no gradient, in one function or in both."""
    if first[1] is NOTHING and second[1] is NOTHING:
        return f"in both functions {NOTHING.reason}, so there is no gradient to compare: leave it out of `wrt`"
    if isinstance(first[1], Missing) and first[1] == second[1]:
        return f"in both functions {first[1].reason}"
    return "; ".join(f"in the {which} function {it.reason}" for which, it in (first, second) if isinstance(it, Missing))


def _cut_off(words: str, each: tuple[_Of, _Of]) -> Verdict | None:
    """Where one function alone depends on the tensor, and by more than zero."""
    (which, gradient), (_, other) = each if isinstance(each[0][1], Missing) else reversed(each)
    if not isinstance(gradient, Missing) or not gradient.cause or isinstance(other, Missing):
        return None
    if not has_storage(other) or not bool(other.any()):
        return None
    return Verdict(
        kind="different",
        message=f"different: in the {which} function {gradient.reason}, in the other its gradient is not zero",
        elements=other.numel(),
        coverage="all",
        diagnosis=Diagnosis("unexplained", gradient.cause.format(which=which, words=words)),
    )
