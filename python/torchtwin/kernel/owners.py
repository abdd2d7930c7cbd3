"""How the notebook's names lead to modules and to the tensors they own: `model.layers[0].ff`, attribute `weight`."""

from __future__ import annotations

import time
import weakref
from typing import Any

from torch import nn

from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.namespace import modules, notebook, owned_tensors

REST = 5.0
"""How many times as long as a walk through the namespace took nobody walks again for something that was not found."""


class Owners:
    """An index of the notebook's namespace, made when first needed and again when something new turns up."""

    def __init__(self) -> None:
        self._modules: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._tensors: dict[int, tuple[weakref.ref[Any], tuple[str, str]]] = {}
        self._rests_until = 0.0
        self._names = 0

    def forget(self) -> None:
        """To be called when the namespace may have changed: before each cell."""
        self._modules.clear()
        self._tensors.clear()
        self._rests_until = 0.0

    def path(self, module: nn.Module) -> str | None:
        """The shortest expression that leads to `module`."""
        found: str | None = _known(self._modules, module)
        if found is None and self._look():
            found = _known(self._modules, module)
        return found

    def owner(self, tensor: object) -> tuple[str, str] | None:
        """The path of a module that owns `tensor`, and the attribute under which it does."""
        if not is_tensor(tensor):
            return None
        found: tuple[str, str] | None = _known(self._tensors, tensor)
        if found is None and isinstance(tensor, nn.Parameter) and self._look():
            found = _known(self._tensors, tensor)
        return found

    def _look(self) -> bool:
        """Walks the namespace, unless that was done just now."""
        began, names = time.perf_counter(), notebook()
        if began < self._rests_until and len(names) == self._names:
            return False
        self._names = len(names)
        for path, module in modules(names):
            _keep_shorter(self._modules, module, path, len(path))
            for attribute, tensor in owned_tensors(module):
                _keep_shorter(self._tensors, tensor, (path, attribute), len(path))
        ended = time.perf_counter()
        self._rests_until = ended + REST * (ended - began)
        return True


def _known(index: dict[int, tuple[weakref.ref[Any], Any]], value: object) -> Any:
    found = index.get(id(value))
    return found[1] if found is not None and found[0]() is value else None


def _keep_shorter(index: dict[int, tuple[weakref.ref[Any], Any]], value: object, name: object, length: int) -> None:
    known = _known(index, value)
    if known is None or length < len(known if isinstance(known, str) else known[0]):
        index[id(value)] = (weakref.ref(value), name)
