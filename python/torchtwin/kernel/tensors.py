"""The table of the tensors in the user's namespace, made anew after each cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy

from torchtwin.kernel.describe import dtype_name, shape
from torchtwin.kernel.identity import has_storage, version
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.modules import modules, owned_tensors
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.scopes import shown
from torchtwin.protocol import TensorRow, Tensors

MAX_ROWS = 500
MAX_SHARES = 3
"""How many other names of the same storage a row tells."""

_Seen = tuple[int, int, object, int | None, int | None]
"""A tensor as the last cell left it: its id, version and memory, and the id and version of its `.grad`.

No weak reference, which would forbid `torch.utils.swap_tensors`.
"""


class TensorTable:
    """Knows what each name meant after the last cell, to tell what the next one changed."""

    def __init__(self, outputs: Callable[[], dict[int, str]]) -> None:
        """`outputs` tells the source text of the call that returned a tensor, by the tensor's `id`."""
        self._outputs = outputs
        self._before: dict[str, _Seen] = {}

    def forget(self) -> None:
        self._before.clear()

    @quietly  # a look at a subclass would be a call of the user's code
    def after_cell(self, names: Mapping[str, Any]) -> Tensors:
        """The rows, in the order in which the names were bound first."""
        tensors = {name: value for name, value in shown(names) if is_tensor(value) and can_be_described(value)}
        sharing = _sharing(tensors, names)
        outputs = self._outputs()
        rows = [self._row(name, tensor, sharing, outputs) for name, tensor in list(tensors.items())[:MAX_ROWS]]
        self._before = {name: _seen(tensor) for name, tensor in tensors.items()}
        return Tensors(rows=rows, left_out=max(len(tensors) - MAX_ROWS, 0))

    def _row(
        self, name: str, tensor: Tensor, sharing: Mapping[object, list[str]], outputs: Mapping[int, str]
    ) -> TensorRow:
        others = [other for other in sharing.get(_storage(tensor), []) if other != name]
        return TensorRow(
            name=name,
            shape=shape(tensor),
            dtype=dtype_name(tensor),
            device=str(tensor.device),
            requires_grad=tensor.requires_grad,
            has_grad=gradient(tensor) is not None,
            shares=others[:MAX_SHARES],
            output_of=outputs.get(id(tensor)),
            changed=self._changed(name, tensor),
            new=name not in self._before,
        )

    def _changed(self, name: str, tensor: Tensor) -> bool:
        return self._before.get(name) != _seen(tensor)


def _seen(tensor: Tensor) -> _Seen:
    its = gradient(tensor)
    of_gradient = (None, None) if its is None else (id(its), version(its))
    return id(tensor), version(tensor), _storage(tensor), *of_gradient


def gradient(tensor: Tensor) -> Tensor | None:
    """`.grad` without the warning that torch gives for a tensor that is no leaf."""
    return tensor.grad if tensor.is_leaf or tensor.retains_grad else None


def can_be_described(tensor: Tensor) -> bool:
    """A lazy layer's parameter has no shape yet, and a tracer's stand-in must not be asked for one."""
    if is_lazy(tensor):
        return False
    return tensor.is_nested or all(type(size) is int for size in tensor.shape)


def _storage(tensor: Tensor) -> object:
    """What two tensors on the same memory have in common; unique where there is no memory to look at."""
    return (tensor.untyped_storage().data_ptr() or id(tensor)) if has_storage(tensor) else id(tensor)


def _sharing(tensors: Mapping[str, Tensor], names: Mapping[str, Any]) -> dict[object, list[str]]:
    """Names by storage: parameters first, as the telling ones."""
    found: dict[object, list[str]] = {}
    for name, tensor in _named(tensors, names):
        known = found.setdefault(_storage(tensor), [])
        if len(known) <= MAX_SHARES and name not in known:
            known.append(name)
    return found


def _named(tensors: Mapping[str, Tensor], names: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for path, module in modules(names):
        yield from owned_tensors(path, module)
    yield from tensors.items()
