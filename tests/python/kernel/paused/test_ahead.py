"""What a line is about to compute is told before it runs, as it would be told after it."""

from __future__ import annotations

import contextlib

import pytest
import torch
from tests.python.kernel.conftest import Notebook
from tests.python.kernel.paused.conftest import Stops

from torchtwin.protocol import Call, Clash
from torchtwin.protocol.paused import Product

SETUP = """
x = torch.ones(4, 3)
h = torch.ones(4, 2)
w, b = torch.ones(2, 3), torch.ones(2)
fc, fc2 = nn.Linear(3, 2), nn.Linear(2, 5)
"""


def one(products: list[Product]) -> Product:
    (product,) = products
    return product


def shapes(product: Product) -> list[list[int] | None]:
    o = product.operands
    return [None if it is None else it.shape for it in (o.input, o.weight_t, o.bias, o.output)]


def told_after(notebook: Notebook, line: str) -> Call:
    """The record of the line's last call."""
    with contextlib.suppress(RuntimeError, TypeError):
        notebook.run(SETUP + line)
    return notebook.session.calls()[-1]


FITTING = [
    "y = fc(x)",
    "y = F.linear(x, w, b)",
    "y = F.linear(bias=b, weight=w, input=x)",
    "y = F.linear(x, w)",
    "y = fc(x * 2)",
    "y = fc(torch.relu(x))",
    "y = fc.forward(x)",
    "y = nn.Sequential.forward(nn.Sequential(), x) if False else fc(x)",
    "assert fc(x).sum() is not None",
    "layers = [fc]; y = layers[0](x)",
    "y = fc(x[0])",
    "y = fc(x.view(2, 2, 3))",
    "y = fc(input=x)",
    "fc(x).sum().backward()",
    "y = torch.relu(fc(x))",
    "y = (fc)(x)",
]


@pytest.mark.parametrize("line", FITTING)
def test_a_call_that_fits_is_told_as_its_record_tells_it(stops: Stops, line: str) -> None:
    words = line.partition("; ")[2] or line
    product = one(stops.products(SETUP + line.replace("; ", "\n"), words))
    call = told_after(stops.notebook, line.replace("; ", "\n"))
    assert (product.name, product.expression) == (call.name, call.expression)
    assert product.operands.input == call.operands.input
    assert (product.operands.weight, product.operands.bias) == (call.operands.weight, call.operands.bias)
    assert product.operands.output == call.operands.output
    assert (product.error, product.unknown, product.state) == (None, None, "ahead")


FAILING = [
    "y = fc(h)",
    "y = F.linear(h, w, b)",
    "y = F.linear(x, w, torch.ones(5))",
    "y = F.linear(x, torch.ones(2, 3, 3))",
    "y = fc(x.double())",
    "y = fc(x.T)",
    "y = fc([1., 2., 3.])",
    "y = fc(None)",
    "y = fc(torch.tensor(1.))",
    "y = fc(torch.ones(4, 3, dtype=torch.int64))",
    "y = fc(torch.ones(2, 6000, 4000))",
    "y = fc.double()(x)",
]


@pytest.mark.parametrize("line", FAILING[:-1])
def test_a_call_that_does_not_fit_is_explained_before_it_runs_as_after(stops: Stops, line: str) -> None:
    product = one(stops.products(SETUP + line, line))
    call = told_after(stops.notebook, line)
    assert call.error is not None
    assert product.error == call.error
    assert (product.name, product.expression, product.operands.output) == (call.name, call.expression, None)


def test_what_changes_a_layer_is_not_run_to_know_it(stops: Stops) -> None:
    assert stops.products(SETUP + FAILING[-1], FAILING[-1]) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = x @ w.T", [[4, 3], [3, 2], None, [4, 2]]),
        ("y = x @ w.T + b", [[4, 3], [3, 2], [2], [4, 2]]),
        ("y = torch.matmul(x, w.T)", [[4, 3], [3, 2], None, [4, 2]]),
        ("y = x.mm(w.t())", [[4, 3], [3, 2], None, [4, 2]]),
        ("y = x @ fc.weight.T + fc.bias", [[4, 3], [3, 2], [2], [4, 2]]),
        ("y = x[:2] @ w.transpose(0, 1)", [[2, 3], [3, 2], None, [2, 2]]),
        ("y = torch.ones(7, 4, 3) @ w.T", [[7, 4, 3], [3, 2], None, [7, 4, 2]]),
        ("y = x.reshape(-1, 3) @ w.mT + 1", [[4, 3], [3, 2], None, [4, 2]]),
        ("y = torch.randn(x.shape[0], x.size(-1)) @ w.T", [[4, 3], [3, 2], None, [4, 2]]),
    ],
)
def test_a_matmul_is_told_with_its_shapes(stops: Stops, line: str, expected: list[list[int] | None]) -> None:
    product = one(stops.products(SETUP + line, line))
    assert shapes(product) == expected
    assert (product.error, product.unknown) == (None, None)
    assert stops.notebook.names["y"].shape == torch.Size(expected[-1] or [])


@pytest.mark.parametrize(
    ("line", "explanation", "suggestion"),
    [
        ("y = x @ w", "`x` has 3 features, `w` takes 2.", "Transpose the second: `x @ w.T`."),
        ("y = x.T @ w.T", "`x.T` has 4 features, `w.T` takes 3.", "Transpose the first: `x @ w.T`."),
        ("y = x @ w.T + torch.ones(4)", "`torch.ones(4)` has shape [4], `x @ w.T` [4, 2].", None),
        ("y = x.double() @ w.T", "`x.double()` is float64, `w.T` is float32.",
         "Cast the first: `x.double().to(torch.float32) @ w.T`."),
        ("y = x @ torch.tensor(2.)", "`torch.tensor(2.)` is a single number; `@` takes vectors and matrices.", None),
        ("y = torch.matmul(x, h)", "`x` has 3 features, `h` takes 4.", "Transpose the first: `x.T @ h`."),
    ],
)  # fmt: skip
def test_a_matmul_that_does_not_fit_is_explained(
    stops: Stops, line: str, explanation: str, suggestion: str | None
) -> None:
    product = one(stops.products(SETUP + line, line))
    assert product.error is not None
    assert product.error.explanation == explanation
    assert product.error.suggestions == ([] if suggestion is None else [suggestion])
    with pytest.raises(RuntimeError) as raised:
        exec(line, stops.notebook.names)
    assert product.error.message == str(raised.value).splitlines()[0]


def test_the_clashing_dimensions_of_a_matmul_are_marked(stops: Stops) -> None:
    product = one(stops.products(SETUP + "y = x @ w", "y = x @ w"))
    assert product.error is not None
    assert product.error.clash == [Clash("input", 1), Clash("weight_t", 0)]


def test_of_nested_calls_the_shape_between_is_told_before_it_exists(stops: Stops) -> None:
    inner, outer = stops.products(SETUP + "y = fc2(torch.relu(fc(x)))", "y = fc2")
    assert (inner.words, shapes(inner)) == ("fc(x)", [[4, 3], [3, 2], [2], [4, 2]])
    assert (outer.words, shapes(outer)) == ("fc2(torch.relu(fc(x)))", [[4, 2], [2, 5], [5], [4, 5]])
    assert outer.expression == "input @ fc2.weight.T + fc2.bias"
    assert outer.operands.input is not None
    assert (outer.operands.input.name, outer.operands.input.requires_grad) == ("relu(...)", True)


def test_the_inner_of_two_that_clash_is_told_by_the_outer(stops: Stops) -> None:
    inner, outer = stops.products(SETUP + "y = fc(fc(x))", "y = fc(fc")
    assert inner.error is None
    assert outer.error is not None
    assert outer.error.explanation == "`input` (`fc(...)`) has 2 features, `fc` takes 3."


def test_nothing_is_told_beyond_what_will_raise(stops: Stops) -> None:
    product = one(stops.products(SETUP + "y = fc(h) + fc(x) @ w", "y = fc(h)"))
    assert product.error is not None


def test_several_in_a_line_are_told_in_their_order(stops: Stops) -> None:
    found = stops.products(SETUP + "y = fc(x) + F.linear(x, w) + x @ w.T", "y = fc(x)")
    assert [it.words for it in found] == ["fc(x)", "F.linear(x, w)", "x @ w.T"]


def test_of_a_statement_over_several_lines_all_is_told(stops: Stops) -> None:
    source = SETUP + "y = (\n    fc2(\n        fc(x)\n    )\n    + x.sum()\n)"
    assert [(it.words, it.line) for it in stops.products(source, "fc2(\n")] == [("fc(x)", 8), ("fc2( fc(x) )", 7)]


def test_what_has_run_when_a_line_goes_on_is_not_told_again(stops: Stops) -> None:
    source = SETUP + "y = fc2(fc(x)) + fc2(h)"
    assert [it.words for it in stops.products(source, "y = fc2")] == ["fc(x)", "fc2(fc(x))", "fc2(h)"]
    after = stops.products(source, "y = fc2", calls=1)
    assert [it.words for it in after] == ["fc2(fc(x))", "fc2(h)"]
    assert shapes(after[0]) == [[4, 2], [2, 5], [5], [4, 5]]
    assert [it.words for it in stops.products(source, "y = fc2", calls=2)] == ["fc2(h)"]
    assert stops.products(source, "y = fc2", calls=3) == []


def test_of_a_sequential_each_layer_is_told_up_to_the_one_that_clashes(stops: Stops) -> None:
    net = "net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 2)), nn.Linear(3, 1))\n"
    first, second, third = stops.products(SETUP + net + "y = net(x)", "y = net(x)")
    assert (first.name, first.expression) == ("net[0]", "x @ net[0].weight.T + net[0].bias")
    assert (second.name, shapes(second)) == ("net[2][0]", [[4, 8], [8, 2], [2], [4, 2]])
    assert third.error is not None
    assert third.error.explanation == "`input` has 2 features, `net[3]` takes 3."
    call = stops.notebook.session.calls()[-1]
    assert call.error is not None
    assert call.error.message == third.error.message


def test_beyond_a_layer_whose_shape_is_not_known_nothing_is_claimed(stops: Stops) -> None:
    net = "net = nn.Sequential(nn.Unflatten(1, (3, 1)), nn.Flatten(), nn.Linear(3, 1))\n"
    product = one(stops.products(SETUP + net + "y = net(x)", "y = net(x)"))
    assert (product.name, product.expression, product.error) == ("net[2]", "", None)
    assert product.unknown == "the output of a Unflatten does not exist yet"


def test_flatten_is_followed(stops: Stops) -> None:
    net = "net = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))\nimages = torch.ones(5, 2, 3)\n"
    assert shapes(one(stops.products(SETUP + net + "y = net(images)", "y = net("))) == [[5, 6], [6, 1], [1], [5, 1]]


METHOD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.blocks = nn.ModuleList([nn.Linear(2, 2)])
    def forward(self, inputs):
        hidden = self.fc(inputs)
        return self.blocks[0](hidden)
net = Net()
"""


def test_in_a_method_names_are_those_of_the_method(stops: Stops) -> None:
    product = one(stops.products(SETUP + METHOD + "y = net(x)", "hidden = self"))
    assert (product.name, product.expression) == ("net.fc", "inputs @ self.fc.weight.T + self.fc.bias")
    assert product.operands.output is not None
    assert product.operands.output.name == "hidden"
    call = stops.notebook.session.calls()[-2]
    assert (call.name, call.expression) == (product.name, product.expression)
    product = one(stops.products(SETUP + METHOD + "y = net(x)", "return self.blocks"))
    assert product.expression == "hidden @ self.blocks[0].weight.T + self.blocks[0].bias"


@pytest.mark.parametrize(
    ("line", "words", "expected"),
    [
        ("def g():\n    for t in [x]:\n        yield fc(t)\ny = list(g())", "yield fc", "fc(t)"),
        ("f = lambda t: (\n    fc(t)\n)\ny = f(x)", "fc(t)\n)", "fc(t)"),
        ("if fc(x).sum() is not None:\n    y = 1", "if fc", "fc(x)"),
        ("with torch.no_grad(), torch.enable_grad():\n    y = fc(x)", "y = fc", "fc(x)"),
        ("for t in fc(x):\n    pass", "for t in", "fc(x)"),
        ("def g(t):\n    return fc(t)\ny = g(x)", "return fc", "fc(t)"),
        ("try:\n    y = fc(x)\nfinally:\n    pass", "y = fc", "fc(x)"),
        ("class C:\n    y = fc(x)", "y = fc", "fc(x)"),
        ("x @= torch.ones(3, 3)", "x @=", "x @ torch.ones(3, 3)"),
        ("print(fc(x).shape, f'{fc2(h).sum()}')", "print(fc", "fc(x)"),
        ("y = {'a': fc(x), **{}}", "y = {", "fc(x)"),
        ("(y := fc(x)).sum()", "(y :=", "fc(x)"),
        ("y = fc(x) if x is None else fc2(h) if False else fc(x)", "y = fc(x) if", None),
    ],
)
def test_every_kind_of_statement_and_frame_is_read(stops: Stops, line: str, words: str, expected: str | None) -> None:
    found = [it.words for it in stops.products(SETUP + line, words)]
    assert found[:1] == ([] if expected is None else [expected])


def test_a_comprehension_is_a_frame_of_its_own(stops: Stops) -> None:
    source = SETUP + "y = [\n    fc(t)\n    for t in [x, x]\n]"
    product = one(stops.products(source, "fc(t)"))
    assert product.expression == "t @ fc.weight.T + fc.bias"


def test_a_loop_whose_test_python_compiles_twice_is_told_at_either(stops: Stops) -> None:
    source = SETUP + "n = 0\nwhile fc(x).shape[0] + n < 6:\n    n += 1"
    assert [it.words for it in stops.products(source, "while fc")] == ["fc(x)"]
    assert stops.products(source, "while fc", calls=1) == []
    assert [it.words for it in stops.at(source, "while fc", nth=1).products] == ["fc(x)"]


def test_what_only_may_run_is_not_told(stops: Stops) -> None:
    assert stops.products(SETUP + "y = x is None and fc(h)", "y = x is") == []
    assert stops.products(SETUP + "y = lambda: fc(h)", "y = lambda") == []
    assert stops.products(SETUP + "y = [fc(t) for t in []]", "y = [fc") == []


HOOK = "fc.register_forward_pre_hook(lambda m, args: (torch.ones(4, 3),))\n"


def test_a_layer_with_a_hook_may_be_given_something_else(stops: Stops) -> None:
    product = one(stops.products(SETUP + HOOK + "y = fc(h)", "y = fc(h)"))
    assert (product.error, product.unknown) == (None, "a hook may change what it is given")
    assert stops.notebook.names["y"].shape == (4, 2)


SUBCLASS = "class Other(nn.Linear):\n    def forward(self, t):\n        return t\nfc = Other(3, 2)\n"


def test_a_layer_with_a_forward_of_its_own_is_not_claimed_to_fail(stops: Stops) -> None:
    assert stops.products(SETUP + SUBCLASS + "y = fc(h)", "y = fc(h)") == []


@pytest.mark.parametrize("changed", ["net[0].forward = lambda t: t[:, :2]", "net.forward = lambda t: t"])
def test_beyond_a_module_with_a_forward_of_its_own_nothing_is_claimed(stops: Stops, changed: str) -> None:
    source = SETUP + f"net = nn.Sequential(nn.ReLU(), fc2)\n{changed}\ny = net(x)"
    assert [it.error for it in stops.products(source, "y = net(x)")] == [None] * changed.startswith("net[")


def test_a_weight_that_is_computed_when_asked_for_is_not_computed(stops: Stops) -> None:
    source = "nn.utils.parametrizations.orthogonal(fc)\ny = fc(h)"
    product = one(stops.products(SETUP + source, "y = fc(h)"))
    assert (product.error, product.unknown) == (None, "its weight is computed when it is asked for")


def test_autocast_decides_what_fits(stops: Stops) -> None:
    block = "with torch.autocast('cpu', dtype=torch.bfloat16):\n    y = fc(half)\n"
    source = SETUP + "half = x.bfloat16()\n" + block + "z = fc(half)"
    product = one(stops.products(source, "y = fc(half)"))
    assert product.error is None
    assert product.operands.output is not None
    assert product.operands.output.dtype == "bfloat16"
    assert product.expression == stops.notebook.session.calls()[-2].expression
    assert one(stops.products(source, "z = fc(half)")).error is not None


def test_a_tensor_subclass_answers_for_itself(stops: Stops) -> None:
    source = SETUP + "class T(torch.Tensor): pass\nt = h.as_subclass(T)\ny = fc(t)"
    product = one(stops.products(source, "y = fc(t)"))
    assert (product.error, product.unknown) == (None, "a T handles itself")


def test_a_meta_tensor_is_told_by_its_shape(stops: Stops) -> None:
    source = SETUP + "m = torch.empty(4, 3, device='meta')\ny = m @ m"
    product = one(stops.products(source, "y = m"))
    assert product.error is not None
    assert product.error.explanation == "`m` has 3 features, `m` takes 4."


SPIES = """
ran = []
class Spy:
    def __getattr__(self, name):
        ran.append(name)
        return x
    @property
    def layer(self):
        ran.append("layer")
        return fc
    def __getitem__(self, at):
        ran.append(at)
        return x
    def __matmul__(self, other):
        ran.append("@")
        return x
    def __repr__(self):
        ran.append("repr")
        return ""
spy = Spy()
"""


@pytest.mark.parametrize(
    "line",
    [
        "y = fc(spy.value)",
        "y = spy.layer(x)",
        "y = fc(spy[0])",
        "y = spy @ x",
        "y = x @ w.T + spy.value",
        "y = fc(spy)",
    ],
)
def test_no_code_of_the_users_runs(stops: Stops, line: str) -> None:
    stops.notebook.names["looked"] = None
    source = SETUP + SPIES + "del ran[:]\n" + f"looked = 1\n{line}"
    seen: list[int] = []
    look = stops.look

    def counting(at: object) -> object:
        found = look(at)  # type: ignore[arg-type]
        seen.append(len(stops.notebook.names["ran"]))
        return found

    stops.look = counting  # type: ignore[assignment, method-assign]
    stops.at(source, line)
    assert seen == [0]


def test_looking_changes_neither_random_state_nor_modes(stops: Stops) -> None:
    source = SETUP + "y = fc(torch.randn(4, 3))"
    before: list[object] = []
    look = stops.look

    def looking(at: object) -> object:
        state = torch.get_rng_state()
        found = look(at)  # type: ignore[arg-type]
        before.append(torch.equal(state, torch.get_rng_state()) and torch.is_grad_enabled())
        return found

    stops.look = looking  # type: ignore[assignment, method-assign]
    product = one(stops.products(source, "y = fc"))
    assert shapes(product) == [[4, 3], [3, 2], [2], [4, 2]]
    assert before == [True]


def test_words_within_an_f_string_are_those_of_the_call(stops: Stops) -> None:
    found = stops.products(SETUP + "y = f'{fc(x).sum()} and {fc2(h)}'", "y = f")
    assert [it.words for it in found] == ["fc(x)", "fc2(h)"]


def test_at_the_head_of_a_function_nothing_is_told(stops: Stops) -> None:
    found = stops.asked(SETUP + "def f():\n    look()\nf()\ny = fc(x)")
    assert (found.products, found.unknown) == ([], None)


def test_who_only_asks_is_told_the_next_statement(stops: Stops) -> None:
    for source in ("look()\ny = fc(x)", "look(); y = fc(x)", "if True:\n    look()\ny = fc(x)"):
        assert one(stops.asked(SETUP + source).products).words == "fc(x)"
    assert one(stops.asked(SETUP + "y = [look(), fc(x)]").products).words == "fc(x)"


def test_a_name_of_the_function_itself_is_known_for_it(stops: Stops) -> None:
    source = SETUP + "linear = F.linear\nfrom torch.nn.functional import linear as other\n"
    assert one(stops.products(source + "y = linear(x, w)", "y = linear")).expression == "x @ w.T"
    assert one(stops.products(source + "y = other(x, w)", "y = other")).expression == "x @ w.T"
