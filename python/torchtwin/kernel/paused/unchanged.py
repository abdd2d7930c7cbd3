"""What an expression finds and may change beside its value, put back after it: as far as anybody can."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from torchtwin.kernel.comparing.surroundings import Surroundings
from torchtwin.kernel.identity import has_storage, mark
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.modules import modules, owned_tensors
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.scopes import shown
from torchtwin.kernel.session import Session
from torchtwin.kernel.tap import reporting_to
from torchtwin.kernel.tensors import gradient

MAX_TENSORS = 20_000
MAX_COPIED = 2**22
"""Elements of gradients that are copied, so that a `backward` can be undone."""


class _Nobody:
    """Hears of the calls that the expression makes."""

    def returned(self, *call: object) -> None: ...

    def raised(self, *call: object) -> None: ...

    def faulted(self, error: Exception) -> None: ...


class Unchanged:
    """As a context manager: afterwards all is as it was, and `changed` tells what is not."""

    def __init__(self, session: Session, words: str, names: Mapping[str, Any]) -> None:
        self._session = session
        self._names = names
        self._calls = _calls(words)
        self._used = [names[it] for it in _words(words) if it in names]
        self.changed: list[str] = []

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        tensors = _Tensors(self._names) if self._calls else None
        with contextlib.ExitStack() as stack:
            if self._session.watching:
                stack.enter_context(reporting_to(_Nobody()))
                stack.enter_context(self._session.unheard())
            stack.enter_context(Surroundings(self._used if self._calls else [], []).same())
            for restore in _switches():
                stack.callback(restore)
            torch.set_autocast_cache_enabled(False)  # what it keeps would be used by the user's own code later
            try:
                yield
            finally:
                if tensors is not None:
                    self.changed = tensors.put_back()


def _calls(words: str) -> bool:
    """Whether anything but names, attributes, items and operators is used."""
    return any(isinstance(it, ast.Call) for it in ast.walk(ast.parse(words, mode="eval")))


def _words(words: str) -> list[str]:
    return [it.id for it in ast.walk(ast.parse(words, mode="eval")) if isinstance(it, ast.Name)]


def _switches() -> Iterator[Callable[[], object]]:
    """What puts back each of torch's switches of the thread or the process."""
    yield partial(torch.set_grad_enabled, torch.is_grad_enabled())
    yield partial(torch.set_default_dtype, torch.get_default_dtype())
    yield partial(_be_deterministic, *_is_deterministic())
    yield partial(torch.set_autocast_cache_enabled, torch.is_autocast_cache_enabled())
    for device in ("cpu", "cuda"):
        yield partial(torch.set_autocast_enabled, device, torch.is_autocast_enabled(device))
        yield partial(torch.set_autocast_dtype, device, torch.get_autocast_dtype(device))


def _is_deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _be_deterministic(on: bool, warns: bool) -> None:
    if (on, warns) != _is_deterministic():  # the switch itself would import half of torch
        torch.use_deterministic_algorithms(on, warn_only=warns)


class _Tensors:
    """The tensors that names lead to, and their gradients, as they were."""

    @quietly
    def __init__(self, names: Mapping[str, Any]) -> None:
        found = {id(it): (words, it) for words, it in islice(_tensors(names), MAX_TENSORS)}
        self._tensors = [(words, it, mark(it)) for words, it in found.values() if has_storage(it)]
        self._left = MAX_COPIED
        self._gradients = [(words, it, gradient(it)) for words, it, _ in self._tensors if it.is_leaf]
        self._copies = {id(it): self._copy(it) for _, _, it in self._gradients if it is not None}

    def _copy(self, its: Tensor) -> tuple[tuple[int, int], Tensor | None]:
        """What tells whether it was changed, and the elements, where they are few enough."""
        is_small = has_storage(its) and its.numel() <= self._left
        self._left -= its.numel() if is_small else 0
        return mark(its), its.detach().clone() if is_small else None

    @quietly
    def put_back(self) -> list[str]:
        """Names what was changed in place and stays so."""
        changed = [f"`{words}`, in place" for words, it, before in self._tensors if mark(it) != before]
        for words, it, before in self._gradients:
            if gradient(it) is not before:
                it.grad = before
            if before is None or mark(before) == self._copies[id(before)][0]:
                continue
            copy = self._copies[id(before)][1]
            if copy is None or copy.shape != before.shape:
                changed.append(f"`{words}.grad`, in place")
            else:
                before.copy_(copy)
        return changed


def _tensors(names: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    yield from ((name, value) for name, value in shown(names) if is_tensor(value))
    for path, module in modules(names):
        yield from owned_tensors(path, module)
