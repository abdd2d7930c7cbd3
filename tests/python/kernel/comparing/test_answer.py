"""One question, whatever it is asked of: always an answer, and never an error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tests.python.kernel.comparing.conftest import Ask
from tests.python.kernel.conftest import Notebook

import torchtwin
from torchtwin.kernel.comparing import answer as answering
from torchtwin.kernel.comparing.answer import Asked, answer
from torchtwin.kernel.session import Session

SETUP = """\
fc = nn.Linear(3, 3)
x = torch.randn(4, 3)
y = fc(x)
"""


@pytest.fixture
def layer(notebook: Notebook) -> Notebook:
    notebook.run(SETUP)
    return notebook


@pytest.mark.parametrize(
    ("actual", "expected", "message"),
    [
        ("y", "again", "identical: `y` and `again` are the same tensor"),
        ("y", "y.detach()", "identical: `y` and `y.detach()` are the same tensor"),
        ("y", "y.view(4, 3)", "identical: `y` and `y.view(4, 3)` are the same tensor"),
        ("fc.weight", "fc.weight.data", "identical: `fc.weight` and `fc.weight.data` are the same tensor"),
        ("y", "y", "identical: `y` is compared with itself"),
        ("x.long()", "x.long()", None),
        ("y", "y.clone()", None),
        ("square", "square.T", None),
    ],
)
def test_two_names_of_one_tensor_are_told_as_that(
    layer: Notebook, ask: Ask, actual: str, expected: str, message: str | None
) -> None:
    layer.run("again = y\nsquare = torch.ones(3, 3)")
    verdict = ask(actual, expected).verdict
    assert (verdict.kind, verdict.equal_elements) == ("identical", verdict.elements)
    assert (verdict.message == message) == (message is not None)
    assert ("same tensor" in verdict.message or "itself" in verdict.message) == (message is not None)


def test_a_tensor_that_holds_no_values_is_not_the_same_as_itself(ask: Ask) -> None:
    meta = torch.ones(2, device="meta")
    verdict = answer(Session(), Asked(meta, meta, ("a", "a"))).verdict
    assert (verdict.kind, verdict.reason) == ("unchecked", "`a` is on the meta device and holds no values")


def test_before_any_watch_values_are_compared_by_themselves() -> None:
    comparison = answer(Session(), Asked(torch.ones(2), [1.0, 1.0], ("a", "b")))
    assert (comparison.actual, comparison.expected) == ("a", "b")
    assert (comparison.verdict.kind, comparison.verdict.proof) == ("identical", False)


def test_wrt_beside_values_is_told_to_be_of_no_use(layer: Notebook, ask: Ask) -> None:
    note = ask("y", "y.clone()", ["x"]).verdict.note
    assert note is not None
    assert note.endswith("`wrt` is for functions: these are values, whose gradients can't be computed anew")


@pytest.mark.parametrize(
    ("pair", "is_told"),
    [
        (("x @ fc.weight.T + fc.bias", "y"), True),
        (("x @ fc.weight.T", "y"), True),
        (("[1.0, 2.0]", "[1.0, 2.0]"), False),
        (("x.long()", "x.long() + 0"), False),
        (("fc.weight.grad", "y"), False),
        (("y", "y"), False),
        (("(lambda: fc(x))", "(lambda: fc(x))"), False),
    ],
)
def test_where_no_call_is_watched_it_is_told_how_to_watch_one(
    layer: Notebook, pair: tuple[str, str], is_told: bool
) -> None:
    layer.session.unwatch()
    for is_watched in (True, False):
        both = (eval(words, layer.names) for words in pair)
        verdict = answer(layer.session, Asked(*both, pair, is_watched=is_watched)).verdict
        assert ("no call is watched: say `%twin on`" in (verdict.note or "")) == (is_told and not is_watched)


def test_an_error_of_ours_is_an_answer_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*any: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(answering.Comparer, "compare", broken)
    session = Session()
    verdict = answer(session, Asked(torch.ones(2), torch.ones(2), ("a", "b"))).verdict
    assert (verdict.kind, verdict.reason) == ("unchecked", "an internal error of Torchtwin (KeyError)")
    assert session.guard.report() is not None


def failing() -> Iterator[torch.Tensor]:
    yield torch.ones(2)
    raise KeyError("lost")


def test_a_wrt_that_raises_is_an_answer() -> None:
    y = torch.ones(2)
    for wrt, error in ((failing(), "KeyError: 'lost'"), (Odd(), None)):
        verdict = torchtwin.compare(torch.tanh, torch.tanh, wrt=wrt)  # type: ignore[arg-type]
        assert verdict.kind == "unchecked"
        assert error is None or verdict.reason == f"`wrt` raised {error}"
    assert torchtwin.compare(y, y, wrt=failing()).kind == "unchecked"  # type: ignore[arg-type]


def test_words_that_can_not_be_found_are_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*any: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(answering, "words_of_question", broken)
    session, x = Session(), torch.ones(2)
    found = answering.answer_call(session, torch.tanh, torch.tanh, [x, x], sys._getframe())
    assert (found.actual, found.expected, [it.wrt for it in found.gradients]) == ("actual", "expected", [])
    found = answering.answer_call(session, torch.tanh, torch.tanh, x, sys._getframe())
    assert [it.wrt for it in found.gradients] == ["wrt[0]"]
    assert session.guard.report() is not None


class Odd:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> object:
        raise ValueError(name)

    def __eq__(self, other: object) -> bool:
        raise ValueError

    __hash__ = None  # type: ignore[assignment]


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: None, "`bad` is None"),
    "text": (lambda: "text", "`bad` is a str"),
    "dict": (dict, "`bad` is a dict"),
    "odd": (Odd, "`bad` is a "),
    "ragged": (lambda: [[1.0], [1.0, 2.0]], "`bad` is a list, but not of numbers"),
    "huge": (lambda: 10**30, "`bad` is larger than any integer"),
    "objects": (lambda: np.array([None]), "`bad` is a numpy.ndarray of object"),
    "dates": (lambda: np.array(["2020-01-01"], dtype="datetime64[D]"), "`bad` is a numpy.ndarray of datetime64"),
    "meta": (lambda: torch.ones(4, 3, device="meta"), "`bad` is on the meta device"),
    "sparse": (lambda: torch.ones(4, 3).to_sparse(), "`bad` has the layout sparse_coo; compare `bad.to_dense()`"),
    "csr": (lambda: torch.ones(4, 3).to_sparse_csr(), "`bad` has the layout sparse_csr; compare `bad.to_dense()`"),
    "nested": (
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "`bad` is a nested tensor; compare its parts, `bad.unbind()`",
    ),
    "quantised": (
        lambda: torch.quantize_per_tensor(torch.ones(4, 3), 0.1, 0, torch.qint8),
        "`bad` is quantised; compare `bad.dequantize()`",
    ),
    "float8": (lambda: torch.ones(4, 3).to(torch.float8_e5m2), "no rounding bound for float8_e5m2, the dtype of `bad`"),
    "a class": (lambda: torch.nn.ReLU, "`bad` "),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("bad_first", [True, False])
@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_compared_is_told_by_the_users_words(
    layer: Notebook, ask: Ask, kind: str, bad_first: bool
) -> None:
    make, reason = BAD[kind]
    layer.names["bad"] = make()
    verdict = ask(*(("bad", "y") if bad_first else ("y", "bad"))).verdict
    assert verdict.kind == "unchecked"
    assert verdict.reason is not None
    assert verdict.reason.startswith(reason), verdict.reason


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ("torch.zeros(0, 3)", "different"),
        ("torch.zeros(0)", "different"),
        ("y.double()", "identical"),
        ("y.to(torch.complex64)", "identical"),
        ("y.round().long()", "different"),
        ("y > 0", "different"),
        ("float('nan')", "different"),
        ("1", "different"),
    ],
)
def test_other_dtypes_and_empty_tensors_get_a_verdict(layer: Notebook, ask: Ask, other: str, kind: str) -> None:
    verdict = ask(other, "y").verdict
    assert verdict.kind == kind
    assert (verdict.diagnosis is not None) == (kind == "different")


def test_two_empty_tensors_are_identical_and_told_to_be_empty(ask: Ask) -> None:
    assert ask("torch.zeros(0, 3)", "torch.ones(0, 3)").verdict.message.startswith("identical: both are empty")
