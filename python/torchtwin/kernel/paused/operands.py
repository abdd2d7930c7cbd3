"""What the words of a statement give, as far as that follows without running code of the user's.

A tensor that exists is itself. One that does not exist yet is known by its shape, dtype and device: torch's own
functions are tried on the meta device, where there are no elements and nothing is drawn.
"""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.repeatable import pure_method, pure_name
from torchtwin.kernel.resolve import attribute, follow
from torchtwin.kernel.tensors import gradient

_META = torch.device("meta")
_VALUES = (bool, int, float, complex, str, type(None), torch.dtype, torch.device, torch.Size, slice, type(...))
_MAKERS = {"ones", "zeros", "full", "eye", "arange", "linspace", "logspace", "rand", "randn", "empty", "randint"}
"""Functions of torch's that make a tensor; on the meta device they draw nothing."""
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_LEFT_OUT = {"device", "generator", "out", "pin_memory", "requires_grad"}
_VIEWS = {"T", "mT", "H", "mH", "data", "real", "imag"}
_HOLDERS = (list, tuple, dict, torch.Size)
_LARGEST = 10**6
_LARGEST_POWER = 16
"""Python numbers that take part in arithmetic of ours; a power of larger ones could take for ever."""


@dataclass(frozen=True)
class Made:
    """A tensor that exists, or what is known of one that does not yet."""

    like: Tensor
    """On the meta device."""
    device: torch.device
    requires_grad: bool
    itself: Tensor | None = None

    @property
    def standing(self) -> Tensor:
        """The tensor; in place of one that does not exist yet, one of its kind that takes no memory."""
        if self.itself is not None:
            return self.itself
        shape = self.like.shape
        return torch.empty(1, dtype=self.like.dtype, device=self.device).as_strided(shape, [0] * len(shape))


@dataclass(frozen=True)
class Unknown:
    """What can't be told."""

    why: str


@dataclass(frozen=True)
class Value:
    """Anything that exists and is no tensor."""

    it: Any


Given = Made | Unknown | Value
_NOTHING = Unknown("")


def known(tensor: Tensor) -> Made | Unknown:
    """A tensor that exists."""
    if type(tensor) not in (Tensor, nn.Parameter):
        return Unknown(f"a {type(tensor).__name__} handles itself")
    if not (has_storage(tensor) or tensor.is_meta) or tensor.layout != torch.strided or tensor.is_quantized:
        return Unknown("a tensor without ordinary memory has rules of its own")
    like = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=_META)
    return Made(like, tensor.device, tensor.requires_grad, tensor)


class Words:
    """Reads expressions in the namespaces of one frame. `works` reads what is a matmul, and all other calls."""

    def __init__(self, spaces: Sequence[Mapping[str, Any]]) -> None:
        self._spaces = [*spaces, vars(builtins)]

    def leads_to(self, node: ast.expr) -> object:
        """What names, attributes and constant items lead to; null where that can't be told."""
        return follow(node, self._spaces)

    def name(self, name: str) -> Given:
        for space in self._spaces:
            if name in space:
                return _given(space[name], name)
        return Unknown(f"`{name}` does not exist yet")

    def attribute(self, of: Given, node: ast.Attribute) -> Given:
        if isinstance(of, Made):
            return _tensors_attribute(of, node.attr)
        if isinstance(of, Unknown):
            return of
        found = vars(of.it).get(node.attr) if isinstance(of.it, ModuleType) else attribute(of.it, node.attr)
        if found is None:
            return Unknown(f"`{ast.unparse(node)}` can't be told without running code")
        return _given(found, ast.unparse(node))

    def pure(self, node: ast.Call) -> str | None:
        """The name of a function of torch's own that neither draws nor changes anything, or makes a tensor."""
        name = pure_name(node.func, self.leads_to)
        made = node.func.attr if isinstance(node.func, ast.Attribute) else None
        is_maker = made in _MAKERS and self.leads_to(node.func) is vars(torch).get(str(made))
        return name or (made if is_maker else None)

    def call(self, node: ast.Call, function: str, arguments: list[Given], named: dict[str, Given]) -> Given:
        """A function of torch's."""
        found: Any = self.leads_to(node.func)
        if function in _MAKERS:
            return _maker(found, arguments, named)
        return applied(found, arguments, named)

    def method(self, of: Made, node: ast.Call, arguments: list[Given], named: dict[str, Given]) -> Given:
        """A method of a tensor."""
        assert isinstance(node.func, ast.Attribute)
        word = node.func.attr
        if word in ("size", "dim", "numel"):
            return _of_shape(of, word, arguments)
        if word in ("to", "cpu", "cuda"):
            return _moved(of, word, arguments, named)
        if not pure_method(word, [*arguments, *named.values()]) or word == "numpy":
            return Unknown(f"`{ast.unparse(node)}` does not exist yet")
        return applied(getattr(Tensor, word, None), [of, *arguments], named)


def _given(value: object, words: str) -> Given:
    if value is None:
        return Value(None)
    return known(value) if is_tensor(value) else Value(value)


def plain(given: Given) -> bool:
    """Whether it is a value of Python's or torch's own, so that what is done with it runs no code of the user's."""
    if isinstance(given, Value) and type(given.it) in (tuple, list):
        return len(given.it) <= 1000 and all(plain(_given(it, "")) for it in given.it)
    return isinstance(given, Made) or (isinstance(given, Value) and type(given.it) in _VALUES)


def applied(function: Any, arguments: Sequence[Given], named: Mapping[str, Given] | None = None) -> Given:
    """What a function of torch's or Python's own gives, for operands on one device."""
    given = [*arguments, *(named or {}).values()]
    unknown = next((it for it in given if isinstance(it, Unknown)), None)
    if unknown is not None or function is None or not all(map(plain, given)):
        return unknown or _NOTHING
    try:
        out = function(*map(_bare, arguments), **{key: _bare(it) for key, it in (named or {}).items()})
    except Exception as error:
        return Unknown(f"it can't be told without the values ({type(error).__name__})")
    return _result(out, given)


def _bare(given: Given) -> Any:
    if isinstance(given, Made):
        return given.like
    assert isinstance(given, Value)
    if type(given.it) in (tuple, list):
        return type(given.it)(_bare(_given(it, "")) for it in given.it)
    return given.it


def _tensors(given: Sequence[Given]) -> list[Made]:
    inner = [
        _given(it, "") for one in given if isinstance(one, Value) and type(one.it) in (tuple, list) for it in one.it
    ]
    return [it for it in (*given, *inner) if isinstance(it, Made)]


def _result(out: Any, given: Sequence[Given]) -> Given:
    if not is_tensor(out):
        return Value(out) if type(out) in (*_VALUES, tuple, list) and not _holds_tensors(out) else _NOTHING
    tensors = _tensors(given)
    if not tensors:  # `torch.tensor([1., 2.])`, of a short list
        return Made(torch.empty_like(out, device=_META), out.device, out.requires_grad)
    devices = {it.device for it in tensors if it.like.dim()} or {it.device for it in tensors}
    if len(devices) != 1:
        return Unknown("its operands are on different devices")
    grad = torch.is_grad_enabled() and (out.is_floating_point() or out.is_complex())
    return Made(out.detach(), devices.pop(), grad and any(it.requires_grad for it in tensors))


def _holds_tensors(out: Any) -> bool:
    return isinstance(out, tuple | list) and any(is_tensor(it) for it in out)


def _tensors_attribute(of: Made, name: str) -> Given:
    if name in _VIEWS:
        try:
            like: Tensor = getattr(of.like, name)
        except RuntimeError:
            return _NOTHING
        return Made(like, of.device, of.requires_grad and name != "data")
    if name in ("grad", "_grad"):
        its = None if of.itself is None else gradient(of.itself)
        return Unknown("it has no gradient") if its is None else known(its)
    if name in ("shape", "dtype", "ndim"):
        return Value(getattr(of.like, name))
    if name in ("device", "requires_grad"):
        return Value(getattr(of, name))
    return _NOTHING


def _of_shape(of: Made, word: str, arguments: list[Given]) -> Given:
    if all(isinstance(it, Value) and type(it.it) is int for it in arguments):
        try:
            return Value(getattr(of.like, word)(*(it.it for it in arguments if isinstance(it, Value))))
        except (IndexError, TypeError):
            pass
    return _NOTHING


def _moved(of: Made, word: str, arguments: list[Given], named: dict[str, Given]) -> Given:
    """`.to(dtype)`, `.to("cuda")`, `.to(other)`, `.cpu()`."""
    device, dtype = of.device, of.like.dtype
    if word != "to":
        device = torch.device("cpu") if word == "cpu" else torch.device(word, torch.cuda.current_device())
    for it in (*arguments, *(one for key, one in named.items() if key in ("device", "dtype"))):
        if isinstance(it, Made):
            device, dtype = it.device, it.like.dtype
        elif isinstance(it, Value) and isinstance(it.it, torch.dtype):
            dtype = it.it
        elif isinstance(it, Value) and type(it.it) in (str, torch.device):
            try:
                device = torch.device(it.it)
            except RuntimeError:
                return _NOTHING
        elif isinstance(it, Unknown):
            return it
    is_the_same = (device, dtype) == (of.device, of.like.dtype)
    return of if is_the_same else Made(of.like.to(dtype), device, of.requires_grad and dtype.is_floating_point)


def _maker(function: Any, arguments: list[Given], named: dict[str, Given]) -> Given:
    """`torch.randn(4, 8)`: on the meta device nothing is drawn."""
    options = {key: it for key, it in named.items() if key not in _LEFT_OUT}
    place = named.get("device")
    wanted = place.it if isinstance(place, Value) and place.it is not None else torch.get_default_device()
    if not all(map(plain, (*arguments, *options.values()))) or "out" in named or isinstance(place, Unknown):
        return _NOTHING
    grad = next((it for key, it in named.items() if key == "requires_grad"), None)
    try:
        made = function(*map(_bare, arguments), **{key: _bare(it) for key, it in options.items()}, device=_META)
        return Made(made, torch.device(wanted), isinstance(grad, Value) and grad.it is True)
    except Exception:
        return _NOTHING


def arithmetic(op: ast.operator, left: Given, right: Given) -> Given:
    """Of tensors, and of small Python numbers."""
    function = _BINARY.get(type(op))
    sides = [it.it for it in (left, right) if isinstance(it, Value)]
    if any(type(it) not in (bool, int, float) or not abs(it) <= _LARGEST for it in sides):
        return _NOTHING
    if isinstance(op, ast.Pow) and any(abs(it) > _LARGEST_POWER for it in sides[1:]):
        return _NOTHING
    return applied(function, [left, right])


def compared(op: ast.cmpop, left: Given, right: Given) -> Given:
    function = _COMPARE.get(type(op))
    sides = [it.it for it in (left, right) if isinstance(it, Value)]
    if any(type(it) not in (bool, int, float) for it in sides):
        return _NOTHING
    return applied(function, [left, right])


def item(of: Given, index: Given) -> Given:
    """A part of a tensor, or what a list, a tuple or a dict holds."""
    if isinstance(of, Unknown) or isinstance(index, Unknown):
        return of if isinstance(of, Unknown) else index
    if isinstance(of, Made):
        return applied(operator.getitem, [of, index])
    if not isinstance(index, Value) or type(index.it) not in (int, str) or type(of.it) not in _HOLDERS:
        return _NOTHING
    try:
        return _given(of.it[index.it], "")
    except (LookupError, TypeError):
        return _NOTHING
