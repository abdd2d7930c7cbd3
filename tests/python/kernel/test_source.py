"""Words of a file are told only where they are those of the code that runs."""

from __future__ import annotations

import ast
import importlib.util
import linecache
import sys
import warnings
from collections.abc import Callable
from importlib.machinery import SourceFileLoader as SourceLoader
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import torch
from _pytest.assertion.rewrite import rewrite_asserts

from torchtwin.kernel import callsite
from torchtwin.kernel.callsite import Text

BODIES = {
    "the end of a function": ("fc(x)", "def run(fc, x):\n    fc(x)\n"),
    "a value": ("fc(x)", "def run(fc, x):\n    y = fc(x)\n    return y\n"),
    "a global function": (
        "F.linear(x, w)",
        "from torch.nn import functional as F\ndef run(w, x):\n    F.linear(x, w)\n",
    ),
    "several lines": ("fc(x * 2)", "def run(fc, x):\n    return fc(\n        x * 2\n    )[0]\n"),
    "a continued line": ("fc(x * 2)", "def run(fc, x):\n    return fc(x \\\n        * 2)\n"),
    "a loop": ("fc(x)", "def run(fc, x):\n    for y in fc(x):\n        pass\n"),
    "a with statement": ("fc(x)", "def run(fc, x):\n    try:\n        with fc(x): pass\n    except TypeError: pass\n"),
    "a condition": ("fc(x)", "def run(fc, x):\n    if fc(x) is None:\n        pass\n"),
    "a choice": ("fc(x if x is not None else fc)", "def run(fc, x):\n    fc(x if x is not None else fc)\n"),
    "a free variable": ("fc(x)", "def run(fc, x):\n    def inner():\n        return fc(x)\n    inner()\n"),
    "a comprehension": ("fc(each)", "def run(fc, x):\n    return [fc(each) for each in [x]]\n"),
    "finally": ("fc(x)", "def run(fc, x):\n    try:\n        y = 1\n    finally:\n        y = fc(x)\n    return y\n"),
    "a while loop": ("fc(x)", "def run(fc, x):\n    while fc(x):\n        x = x - 1\n        break\n    return x\n"),
    "awaiting": (
        "fc(x)",
        "async def go(fc, x):\n    return await fc(x)\n"
        "def run(fc, x):\n    try: go(fc, x).send(None)\n    except TypeError: pass\n",
    ),
    "a map": ("list(map(fc, [x]))", "def run(fc, x):\n    return list(map(fc, [x]))\n"),
    "neighbouring words": ("fc(x)", "def run(fc, x):\n    a = x\n    return a + fc(x), a\n"),
    "one of two functions in a line": (
        "fc(x)",
        "def run(fc, x):\n    f, g = lambda: x, lambda: fc(x)\n    return g()\n",
    ),
    "a long function": (
        "fc(x)",
        "def run(fc, x):\n    v = x\n" + "    v = v, 'v', 1.5\n" * 300 + "    return v, fc(x)\n",
    ),
    "an escape": ("fc({'a\\\\b': x}['a\\\\b'])", "def run(fc, x):\n    return fc({'a\\\\b': x}['a\\\\b'])\n"),
    "a private name": (
        "self.__fc(x)",
        "class Net:\n    def __init__(self, fc): self.__fc = fc\n    def go(self, x): return self.__fc(x)\n"
        "def run(fc, x): Net(fc).go(x)\n",
    ),
}


@pytest.fixture
def text_of(tmp_path: Path) -> Callable[[str], Callable[[], Text]]:
    """Imports a file with this content; gives what calls its `run` and tells the words of the call in it."""

    def imported(content: str) -> Callable[[], Text]:
        file = tmp_path / "layers.py"
        file.write_text(content)
        spec = importlib.util.spec_from_file_location("layers", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
        return lambda: words(module.run, file)

    def words(run: Callable[..., Any], file: Path) -> Text:
        found: list[Text] = []

        def fc(*args: object) -> Any:
            if not args:
                return fc
            found.append(callsite.caller(sys._getframe(1)).text)
            return torch.ones(1)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.nn.functional, "linear", fc)
            run(fc, torch.ones(1))
        linecache.cache.pop(str(file), None)
        callsite._text.cache_clear()
        return found[-1]

    return imported


@pytest.mark.parametrize("where", BODIES)
def test_a_file_lends_its_words_from(where: str, text_of: Callable[[str], Callable[[], Text]]) -> None:
    words, content = BODIES[where]
    text = text_of(content)()
    assert "".join((text.call or "").split()) == words.replace(" ", "")
    assert text.source is not None


@pytest.mark.parametrize(
    ("was", "became"),
    [
        ("fc(x)", "fd(x)"),
        ("fc()(x)", "fc()   "),
        ("fc(x - 1)[0]", "fc(x - 2)[0]"),
        ("fc(x + x)", "fc(x - x)"),
        ("fc(x.data)", "fc(x.grad)"),
        ("fc(x, 1)", "fc(x, 2)"),
        ("fc(x if x else 1)", "fc(1 if x else x)"),
        ("fc([y for y in x])", "fc([y for y in w])"),
        ("fc(x)  # über", "fc(x  # üb\n  )"),
        ("fc(\n x.sum(-1)\n)", "fc(\n x.sum(+1)\n)"),
        ("fc(\n [x, x][1]\n)", "fc(\n [x, x][True]\n)"),
        ("fc(x, 0.0)", "fc(x,-0.0)"),
        ("fc(x in (1, 2))", "fc(x in (1.,2))"),
        ("fc(x if x or fc else 1)", "fc(x if not x and fc else 1)"),
        ("fc(lambda p, q: p)", "fc(lambda q, p: p)"),
        ("x + fc(x)", "x + fd(x)"),
        ("x, fc(x, x)", "x, fc(x, w)"),
    ],
)
def test_a_file_that_was_edited_since_lends_none(
    was: str, became: str, text_of: Callable[[str], Callable[[], Text]], tmp_path: Path
) -> None:
    content = f"def run(fc, x, fd=None):\n    return {was}\n"
    asked = text_of(content)
    (tmp_path / "layers.py").write_text(content.replace(was, became))
    text = asked()
    assert (text.call, text.source) == (None, None)


def test_an_edit_elsewhere_takes_nothing_away(text_of: Callable[[str], Callable[[], Text]], tmp_path: Path) -> None:
    asked = text_of("def run(fc, x):\n    return fc(x * 2)\ndef other():\n    return 1\n")
    (tmp_path / "layers.py").write_text("def run(fc, x):\n    return fc(x * 2)\ndef others():\n    return 2\n")
    assert asked().call == "fc(x * 2)"


@pytest.mark.parametrize(
    ("was", "became"),
    [
        ("fc(x) + 1", "fc(x) + 2"),
        ("x + fc(x)", "w + fc(x)"),
        ("fc(x), x", "fc(x), w"),
        ("fc(x) is 1", "fc(x) is 2"),
    ],
)
def test_of_a_line_whose_rest_was_edited_the_words_are_told_alone(
    was: str, became: str, text_of: Callable[[str], Callable[[], Text]], tmp_path: Path
) -> None:
    content = f"def run(fc, x, w=2):\n    return {was}\n"
    asked = text_of(content)
    assert asked().source == f"return {was}"
    (tmp_path / "layers.py").write_text(content.replace(was, became))
    assert (asked().call, asked().source) == ("fc(x)", "fc(x)")


@pytest.mark.parametrize("asserted", ["fc(x).sum() == 1", "len([y for y in fc(x)])", "fc(x) and x"])
def test_asserts_that_pytest_rewrote_lend_their_words(
    asserted: str, text_of: Callable[[str], Callable[[], Text]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rewritten(self: SourceLoader, data: bytes, path: str) -> CodeType:
        tree = ast.parse(data)
        rewrite_asserts(tree, data)
        code: CodeType = compile(tree, path, "exec", dont_inherit=True)
        return code

    monkeypatch.setattr(SourceLoader, "source_to_code", rewritten)
    text = text_of(f"def run(fc, x):\n    y = 2\n    assert {asserted}, y\n")()
    assert (text.call, text.source) == ("fc(x)", "fc(x)")


WARNED_OF = [
    'fc("\\d")',
    "fc(1if x is None else x)",
    "fc(x is 1)",
    'fc("a" is x)',
    "fc([1, 2]['a'] if x is None else x)",
    "fc(x if fc is not -1 else None)",
    "fc(x if x is not None else (1 + 1)(2))",
]


@pytest.mark.parametrize("call", WARNED_OF)
def test_what_python_warns_of_is_told_without_another_warning(
    call: str, text_of: Callable[[str], Callable[[], Text]]
) -> None:
    asked = text_of(f'def run(fc, x):\n    "\\d"\n    return {call}\n')
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert asked().call == call
    assert warned == []
