"""Whatever is suggested after a failure works, also where more than one thing is wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Literal

import numpy
import pytest
import torch
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel.fitting import Attempt, Fitting, Fix, suggestions
from torchtwin.kernel.naming import Names

CALL = {"layer": "fc(h)", "array": "fc(h)", "function": "F.linear(h, w, b)"}
DTYPES = ["float32"] * 4 + ["float64", "bfloat16"]


def setup(seed: int) -> tuple[str, str]:
    """A call that may fail in one way or several, and what it needs."""
    draw = random.Random(seed)
    features, outputs = draw.choice([1, 2, 3, 4, 6, 12]), draw.choice([1, 2, 3, 4, 5])
    shape = [draw.choice([1, 2, 3, 4, 6]) for _ in range(draw.choice([0, 1, 2, 2, 3, 3, 4]))]
    dtype, weight_dtype = draw.choice([*DTYPES, "int64"]), draw.choice(DTYPES)
    any_bias = [draw.choice([[], [1], [2, 3], [4]]), [draw.choice([1, 2, 3]), outputs]]
    bias = draw.choice([None, [outputs], [1, outputs], *any_bias])
    kind = draw.choice(list(CALL))
    h = f"torch.ones({shape}, dtype=torch.{dtype})"
    if kind == "array":
        h = f"numpy.ones({shape}, '{'float32' if dtype == 'bfloat16' else dtype}')"
    lines = [
        "import numpy",
        f"h = {h}",
        f"fc = nn.Linear({features}, {outputs}, bias={bias is not None}, dtype=torch.{weight_dtype})",
        f"w, b = fc.weight.detach().clone(), {None if bias is None else f'torch.ones({bias}, dtype=w_dtype)'}",
        "if b is not None: fc.bias.data = b",
    ]
    return "\n".join(lines).replace("w_dtype", f"torch.{weight_dtype}"), CALL[kind]


def following(suggestion: str, call: str) -> str:
    """The cell of a person who does as told."""
    code = re.search("`(.*?)`", suggestion)
    shape = re.search(r"of shape (\[.*?\])", suggestion)
    like = "dtype=fc.weight.dtype"
    if suggestion.startswith(("Transpose the input", "Flatten the input", "Cast the input", "Pass `")):
        assert code is not None
        return call.replace("(h", f"({code[1]}")
    if suggestion.startswith("Make the layer"):
        assert code is not None
        return f"fc = {code[1]}\nfc(h)"
    if suggestion.startswith("Cast the layer"):
        assert code is not None
        return f"{code[1]}\nfc(h)"
    if suggestion.startswith(("Transpose the weight", "Cast the bias")):
        assert code is not None
        return f"{'w' if 'weight' in suggestion else 'b'} = {code[1]}\n{call}"
    if suggestion.startswith("Pass an input with"):
        return call.replace("(h", f"(torch.ones({suggestion.split()[4]}, {like})")
    assert shape is not None
    if suggestion.startswith("Pass a weight"):
        return f"w = torch.ones({shape[1]}, {like})\n{call}"
    if suggestion.startswith("Pass a bias"):
        return f"b = torch.ones({shape[1]}, {like})\nfc.bias = nn.Parameter(b)\n{call}"
    assert suggestion.startswith("Pass a tensor of shape")
    return call.replace("(h", f"(torch.ones({shape[1]}, {like})")


def outcome(notebook: Notebook, source: str) -> str:
    try:
        notebook.run(source)
    except (RuntimeError, TypeError) as error:
        return str(error)
    return "ran"


@pytest.mark.parametrize("seeds", [range(first, first + 50) for first in range(0, 400, 50)], ids=str)
def test_every_suggestion_works(notebook: Notebook, seeds: range) -> None:
    followed = 0
    for seed in seeds:
        before, call = setup(seed)
        notebook.run(before)
        if outcome(notebook, call) == "ran":
            continue
        failure = notebook.session.calls()[-1].error
        assert failure is not None
        for suggestion in failure.suggestions:
            notebook.run(before)
            assert (seed, suggestion, outcome(notebook, following(suggestion, call))) == (seed, suggestion, "ran")
            followed += 1
    assert followed > 5


GPU = torch.device("cuda:0")
NAMES = Names("fc", "h", "fc.weight", "fc.bias", "output", "h", "fc.weight", "fc.bias", frozenset(), {})


def told(
    value: object, fixes: Callable[[Fitting], Iterator[Fix]], made_by: Literal["layer", "function"] = "layer"
) -> list[str]:
    """What is suggested for an input on the CPU, where the layer is on a GPU."""
    w = torch.ones(5, 3)
    fitting = Fitting(Attempt(NAMES, made_by, value, w, torch.ones(5)), w)
    assert fitting._bias is not None
    fitting._weight, fitting._bias = fitting._weight.on(GPU), fitting._bias.on(GPU)
    return suggestions(fixes(fitting))


def test_an_input_is_made_where_the_weight_is() -> None:
    assert told([1.0, 2.0, 3.0], Fitting.other_input) == [
        'Pass `torch.tensor(h, dtype=torch.float32, device="cuda:0")`.'
    ]
    assert told(numpy.ones(3), Fitting.other_input) == ['Pass `torch.from_numpy(h).to("cuda:0", torch.float32)`.']
    assert told(numpy.ones(3, "float32"), Fitting.other_input) == ['Pass `torch.from_numpy(h).to("cuda:0")`.']
    assert told([torch.ones(3)], Fitting.other_input) == []
    x = torch.tensor(1.0)
    assert told(x, lambda fitting: fitting.other_number_of_features(x)) == [
        "Pass a tensor of shape [3] or [batch, 3] on cuda:0."
    ]


def test_what_leaves_the_operands_on_two_devices_is_not_suggested() -> None:
    x = torch.ones(3, 4)
    assert told(x, lambda fitting: fitting.other_number_of_features(x)) == [
        "Make the layer `nn.Linear(in_features=4, out_features=5)`."
    ]
    assert told(x, lambda fitting: fitting.other_number_of_features(x), "function") == []
    assert told(x, lambda fitting: fitting.other_bias(x)) == []


def test_an_input_is_not_moved_to_where_there_are_no_values() -> None:
    x, w = torch.ones(2, 3), torch.empty(5, 3, device="meta")
    fitting = Fitting(Attempt(NAMES, "function", x, w, None), w)
    moved = next(fitting.other_device(x, w))
    assert (moved.text, moved.works) == ('Move the input: `h.to("meta")`.', False)
