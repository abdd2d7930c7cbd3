"""Calls back once torch is there: at once if it is imported already, else right after the user's own `import torch`."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


class _NotifyingLoader:
    """Stands in for torch's own loader during the import, and is gone before torch's code runs."""

    def __init__(self, loader: Any, done: Callable[[], None]) -> None:
        self._loader = loader
        self._done = done

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        # torch and pickle look at the spec: they must see the ordinary one.
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._done()


class WhenTorchIsImported:
    """Calls `callback` once, when `import torch` has finished. Does not import torch itself."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._searching = False

    def start(self) -> None:
        """Calls back at once, or waits for the import."""
        if fully_imported("torch"):
            self._callback()
        elif self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Waits no longer. Harmless when it is not waiting."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "torch" or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            # Not an `importlib.abc.Loader`, which is slow to load.
            loader: Any = _NotifyingLoader(spec.loader, self._imported)
            spec.loader = loader
        return spec

    def _imported(self) -> None:
        self.stop()
        self._callback()


def fully_imported(name: str) -> bool:
    """Whether the module is loaded, not merely being loaded further up the stack."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)
