"""The table of the user's tensors after a cell."""

from __future__ import annotations

import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.protocol import TensorRow, Tensors


def table(notebook: Notebook, source: str) -> dict[str, TensorRow]:
    notebook.run(source)
    events = [e.event for e in notebook.session.recorder.page(0, 10_000).envelopes if isinstance(e.event, Tensors)]
    return {row.name: row for row in events[-1].rows}


SETUP = """\
x = torch.tensor([[10., 20.]])
fc = nn.Linear(2, 3)
w = torch.ones(3, 2)
fc.weight.data = w
y = fc(x)
"""


def test_each_tensor_has_its_facts(notebook: Notebook) -> None:
    rows = table(notebook, SETUP)
    assert list(rows) == ["x", "w", "y"]
    x, y = rows["x"], rows["y"]
    assert (x.shape, x.dtype, x.device, x.requires_grad, x.has_grad) == ([1, 2], "float32", "cpu", False, False)
    assert (y.shape, y.requires_grad) == ([1, 3], True)


def test_a_shared_storage_is_told_with_the_parameter(notebook: Notebook) -> None:
    rows = table(notebook, SETUP + "v = w[0]")
    assert rows["w"].shares == ["fc.weight", "v"]
    assert rows["v"].shares == ["fc.weight", "w"]
    assert rows["x"].shares == []


def test_an_output_tells_the_call_that_made_it(notebook: Notebook) -> None:
    assert table(notebook, SETUP)["y"].output_of == "fc(x)"


def test_only_what_the_last_cell_changed_is_marked(notebook: Notebook) -> None:
    table(notebook, SETUP)
    rows = table(notebook, "x = x.clone()\nz = torch.zeros(1)")
    assert {name for name, row in rows.items() if row.changed} == {"x", "z"}
    rows = table(notebook, "w.add_(1)")
    assert {name for name, row in rows.items() if row.changed} == {"w"}
    rows = table(notebook, "pass")
    assert not any(row.changed for row in rows.values())


def test_a_gradient_that_arrived_is_a_change(notebook: Notebook) -> None:
    table(notebook, "a = torch.ones(2, requires_grad=True)\nb = a * 2")
    rows = table(notebook, "b.sum().backward()")
    assert rows["a"].has_grad
    assert rows["a"].changed
    assert not rows["b"].changed


def test_looking_at_a_tensor_that_is_no_leaf_warns_nobody(notebook: Notebook) -> None:
    assert not table(notebook, "a = torch.ones(2, requires_grad=True) * 2")["a"].has_grad


def test_more_than_five_hundred_are_counted(notebook: Notebook) -> None:
    notebook.run("for i in range(510): globals()[f't{i}'] = torch.ones(1)")
    (event,) = [e.event for e in notebook.session.recorder.page(0, 100).envelopes if isinstance(e.event, Tensors)]
    assert (len(event.rows), event.left_out) == (500, 10)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_odd_tensors_do_not_break_the_table(notebook: Notebook) -> None:
    rows = table(
        notebook,
        "s = torch.eye(2).to_sparse()\nm = torch.ones(2, device='meta')\ne = torch.ones(0)\n"
        "with torch.inference_mode(): i = torch.ones(1)\nlazy = nn.LazyLinear(3)\nlazy_weight = lazy.weight\n"
        "n = torch.nested.nested_tensor([torch.ones(1), torch.ones(2)])",
    )
    assert list(rows) == ["s", "m", "e", "i", "n"]
    assert rows["n"].shape == [2, -1]
    assert all(row.shares == [] for row in rows.values())


def test_a_subclass_is_not_run(notebook: Notebook) -> None:
    rows = table(
        notebook,
        "ran = []\nclass Mine(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, func, types, args=(), kwargs=None):\n        ran.append(func)\n"
        "        return super().__torch_function__(func, types, args, kwargs or {})\n"
        "t = torch.ones(1, 2).as_subclass(Mine)\nran.clear()",
    )
    assert rows["t"].shape == [1, 2]
    assert notebook.names["ran"] == []


def test_a_proxy_is_not_asked_what_it_is(notebook: Notebook) -> None:
    notebook.names["asked"] = []
    rows = table(
        notebook,
        "class Lazy:\n    @property\n    def __class__(self):\n        asked.append(1)\n        raise RuntimeError\n"
        "lazy = Lazy()\nx = torch.ones(1, 2)\nnn.Linear(2, 3)(x)",
    )
    assert list(rows) == ["x"]
    assert notebook.names["asked"] == []
