"""Every expression, evaluated where and when its call was made, gives what the call gave."""

from __future__ import annotations

import re
from types import FrameType
from typing import Any

import pytest
import torch
from tests.python.kernel.conftest import Notebook
from torch import Tensor

from torchtwin.kernel import callsite

PLACEHOLDER = re.compile(r"\b(input|weight|bias)_*\b(?!\s*\()")
SETUP = """
import functools, itertools, operator, types
x, z = torch.randn(4, 2), torch.randn(4, 2)
fc, fc2, square = nn.Linear(2, 3), nn.Linear(2, 3, bias=False), nn.Linear(2, 2)
w, b = torch.randn(3, 2), torch.randn(3)
"""
CELLS = {
    "plain": "y = fc(x)\ny2 = fc2(z)",
    "keyword": "y = fc(input=x)",
    "forward": "y = fc.forward(x * 2)",
    "function": "F.linear(x, w, b)\nF.linear(x, weight=w)\nF.linear(bias=b, weight=w, input=z)",
    "starred": "args = (x, w)\nF.linear(*args)\nF.linear(x, *[w, b])",
    "starred words": "k = dict(input=z, weight=w)\nF.linear(**k)",
    "operators": "fc(-x + z * 2)\nfc(x - z)\nfc(x if x.sum() > 0 else z)\nfc(x[[0, 1]])",
    "views": "fc(x.T.T)\nfc(x.view(2, 2, 2))\nfc(x[1:3])\nfc(x[:, [1, 0]])\nfc(x[None])",
    "functions": "fc(torch.relu(x))\nfc(F.softmax(x, dim=-1))\nfc(torch.cat([x, z]))\nfc(torch.stack([x, z], 0))",
    "what draws": "fc(torch.randn(4, 2))\nfc(F.dropout(x))\nfc(torch.rand_like(x))",
    "what moves on": "it = iter([x, z])\nfc(next(it))\nfc(next(it))",
    "what is used up": "stack = [x, z]\nfc(stack.pop())\nfc(stack.pop())",
    "one dimension": "fc(x[0])\nfc2(z[1])\nF.linear(x[0], w)",
    "one-dimensional weight": "F.linear(x, w[0])",
    "weight of another's memory": "fc.weight.data = w\nfc(x)\nfc.bias.data = b\nfc(z)",
    "a name that is bound anew": "v = fc.weight.data\nfc(x)\nv = torch.zeros(3, 2)\nfc(x)\nx = z\nfc(x)",
    "exchanged": "fc, fc2 = fc2, fc\nfc(x)\nfc2(x)",
    "itself": "h = x\nfor _ in range(3): h = square(h)\nx = fc(x)",
    "loop over layers": "for layer in [fc, fc2]: layer(x)",
    "loop over inputs": "for row in x: fc(row)\nfor i in range(2): fc(x[i])\nfor i, row in enumerate(z): fc(row * i)",
    "loop over parameters": "for p in fc.parameters(): pass\nfc(x)\np = fc.bias\nfc(x)",
    "while": "n = 0\nwhile fc(x * n).sum() > -1e9 and n < 3: n += 1",
    "comprehensions": (
        "[fc(row) for row in x]\n{i: fc(x[i]) for i in range(2)}\n[m(x) for m in (fc, fc2)]\nlist(fc(r) for r in z)"
    ),
    "map": "list(map(fc, [x, z]))\nlist(map(F.linear, [x], [w]))\nfor y in map(fc, x): pass\n[*map(fc2, x)]",
    "walrus": "fc(h := x * 2)\nif (y := fc(h)).sum() > 0: pass",
    "lambda": "f = lambda t: fc(t * 2)\nf(x)\n(lambda m, t: m(t))(fc2, z)",
    "partial": (
        "functools.partial(F.linear, weight=w)(x)\noperator.call(fc, x)\n"
        "functools.reduce(lambda h, m: m(h), [square, fc], x)"
    ),
    "containers": (
        "layers, named = [fc, fc2], {'a': fc, 1: fc2}\nlayers[0](x)\nlayers[-1](x)\nnamed['a'](z)\nnamed[1](z)"
    ),
    "held tensors": "xs, of = [x, z], {'k': z}\nfc(xs[1])\nfc(of['k'] * 2)\nns = types.SimpleNamespace(t=x)\nfc(ns.t)",
    "functions of the user's": "def f(a, layer=fc):\n    c = a * 2\n    return layer(c) + fc2(a)\nf(x)\nf(z, fc2)",
    "closure": (
        "def outer(a):\n    m = nn.Linear(2, 2)\n    def inner(t):\n        return m(t + a)\n"
        "    return inner(a)\nouter(x)"
    ),
    "hidden": "def f(fc, x):\n    w = x\n    return fc(x), F.linear(w, fc.weight)\nf(fc2, z)",
    "generator": "def g():\n    for row in x:\n        yield fc(row)\nlist(g())",
    "recursion": "def f(h, n):\n    return h if n == 0 else f(square(h), n - 1)\nf(x, 3)",
    "try": "try:\n    y = fc(x)\nfinally:\n    y = fc(z)",
    "with": "with torch.no_grad(): y = fc(x)\nwith torch.inference_mode(): y = fc(z)",
    "autocast": "with torch.autocast('cpu', torch.bfloat16): y = fc(x)",
    "double": "d = nn.Linear(2, 3).double()\nd(x.double())\nd(x.to(torch.float64))",
    "sequential": "net = nn.Sequential(square, nn.ReLU(), fc)\nnet(x)\nnet[0](x)\nnet[:1](z)",
    "module list": "ms = nn.ModuleList([square, fc])\nh = x\nfor m in ms: h = m(h)\nms[1](ms[0](x))",
    "module dict": "md = nn.ModuleDict({'in': square, 'a b': fc})\nmd['a b'](md['in'](x))",
    "model": (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.__one = nn.Linear(2, 2)\n"
        "        self.body = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))\n        self.scale = 2\n"
        "    def forward(self, x):\n        h = self.__one(x * self.scale)\n        h = self.body(h).relu()\n"
        "        return F.linear(h, self.body[0].weight)\nmodel = Net()\nmodel(x)\nmodel.body[1](z)"
    ),
    "subclass": (
        "class Lora(nn.Linear):\n    def forward(self, x):\n        h = x * 2\n"
        "        a = super().forward(x) + nn.Linear.forward(self, h) + F.linear(input=x, weight=self.weight)\n"
        "        return a + nn.Linear.forward(self, input=h)\nlora = Lora(2, 3)\nlora(x)\nnn.Linear.forward(fc, z)"
    ),
    "class": (
        "class Holder:\n    fc = nn.Linear(2, 3)\n    def __init__(self): self.own, self.t = fc2, x\n"
        "    def __call__(self): return self.fc(self.t), self.own(self.t[0])\n    y = fc(torch.ones(1, 2))\nHolder()()"
    ),
    "property": (
        "class Holder:\n    @property\n    def t(self): return torch.randn(4, 2)\n"
        "    layer = property(lambda self: fc)\n"
        "o = Holder()\nfc(o.t)\no.layer(x)"
    ),
    "hooks": (
        "fc.register_forward_pre_hook(lambda m, a: (a[0] * 2,))\nfc(x)\n"
        "fc2.register_forward_hook(lambda m, a, o: o * 2)\nfc2(x)"
    ),
    "functional call": "torch.func.functional_call(fc, {'weight': w, 'bias': b}, (x,))",
    "tied": "head = nn.Linear(2, 3)\nhead.weight = fc.weight\nhead(x)\nfc(x)",
    "parametrised": "torch.nn.utils.parametrizations.weight_norm(fc)\nfc(x)",
    "in place": "h = x.clone()\nfc(h)\nh.mul_(2)\nfc(h)\nfc(h.add_(1))",
    "one line": "y = fc(x), fc(x[1:]), fc2(z * 3); y = fc(fc.weight[:, :2] @ x.T[:, :2])",
    "several lines": "y = fc(\n    x  # the input\n    * 2\n)\ny = fc(x \\\n  + z)",
    "attributes": "fc(x.data)\nx.grad = z\nfc(x.grad)\nfc(x.mT.mT)\nfc(fc.weight.data[:2, :2])\nfc(x.real)",
    "rows of a weight": "W = torch.randn(6, 2)\nF.linear(x, W[0:3])\nF.linear(x, W[3:], b)\nF.linear(x, W + 1)",
    "a bias alone": "fc.weight.requires_grad_(False)\nfc(x)\nF.linear(x, w, fc.bias)\nF.linear(x, w, b[:1])",
    "threads": "import threading\nt = threading.Thread(target=lambda: fc(x * 2))\nt.start()\nt.join()",
    "executed": "exec('y = fc(x * 2)')\neval('fc(z)')\nexec('fc(t)', {'fc': fc, 't': x})",
    "decorated": "def twice(f):\n    return lambda t: f(t * 2)\n@twice\ndef g(t): return fc(t)\ng(x)",
    "defaults": "def f(t, u=x):\n    del t\n    return fc(u)\nf(z)\n[(lambda t=row: fc(t))() for row in x]",
    "conditions": "fc(x) if fc(z).sum() > 0 else fc2(x)\nassert fc(x[0]).dim() == 1 and fc(x).dim() == 2",
    "integers": "F.linear(torch.arange(4).view(2, 2), torch.ones(3, 2).long())\nF.linear(x.long(), w.long())",
    "complex": "c = torch.randn(4, 2, dtype=torch.complex64)\nF.linear(c.conj(), c)\nF.linear(c.real, w)",
    "letters": "über = x * 2\ny = 'ä', fc(über), 'ß', fc(über * 2)",
}


class Evaluated:
    """Evaluates the expression of each call as it is recorded."""

    def __init__(self, notebook: Notebook) -> None:
        self._session = notebook.session
        assert self._session._recording is not None
        self._plain = self._session._recording.returned
        self.results: list[tuple[str, bool]] = []

    def __call__(self, frame: FrameType, *operands: Tensor | None) -> None:
        self._plain(frame, *operands)
        text = self._session.calls()[-1].expression
        names = self._names(callsite.caller(frame).frame, text, operands)
        output = operands[-1]
        assert output is not None
        tolerance = 8 * torch.finfo(output.dtype).eps if output.is_floating_point() or output.is_complex() else 0
        value = eval(text, {}, names)
        self.results.append((text, torch.allclose(value, output, rtol=tolerance, atol=tolerance)))

    def _names(self, frame: FrameType, text: str, operands: tuple[Tensor | None, ...]) -> dict[str, Any]:
        """What the user could type there; a word that stands for an operand without a name must be nobody's."""
        names = frame.f_globals | frame.f_locals
        roles = dict(zip(("input", "weight", "bias"), operands, strict=False))
        words = {found[0]: roles[found[1]] for found in PLACEHOLDER.finditer(re.sub(r"\.\w+", "", text))}
        return {**words, **names}


@pytest.mark.parametrize("cell", CELLS)
def test_an_expression_gives_what_its_call_gave(notebook: Notebook, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook.run(SETUP)
    evaluated = Evaluated(notebook)
    monkeypatch.setattr(notebook.session._recording, "returned", evaluated)
    calls = notebook.run(CELLS[cell])
    assert len(evaluated.results) == len(calls) > 0
    assert [text for text, is_the_same in evaluated.results if not is_the_same] == []
