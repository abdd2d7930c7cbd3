"""What a function of the user's finds and may change beside its arguments: random states, and buffers of modules."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

MAX_FUNCTIONS = 100
"""Of the user's, that are followed from one to the next to find the modules that they use."""


class Surroundings:
    """Lets each of several functions start from the same state, and puts that state back after each."""

    def __init__(self, functions: Iterable[object], kept: Iterable[Tensor]) -> None:
        """`kept`: tensors that gradients are taken with respect to, and that therefore stay the very objects."""
        self._modules = modules_of(functions)
        self._kept = {id(tensor) for tensor in kept}

    @contextlib.contextmanager
    def same(self) -> Iterator[None]:
        """Whatever is drawn or counted within is undone at the end."""
        with contextlib.ExitStack() as stack:
            for restore in _random_states():
                stack.callback(restore)
            for module in self._modules:
                self._stand_in(module, stack)
            yield

    def _stand_in(self, module: nn.Module, stack: contextlib.ExitStack) -> None:
        """Copies in place of buffers: the user's own are never written to, so that no graph finds them changed."""
        buffers: dict[str, Tensor | None] = dict(module._buffers)
        stack.callback(_put_back, module, buffers)
        for name, buffer in buffers.items():
            if buffer is not None and id(buffer) not in self._kept and not buffer.requires_grad:
                module._buffers[name] = buffer.clone()


def modules_of(functions: Iterable[object]) -> list[nn.Module]:
    """The modules that functions are, are methods of, or name, together with those inside them."""
    found: dict[int, nn.Module] = {}
    waiting, seen = list(functions), set[int]()
    while waiting and len(seen) < MAX_FUNCTIONS:
        value = waiting.pop()
        if isinstance(value, nn.Module):
            found |= {id(it): it for it in value.modules() if type(it._buffers) is dict}
        elif id(value) not in seen and isinstance(value, FunctionType | MethodType | partial):
            seen.add(id(value))
            waiting += _used_by(value)
    return list(found.values())


def _used_by(function: FunctionType | MethodType | partial[Any]) -> list[object]:
    if isinstance(function, MethodType):
        return [function.__self__, function.__func__]
    if isinstance(function, partial):
        return [function.func, *function.args, *function.keywords.values()]
    cells = [_content(cell) for cell in function.__closure__ or ()]
    named = [function.__globals__.get(name) for name in _names(function.__code__)]
    return [*cells, *named, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _names(code: CodeType) -> set[str]:
    """Those of functions within it as well."""
    inner = (_names(const) for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*inner)


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _put_back(module: nn.Module, buffers: dict[str, Tensor | None]) -> None:
    module._buffers.clear()
    module._buffers.update(buffers)


def _random_states() -> Iterator[Callable[[], None]]:
    """What puts back each generator that code draws from without naming one."""
    yield partial(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        yield partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    if torch.backends.mps.is_available():
        yield partial(torch.mps.set_rng_state, torch.mps.get_rng_state())
    yield partial(random.setstate, random.getstate())
    if (numpy := sys.modules.get("numpy.random")) is not None:
        yield partial(numpy.set_state, numpy.get_state())
