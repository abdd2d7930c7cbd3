"""Torchtwin: every `nn.Linear` call beside its twin, the plain matmul in the user's own names.

Importing this package loads neither torch nor jupyter_server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchtwin.asking import assert_same, compare
from torchtwin.inspecting import here
from torchtwin.watching import Watch, clear, records, unwatch, watch

if TYPE_CHECKING:
    from torchtwin.kernel.comparing.verdict import Verdict

__all__ = [
    "Verdict",
    "Watch",
    "assert_same",
    "clear",
    "compare",
    "here",
    "load_ipython_extension",
    "records",
    "unload_ipython_extension",
    "unwatch",
    "watch",
]


def __getattr__(name: str) -> object:
    """The server part, which imports this package as well, needs nothing of the kernel's."""
    if name != "Verdict":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from torchtwin.kernel.comparing.verdict import Verdict

    return Verdict


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext torchtwin`: watches, and adds `%twin` and `%%twin`."""
    from torchtwin.kernel.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext torchtwin`: takes everything back."""
    from torchtwin.kernel.extension import unload

    unload(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "torchtwin"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "torchtwin.server"}]
