"""A call that is only counted is told as it would have been, had it been looked at for its own sake."""

from __future__ import annotations

from typing import Any

import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel import owners
from torchtwin.kernel.forms import Form, Forms
from torchtwin.kernel.observe import BEATS_OF_TRUST
from torchtwin.kernel.pulse import Pulse
from torchtwin.kernel.session import Session
from torchtwin.protocol import Call, Mode

SETUP = """\
from functools import partial
torch.manual_seed(0)
x = torch.ones(2, 4)
fc = nn.Linear(4, 3)
square = nn.Linear(4, 4)
square_weight = nn.Parameter(torch.ones(3, 4))
"""

CELLS = {
    "a loop": "for _ in range(5): y = fc(x)",
    "no gradient": "with torch.no_grad():\n    for _ in range(5): y = fc(x)",
    "grad mode is switched": "for i in range(6):\n    with torch.set_grad_enabled(i % 2 == 0): y = fc(x)",
    "inference mode is switched": "for i in range(6):\n    with torch.inference_mode(i % 2 == 0): y = fc(x)",
    "other words in a loop": "for i in range(5):\n    y = fc(x)\n    z = fc(x * 2)\n    fc(x=x) if 0 else fc(input=x)",
    "sizes": "for n in (1, 2, 3, 1, 2, 3, 1, 2): y = fc(torch.ones(n, 4))",
    "many sizes": "for n in [*range(20), *range(20)]: y = fc(torch.ones(n, 4))",
    "dimensions": "for shape in [(4,), (2, 4), (2, 2, 4), (4,), (2, 4), (2, 2, 4)]: y = fc(torch.ones(shape))",
    "the layer is replaced": "for i in range(6):\n    if i == 3: fc = nn.Linear(4, 3)\n    y = fc(x)",
    "another layer each time": (
        "fcs = []\nfor i in range(6):\n    fc = nn.Linear(4, 3)\n    fcs.append(fc)\n    y = fc(x)"
    ),
    "layers that are freed": "for i in range(30):\n    fc = nn.Linear(4, 3)\n    y = fc(x)",
    "layers that are freed, of other sizes": "for i in range(30):\n    fc = nn.Linear(4, 3 + i % 2)\n    y = fc(x)",
    "the weight is replaced": (
        "for i in range(6):\n    if i % 2: fc.weight = nn.Parameter(torch.ones(3, 4))\n    y = fc(x)"
    ),
    "the weight has other rows": (
        "w, b = fc.weight.data, fc.bias.data\nfor i in range(6):\n    fc.weight.data = w[:1 + i % 3]\n"
        "    fc.bias.data = b[:1 + i % 3]\n    y = fc(x)"
    ),
    "the weight has other columns": (
        "w = fc.weight.data\nfor i in range(6):\n    k = 1 + i % 3\n    fc.weight.data = w[:, :k]\n    y = fc(x[:, :k])"
    ),
    "the bias comes and goes": "b = fc.bias\nfor i in range(6):\n    fc.bias = b if i % 2 else None\n    y = fc(x)",
    "the bias is another": "for i in range(6):\n    fc.bias = nn.Parameter(torch.ones(3))\n    y = fc(x)",
    "the dtype changes": "for i in range(6):\n    d = (torch.float32, torch.float64)[i % 2]\n    y = fc.to(d)(x.to(d))",
    "the input requires a gradient": "for i in range(6): y = fc(x.requires_grad_(i % 2 == 0))",
    "the weight requires a gradient": ("for i in range(6):\n    fc.weight.requires_grad_(i % 2 == 0)\n    y = fc(x)"),
    "autocast is switched": ("for i in range(6):\n    with torch.autocast('cpu', enabled=i % 2 == 0): y = fc(x)"),
    "autocast, inputs of two dtypes": (
        "with torch.autocast('cpu'):\n    for i in range(6): y = fc(x if i % 2 else x.bfloat16())"
    ),
    "meta tensors": "meta = fc.to('meta')\nfor _ in range(4): y = meta(x.to('meta'))",
    "two sites of one layer": "for _ in range(4):\n    a = fc(x)\n    b = fc(x)",
    "one site, two layers": "for it in (fc, square, fc, square, fc, square): y = it(x)",
    "in a function": "def f(inp):\n    return fc(inp)\nfor _ in range(4): y = f(x)",
    "in a function, layers as arguments": (
        "def f(it, inp):\n    return it(inp)\nfor _ in range(4): f(fc, x); f(square, x)"
    ),
    "in two functions of one form": (
        "def f(one): return fc(one)\ndef g(other): return fc(other)\nfor _ in range(4): f(x); g(x)"
    ),
    "a sequential": ("net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))\nfor _ in range(4): y = net(x)"),
    "twice in a sequential": "net = nn.Sequential(square, nn.ReLU(), square)\nfor _ in range(4): y = net(x)",
    "twice in a sequential, of an expression": (
        "net = nn.Sequential(square, nn.ReLU(), square)\nfor _ in range(4): y = net(x.sin().requires_grad_())"
    ),
    "nested sequentials": (
        "net = nn.Sequential(nn.Sequential(square, nn.Tanh()), nn.Sequential(nn.ReLU(), fc))\n"
        "for _ in range(4): y = net(x)"
    ),
    "a sequential whose argument a hook changes": (
        "net = nn.Sequential(square, fc)\nfor i in range(6):\n"
        "    if i == 3: net.register_forward_pre_hook(lambda m, a: (a[0] * 2,))\n    y = net(x)"
    ),
    "a hook on the layer": (
        "for i in range(6):\n    if i == 3: fc.register_forward_pre_hook(lambda m, a: (a[0] * 2,))\n    y = fc(x)"
    ),
    "a hook after the layer": (
        "for i in range(6):\n    if i == 3: fc.register_forward_hook(lambda m, a, o: o * 2)\n    y = fc(x)"
    ),
    "self-attention": (
        "mha = nn.MultiheadAttention(4, 2, batch_first=True)\ns = torch.ones(1, 3, 4)\n"
        "for _ in range(3): y, _ = mha(s, s, s)"
    ),
    "cross-attention": (
        "mha = nn.MultiheadAttention(4, 2, batch_first=True)\ns, t = torch.ones(1, 3, 4), torch.zeros(1, 5, 4)\n"
        "for i in range(4): y, _ = mha(s, t, t) if i % 2 else mha(s, s, s)"
    ),
    "attention with key and value apart": (
        "mha = nn.MultiheadAttention(4, 2, batch_first=True)\ns, t, u = (torch.ones(1, n, 4) for n in (3, 5, 5))\n"
        "for i in range(4): y, _ = mha(s, t, u)"
    ),
    "an encoder": (
        "enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True), 2)\n"
        "for _ in range(3): y = enc(torch.ones(1, 3, 4))"
    ),
    "computed weights": (
        "a, b = torch.ones(3, 1, requires_grad=True), torch.ones(1, 4)\n"
        "for _ in range(5): y = F.linear(x, fc.weight + a @ b, fc.bias)"
    ),
    "a computed weight by name": "for i in range(5):\n    w = fc.weight * i\n    y = F.linear(x, w)",
    "LoRA": (
        "class LoRA(nn.Linear):\n    def __init__(self):\n        super().__init__(4, 3)\n"
        "        self.a = nn.Parameter(torch.ones(1, 4))\n        self.b = nn.Parameter(torch.ones(3, 1))\n"
        "    def forward(self, h):\n        return F.linear(h, self.weight + self.b @ self.a, self.bias)\n"
        "one, two = LoRA(), LoRA()\nfor i in range(6): y = (one if i % 2 else two)(x)"
    ),
    "parametrised weights": ("fc = nn.utils.parametrizations.weight_norm(fc)\nfor _ in range(5): y = fc(x)"),
    "several parametrised layers": (
        "net = nn.Sequential(*(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)) for _ in range(3)))\n"
        "for _ in range(5): y = net(x)"
    ),
    "tied weights": "fc = nn.Linear(4, 4, bias=False)\nfc.weight = square.weight\nfor _ in range(4): fc(x); square(x)",
    "tied weights at one site": (
        "fc = nn.Linear(4, 4)\nfc.weight, fc.bias = square.weight, square.bias\nfor it in (fc, square) * 4: y = it(x)"
    ),
    "tied weights in a container": (
        "fc = nn.Linear(4, 4)\nfc.weight, fc.bias = square.weight, square.bias\n"
        "net = nn.Sequential(fc, nn.ReLU(), square)\nfor _ in range(4): y = net(x)"
    ),
    "map": "ys = list(map(fc, [x, x, x, x]))",
    "partial": "call = partial(F.linear, weight=fc.weight, bias=fc.bias)\nfor _ in range(4): y = call(x)",
    "partial of a layer": "call = partial(fc, x)\nfor _ in range(4): y = call()",
    "forward": "for _ in range(4): y = fc.forward(x)",
    "forward and call at one site": "for it in (fc, fc.forward, fc, fc.forward, fc): y = it(x)",
    "keywords": "for _ in range(4): y = F.linear(input=x, weight=fc.weight, bias=fc.bias)",
    "some keywords": "for i in range(4): y = F.linear(x, fc.weight, bias=fc.bias if i % 2 else None)",
    "positions": "for _ in range(4): y = F.linear(x, fc.weight, fc.bias)",
    "the input's name moves": "a = x\nfor i in range(6):\n    z = fc(next(iter([a])))\n    if i == 2: a, b = x * 2, a",
    "the weight loses its name": "w = fc.weight\nfor i in range(6):\n    y = fc(x)\n    if i == 2: del w",
    "the weight's name is bound anew": "w = fc.weight\nfor i in range(6):\n    y = fc(x)\n    if i == 2: w = 3",
    "the bias's name is bound anew": "b = fc.bias\nfor i in range(6):\n    y = fc(x)\n    if i == 2: b = 3",
    "an item's place is bound anew": (
        "net = nn.ModuleList([square, nn.Linear(4, 4)])\ndef f(h):\n    for it in net: h = it(h)\n    return h\n"
        "for i in range(6):\n    y = f(x)\n    if i == 2: net = nn.ModuleList([net[1], net[0]])"
    ),
    "a loop over itself": "h = torch.ones(2, 4)\nfor _ in range(5): h = square(h)",
    "a loop over itself by two names": "h = torch.ones(2, 4)\nfor _ in range(5):\n    g = square(h)\n    h = g.relu()",
    "a functional call": (
        "other = {k: v * 2 for k, v in fc.named_parameters()}\n"
        "for i in range(4): y = torch.func.functional_call(fc, other, (x,))"
    ),
    "vmap": "def f(row):\n    return fc(row)\nfor i in range(4):\n    f(x[0])\n    torch.vmap(f)(x)",
    "swapped": ("for i in range(6):\n    y = fc(x)\n    if i == 2: torch.utils.swap_tensors(fc.weight, square_weight)"),
}


TRUSTED = {
    "the layer's name is bound anew": (
        "def f(it):\n    return F.linear(x, it.weight, it.bias)\n"
        "for i in range(6):\n    y = f(fc if i < 3 else old)\n    if i == 2: old, fc = fc, None"
    ),
    "a sequential that grows in front": (
        "net = nn.Sequential(square, fc)\nfor i in range(6):\n    if i == 3: net.insert(0, nn.ReLU())\n    y = net(x)"
    ),
}
"""What the tap would have to look at the modules for. It trusts them until the next beat of trust."""


def told(source: str, mode: Mode, monkeypatch: pytest.MonkeyPatch, passes: bool = True) -> list[Call]:
    """The calls of a cell, oldest first. `passes`: those that may are passed on by the tap after one look."""
    session = Session()
    session.watch(mode)
    made = Notebook(session)
    with monkeypatch.context() as patched:
        patched.setattr(Pulse, "start", lambda self: passes)
        patched.setattr(owners, "notebook", lambda: made.names)
        for module in ("scopes", "view"):
            patched.setattr(f"torchtwin.kernel.{module}.notebook", lambda: made.names)
        made.run(SETUP)
        made.names["beat"] = session._beat
        made.run(source)
    calls = session.latest(10_000)
    assert [call.id for call in calls] == list(range(1, len(calls) + 1))
    assert session.recorder.counts == (len(calls), 0)
    session.unwatch()
    return calls


def told_each(source: str, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The same calls, each looked at as if there had been none like it."""
    with monkeypatch.context() as patched:
        for search in ("find", "kin", "at"):
            patched.setattr(Forms, search, lambda *_: None)
        return told(source, "every", monkeypatch)


def words(call: Call) -> dict[str, Any]:
    return {
        "name": call.name,
        "expression": call.expression,
        "line": call.site.line,
        "source": call.site.source,
        "operands": call.operands,
        "gradient_formulas": call.gradient_formulas,
        "gradient_names": call.gradient_names,
        "rank": call.rank,
    }


def assert_alike(counted: list[Call], expected: list[Call]) -> None:
    assert len(counted) == len(expected) > 0
    for at, (one, other) in enumerate(zip(counted, expected, strict=True)):
        assert (at, words(one)) == (at, words(other))


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_a_call_that_passes_the_tap_is_told_as_it_would_have_been(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_alike(told(cell, "shapes", monkeypatch), told_each(cell, monkeypatch))


@pytest.mark.parametrize("cell", (CELLS | TRUSTED).values(), ids=(CELLS | TRUSTED).keys())
def test_a_call_that_is_counted_by_us_is_told_as_it_would_have_been(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_alike(told(cell, "shapes", monkeypatch, passes=False), told_each(cell, monkeypatch))


@pytest.mark.parametrize("cell", (CELLS | TRUSTED).values(), ids=(CELLS | TRUSTED).keys())
def test_a_call_that_is_checked_is_told_as_if_there_had_been_none_like_it(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_alike(told(cell, "every", monkeypatch), told_each(cell, monkeypatch))


@pytest.mark.parametrize("cell", TRUSTED.values(), ids=TRUSTED.keys())
def test_modules_are_looked_at_again_after_some_beats(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = cell.replace("for i in range(6):\n", f"for i in range(6):\n    for _ in range({BEATS_OF_TRUST}): beat()\n")
    assert_alike(told(beaten, "shapes", monkeypatch), told_each(beaten, monkeypatch))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What each call was looked up as."""
    seen: list[str | None] = []
    find = Forms.find

    def looked(*arguments: Any) -> Form | None:
        found = find(*arguments)
        seen.append(None if found is None else found.names.weight)
        return found

    monkeypatch.setattr(Forms, "find", looked)
    return seen


MANY = "net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(30)))\n"


def test_of_many_layers_one_a_beat_is_looked_at_again_the_oldest_look_first(
    monkeypatch: pytest.MonkeyPatch, looks: list[str | None]
) -> None:
    told(MANY + "for i in range(5):\n    y = net(x)\n    if i > 1: beat()", "shapes", monkeypatch)
    assert looks[60:] == ["net[0].weight", "net[1].weight"]


def test_where_other_words_are_found_all_are_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, looks: list[str | None]
) -> None:
    change = "    if i == 2:\n        net.insert(0, nn.ReLU())\n        beat()"
    calls = told(MANY + f"for i in range(4):\n    y = net(x)\n{change}", "shapes", monkeypatch)
    assert looks[60:] == [None] * 30
    assert [it.name for it in calls[-30:]] == [f"net[{i}]" for i in range(1, 31)]


def test_calls_pass_the_tap_from_the_third_on(monkeypatch: pytest.MonkeyPatch, looks: list[str | None]) -> None:
    assert len(told("for _ in range(100): y = fc(x)", "shapes", monkeypatch)) == 100
    assert len(looks) == 2


def test_a_name_that_comes_up_later_makes_the_words_no_less_right(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = told("for i in range(6):\n    y = fc(x)\n    if i == 2: w = fc.weight", "shapes", monkeypatch)
    assert {it.expression for it in calls} == {"x @ fc.weight.T + fc.bias"}


@pytest.mark.parametrize("passes", [True, False])
def test_what_is_not_the_variable_is_never_told_by_its_name(monkeypatch: pytest.MonkeyPatch, passes: bool) -> None:
    cell = "net = nn.Sequential(square, nn.ReLU(), square)\nwith torch.no_grad():\n    for _ in range(4): y = net(x)"
    calls = told(cell, "shapes", monkeypatch, passes)
    assert calls[0].expression == "x @ net[0].weight.T + net[0].bias"
    assert {it.expression for it in calls[1::2]} == {"input @ net[0].weight.T + net[0].bias"}
