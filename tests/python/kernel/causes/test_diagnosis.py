"""A cause is told only where taking it back makes the result agree; and then in the user's words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from torchtwin.kernel.causes import hypotheses
from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.causes.hypotheses import Hypothesis, LinearNames
from torchtwin.kernel.proof import linear
from torchtwin.kernel.twin import Twin
from torchtwin.kernel.words import is_code
from torchtwin.protocol import Diagnosis

NAMES = LinearNames("x", "w", "b", "x @ w.T + b")
SHAPE = torch.Size((6, 8))


def layer(seed: int = 0) -> Twin:
    generator = torch.Generator().manual_seed(seed)
    x, w, b = (torch.randn(shape, generator=generator) for shape in ((6, 40), (8, 40), (8,)))
    return Twin(x, w, b)


def told(wrong: Tensor, twin: Twin | None = None, name: str = "`hand`") -> Diagnosis:
    twin = twin or layer()
    right = linear.output(twin, SHAPE)
    assert right is not None
    return diagnose(Case(wrong, right, name, "`y`", hypotheses=tuple(hypotheses.of_output(twin, SHAPE, NAMES, []))))


def exact(twin: Twin | None = None) -> Tensor:
    twin = twin or layer()
    assert twin.bias is not None
    return twin.input.double() @ twin.weight.double().T + twin.bias.double()


def test_a_formula_is_told_by_what_it_does_wrong_and_by_itself() -> None:
    it = layer()
    assert told(it.input @ it.weight.T).message == "`hand` lacks the bias: it is `x @ w.T`. Write `x @ w.T + b`."
    found = told(it.input @ it.weight.T, name="`x @ w.T`")
    assert (found.code, found.message) == ("missing_bias", "`x @ w.T` lacks the bias. Write `x @ w.T + b`.")


def test_a_wrong_formula_that_was_changed_as_well_is_told_by_both_and_mended_by_the_right_formula() -> None:
    it = layer()
    found = told((it.input @ it.weight.T).flip(0))
    assert (found.code, found.also) == ("missing_bias", ["permuted"])
    assert found.message == "The rows of `hand` are those of `x @ w.T` in reverse. Write `x @ w.T + b`."


def test_where_the_bias_is_all_that_counts_the_sign_is_that_of_the_result() -> None:
    it = replace(layer(), input=torch.zeros(6, 40))
    assert told(-exact(it), it).code == "negated"


def test_what_no_cause_explains_is_told_by_its_largest_differences() -> None:
    wrong = exact()
    noise = torch.rand(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.5
    noise[3, 5], noise[0, 1] = 400.0, -300.0
    found = told(wrong + noise)
    assert found.code == "unexplained"
    assert found.message.startswith("No simple cause found. Largest differences: 400 at [3, 5], 300 at [0, 1], ")


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ((slice(2, 3), slice(None)), "Only row 2 of 6 of `hand` differs; the others agree."),
        ((slice(1, 4), slice(None)), "Only rows 1 to 3 of 6 of `hand` differ; the others agree."),
        ((slice(None), [0, 5]), "Only columns 0, 5 of 8 of `hand` differ; the others agree."),
        ((slice(None), [7]), "Only column 7 of 8 of `hand` differs; the others agree."),
        ((slice(4, 5), slice(2, 3)), "Only the element at [4, 2] of `hand` is wrong."),
    ],
)
def test_wrong_rows_columns_and_elements_are_counted(places: tuple[object, ...], words: str) -> None:
    wrong = exact()
    noise = torch.rand(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.5
    wrong[places] += noise[places]  # type: ignore[index]
    found = told(wrong)
    assert (found.code, found.message) == ("partial", words)


def detour(twin: Twin, dtype: torch.dtype) -> Tensor:
    assert twin.bias is not None
    return (twin.input.to(dtype) @ twin.weight.to(dtype).T + twin.bias.to(dtype)).float()


@pytest.mark.parametrize(("dtype", "name"), [(torch.bfloat16, "bfloat16"), (torch.float16, "float16")])
def test_a_lower_precision_is_told_where_its_own_errors_are_found_and_not_where_others_of_their_size_are(
    dtype: torch.dtype, name: str
) -> None:
    for seed in range(20):
        twin = layer(seed)
        low, right = detour(twin, dtype), exact(twin)
        found = told(low, twin)
        assert (found.code, f"computed in {name}. Compute `x @ w.T + b` in float32" in found.message) == (
            "lower_precision",
            True,
        )
        errors = (low.double() - right).flatten()
        shuffled = errors[torch.randperm(48, generator=torch.Generator().manual_seed(seed))].reshape(SHAPE)
        assert told((right + shuffled).float(), twin).code == "unexplained"
        assert told((right - errors.reshape(SHAPE)).float(), twin).code == "unexplained"


def test_a_lower_precision_that_overflows_explains_no_finite_result() -> None:
    twin = layer()
    large = replace(twin, input=(30000 * twin.input).sign() * 30000, weight=twin.weight.sign())
    right = exact(large)
    assert bool((right.abs() > 65504).any())
    noise = 1 + 1e-3 * torch.rand(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert told((torch.where(right.abs() > 65504, 1.5 * right, right * noise)).float(), large).code != "lower_precision"


def test_a_lower_precision_of_the_largest_rows_alone_is_not_one_of_all() -> None:
    twin = layer()
    sizes = torch.tensor([1.0, 1.0, 1.0, 1.0, 100.0, 100.0])[:, None]
    twin = Twin(twin.input[:, :1] * sizes, twin.weight[:, :1], torch.zeros(8))
    wrong = exact(twin).float()
    wrong[4:] = detour(twin, torch.bfloat16)[4:]
    assert told(wrong, twin).message == "Only rows 4, 5 of 6 of `hand` differ; the others agree."


def test_a_lower_precision_of_half_of_the_rows_is_not_one_of_all() -> None:
    twin = layer()
    wrong = exact(twin).float()
    wrong[:3] = detour(twin, torch.bfloat16)[:3]
    assert told(wrong, twin).code == "partial"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("`hand`", "Write `hand.T`."),
        ("`a.b[0]`", "Write `a.b[0].T`."),
        ("`x.T @ g`", "Write `(x.T @ g).T`."),
        ("the first gradient of `w`", "Transpose it."),
        ("the layer's output", "Transpose it."),
    ],
)
def test_what_undoes_a_mistake_is_written_on_the_users_words_where_they_are_code(name: str, advice: str) -> None:
    right = linear.output(layer(), SHAPE)
    assert right is not None
    square = right.at(lambda t: t[:, :6])
    turned = square.at(lambda t: t.T)
    guess = Hypothesis(("missing_transpose",), turned, "the other way round", "Transpose it.", undo=".T")
    case = Case(exact()[:, :6].T, square, name, "`y`", hypotheses=(guess,))
    assert diagnose(case).message == f"{name[:1].upper()}{name[1:]} is the other way round. {advice}"


def test_words_are_code_only_as_a_whole() -> None:
    assert [is_code(it) for it in ("`a`", "`a` and `b`", "the `a`", "``", "a")] == [True, False, False, False, False]


def test_a_number_that_is_none_is_told_first() -> None:
    wrong = -exact()
    wrong[2, 3] = torch.nan
    found = told(wrong)
    assert (found.code, found.message.split(", where")[0]) == ("nonfinite", "`hand` has NaN at [2, 3]")


def test_an_empty_result_and_one_of_zeros_have_no_cause() -> None:
    assert told(torch.zeros(SHAPE)).message.startswith("No simple cause found. It is zero everywhere.")
