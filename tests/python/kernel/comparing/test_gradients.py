"""Gradients of two functions: a missing one is told with the reason, one that is cut off is different."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from torchtwin.kernel.comparing.gradients import NOTHING, Missing, compare_gradient, returned_none
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.session import Session
from torchtwin.protocol import Verdict

leaf = torch.ones(2, 3)
some, zero = torch.arange(6.0).reshape(2, 3), torch.zeros(2, 3)


@pytest.fixture
def tracer(session: Session) -> Tracer:
    tracer = session.tracer()
    assert tracer is not None
    return tracer


def held(tracer: Tracer, first: Tensor | Missing, second: Tensor | Missing) -> Verdict:
    return compare_gradient(tracer, "fc.weight", (leaf, first), (leaf, second))


@pytest.mark.parametrize(("pair", "which"), [((NOTHING, some), "first"), ((some, NOTHING), "second")])
def test_a_gradient_that_only_one_function_has_is_different_and_says_in_which_it_is_cut_off(
    tracer: Tracer, pair: tuple[Tensor | Missing, Tensor | Missing], which: str
) -> None:
    verdict = held(tracer, *pair)
    assert (verdict.kind, verdict.elements) == ("different", 6)
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == (
        f"In the {which} function nothing depends on `fc.weight`: it is not used, or cut off by a `detach()`, `.data`, "
        "`no_grad` or a copy."
    )


@pytest.mark.parametrize(
    "pair",
    [
        (NOTHING, zero),
        (zero, NOTHING),
        (NOTHING, NOTHING),
        (NOTHING, Missing("its backward raised ValueError")),
        (returned_none("Mine"), returned_none("Mine")),
        (Missing("it does not require grad"), some),
        (NOTHING, some.to_sparse()),
        (NOTHING, some.to("meta")),
    ],
)
def test_a_gradient_that_is_missing_for_another_reason_is_unchecked_with_it(
    tracer: Tracer, pair: tuple[Tensor | Missing, Tensor | Missing]
) -> None:
    verdict = held(tracer, *pair)
    assert verdict.kind == "unchecked"
    if isinstance(pair[0], Missing) and pair[0] == pair[1]:
        assert verdict.reason is not None
        assert verdict.reason.startswith(f"`fc.weight`: in both functions {pair[0].reason}")
        return
    reasons = [
        f"in the {which} function {it.reason}"
        for which, it in zip(("first", "second"), pair, strict=True)
        if isinstance(it, Missing)
    ]
    assert verdict.reason == f"`fc.weight`: {'; '.join(reasons)}"


def test_two_gradients_are_compared_under_names_that_tell_them_apart(tracer: Tracer) -> None:
    verdict = held(tracer, 2 * some, some)
    assert verdict.kind == "different"
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.startswith(
        "The first gradient of `fc.weight` is 2 times the second gradient of `fc.weight`."
    )
    assert held(tracer, some, some.clone()).kind == "identical"
