"""Finds the user's own names for tensors and modules, in the places where a person would look for them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from torchtwin.kernel.kinds import is_module, is_tensor

_REFERENCES_OF_OURS = 3
"""To the snapshot: the frame's, our variable's, and the argument's of `getrefcount`."""
MAX_ITEMS = 100
"""How many items of a list or dict of modules are looked at."""
# A function that calls one of these may hold the dict that `frame.f_locals` would refresh (Python before 3.13).
_SEES_ITS_LOCALS = {"locals", "vars", "dir", "eval", "exec"}


def notebook() -> dict[str, Any]:
    """The user's own namespace: the notebook's, or the main script's."""
    return sys.modules["__main__"].__dict__


def visible(frame: FrameType) -> list[Mapping[str, Any]]:
    """The namespaces that code in `frame` can name, nearest first."""
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # a module's or a cell's own frame
        return [frame.f_globals] if frame.f_locals is frame.f_globals else [frame.f_locals, frame.f_globals]
    return [_function_locals(frame), frame.f_globals]


def _function_locals(frame: FrameType) -> Mapping[str, Any]:
    if sys.version_info >= (3, 13):  # f_locals is a view
        return dict(frame.f_locals)
    if _SEES_ITS_LOCALS.intersection(frame.f_code.co_names):
        return {}
    snapshot = frame.f_locals
    found = dict(snapshot)
    # The snapshot would keep the user's tensors alive until the function returns. It stays where somebody else holds
    # it: a debugger while tracing, or a helper that took `sys._getframe(1).f_locals`.
    if sys.gettrace() is None and sys.getrefcount(snapshot) == _REFERENCES_OF_OURS:
        snapshot.clear()
    return found


def shown(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a person would call a variable: no leading underscore (IPython keeps outputs under such names)."""
    return ((name, value) for name, value in list(names.items()) if not name.startswith("_"))


def same_view(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are the same elements of the same memory, so that one name can stand for the other."""
    return a is b or (
        has_storage(a)
        and has_storage(b)
        and a.data_ptr() == b.data_ptr()
        and a.shape == b.shape
        and a.stride() == b.stride()
        and a.dtype == b.dtype
        and a.device == b.device
        and a.numel() > 0
    )


def has_storage(tensor: Tensor) -> bool:
    """Whether there is memory to compare: no subclass, no transform's stand-in, no meta or sparse tensor."""
    plain = type(tensor) in (Tensor, nn.Parameter) and not is_functorch_wrapped_tensor(tensor)
    return plain and tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_nested


def variable(names: Mapping[str, Any], tensor: Tensor) -> str | None:
    """The variable that is `tensor`, or the same elements of the same memory; the same object first."""
    tensors = [(name, value) for name, value in shown(names) if is_tensor(value)]
    exact = next((name for name, value in tensors if value is tensor), None)
    return exact or next((name for name, value in tensors if same_view(value, tensor)), None)


def modules(names: Mapping[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    """Every module that a name leads to, with the expression that does: `fc`, `model.layers[0].ff`, `blocks["a"]`."""
    seen: set[int] = set()
    for name, value in shown(names):
        for path, root in _roots(name, value):
            yield from _tree(path, root, seen)


def _roots(name: str, value: object) -> Iterator[tuple[str, nn.Module]]:
    if is_module(value):
        yield name, value
    elif type(value) is list or type(value) is tuple:
        yield from ((f"{name}[{i}]", m) for i, m in enumerate(value[:MAX_ITEMS]) if is_module(m))
    elif type(value) is dict:
        items = islice(value.items(), MAX_ITEMS)
        yield from ((f"{name}[{key!r}]", m) for key, m in items if type(key) in (str, int) and is_module(m))


def _tree(path: str, module: nn.Module, seen: set[int]) -> Iterator[tuple[str, nn.Module]]:
    if id(module) in seen:
        return
    seen.add(id(module))
    yield path, module
    for key, child in module._modules.items():
        if child is not None:
            yield from _tree(path + _step(module, key), child, seen)


def _step(module: nn.Module, key: str) -> str:
    if isinstance(module, nn.Sequential | nn.ModuleList):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def owned_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """`(attribute, tensor)` of every parameter and plain tensor of the module itself.

    Read from its dictionaries: an attribute may be a property that computes, as `torch.nn.utils.parametrize` makes it.
    """
    yield from ((name, parameter) for name, parameter in module._parameters.items() if parameter is not None)
    # pruned weights, and those of the older weight norm, are plain attributes
    yield from ((name, value) for name, value in vars(module).items() if is_tensor(value))
