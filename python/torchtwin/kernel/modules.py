"""The modules that names lead to, and the tensors that modules own, each with the words that a person would type."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from torch import Tensor, nn

from torchtwin.kernel.kinds import is_module, is_tensor
from torchtwin.kernel.scopes import shown

MAX_ITEMS = 100
"""How many items of a list or dict of modules are looked at."""
_LISTS = (nn.Sequential, nn.ModuleList, nn.ParameterList)
_DICTS = (nn.ModuleDict, nn.ParameterDict)


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
    for at, (key, child) in enumerate(_registered(module, "_modules").items()):
        if child is not None:
            yield from _tree(_step(path, module, key, at), child, seen)


def _step(path: str, module: nn.Module, key: str, at: int) -> str:
    """The words for the `at`-th of what the module holds: `net[0]`, `model.fc`, `by['a b']`, `getattr(model, '0')`."""
    if key == str(at) and _is_subscripted_by(module, _LISTS):
        return f"{path}[{at}]"
    if key.isidentifier() and not keyword.iskeyword(key):
        return f"{path}.{key}"
    if _is_subscripted_by(module, _DICTS):
        return f"{path}[{key!r}]"
    return f"getattr({path}, {key!r})"


def _is_subscripted_by(module: nn.Module, kinds: tuple[type, ...]) -> bool:
    """Whether a subscript of the module is torch's own, of one of these, and not a subclass's."""
    own = getattr(type(module), "__getitem__", None)
    return any(own is getattr(kind, "__getitem__", None) for kind in kinds)


def held(module: nn.Module, index: int | str) -> object:
    """What a subscript of a container of torch's own gives: `net[-1]`, `blocks['a']`. Null for anything else."""
    if isinstance(index, str):
        return _children(module).get(index) if _is_subscripted_by(module, _DICTS) else None
    children = list(_children(module).values()) if _is_subscripted_by(module, _LISTS) else []
    return children[index] if -len(children) <= index < len(children) else None


def _children(module: nn.Module) -> Mapping[str, object]:
    is_of_parameters = isinstance(module, nn.ParameterList | nn.ParameterDict)
    return _registered(module, "_parameters" if is_of_parameters else "_modules")


def _registered(module: nn.Module, kind: str) -> Mapping[str, Any]:
    """Read past `__getattr__`, which may be the user's. Empty before `super().__init__()` has run."""
    found = object.__getattribute__(module, "__dict__").get(kind)
    return found if isinstance(found, dict) else {}


def owned_tensors(path: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and plain tensor of the module itself, with the words for it: `model.fc.weight`.

    Read from its dictionaries: an attribute may be a property that computes, as `torch.nn.utils.parametrize` makes it.
    """
    parameters = enumerate(_registered(module, "_parameters").items())
    yield from ((_step(path, module, key, at), tensor) for at, (key, tensor) in parameters if tensor is not None)
    # pruned weights, and those of the older weight norm, are plain attributes
    for held_by in (_registered(module, "_buffers"), object.__getattribute__(module, "__dict__")):
        yield from ((f"{path}.{name}", value) for name, value in list(held_by.items()) if is_tensor(value))
