"""Which cell a piece of code belongs to."""

from __future__ import annotations

import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel.callsite import Text
from torchtwin.kernel.cells import MAX_CELLS, Cell, Cells
from torchtwin.protocol import Site

FC = "x = torch.randn(4, 2)\nfc = nn.Linear(2, 3)\n"


def test_a_function_belongs_to_the_cell_that_defined_it(notebook: Notebook) -> None:
    notebook.run(FC + "def f():\n    return fc(x)")
    defined = notebook.session.cells.running
    site = notebook.call("f()").site
    assert defined is not None
    assert (site.cell_id, site.line, site.source) == (defined.id, 4, "return fc(x)")


def test_code_compiled_within_a_cell_belongs_to_it_without_a_line(notebook: Notebook) -> None:
    """As `%%time` and `exec` compile it, under a name of their own."""
    site = notebook.call(FC + "exec('y = fc(x)')").site
    running = notebook.session.cells.running
    assert running is not None
    assert site == Site(cell_id=running.id, execution_count=running.execution_count)


def test_a_cell_run_within_a_cell_is_a_part_of_it() -> None:
    """As `%%capture` runs its body."""
    cells = Cells()
    cells.begins(Cell("a", 3, "<outer>", "%%capture\nx = 1\nfc(x)"))
    cells.begins(Cell(None, 4, "<inner>", "x = 1\nfc(x)"))
    site = cells.site(Text("<inner>", 2, "fc(x)"))
    assert (site.cell_id, site.execution_count, site.line) == ("a", 3, 3)
    cells.ended()
    cells.ended()
    cells.begins(Cell(None, 5, "<next>", "x = 1"))
    assert cells.site(Text("<next>", 1)).cell_id is None


def test_the_same_text_run_again_is_the_cell_that_ran_last() -> None:
    cells = Cells()
    cells.begins(Cell("a", 1, "<same>"))
    cells.begins(Cell("b", 2, "<same>"))
    assert cells.site(Text("<same>", 1)).cell_id == "b"


def test_the_cells_remembered_are_bounded() -> None:
    cells = Cells()
    for number in range(MAX_CELLS + 1):
        cells.begins(Cell(str(number), number, f"/cell/{number}"))
    assert cells.site(Text("/cell/0", 1)).file == "/cell/0"
    assert cells.site(Text("/cell/1", 1)).cell_id == "1"


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["for p in fc.parameters():\n    pass"], {"p"}),
        (["for i, (x, y) in enumerate(loader):\n    pass"], {"i", "x", "y"}),
        (["for epoch in range(2):\n    for p in ps: pass"], {"epoch", "p"}),
        (["for p in ps: pass", "p = fc.weight"], set()),
        (["for p in ps: pass", "w, p = fc.weight, fc.bias"], set()),
        (["for p in ps: pass", "p: torch.Tensor = fc.bias"], set()),
        (["for p in ps: pass", "p == 2\nf(p=3)"], {"p"}),
        (["p = 1", "for p in ps: pass"], {"p"}),
        (["w = [p for p in ps]\nforest = x in w"], set()),
        (['"""\nfor w in the docs\n"""'], set()),
        (["def f():\n    for p in ps: pass", "class C:\n    for q in ps: pass", "g = lambda: [r for r in ps]"], set()),
        (["for p in ps: pass", "dict(\n    p=3,\n)\ndef f():\n    p = 1\nf(\np\n=2)"], {"p"}),
        (["for w in range(2): pass\nw = fc.weight"], set()),
        (["w = fc.weight\nfor w in range(2): pass"], {"w"}),
        (["if x:\n    for i, w.a[j] in ws: pass\nelse:\n    async for k in ws: pass"], {"i", "k"}),
        (["for a, b, c, d, e, f in ws: pass", "with o as a: pass\nimport b.c, x as c\n(d := 1)\ne += 1"], {"f"}),
        (["for a, b, c, d in ws: pass", "def a(): pass\nclass b: pass\n[c := 1 for d in ws]\ndel d"], set()),
        (["for p in ps: pass", "p: int"], {"p"}),
        (["for p in ps: pass", "try: pass\nexcept E as p: pass"], set()),
        (["for p in ps: pass", "match x:\n    case [p]: pass"], set()),
        (["for p in ps: pass", "p = "], {"p"}),
        (["for p in ps: await q"], {"p"}),
        (["get_ipython().run_cell_magic('time', '', 'for p in ps: pass\\n')"], {"p"}),
        (["get_ipython().run_cell_magic('writefile', 'a.py', 'for p in ps: pass\\n')"], set()),
    ],
)
def test_names_that_a_loop_bound_last_are_known(sources: list[str], names: set[str]) -> None:
    cells = Cells()
    for number, source in enumerate(sources):
        cells.begins(Cell(None, number, f"<{number}>", source, source))
        cells.ended()
    assert cells.loop_variables == names
