"""An expression's value in a paused frame, and the kernel as it was before."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy
import pytest
import torch
from tests.python.kernel.conftest import Notebook
from torch import nn

from torchtwin.kernel.paused import evaluation
from torchtwin.kernel.paused.evaluation import evaluate
from torchtwin.kernel.paused.place import Place, place
from torchtwin.protocol.paused import Evaluated, EvaluationError


class Asking:
    """Asks in the notebook's namespace, or in a frame of its own with some locals."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        notebook.run("x = torch.ones(4, 3)\nfc = nn.Linear(3, 2)\nfc(x).sum().backward()")

    def __call__(self, words: str, seconds: float = 60.0, **names: Any) -> Evaluated:
        frame = sys._getframe()
        spaces = (names, self.notebook.names) if names else (self.notebook.names,)
        found = evaluate(self.notebook.session, Place(frame, 0, 1, "stopped", spaces), words, seconds)
        assert self.notebook.session.guard.report() is None
        return found

    def error(self, words: str, seconds: float = 60.0) -> EvaluationError:
        found = self(words, seconds).error
        assert found is not None
        return found


@pytest.fixture
def ask(notebook: Notebook) -> Asking:
    return Asking(notebook)


def test_a_tensor_comes_back_in_shape_numbers_and_a_table(ask: Asking) -> None:
    found = ask("fc.weight.grad - 4")
    assert found.tensor is not None
    assert (found.class_name, found.tensor.shape, found.tensor.dtype) == ("torch.Tensor", [2, 3], "float32")
    assert (found.table, found.table_of) == ([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [])
    assert found.statistics is not None
    assert (found.statistics.max, found.text, found.error) == (0.0, None, None)


@pytest.mark.parametrize(
    ("words", "rows", "columns", "of"),
    [
        ("torch.zeros(20, 30)", 8, 8, []),
        ("torch.zeros(2, 5, 3, 2)", 3, 2, [0, 0]),
        ("torch.zeros(30)", 1, 8, []),
        ("torch.tensor(5)", 1, 1, []),
        ("numpy.zeros((3, 2))", 3, 2, []),
        ("torch.zeros(3, 2, dtype=torch.bool)", 3, 2, []),
    ],
)
def test_the_table_is_a_corner(ask: Asking, words: str, rows: int, columns: int, of: list[int]) -> None:
    found = ask(words, numpy=numpy)
    assert found.table is not None
    assert (len(found.table), len(found.table[0]), found.table_of) == (rows, columns, of)


@pytest.mark.parametrize(
    "words", ["torch.zeros(0, 2)", "torch.zeros(2, dtype=torch.cfloat)", "torch.eye(2).to_sparse()"]
)
def test_without_real_elements_there_is_no_table(ask: Asking, words: str) -> None:
    found = ask(words)
    assert found.tensor is not None
    assert (found.table, found.error) == (None, None)


def test_other_values_are_shown_by_a_bounded_repr(ask: Asking) -> None:
    assert ask("fc").text == "Linear(in_features=3, out_features=2, bias=True)"
    long = ask("list(range(10**6))").text
    assert long is not None
    assert long.startswith("[0, 1, 2")
    assert len(long) < 200
    endless = ask("type('Long', (), {'__repr__': lambda self: 'x' * 10**6})()").text
    assert endless is not None
    assert len(endless) <= evaluation.MAX_TEXT + 3


def test_a_comparison_is_judged_by_the_recorded_calls(ask: Asking) -> None:
    ask.notebook.run("y = fc(x)\nimport torchtwin")
    text = ask("y.shape, torchtwin.compare(y, x @ fc.weight.T).kind").text
    assert text == "(torch.Size([4, 2]), 'different')"


def test_locals_hide_globals_and_are_seen_in_lambdas_and_comprehensions(ask: Asking) -> None:
    assert ask("[x for _ in '12'], (lambda: x)()", x=7).text == "([7, 7], 7)"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("1 / 0", EvaluationError("ZeroDivisionError", "division by zero")),
        ("fc(", EvaluationError("SyntaxError", "'(' was never closed", 2, 1)),
        ("a = 3", EvaluationError("SyntaxError", "invalid syntax", 2, 1)),
        ("[][1]", EvaluationError("IndexError", "list index out of range")),
        (
            "fc(torch.ones(2))",
            EvaluationError("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (1x2 and 3x2)"),
        ),
        ("__import__('sys').exit()", EvaluationError("SystemExit", "")),
        ("(_ for _ in ()).throw(KeyboardInterrupt)", EvaluationError("KeyboardInterrupt", "")),
        ("'\\0'[5]", EvaluationError("IndexError", "string index out of range")),
        ("", EvaluationError("SyntaxError", "invalid syntax", 0, 1)),
        ("(lambda f: f(f))(lambda f: f(f))", EvaluationError("RecursionError", "maximum recursion depth exceeded")),
        ("'x' * (1 << 63)", EvaluationError("OverflowError", "cannot fit 'int' into an index-sized integer")),
    ],
)
def test_an_error_is_told_by_its_type_and_first_line(ask: Asking, words: str, error: EvaluationError) -> None:
    assert ask.error(words) == error


def test_an_exception_that_can_not_describe_itself_is_told_by_its_type(ask: Asking) -> None:
    words = "(_ for _ in ()).throw(type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})())"
    assert ask.error(words) == EvaluationError("Mute", "")


def test_a_value_whose_repr_raises_is_told_by_its_class(ask: Asking) -> None:
    found = ask("type('Mute', (), {'__repr__': lambda self: 1 / 0})()")
    assert found.error is None
    assert found.text is not None
    assert found.text.startswith("<Mute instance at ")


def test_too_long_an_expression_is_refused(ask: Asking) -> None:
    assert ask.error("1" * 10_001).message == "the expression has 10,001 characters; at most 10,000 are taken"


def test_what_takes_too_long_is_given_up(ask: Asking) -> None:
    assert ask.error("[0 for _ in iter(int, 1)]", 0.05) == EvaluationError("TimeoutError", "given up after 0.05 s")


def test_the_time_holds_for_the_repr_too(ask: Asking) -> None:
    words = "type('Slow', (), {'__repr__': lambda self: [0 for _ in iter(int, 1)]})()"
    assert ask.error(words, 0.05).type == "TimeoutError"


def test_what_it_binds_is_forgotten(ask: Asking) -> None:
    before = set(ask.notebook.names)
    assert ask("(fresh := 5)").text == "5"
    assert ask("(x := 5)").text == "5"
    assert set(ask.notebook.names) - {"__builtins__"} == before - {"__builtins__"}
    assert ask.notebook.names["x"].shape == (4, 3)


def test_before_torch_is_imported_other_values_are_shown() -> None:
    import subprocess

    program = (
        "import sys\n"
        "from torchtwin.kernel.session import session\n"
        "from torchtwin.kernel.paused.evaluation import evaluate\n"
        "from torchtwin.kernel.paused.place import place\n"
        "print(evaluate(session, place(sys._getframe()), '1 + 1', 9.0).text, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "2 False\n"


def test_it_is_evaluated_in_the_frame_that_asks(ask: Asking) -> None:
    own = 17
    found = evaluate(ask.notebook.session, place(sys._getframe()), "own + 1", 60.0)
    assert (found.text, own) == ("18", 17)


STATE = """(
    torch.get_rng_state().tolist(), random.getstate(), str(numpy.random.get_state()),
    torch.is_grad_enabled(), torch.get_default_dtype(), torch.is_autocast_enabled("cpu"),
    torch.is_autocast_cache_enabled(), torch.get_autocast_dtype("cpu"), torch.are_deterministic_algorithms_enabled(),
    fc.weight.grad.tolist(), id(fc.weight.grad), fc.weight._version, x._version, id(bn.running_mean),
    bn.running_mean.tolist(), bn.num_batches_tracked.item(), len(fc._forward_hooks), fc.weight._backward_hooks,
)"""


@pytest.mark.parametrize(
    "words",
    [
        "torch.randn(3)",
        "random.random(), numpy.random.rand(), torch.manual_seed(5)",
        "fc(x)",
        "fc(x).sum().backward()",
        "fc.zero_grad()",
        "setattr(fc.weight, 'grad', None)",
        "fc.weight.grad.zero_()",
        "torch.set_grad_enabled(False)",
        "torch.set_default_dtype(torch.float64)",
        "torch.use_deterministic_algorithms(True)",
        "torch.set_autocast_enabled('cpu', True)",
        "torch.set_autocast_cache_enabled(False)",
        "bn(x)",
        "(lambda: bn(x))()",
        "torch.dropout(x, 0.5, True)",
        "torch.autograd.grad(fc(x).sum(), fc.weight)",
        "fc(torch.ones(2))",
        "(torch.set_grad_enabled(False), torch.randn(2), 1 / 0)",
        "(torch.set_grad_enabled(False), torch.randn(2), [0 for _ in iter(int, 1)])",
    ],
)
def test_nothing_is_changed_and_nothing_recorded(ask: Asking, words: str) -> None:
    names = ask.notebook.names
    names.update(random=random, numpy=numpy, bn=nn.BatchNorm1d(3))
    before, calls = eval(STATE, names), len(ask.notebook.session.calls())
    changed = ask(words, seconds=0.3 if "iter(" in words else 60.0).changed
    assert eval(STATE, names) == before
    assert changed == []
    assert len(ask.notebook.session.calls()) == calls
    call = ask.notebook.session.calls()[-1]
    ask.notebook.run("fc.zero_grad()\nfc(x).sum().backward()")
    assert ask.notebook.again(call) == call


def test_a_backward_through_a_recorded_call_is_none_of_the_programs(ask: Asking) -> None:
    call = ask.notebook.call("y = fc(x)")
    assert ask("y.sum().backward(retain_graph=True)").error is None
    assert ask.notebook.again(call).gradients.weight is None
    ask.notebook.run("y.sum().backward()")
    assert ask.notebook.again(call).gradients.weight is not None


def test_what_autocast_has_cast_is_not_kept_for_the_program(ask: Asking) -> None:
    fc, x = ask.notebook.names["fc"], ask.notebook.names["x"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ask("fc(x).dtype").text == "torch.bfloat16"
        with torch.no_grad():
            fc.weight.zero_()
        assert torch.equal(fc(x)[0], fc.bias.bfloat16())


def test_what_is_changed_in_place_is_told(ask: Asking) -> None:
    assert ask("x.add_(1)").changed == ["`x`, in place"]
    assert ask("fc.weight.data.add_(1)").changed == []  # `.data` counts no changes: nobody can know
    assert ask("fc.bias.detach().zero_()").changed == ["`fc.bias`, in place"]


def test_a_large_gradient_that_is_changed_is_told(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchtwin.kernel.paused.unchanged.MAX_COPIED", 3)
    assert ask("fc.weight.grad.zero_()").changed == ["`fc.weight.grad`, in place"]
    assert ask("fc.bias.grad.zero_()").changed == []


def test_the_users_grad_mode_holds_for_the_expression(ask: Asking) -> None:
    assert ask("fc(x).requires_grad").text == "True"
    with torch.no_grad():
        assert ask("fc(x).requires_grad").text == "False"


def test_it_works_without_a_watch(ask: Asking) -> None:
    ask.notebook.session.unwatch()
    original = torch.nn.functional.linear
    assert ask("fc(x).shape").text == "torch.Size([4, 2])"
    assert torch.nn.functional.linear is original
    ask.notebook.session.watch("every")


def test_fused_runs_of_it_are_not_counted(ask: Asking) -> None:
    ask.notebook.run("layer = nn.TransformerEncoderLayer(8, 2, batch_first=True).eval()\nz = torch.ones(1, 2, 8)")
    ask.notebook.session.look_for_unseen()
    before = ask.notebook.session.state().unseen
    assert ask("torch.no_grad()(layer)(z).shape").text == "torch.Size([1, 2, 8])"
    ask.notebook.session.look_for_unseen()
    assert ask.notebook.session.state().unseen == before
