"""A call that raises is explained in the user's names, and raises what it would have raised."""

from __future__ import annotations

import re
import traceback

import pytest
import torch
from tests.python.kernel.conftest import Notebook

from torchtwin.protocol import Call, Clash, Failure


def failed(notebook: Notebook, source: str) -> tuple[Call, Failure, Exception]:
    with pytest.raises((RuntimeError, TypeError)) as caught:
        notebook.run(source)
    call = notebook.session.calls()[-1]
    assert call.error is not None
    return call, call.error, caught.value


FC = "fc = nn.Linear(3, 5)\n"


def test_the_clashing_dimensions_are_named(notebook: Notebook) -> None:
    call, failure, _ = failed(notebook, FC + "h = torch.ones(2, 4)\nfc(h)")
    assert failure.explanation == "`h` has 4 features, `fc` takes 3."
    assert failure.clash == [Clash("input", 1), Clash("weight_t", 0)]
    assert call.operands.input is not None
    assert call.operands.input.shape == [2, 4]
    assert call.operands.weight_t is not None
    assert call.operands.weight_t.shape == [3, 5]
    assert call.operands.output is None
    assert call.expression == "h @ fc.weight.T + fc.bias"
    assert (failure.type, call.forward.kind, call.forward.reason) == ("RuntimeError", "unchecked", "the call raised")


X34 = "next(iter([torch.ones(3, 4)])) * 1"
X23D = "next(iter([torch.ones(2, 3).double()])) * 1"
SUGGESTIONS = [
    ("h = torch.ones(3, 4)\nfc(h)", "Transpose the input: `h.T` has shape [4, 3].", "fc(h.T)"),
    (
        "h = torch.ones(2, 4)\nfc(h)",
        "Make the layer `nn.Linear(in_features=4, out_features=5)`.",
        "fc = nn.Linear(in_features=4, out_features=5)\nfc(h)",
    ),
    (
        "fc = fc.double()\nh = torch.ones(2, 4).double()\nfc(h)",
        "Make the layer `nn.Linear(in_features=4, out_features=5, dtype=torch.float64)`.",
        "fc = nn.Linear(in_features=4, out_features=5, dtype=torch.float64)\nfc(h)",
    ),
    ("h = torch.ones(2, 4)\nfc(h)", "Pass an input with 3 features.", "fc(torch.ones(3))"),
    (
        "b = torch.tensor([[1., 2.]])\nfc = nn.Linear(3, 2)\nfc.bias.data = b\nh = [1., 2., 3.]\nfc(h)",
        "Pass `torch.tensor(h, dtype=torch.float32)`.",
        "h = torch.tensor(h, dtype=torch.float32)\nF.linear(h, fc.weight, b[0])",
    ),
    (
        "big = nn.Linear(28, 5)\nh = torch.ones(2, 4, 7)\nbig(h)",
        "Flatten the input: `h.flatten(1)` has shape [2, 28].",
        "big(h.flatten(1))",
    ),
    (
        "big = nn.Linear(28, 5)\nh = torch.ones(4, 7)\nbig(h)",
        "Flatten the input: `h.flatten()` has shape [28].",
        "big(h.flatten())",
    ),
    ("h = torch.ones(3, 1)\nfc(h)", "Transpose the input: `h.T` has shape [1, 3].", "fc(h.T)"),
    (
        "fc(torch.ones(3, 4) * 2)",
        "Transpose the input: `(torch.ones(3, 4) * 2).T` has shape [4, 3].",
        "fc((torch.ones(3, 4) * 2).T)",
    ),
    (
        "F.linear(torch.ones(2, 4), fc.weight)",
        "Pass a weight of shape [5, 4].",
        "F.linear(torch.ones(2, 4), torch.ones([5, 4]))",
    ),
    (
        "fc(torch.ones(2, 3).double())",
        "Cast the input: `torch.ones(2, 3).double().to(torch.float32)`.",
        "fc(torch.ones(2, 3).double().to(torch.float32))",
    ),
    ("h = torch.ones(2, 3).double()\nfc(h)", "Cast the input: `h.to(torch.float32)`.", "fc(h.to(torch.float32))"),
    ("h = torch.ones(2, 3).double()\nfc(h)", "Cast the layer: `fc.to(torch.float64)`.", "fc.to(torch.float64)\nfc(h)"),
    (
        "h = numpy.ones((2, 3))\nfc(h)",
        "Pass `torch.from_numpy(h).to(torch.float32)`.",
        "fc(torch.from_numpy(h).to(torch.float32))",
    ),
    ("h = numpy.ones((2, 3), numpy.float32)\nfc(h)", "Pass `torch.from_numpy(h)`.", "fc(torch.from_numpy(h))"),
    (
        "h = numpy.ones((2, 3), numpy.int64)\nfc(h)",
        "Pass `torch.from_numpy(h).to(torch.float32)`.",
        "fc(torch.from_numpy(h).to(torch.float32))",
    ),
    (
        "h = [[1., 2., 3.]]\nfc(h)",
        "Pass `torch.tensor(h, dtype=torch.float32)`.",
        "fc(torch.tensor(h, dtype=torch.float32))",
    ),
    (
        "h = (1, 2, 3)\nfc(h)",
        "Pass `torch.tensor(h, dtype=torch.float32)`.",
        "fc(torch.tensor(h, dtype=torch.float32))",
    ),
    (
        "h = 3\nfc = nn.Linear(1, 5)\nfc(h)",
        "Pass `torch.tensor([h], dtype=torch.float32)`.",
        "fc(torch.tensor([h], dtype=torch.float32))",
    ),
    ("h = torch.ones(2, 4), torch.ones(2, 3)\nfc(h)", "Pass `h[1]`.", "fc(h[1])"),
    (
        "h = torch.ones(4, 3)\nF.linear(h, torch.ones(3, 5))",
        "Transpose the weight: `torch.ones(3, 5).T` has shape [5, 3].",
        "F.linear(h, torch.ones(3, 5).T)",
    ),
    (f"fc({X34})", "Transpose the input: it then has shape [4, 3].", f"fc(({X34}).T)"),
    (f"fc({X23D})", "Cast the input to torch.float32.", f"fc(({X23D}).to(torch.float32))"),
    (
        "h = torch.ones(2, 3)\nF.linear(h, fc.weight, torch.ones(4))",
        "Pass a bias of shape [5].",
        "F.linear(h, fc.weight, torch.ones([5]))",
    ),
    (
        "h = torch.ones(2, 3)\nF.linear(h, fc.weight, torch.ones(4, 5))",
        "Pass a bias of shape [5].",
        "F.linear(h, fc.weight, torch.ones([5]))",
    ),
    (
        "b = torch.ones(5).double()\nF.linear(torch.ones(2, 3), fc.weight, b)",
        "Cast the bias: `b.to(torch.float32)`.",
        "F.linear(torch.ones(2, 3), fc.weight, b.to(torch.float32))",
    ),
    (
        "h = torch.ones(4)\nF.linear(torch.ones(2, 3), h)",
        "Pass a weight of shape [3].",
        "F.linear(torch.ones(2, 3), torch.ones([3]))",
    ),
    (
        "h = torch.tensor(2.)\nfc(h)",
        "Pass a tensor of shape [3] or [batch, 3].",
        "fc(torch.ones([3]))",
    ),
    (
        "fc = nn.Linear(3, 5, device='meta')\nh = torch.ones(2, 3)\nfc(h)",
        'Give the layer memory: `fc.to_empty(device="cpu")`, then load or initialise it.',
        'fc.to_empty(device="cpu").reset_parameters()\nfc(h)',
    ),
]


@pytest.mark.parametrize(("source", "suggestion", "followed"), SUGGESTIONS)
def test_what_is_suggested_fits(notebook: Notebook, source: str, suggestion: str, followed: str) -> None:
    """`followed` is what a person who follows the suggestion writes."""
    _, failure, _ = failed(notebook, "import numpy\n" + FC + source)
    assert suggestion in failure.suggestions
    assert all(code in followed for code in re.findall("`(.*?)`", suggestion))
    assert notebook.call(followed).forward.kind == "identical"


@pytest.mark.parametrize(
    "h",
    [
        "None",
        "3",
        "3.0",
        "'a'",
        "[]",
        "['a']",
        "[1.0, 2.0]",
        "[[1.0, 2.0, 3.0], [1.0]]",
        "[torch.ones(7)]",
        "(torch.ones(2, 3).double(),)",
        "{'a': torch.ones(2, 3)}",
        "numpy.array(['a', 'b', 'c'])",
        "numpy.ones((2, 4))",
        "numpy.ones((2, 3))[::-1]",
        "numpy.ones((2, 3), numpy.longdouble)",
        "numpy.ones((2, 3), '>f8')",
        "numpy.zeros((2, 3), [('a', 'u1'), ('b', 'f4')])['b']",
        "[[0.0] * 3] * 20_000",
        "[[[0.0] * 3] * 200] * 200",
    ],
)
def test_what_would_not_fit_either_is_not_suggested(notebook: Notebook, h: str) -> None:
    _, failure, _ = failed(notebook, FC + f"import numpy\nh = {h}\nfc(h)")
    assert failure.suggestions == []
    assert failure.explanation.startswith("`h` is ")


@pytest.mark.parametrize(
    "source",
    [
        "h = torch.ones(3, 4).double()\nfc(h)",
        "h = torch.ones(2, 3).double()\nF.linear(h, fc.weight, torch.ones(5).double())",
        "h = torch.full((2, 3), 0.9)\nF.linear(h, torch.ones(5, 3).long())",
        "h = torch.ones(2, 3, dtype=torch.complex64)\nF.linear(h, fc.weight)",
    ],
)
def test_what_would_fail_for_another_reason_is_not_suggested(notebook: Notebook, source: str) -> None:
    _, failure, _ = failed(notebook, FC + source)
    assert failure.suggestions == []


def test_a_kind_of_input_has_its_article(notebook: Notebook) -> None:
    _, failure, _ = failed(notebook, FC + "h = 3\nfc(h)")
    assert failure.explanation == "`h` is an int, not a tensor."


def test_attention_is_not_told_to_be_another_layer(notebook: Notebook) -> None:
    _, failure, _ = failed(
        notebook,
        "mha = nn.MultiheadAttention(8, 2)\nq, k = torch.ones(2, 1, 8), torch.ones(2, 1, 5)\nmha(q, k, k)",
    )
    assert failure.explanation == "`k` has 5 features, `mha` takes 8."
    assert failure.suggestions == []


def test_what_meta_tensors_lack_is_said(notebook: Notebook) -> None:
    _, failure, _ = failed(notebook, "fc = nn.Linear(3, 5, device='meta')\nh = torch.ones(2, 3)\nfc(h)")
    assert failure.explanation == "`h` is on cpu, `fc.weight` on meta. Meta tensors hold no values."
    assert failure.suggestions == ['Give the layer memory: `fc.to_empty(device="cpu")`, then load or initialise it.']
    _, failure, _ = failed(notebook, FC + "h = torch.ones(2, 3, device='meta')\nfc(h)")
    assert failure.suggestions == []


def test_an_error_of_another_kind_is_not_blamed_on_dtypes(notebook: Notebook) -> None:
    """Under autocast dtypes may differ."""
    _, failure, _ = failed(
        notebook,
        FC + "with torch.inference_mode(): h = torch.ones(2, 3).bfloat16()\n"
        "with torch.autocast('cpu', torch.bfloat16): fc(h)",
    )
    assert failure.explanation.startswith("`fc` raised RuntimeError: Inference tensors cannot be saved")


def test_integers_are_not_cast_by_autocast_either(notebook: Notebook) -> None:
    _, failure, _ = failed(
        notebook, FC + "h = torch.ones(2, 3).long()\nwith torch.autocast('cpu', torch.bfloat16): fc(h)"
    )
    assert failure.explanation == "`h` is int64, `fc.weight` is float32."


def test_the_error_of_a_subclass_is_its_own(notebook: Notebook) -> None:
    source = (
        "class Own(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
        "        raise RuntimeError('no dtype of mine')\n"
        "h = torch.ones(2, 4).double().as_subclass(Own)\nfc(h)"
    )
    _, failure, _ = failed(notebook, FC + source)
    assert failure.explanation == "`fc` raised RuntimeError: no dtype of mine"


@pytest.mark.parametrize(
    "call", ["F.linear(h, w, foo=1)", "F.linear()", "F.linear(h)", "F.linear(h, w, h, w)", "F.linear(h, w, 3.0)"]
)
def test_wrong_arguments_are_blamed_on_no_operand(notebook: Notebook, call: str) -> None:
    """Though the features clash as well."""
    _, failure, _ = failed(notebook, "h, w = torch.ones(2, 4), torch.ones(4, 3)\n" + call)
    assert failure.explanation.startswith("`F.linear` raised TypeError")
    assert failure.suggestions == []


def test_where_the_bias_is_no_tensor_another_input_alone_is_not_suggested(notebook: Notebook) -> None:
    _, failure, _ = failed(notebook, "h, w = [1.0, 2.0], torch.ones(4, 2)\nF.linear(h, w, 3.0)")
    assert (failure.explanation, failure.suggestions) == ("`h` is a list, not a tensor.", [])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "operands",
    [
        "torch.ones(2, 4).to_sparse(), w",
        "torch.ones(2, 4).to_sparse_csr(), w",
        "torch.ones(2, 4), w.to_sparse()",
        "[torch.ones(2, 3).to_sparse()], w",
        "[1.0, 2.0, 3.0], w.to_sparse()",
        "torch.ones(2, 4), w, torch.ones(5).to_sparse()",
        "torch.ones(2, 4).to_mkldnn(), w",
        "torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)]), w",
        "torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)], layout=torch.jagged), w",
        "torch.quantize_per_tensor(torch.ones(2, 4), 0.1, 0, torch.qint8), w",
    ],
)
def test_operands_with_kernels_of_their_own_are_recorded_and_nothing_is_suggested(
    notebook: Notebook, operands: str
) -> None:
    call, failure, error = failed(notebook, f"w = torch.ones(5, 3)\nF.linear({operands})")
    assert call.operands.weight is not None
    assert failure.suggestions == []
    assert failure.message == str(error).splitlines()[0]


def test_a_fault_in_the_suggestions_costs_these_alone(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[Exception] = []
    monkeypatch.setattr("torchtwin.kernel.failure.Fitting.other_bias", None)
    monkeypatch.setattr(notebook.session.guard, "caught", faults.append)
    _, failure, _ = failed(notebook, FC + "F.linear(torch.ones(2, 3), fc.weight, torch.ones(4))")
    assert failure.explanation == "`torch.ones(4)` has shape [4], the output [2, 5]."
    assert failure.suggestions == []
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("h", "b", "output"), [("2, 3", "1, 1, 5", [2, 5]), ("3", "2, 5", [5]), ("2, 4, 3", "1, 1, 1, 5", [2, 4, 5])]
)
def test_a_bias_of_more_dimensions_than_the_output_is_explained(
    notebook: Notebook, h: str, b: str, output: list[int]
) -> None:
    source = f"h, b = torch.ones({h}), torch.ones({b})\n"
    _, failure, _ = failed(notebook, FC + source + "F.linear(h, fc.weight, b)")
    assert failure.explanation == f"`b` has shape [{b}], the output {output}."
    assert failure.suggestions == ["Pass a bias of shape [5]."]
    assert failure.clash == [Clash("bias", 0)]
    assert notebook.call("F.linear(h, fc.weight, torch.ones([5]))").forward.kind != "different"


@pytest.mark.parametrize(
    "source",
    [
        "h, w = torch.ones(5, 4, device='meta'), torch.ones(4, 5, device='meta')\nF.linear(h, w)",
        "h, w = torch.ones(3, 4, device='meta'), torch.ones(5, 3)\nF.linear(h, w)",
        "h, w = torch.ones(2, 3, device='meta'), torch.ones(5, 3)\nF.linear(h, w, torch.ones(4))",
        "h, fc = torch.ones(3, 4), nn.Linear(3, 5, device='meta')\nfc(h)",
        "h, fc = [1.0, 2.0, 3.0], nn.Linear(3, 5, device='meta')\nfc(h)",
        "h, fc = torch.tensor(1.0), nn.Linear(3, 5, device='meta')\nfc(h)",
        "h, w = torch.ones(2, 3), torch.ones(5, 3)\nF.linear(h, w, torch.ones(5, device='meta'))",
    ],
)
def test_what_holds_no_values_is_not_suggested(notebook: Notebook, source: str) -> None:
    """But for the layer that is made anew."""
    _, failure, _ = failed(notebook, source)
    assert not any("meta" in it for it in failure.suggestions)
    assert {it.split(" `")[0] for it in failure.suggestions} <= {"Make the layer"}


def test_a_bias_on_another_device_is_told(notebook: Notebook) -> None:
    source = "h, w, b = torch.ones(2, 3), torch.ones(5, 3), torch.ones(5, device='meta')\nF.linear(h, w, b)"
    _, failure, _ = failed(notebook, source)
    assert failure.explanation == "`b` is on meta, `w` on cpu. Meta tensors hold no values."


def test_an_exception_that_fails_to_describe_itself_is_no_fault_of_ours(notebook: Notebook) -> None:
    source = (
        "class Odd(RuntimeError):\n    def __str__(self): raise ValueError\n"
        "class Own(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
        "        raise Odd\n"
        "h = torch.ones(2, 3).as_subclass(Own)\nfc(h)"
    )
    _, failure, _ = failed(notebook, FC + source)
    assert (failure.type, failure.message) == ("Odd", "")


def test_an_array_without_a_name_is_told_how_to_become_a_tensor(notebook: Notebook) -> None:
    _, failure, error = failed(notebook, FC + "import numpy\nfc(numpy.ones((2, 3)))")
    assert failure.suggestions == ["Pass `torch.from_numpy(...).to(torch.float32)`."]
    assert error.__notes__[0].endswith("\n  - Pass `torch.from_numpy(...).to(torch.float32)`.")


@pytest.mark.parametrize("value", ["None", "3.0", "'a'", "[[1.0], [1.0, 2.0]]"])
def test_whatever_is_no_tensor_is_told_in_a_note_too(notebook: Notebook, value: str) -> None:
    _, failure, error = failed(notebook, FC + f"h = {value}\nfc(h)")
    assert failure.explanation.startswith("`h` is ")
    assert error.__notes__ == [
        "Torchtwin: h @ fc.weight.T + fc.bias\n           ? @   [3, 5]    +   [5]\n" + failure.explanation
    ]


def test_an_input_is_said_by_the_words_of_the_formula(notebook: Notebook) -> None:
    source = (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(3, 5)\n    def forward(self, x):\n        return self.fc(self.act(x))\n"
        "    def act(self, x):\n        return torch.relu(x)\n"
    )
    _, failure, _ = failed(notebook, source + "Net()(torch.ones(2, 4, requires_grad=True))")
    assert failure.explanation == "`input` (`act(...)`) has 4 features, `self.fc` takes 3."
    _, failure, _ = failed(notebook, FC + "fc(torch.ones(2, 4))")
    assert failure.explanation == "`torch.ones(2, 4)` has 4 features, `fc` takes 3."


def test_none_is_said_to_be_none_and_nothing_is_suggested(notebook: Notebook) -> None:
    _, failure, _ = failed(notebook, FC + "h = None\nfc(h)")
    assert (failure.explanation, failure.suggestions) == ("`h` is None, not a tensor.", [])


def test_the_exception_is_the_users_own_with_a_note(notebook: Notebook) -> None:
    notebook.session.unwatch()
    layer, h = torch.nn.Linear(3, 5), torch.ones(2, 4)
    with pytest.raises(RuntimeError) as plain:
        layer(h)
    notebook.session.watch()
    _, _, watched = failed(notebook, FC + "h = torch.ones(2, 4)\nfc(h)")
    assert (type(watched), watched.args) == (plain.type, plain.value.args)
    assert watched.__cause__ is None
    assert watched.__context__ is None
    assert watched.__notes__ == [
        "Torchtwin:   h    @ fc.weight.T + fc.bias\n"
        "           [2, 4] @   [3, 5]    +   [5]\n"
        "`h` has 4 features, `fc` takes 3.\n"
        "  - Pass an input with 3 features.\n"
        "  - Make the layer `nn.Linear(in_features=4, out_features=5)`."
    ]


def test_the_traceback_ends_where_it_would_without_us(notebook: Notebook) -> None:
    _, _, error = failed(notebook, FC + "fc(torch.ones(2, 4))")
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    assert files[-1].endswith("torch/nn/modules/linear.py")
    assert not any("torchtwin/kernel" in file for file in files)


def test_what_is_not_understood_is_left_to_the_exception(notebook: Notebook) -> None:
    _, failure, error = failed(
        notebook, "x = torch.ones(2, 3, dtype=torch.bool)\nF.linear(x, torch.ones(4, 3, dtype=torch.bool))"
    )
    assert failure.suggestions == []
    assert failure.message == str(error).splitlines()[0]


def test_the_layer_works_on_after_a_failure(notebook: Notebook) -> None:
    failed(notebook, FC + "fc(torch.ones(2, 4))")
    assert notebook.call("fc(torch.ones(2, 3))").forward.kind == "identical"
