"""How the notebook's names lead to modules and to the tensors they own: `model.layers[0].ff`, `model.fc.weight`."""

from __future__ import annotations

import time
from dataclasses import dataclass

from torch import nn

from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.modules import modules, owned_tensors
from torchtwin.kernel.resolve import resolve
from torchtwin.kernel.scopes import notebook

REST = 5.0
"""How many times as long as a walk through the namespace took nobody walks again for something that was not found."""
MAX_REBOUND = 100
"""How often within a cell a name that means something else now makes us walk at once."""


@dataclass(frozen=True)
class Owner:
    """How names lead to a module, or to a tensor that a module owns."""

    path: str
    """To the module."""
    words: str
    """For the thing itself: `model.fc.weight`."""


_Index = dict[int, Owner]
"""By `id`; looked up before it is told. A weak reference would forbid `torch.utils.swap_tensors`."""


class Owners:
    """An index of the notebook's namespace, made when first needed and again when something new turns up.

    What it tells is looked up before it is told: a name may have been bound anew within the cell.
    """

    def __init__(self) -> None:
        self._modules: _Index = {}
        self._tensors: _Index = {}
        self._rests_until = 0.0
        self._names = 0
        self._rebound = 0

    def forget(self) -> None:
        """To be called when the namespace may have changed: before each cell."""
        self._modules.clear()
        self._tensors.clear()
        self._rests_until = 0.0
        self._rebound = 0

    def path(self, module: nn.Module) -> str | None:
        """The shortest expression that leads to `module`."""
        found = self._modules.get(id(module))
        if found is None or not _leads_to(found.words, module):
            found = self._modules.get(id(module)) if self._look(again=found is not None) else None
        return None if found is None else found.words

    def owner(self, tensor: object) -> Owner | None:
        """The module that owns `tensor`."""
        if not is_tensor(tensor):
            return None
        found = self._tensors.get(id(tensor))
        if found is not None and _leads_to(found.words, tensor):
            return found
        if found is None and not isinstance(tensor, nn.Parameter):
            return None
        return self._tensors.get(id(tensor)) if self._look(again=found is not None) else None

    def _look(self, again: bool) -> bool:
        """Walks the namespace, unless that was done just now. `again`: what was found has been bound anew since."""
        began, names = time.perf_counter(), notebook()
        if again:
            self._modules.clear()
            self._tensors.clear()
            self._rebound += 1
        must = again and self._rebound <= MAX_REBOUND
        if began < self._rests_until and len(names) == self._names and not must:
            return False
        self._names = len(names)
        for path, module in modules(names):
            _keep_shorter(self._modules, module, Owner(path, path))
            for words, tensor in owned_tensors(path, module):
                _keep_shorter(self._tensors, tensor, Owner(path, words))
        ended = time.perf_counter()
        self._rests_until = ended + REST * (ended - began)
        return True


def _leads_to(words: str, value: object) -> bool:
    return resolve(words, [notebook()]) is value


def _keep_shorter(index: _Index, value: object, owner: Owner) -> None:
    known = index.get(id(value))
    if known is None or len(owner.words) < len(known.words):
        index[id(value)] = owner
