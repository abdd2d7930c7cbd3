"""Questions asked of a session as a notebook asks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel.comparing.answer import Asked, answer
from torchtwin.protocol import Comparison

Ask = Callable[..., Comparison]


@pytest.fixture
def ask(notebook: Notebook) -> Ask:
    """`ask("hand", "fc(x)", wrt=["x"])`: the words are evaluated in the notebook. No internal error is let pass."""

    def asked(actual: str, expected: str, wrt: list[str] | None = None) -> Comparison:
        values: list[Any] = [eval(words, notebook.names) for words in (actual, expected)]
        given = [eval(words, notebook.names) for words in wrt or []]
        comparison = answer(notebook.session, Asked(*values, (actual, expected), given, wrt or []))
        assert notebook.session.guard.report() is None
        return comparison

    return asked
