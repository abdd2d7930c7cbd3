"""Every name is one that the user could type where the call was made."""

from __future__ import annotations

import importlib.util
import linecache
import os
import time
from pathlib import Path

import pytest
import torch
from tests.python.kernel.conftest import Notebook

import torchtwin
from torchtwin.kernel import callsite
from torchtwin.protocol import TensorRow, Tensors

FC = "x = torch.randn(4, 2)\nfc = nn.Linear(2, 3)\n"


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        (FC + "fc(x)", "x @ fc.weight.T + fc.bias"),
        (FC + "fc(input=x)", "x @ fc.weight.T + fc.bias"),
        (FC + "fc.forward(x)", "x @ fc.weight.T + fc.bias"),
        (FC + "fc(x * 2)", "(x * 2) @ fc.weight.T + fc.bias"),
        (FC + "fc(x[0])", "x[0] @ fc.weight.T + fc.bias"),
        (FC + "fc(torch.relu(x))", "torch.relu(x) @ fc.weight.T + fc.bias"),
        (FC + "fc(\n    x,\n)", "x @ fc.weight.T + fc.bias"),
        (FC + "wt = fc.weight\nfc(x)", "x @ wt.T + fc.bias"),
        (FC + "F.linear(x, fc.weight)", "x @ fc.weight.T"),
        (FC + "A = torch.randn(2, 3)\nF.linear(x, A.t())", "x @ A.t().T"),
        (FC + "A = torch.randn(5, 2)\nF.linear(x, A, bias=torch.ones(5))", "x @ A.T + torch.ones(5)"),
        (FC + "A = torch.randn(2)\nF.linear(x, A)", "x @ A"),
        (FC + "layers = [fc]\nfc = None\nlayers[0](x)", "x @ layers[0].weight.T + layers[0].bias"),
        (FC + "layers = {'a': fc}\nfc = None\nlayers['a'](x)", "x @ layers['a'].weight.T + layers['a'].bias"),
        (FC + "s = nn.Sequential(fc)\nfc = None\ns(x)", "x @ s[0].weight.T + s[0].bias"),
        (FC + "ys = list(map(fc, [x]))", "x @ fc.weight.T + fc.bias"),
        (FC + "ys = [fc(each) for each in (x,)]", "each @ fc.weight.T + fc.bias"),
    ],
)
def test_the_expression_names_the_operands(notebook: Notebook, source: str, expression: str) -> None:
    assert notebook.call(source).expression == expression


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("y = fc(x)", "y"),
        ("y: torch.Tensor = fc(x)", "y"),
        ("y = fc(\n    x\n)", "y"),
        ("def f():\n    y = fc(x)\n    return y\nf()", "y"),
        ("y = fc(x) * 2", "output"),
        ("a = b = fc(x)", "output"),
        ("y = dict(\n    a=fc(x)\n)", "output"),
        ("y = [fc(x)]", "output"),
        ("y = 0\ny += fc(x)", "output"),
    ],
)
def test_the_output_is_named_by_the_variable_that_takes_it(notebook: Notebook, source: str, name: str) -> None:
    operand = notebook.call(FC + source).operands.output
    assert operand is not None
    assert operand.name == name


def test_a_map_around_the_function_does_not_lend_its_words(notebook: Notebook) -> None:
    call = notebook.call(FC + "w = torch.ones(3, 2)\nys = list(map(F.linear, [x], [w]))")
    assert (call.expression, call.name) == ("x @ w.T", "linear")


def test_a_commented_argument_over_several_lines_is_one_line(notebook: Notebook) -> None:
    call = notebook.call(FC + "y = fc(\n    x  # the input\n    * 2\n)")
    assert call.expression == "(x * 2) @ fc.weight.T + fc.bias"


def test_each_call_on_one_line_has_its_own_input(notebook: Notebook) -> None:
    calls = notebook.run(FC + "z = fc(x), fc(x[1:]), fc(x * 3)")
    assert [c.operands.input and c.operands.input.name for c in calls] == ["x", "x[1:]", "x * 3"]


def test_a_weight_takes_the_name_of_the_tensor_it_was_set_to(notebook: Notebook) -> None:
    call = notebook.call(FC + "w = torch.ones(3, 2)\nfc.weight.data = w\nfc(x)")
    assert call.expression == "x @ w.T + fc.bias"


def test_a_name_that_means_another_tensor_now_is_not_used(notebook: Notebook) -> None:
    notebook.run(FC + "w = torch.ones(3, 2)\nfc.weight.data = w\nfc(x)")
    assert notebook.call("w = torch.ones(3, 2)\nfc(x)").expression == "x @ fc.weight.T + fc.bias"


def test_a_name_rebound_within_a_cell_is_not_used(notebook: Notebook) -> None:
    before, after = notebook.run(FC + "w = fc.weight.data\nfc(x)\nw = torch.zeros(3, 2)\nfc(x)")
    assert (before.expression, after.expression) == ("x @ w.T + fc.bias", "x @ fc.weight.T + fc.bias")


def test_a_name_that_is_bound_to_the_weight_within_a_cell_is_used(notebook: Notebook) -> None:
    before, after = notebook.run(FC + "w = None\nfc(x)\nw = fc.weight.data\nfc(x)")
    assert (before.expression, after.expression) == ("x @ fc.weight.T + fc.bias", "x @ w.T + fc.bias")


def test_a_slice_that_shares_memory_is_not_the_weight(notebook: Notebook) -> None:
    assert notebook.call(FC + "part = fc.weight.data[:2]\nfc(x)").expression == "x @ fc.weight.T + fc.bias"


def test_the_parameter_keeps_its_own_name_for_its_gradient(notebook: Notebook) -> None:
    call = notebook.call(FC + "w = torch.ones(3, 2)\nfc.weight.data = w\ny = fc(x).sum()\ny.backward()\n")
    notebook.run("fc(x).sum().backward()")
    note = notebook.session.calls()[-1].gradients.weight
    assert call.expression.startswith("x @ w.T")
    assert note is not None
    assert note.note == "`fc.weight.grad` holds 2 backward passes"


MODEL = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleDict({'ff': nn.Linear(2, 2)})])
        self.head = nn.Linear(2, 1)
    def forward(self, x):
        h = torch.relu(self.layers[0]['ff'](x))
        return self.head(h)
model = Net()
"""


def test_a_module_is_named_by_the_way_to_it(notebook: Notebook) -> None:
    calls = notebook.run(MODEL + "out = model(torch.randn(3, 2))")
    assert [c.name for c in calls] == ["model.layers[0].ff", "model.head"]


def test_inside_a_forward_the_names_are_those_of_the_forward(notebook: Notebook) -> None:
    _, head = notebook.run(MODEL + "out = model(torch.randn(3, 2))")
    assert head.expression == "h @ self.head.weight.T + self.head.bias"
    assert head.site.source == "return self.head(h)"


def test_a_module_without_a_name_is_called_by_its_class(notebook: Notebook) -> None:
    call = notebook.call("nn.Linear(2, 3)(torch.ones(1, 2))")
    assert (call.name, call.expression) == ("Linear", "torch.ones(1, 2) @ weight.T + bias")


def test_locals_of_the_calling_function_are_seen(notebook: Notebook) -> None:
    call = notebook.call(
        "def run():\n    v = torch.ones(3, 2)\n    layer = nn.Linear(2, 3)\n    layer.weight.data = v\n"
        "    a = torch.ones(1, 2)\n    return layer(a)\nrun()"
    )
    assert call.expression == "a @ v.T + layer.bias"


def test_a_subclass_that_computes_itself_is_named_by_self(notebook: Notebook) -> None:
    calls = notebook.run(
        "class Lora(nn.Linear):\n"
        "    def forward(self, x):\n        return super().forward(x) + F.linear(x, self.weight)\n"
        "def go():\n    lora = Lora(2, 3)\n    return lora(torch.ones(1, 2))\ngo()"
    )
    assert [c.expression for c in calls] == ["x @ self.weight.T + self.bias", "x @ self.weight.T"]


@pytest.mark.parametrize(
    ("argument", "name"),
    [("torch.relu(x)", "relu(...)"), ("x[0]", "x[0]"), ("x.abs()", "abs(...)"), ("x * 2", "x * 2")],
)
def test_a_nameless_input_is_shown_by_where_it_came_from(notebook: Notebook, argument: str, name: str) -> None:
    operand = notebook.call(FC + f"fc({argument})").operands.input
    assert operand is not None
    assert operand.name == name


def test_an_input_inside_a_container_is_shown_by_what_produced_it(notebook: Notebook) -> None:
    _, second = notebook.run("net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))\nnet(torch.randn(4, 2))")
    assert second.operands.input is not None
    assert second.operands.input.name == "relu(...)"
    assert second.expression == "input @ net[2].weight.T + net[2].bias"


def test_a_layer_behind_a_layer_says_so(notebook: Notebook) -> None:
    _, second = notebook.run("net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))\nnet(torch.randn(4, 2))")
    assert second.operands.input is not None
    assert second.operands.input.name == "linear(...)"


def test_a_global_name_that_a_local_one_hides_is_not_used(notebook: Notebook) -> None:
    call = notebook.call(
        FC + "w = fc.weight.data\ndef f(layer):\n    w, x = 1, 2\n    return layer(torch.ones(1, 2))\nf(fc)"
    )
    assert call.expression == "torch.ones(1, 2) @ layer.weight.T + layer.bias"


STATEFUL = """
import random, types
class Draws:
    def __getitem__(self, at): return torch.rand(4, 2)
    def __add__(self, other): return torch.rand(4, 2)
    @property
    def sample(self): return torch.rand(4, 2)
class Shadowed:
    sample = property(lambda self: torch.rand(4, 2))
    def __init__(self): self.__dict__["sample"] = torch.ones(4, 2)
def load(a): return torch.rand(4, 2)
a = torch.ones(4, 2)
batches = iter([a.clone() for _ in range(9)])
stack = [a.clone() for _ in range(9)]
draws, shadowed, fc0 = Draws(), Shadowed(), nn.Identity()
class helpers: load = staticmethod(load)
tools = types.ModuleType("tools")
tools.add = load
"""


@pytest.mark.parametrize(
    "argument",
    [
        "next(batches)",
        "stack.pop()",
        "a.add_(1)",
        "torch.rand(4, 2)",
        "fc0(a) * 1",
        "load(a)",
        "helpers.load(a)",
        "tools.add(a)",
        "draws[0]",
        "draws.sample",
        "shadowed.sample",
        "draws + 1",
        "torch.relu(next(batches))",
        "torch.add(a, 1, out=a)",
        "F.leaky_relu(a, inplace=True)",
        "F.leaky_relu(a, 0.1, True)",
        "F.dropout(a, 0.5) * 1",
        "F.scaled_dot_product_attention(a, a, a, dropout_p=0.5)",
        "random.choice(stack) * 1",
    ],
)
def test_words_that_may_give_something_else_next_time_are_not_repeated(notebook: Notebook, argument: str) -> None:
    notebook.run(FC + STATEFUL)
    returns_itself = {
        "a.add_(1)",
        "torch.add(a, 1, out=a)",
        "F.leaky_relu(a, inplace=True)",
        "F.leaky_relu(a, 0.1, True)",
    }
    word = "a" if argument in returns_itself else "input"
    assert notebook.call(f"y = fc({argument})").expression == f"{word} @ fc.weight.T + fc.bias"


def test_a_variable_that_is_the_input_stands_for_words_that_cannot(notebook: Notebook) -> None:
    assert notebook.call(FC + "y = fc(next(iter([x])))").expression == "x @ fc.weight.T + fc.bias"


@pytest.mark.parametrize(
    "argument",
    [
        "a * 2 + 1",
        "-a[:, :]",
        "a[1:3]",
        "a.T.T",
        "a.reshape(2, 4).view(-1, 2)",
        "torch.stack([a, a], dim=0)",
        "relu(a)",
        "F.softmax(a, dim=-1)",
        "torch.tensor([[1.0, 2.0]])",
        "torch.from_numpy(array).float()",
        "held.sample",
        "stack[0]",
        "by_name['a']",
        "a.max(0).values",
        "a[a[:, 0] > 0]",
        "a[i].unsqueeze(0)",
    ],
)
def test_words_that_give_the_same_again_are_repeated(notebook: Notebook, argument: str) -> None:
    notebook.run(
        FC + "import types, numpy\nfrom torch.nn.functional import relu\na = torch.ones(4, 2)\ni = 1\nstack = [a * 3]\n"
        "by_name = {'a': a * 4}\narray = numpy.ones((4, 2))\nheld = types.SimpleNamespace(sample=a * 5)"
    )
    call = notebook.call(f"y = fc({argument})")
    assert argument in call.expression
    assert torch.equal(eval(call.expression, notebook.names), notebook.names["y"])


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("y = F.linear(x, torch.randn(3, 2))", "x @ weight.T"),
        ("y = F.linear(x, weight=next(iter([fc.weight * 2])))", "x @ weight.T"),
        ("y = F.linear(x, fc.weight * 2, bias=torch.rand(3))", "x @ (fc.weight * 2).T + bias"),
    ],
)
def test_nor_are_those_of_a_weight_or_a_bias(notebook: Notebook, source: str, expression: str) -> None:
    assert notebook.call(FC + source).expression == expression


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("input = torch.ones(4, 2)\ny = fc(next(iter([x])) * 1)", "input_ @ fc.weight.T + fc.bias"),
        ("weight = bias = torch.ones(3)\ny = nn.Linear(2, 3)(x)", "x @ weight_.T + bias_"),
        ("def f(input, input_):\n    return fc(next(iter([x])) * 1)\nf(1, 2)", "input__ @ fc.weight.T + fc.bias"),
    ],
)
def test_a_word_for_a_nameless_operand_is_nobody_elses(notebook: Notebook, source: str, expression: str) -> None:
    assert notebook.call(FC + source).expression == expression


NAMED = """
from collections import OrderedDict
x = torch.ones(1, 2)
by_word = nn.Sequential(OrderedDict(one=nn.Linear(2, 2), two=nn.Linear(2, 2)))
added = nn.Module(); added.add_module("my-layer", nn.Linear(2, 2)); added.add_module("0", nn.Linear(2, 2))
by_name = nn.ModuleDict({"in": nn.Linear(2, 2), "a b": nn.Linear(2, 2), "plain": nn.Linear(2, 2)})
gap = nn.Sequential(nn.Linear(2, 2)); gap.add_module("7", nn.Linear(2, 2))
class Own(nn.ModuleList):
    def __getitem__(self, at): return None
own = Own([nn.Linear(2, 2)])
weights = nn.ParameterList([nn.Parameter(torch.ones(2, 2))])
odd = nn.Module(); odd.register_parameter("0w", nn.Parameter(torch.ones(2, 2)))
"""


@pytest.mark.parametrize(
    ("call", "weight"),
    [
        ("by_word", "by_word.one.weight"),
        ("added._modules['my-layer']", "getattr(added, 'my-layer').weight"),
        ("added._modules['0']", "getattr(added, '0').weight"),
        ("by_name._modules['in']", "by_name['in'].weight"),
        ("by_name._modules['a b']", "by_name['a b'].weight"),
        ("by_name._modules['plain']", "by_name.plain.weight"),
        ("gap._modules['7']", "getattr(gap, '7').weight"),
        ("own._modules['0']", "getattr(own, '0').weight"),
        ("lambda x: F.linear(x, *weights)", "weights[0]"),
        ("lambda x: F.linear(x, *odd._parameters.values())", "getattr(odd, '0w')"),
    ],
)
def test_the_way_to_a_module_or_weight_can_be_typed(notebook: Notebook, call: str, weight: str) -> None:
    calls = notebook.run(NAMED + f"ys = list(map({call}, [x]))")
    assert calls[0].operands.weight is not None
    assert calls[0].operands.weight.name == weight
    assert eval(weight, notebook.names).shape == (2, 2)


def test_a_module_goes_by_the_name_that_it_has_now(notebook: Notebook) -> None:
    calls = notebook.run(
        "a, b, x = nn.Linear(2, 2), nn.Linear(2, 2), torch.ones(1, 2)\nys = list(map(a, [x]))\n"
        "a, b = b, a\nys += list(map(a, [x]))\nys += list(map(b, [x]))"
    )
    assert [c.name for c in calls] == ["a", "a", "b"]
    assert [c.expression for c in calls[1:]] == [f"x @ {m}.weight.T + {m}.bias" for m in "ab"]


def test_a_weight_that_the_module_has_no_more_does_not_go_by_it(notebook: Notebook) -> None:
    calls = notebook.run(
        FC + "kept = {1.5: fc.weight}\nrun = lambda: F.linear(x, *kept.values())\nrun()\n"
        "fc.weight = nn.Parameter(torch.ones(3, 2))\nrun()"
    )
    assert [c.expression for c in calls] == ["x @ fc.weight.T", "x @ weight.T"]


def test_a_module_that_was_never_initialised_is_passed_by(notebook: Notebook) -> None:
    calls = notebook.run(
        "class Broken(nn.Module):\n    def __init__(self): self.k = 3\nbroken = Broken()\nx = torch.ones(1, 2)\n"
        "net = nn.Sequential(nn.Linear(2, 2))\ny = net(x)"
    )
    assert [c.name for c in calls] == ["net[0]"]
    assert "x" in [row.name for row in tensors_of(notebook)]


def tensors_of(notebook: Notebook) -> list[TensorRow]:
    events = [envelope.event for envelope in notebook.session.page(0, 10_000).envelopes]
    return next(event.rows for event in events if isinstance(event, Tensors))


def test_naming_asks_no_object_of_the_users_for_anything(notebook: Notebook) -> None:
    notebook.run(
        FC + "asked = []\nclass Own:\n    def __call__(self, a): return a\n"
        "    def __getattr__(self, name): asked.append(name); raise RuntimeError\nown = Own()"
    )
    assert notebook.call("y = fc(own(x) * 1)").expression == "input @ fc.weight.T + fc.bias"
    assert notebook.names["asked"] == []


def test_a_conjugate_is_not_the_tensor_whose_memory_it_shares(notebook: Notebook) -> None:
    call = notebook.call(
        "x = torch.ones(1, 2)\nz = torch.randn(3, 2, dtype=torch.complex64)\na = z.imag\ny = F.linear(x, z.conj().imag)"
    )
    assert torch.equal(eval(call.expression, notebook.names), notebook.names["y"])


def test_a_function_that_calls_eval_of_a_module_lends_its_names(notebook: Notebook) -> None:
    call = notebook.call("def evaluate(m, a):\n    m.eval()\n    return m(a * 2)\n" + FC + "y = evaluate(fc, x)")
    assert call.expression == "(a * 2) @ m.weight.T + m.bias"


def test_a_local_that_cannot_be_seen_hides_the_global_one(notebook: Notebook) -> None:
    call = notebook.call(STATEFUL + FC + "def f(a):\n    locals()\n    return fc(a[0] * 1)\ny = f(draws)")
    assert call.expression == "input @ fc.weight.T + fc.bias"


@pytest.mark.parametrize("words", ["layers[-1](x)", "fc(x.view(x.size(0), -1))", "s(x)"])
def test_buffers_and_negative_indices_have_names(notebook: Notebook, words: str) -> None:
    notebook.run(
        FC + "layers = [fc]\nclass S(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.register_buffer('mean', torch.ones(2))\n        self.fc = nn.Linear(2, 3)\n"
        "    def forward(self, a): return self.fc(a - self.mean)\ns = S()"
    )
    call = notebook.call(f"y = {words}")
    assert "input" not in call.expression
    assert "weight_" not in call.expression


def test_a_name_that_is_gone_is_not_used(notebook: Notebook) -> None:
    calls = notebook.run(
        "layers, x = [nn.Linear(2, 2)], torch.ones(1, 2)\nkept = {1.5: layers[0]}\n"
        "run = lambda: list(map(kept[1.5], [x]))\nrun()\ndel layers\nrun()"
    )
    assert [c.expression for c in calls] == ["x @ layers[0].weight.T + layers[0].bias", "x @ weight.T + bias"]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("y = fc(x)", ("fc.weight.grad", "fc.bias.grad", "x.grad")),
        ("y = fc(x[:1])", ("fc.weight.grad", "fc.bias.grad", "its gradient")),
        ("h = x * fc.weight[0]\ny = fc(h)", ("fc.weight.grad", "fc.bias.grad", "its gradient")),
        ("h = x * fc.weight[0]\nh.retain_grad()\ny = fc(h)", ("fc.weight.grad", "fc.bias.grad", "h.grad")),
        ("y = F.linear(x, W.T[0:2])", ("its gradient", None, "x.grad")),
        ("y = F.linear(x, W[0:1, :])", ("its gradient", None, "x.grad")),
        ("y = F.linear(x, W[0:1])", ("W.grad[0:1]", None, "x.grad")),
        ("h = W * 2\ny = F.linear(x, h[0:1])", ("its gradient", None, "x.grad")),
        ("y = nn.Linear(2, 3)(next(iter([x])))", ("its gradient", "its gradient", "x.grad")),
    ],
)
def test_a_gradient_is_named_where_it_can_be_found(
    notebook: Notebook, source: str, names: tuple[str, str | None, str]
) -> None:
    found = notebook.call(FC + "W = nn.Parameter(torch.ones(2, 2))\n" + source).gradient_names
    assert (found.weight, found.bias, found.input) == names


def test_the_output_of_a_container_is_not_that_of_its_first_layer(notebook: Notebook) -> None:
    calls = notebook.run("net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))\ny = net(torch.ones(4, 2))")
    assert [c.operands.output and c.operands.output.name for c in calls] == ["output", "output"]


def test_what_a_loop_left_behind_lends_a_parameter_no_name(notebook: Notebook) -> None:
    notebook.run(FC + "for p in fc.parameters(): pass")
    call = notebook.call("fc(x)")
    assert call.expression == "x @ fc.weight.T + fc.bias"
    assert call.gradient_names.bias == "fc.bias.grad"
    assert notebook.call("p = fc.bias\nfc(x)").expression == "x @ fc.weight.T + p"
    assert notebook.call("for w in [fc.weight]: F.linear(x, w)").expression == "x @ w.T"


def test_what_a_loop_left_behind_is_the_name_where_there_is_no_other(notebook: Notebook) -> None:
    notebook.run(FC + "for w in [torch.ones(3, 2)]: pass")
    assert notebook.call("F.linear(x, *[w])").expression == "x @ w.T"


def test_an_output_that_a_forward_hook_replaces_is_not_named(notebook: Notebook) -> None:
    call = notebook.call(FC + "fc.register_forward_hook(lambda m, args, out: out * 2)\ny = fc(x)")
    assert call.operands.output is not None
    assert call.operands.output.name == "output"


def test_a_container_called_in_a_forward_leads_to_its_layers(notebook: Notebook) -> None:
    call = notebook.call(
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.body = nn.Sequential(nn.Linear(2, 1))\n    def forward(self, x):\n        return self.body(x)\n"
        "model = Net()\nmodel(torch.ones(3, 2))"
    )
    assert (call.name, call.expression) == (
        "model.body[0]",
        "x @ self.body[0].weight.T + self.body[0].bias",
    )


def test_tensors_put_into_a_module_for_one_call_do_not_go_by_its_parameters(notebook: Notebook) -> None:
    call = notebook.call(
        FC
        + "other = {'weight': torch.ones(3, 2), 'bias': torch.ones(3)}\ny = torch.func.functional_call(fc, other, (x,))"
    )
    assert call.expression == "x @ weight.T + bias"
    calls = notebook.run("for _ in range(2): y = torch.func.functional_call(fc, other, (x,))")
    assert [c.expression for c in calls] == ["x @ weight.T + bias"] * 2


def test_a_path_whose_root_is_hidden_is_not_used(notebook: Notebook) -> None:
    call = notebook.call(
        "net = nn.Sequential(nn.Linear(2, 3))\nkept = {1.5: net}\n"
        "def run(x):\n    net = 'no'\n    return list(map(kept[1.5], [x]))\nrun(torch.ones(1, 2))"
    )
    assert (call.name, call.expression) == ("net[0]", "x @ weight.T + bias")


def test_a_file_that_was_edited_lends_no_words(notebook: Notebook, tmp_path: Path) -> None:
    file = tmp_path / "layers_under_test.py"
    file.write_text("def run(fc, x):\n    return fc(x * 2)\n")
    spec = importlib.util.spec_from_file_location("layers_under_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    file.write_text("def run(fc, x):\n    return fc(x * 3)\n")
    os.utime(file, (time.time() + 10, time.time() + 10))
    notebook.names["run"] = module.run
    call = notebook.call(FC + "run(fc, x)")
    assert call.expression == "input @ fc.weight.T + fc.bias"
    assert call.site.source is None


@pytest.mark.parametrize("source", ["fc(x * 2)", "fc(\n        x\n    )"])
def test_a_file_that_was_not_edited_lends_its_words(notebook: Notebook, tmp_path: Path, source: str) -> None:
    file = tmp_path / "layers_as_imported.py"
    file.write_text(f"def other():\n    pass\n\ndef run(fc, x):\n    return {source}\n")
    spec = importlib.util.spec_from_file_location("layers_as_imported", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    notebook.names["run"] = module.run
    call = notebook.call(FC + "run(fc, x)")
    assert call.expression.startswith("(x * 2) @" if "*" in source else "x @")
    file.write_text(f"import os\n\ndef run(fc, x):\n    return {source.replace('x', 'y')}\n")
    assert notebook.call("run(fc, x)").expression == call.expression  # of the text as it was read before
    linecache.checkcache(str(file))
    callsite._text.cache_clear()
    assert notebook.call("run(fc, x)").site.source is None


def test_rows_of_a_packed_weight_that_begin_within_a_row_have_no_name(notebook: Notebook) -> None:
    call = notebook.call(
        "x = torch.ones(1, 2)\nm = nn.Module(); m.p = nn.Parameter(torch.ones(4, 2))\n"
        "y = F.linear(x, *[m.p.as_strided((2, 2), (2, 1), 1)])"
    )
    assert call.expression == "x @ weight.T"


def test_attention_is_named_by_its_rows_of_the_packed_weight(notebook: Notebook) -> None:
    calls = notebook.run(
        "mha = nn.MultiheadAttention(8, 2, batch_first=True)\nq = torch.randn(1, 3, 8)\nk = torch.randn(1, 3, 8)\n"
        "out = mha(q, k, k)"
    )
    names = [c.operands.weight.name for c in calls if c.operands.weight]
    assert names == ["mha.in_proj_weight[0:8]", "mha.in_proj_weight[8:24]", "mha.out_proj.weight"]
    assert [c.name for c in calls] == ["mha", "mha", "mha.out_proj"]
    grads = [c.gradient_names.weight for c in calls]
    assert grads == ["mha.in_proj_weight.grad[0:8]", "mha.in_proj_weight.grad[8:24]", "mha.out_proj.weight.grad"]


def test_the_property_of_a_parametrised_module_is_not_run(notebook: Notebook) -> None:
    call = notebook.call(
        "runs = []\nclass P(nn.Module):\n    def forward(self, w):\n        runs.append(1)\n        return w\n"
        "fc = nn.Linear(2, 3)\ntorch.nn.utils.parametrize.register_parametrization(fc, 'weight', P())\n"
        "runs.clear()\nfc(torch.ones(1, 2))"
    )
    assert call.expression == "torch.ones(1, 2) @ fc.weight.T + fc.bias"
    assert notebook.names["runs"] == [1]


def test_a_module_made_later_in_the_same_cell_is_found(notebook: Notebook) -> None:
    calls = notebook.run(
        "a = nn.Linear(2, 2)\nx = torch.ones(1, 2)\na(x)\nnet = nn.Sequential(nn.Linear(2, 2))\nnet(x)"
    )
    assert [c.name for c in calls] == ["a", "net[0]"]


def test_a_forward_pre_hook_that_changes_the_input_takes_its_name_away(notebook: Notebook) -> None:
    source = FC + "fc.register_forward_pre_hook(lambda m, args: (args[0] * 2,))\nfc(x)"
    assert notebook.call(source).expression == "input @ fc.weight.T + fc.bias"


def test_what_a_person_would_not_call_a_variable_is_no_name(notebook: Notebook) -> None:
    assert notebook.call(FC + "_1 = fc.weight\n__ = x\nfc(x)").expression == "x @ fc.weight.T + fc.bias"


def test_reading_the_names_keeps_nothing_of_a_function_alive(notebook: Notebook) -> None:
    notebook.run(
        "import weakref\n"
        "def run():\n    layer = nn.Linear(2, 3)\n    a = torch.ones(1, 2)\n    layer(a)\n"
        "    dead = weakref.ref(a)\n    del a\n    return dead() is None\n"
        "freed = run()"
    )
    assert notebook.names["freed"] is True


def test_a_locals_dict_that_the_user_holds_is_left_alone(notebook: Notebook) -> None:
    notebook.run(
        "def run():\n    a = torch.ones(1, 2)\n    mine = locals()\n    later = 1\n    nn.Linear(2, 3)(a)\n"
        "    return sorted(mine)\nseen = run()"
    )
    assert notebook.names["seen"] == ["a"]


def test_a_locals_dict_that_a_helper_holds_is_left_alone(notebook: Notebook) -> None:
    notebook.run(
        "import sys\ndef helper():\n    return sys._getframe(1).f_locals\n"
        "def run():\n    a = torch.ones(1, 2)\n    mine = helper()\n    mine['extra'] = 1\n    nn.Linear(2, 3)(a)\n"
        "    return sorted(mine), 'extra' in helper()\nseen = run()"
    )
    held, extra = notebook.names["seen"]
    assert {"a", "extra"} <= set(held)
    assert extra


def test_what_a_helper_put_into_the_locals_stays_there(notebook: Notebook) -> None:
    notebook.run(
        "import sys\ndef helper():\n    return sys._getframe(1).f_locals\n"
        "def run():\n    a = torch.ones(1, 2)\n    helper()['extra'] = 1\n    nn.Linear(2, 3)(a)\n"
        "    return sorted(helper())\nseen = run()"
    )
    assert notebook.names["seen"] == ["a", "extra"]


def test_words_with_an_escape_name_every_call(notebook: Notebook) -> None:
    calls = notebook.run(FC + "dd = {'a\\\\b': nn.Linear(2, 3)}\nfor i in range(150): dd['a\\\\b'](x * 2)")
    assert {call.expression for call in calls} == {"(x * 2) @ dd['a\\\\b'].weight.T + dd['a\\\\b'].bias"}


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_lines_are_those_of_pythons_parser(notebook: Notebook, end: str) -> None:
    """The shell files them split at more characters."""
    calls = notebook.run(FC + f"z = x * 2\n# a{end}b\na = fc(x)\nb = fc(z)")
    assert [call.expression for call in calls] == [f"{it} @ fc.weight.T + fc.bias" for it in "xz"]
    assert [call.site.source for call in calls] == ["a = fc(x)", "b = fc(z)"]


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("nn.Linear.forward(self, x * 2)", "(x * 2) @ self.weight.T + self.bias"),
        ("torch.nn.Linear.forward(self, x)", "x @ self.weight.T + self.bias"),
        ("nn.Linear.forward(self, input=h)", "h @ self.weight.T + self.bias"),
        ("forward(self, h)", "h @ self.weight.T + self.bias"),
        ("nn.Linear.forward(other, h * 3)", "(h * 3) @ other.weight.T + other.bias"),
        ("forward(*[self, h])", "h @ self.weight.T + self.bias"),
        ("next(map(own, [h]))", "h @ self.weight.T + self.bias"),
        ("0\n        for y in map(own, [h]): pass", "h @ self.weight.T + self.bias"),
    ],
)
def test_a_forward_that_is_called_by_its_class_has_its_module_before_its_input(
    notebook: Notebook, words: str, expression: str
) -> None:
    call = notebook.call(
        "other = nn.Linear(2, 3)\nclass Lora(nn.Linear):\n    def forward(self, x):\n"
        "        global names\n        forward, own, h = nn.Linear.forward, super().forward, x * 0.5\n"
        f"        y = {words}\n        names = dict(self=self, x=x, h=h, y=y, input=h)\n        return y\n"
        "Lora(2, 3)(torch.randn(4, 2))"
    )
    names = notebook.names["names"]
    assert call.expression == expression
    assert torch.allclose(eval(call.expression, notebook.names, names), names["y"])


def test_a_forward_called_by_its_class_in_the_notebook_has_its_input(notebook: Notebook) -> None:
    assert notebook.call(FC + "nn.Linear.forward(fc, x * 2)").expression == "(x * 2) @ fc.weight.T + fc.bias"


def test_what_pytest_takes_an_assertion_apart_into_is_no_name(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(3, 2)\nx = torch.randn(4, 3)")
    notebook.names |= {"@py_assert1": notebook.names["fc"].weight, "@py_assert2": notebook.names["x"]}
    call = notebook.call("y = fc(x)")
    assert call.expression == "x @ fc.weight.T + fc.bias"
    assert notebook.call("def f(x):\n    return fc(x)\nz = f(x * 1)").operands.weight.name == "fc.weight"  # type: ignore[union-attr]


def test_in_an_assertion_of_pytests_a_call_is_told_in_the_users_names() -> None:
    fc, x = torch.nn.Linear(3, 2), torch.randn(4, 3)
    torchtwin.clear()
    with torchtwin.watch():
        assert fc(x).shape == (4, 2)
        assert torch.equal(x @ fc.weight.T, fc(x)) is False
    for record in torchtwin.records():
        assert "py_assert" not in str(record)
        assert record["expression"] == "x @ fc.weight.T + fc.bias"
    torchtwin.clear()
