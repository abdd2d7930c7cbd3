"""Names a call's module and operands as the user would, in the namespace where the call was made."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from torchtwin.kernel.callsite import Caller
from torchtwin.kernel.namespace import has_storage, same_view, variable, visible
from torchtwin.kernel.owners import Owners
from torchtwin.kernel.resolve import attribute, parsed, resolve

MAX_TEXT = 80
"""A longer input expression is not repeated in the twin; it stands there as `input`."""
MAX_ALIASES = 10_000
"""Variables found for weights, kept within one cell."""


@dataclass(frozen=True)
class Names:
    """What the operands are called. `*_text` is how the expression writes them, which may be longer than the name."""

    call: str
    input: str
    weight: str
    bias: str
    output: str
    input_text: str
    weight_itself: str
    """The name of the very object, to which `.grad` belongs; `w` may share its memory and have a `.grad` of its own."""
    bias_itself: str


class Namer:
    """Names calls. What it finds in the notebook's namespace is kept until `forget()`, and used while it holds."""

    def __init__(self) -> None:
        self._owners = Owners()
        self._aliases: dict[tuple[int, int, int], str | None] = {}

    def forget(self) -> None:
        """To be called when the namespace may have changed: before each cell."""
        self._owners.forget()
        self._aliases.clear()

    def names(self, caller: Caller, input: object, weight: object, bias: object) -> Names:
        """The names of the operands of one call, tensors or whatever else the user passed."""
        scopes = visible(caller.frame)
        module = _module_text(caller, scopes)
        input_text = _input_text(caller, scopes, input, module)
        weight_itself = self._itself(caller, scopes, weight, module, "weight", 1)
        bias_itself = self._itself(caller, scopes, bias, module, "bias", 2)
        return Names(
            call=self._call_name(caller, scopes, weight, module),
            input=_short(input_text) if input_text else _origin(input),
            weight=self._alias(scopes, weight) or weight_itself,
            bias=self._alias(scopes, bias) or bias_itself,
            output=caller.text.target or "output",
            input_text=input_text if input_text and len(input_text) <= MAX_TEXT else "input",
            weight_itself=weight_itself,
            bias_itself=bias_itself,
        )

    def _call_name(self, caller: Caller, scopes: list[Mapping[str, Any]], weight: object, module: str | None) -> str:
        """The module that holds the weight; attention, whose functions use its weights, goes by the nearest module."""
        module_path = self._owners.path(caller.module) if caller.module is not None else None
        if caller.plain and module_path:
            return module_path
        if owner := self._owners.owner(weight):
            return owner[0]
        if caller.module is not None:
            return module_path or module or type(caller.module).__name__
        return caller.text.callee if caller.text.callee and _calls_linear(caller, scopes) else "linear"

    def _itself(
        self,
        caller: Caller,
        scopes: list[Mapping[str, Any]],
        tensor: object,
        module: str | None,
        role: str,
        position: int,
    ) -> str:
        """A variable that is this object; else the function's argument; else an attribute of the module."""
        if not isinstance(tensor, Tensor):
            return role
        if name := next((name for scope in scopes if (name := _same_object(scope, tensor))), None):
            return name
        if (
            caller.route == "function"
            and _calls_linear(caller, scopes)
            and (written := _argument(caller, role, position))
        ):
            return written
        if path := self._path_of_holder(caller, tensor, module, role):
            return f"{path}.{role}"
        return self._owned(tensor) or role

    def _path_of_holder(self, caller: Caller, tensor: Tensor, module: str | None, role: str) -> str | None:
        """The module whose `forward` runs, if it is known to hold the tensor in this role."""
        if caller.module is None or not (caller.plain or attribute(caller.module, role) is tensor):
            return None
        return module or self._owners.path(caller.module)

    def _owned(self, tensor: Tensor) -> str | None:
        if owner := self._owners.owner(tensor):
            return f"{owner[0]}.{owner[1]}"
        base = tensor._base
        owner = self._owners.owner(base)
        return None if base is None or owner is None else _rows(f"{owner[0]}.{owner[1]}", base, tensor)

    def _alias(self, scopes: list[Mapping[str, Any]], tensor: object) -> str | None:
        """A variable that is this tensor, or the same elements of the same memory."""
        if not isinstance(tensor, Tensor) or not has_storage(tensor):
            return None
        local = next((name for scope in scopes[:-1] if (name := variable(scope, tensor))), None)
        return local or self._global_alias(scopes[-1], tensor)

    def _global_alias(self, scope: Mapping[str, Any], tensor: Tensor) -> str | None:
        key = (id(tensor), tensor.data_ptr(), len(scope))  # a new name makes a namespace longer
        name = self._aliases.get(key)
        if key in self._aliases and (name is None or _still(scope, name, tensor)):
            return name
        if len(self._aliases) >= MAX_ALIASES:
            self._aliases.clear()
        self._aliases[key] = variable(scope, tensor)
        return self._aliases[key]


def _still(scope: Mapping[str, Any], name: str, tensor: Tensor) -> bool:
    value = scope.get(name)
    return isinstance(value, Tensor) and same_view(value, tensor)


def _module_text(caller: Caller, scopes: list[Mapping[str, Any]]) -> str | None:
    """The user's words for the module they called, if those words do lead to it."""
    callee = caller.text.callee
    if caller.module is None or callee is None or caller.route not in ("module", "forward"):
        return _self(caller, scopes)
    if caller.route == "forward":
        callee = callee.removesuffix(".forward")
    found = resolve(callee, scopes)
    return callee if found is caller.module else _self(caller, scopes)


def _self(caller: Caller, scopes: list[Mapping[str, Any]]) -> str | None:
    """`self`, where a subclass's own `forward` computes with the module's weight or calls `super().forward`."""
    if caller.module is None or caller.route != "forward":
        return None
    return "self" if resolve("self", scopes) is caller.module else None


def _argument(caller: Caller, keyword: str, position: int) -> str | None:
    text = caller.text
    return text.args[position] if position < len(text.args) else text.keywords.get(keyword)


def _input_text(caller: Caller, scopes: list[Mapping[str, Any]], input: object, module: str | None) -> str | None:
    """The argument as written where the user's call is the layer's own call; else a variable that is the tensor."""
    if (
        _is_direct(caller, scopes, module)
        and (written := _argument(caller, "input", 0))
        and _fits(written, scopes, input)
    ):
        return written
    if not isinstance(input, Tensor):
        return None
    return next((name for scope in scopes if (name := _same_object(scope, input))), None)


def _is_direct(caller: Caller, scopes: list[Mapping[str, Any]], module: str | None) -> bool:
    """Whether what the user passed is what the layer got."""
    if caller.route == "function":
        return _calls_linear(caller, scopes)
    if not caller.plain or caller.module is None or caller.module._forward_pre_hooks:
        return False
    return module is not None or (caller.route == "module" and _made_on_the_spot(caller.text.callee))


def _calls_linear(caller: Caller, scopes: list[Mapping[str, Any]]) -> bool:
    """Whether the words are those of the call itself, not of a `map` around it."""
    return caller.text.callee is not None and resolve(caller.text.callee, scopes) is functional.linear


def _made_on_the_spot(callee: str | None) -> bool:
    """`nn.Linear(2, 3)(x)`: what was called has no name, but the argument is the layer's all the same."""
    return callee is not None and isinstance(parsed(callee), ast.Call)


def _fits(written: str, scopes: list[Mapping[str, Any]], input: object) -> bool:
    """A bare name can be looked up; anything longer is believed, since it is the very text of the argument."""
    return not written.isidentifier() or resolve(written, scopes) is input


def _same_object(scope: Mapping[str, Any], tensor: Tensor) -> str | None:
    return next((n for n, value in list(scope.items()) if value is tensor and not n.startswith("_")), None)


@functools.lru_cache(maxsize=4096)
def _short(text: str) -> str:
    """`relu(...)` for a call, the text itself for anything else that is not too long."""
    node = parsed(text)
    if isinstance(node, ast.Call):
        return f"{ast.unparse(node.func).split('.')[-1]}(...)"
    words = " ".join(text.split())
    return words if len(words) <= MAX_TEXT else "input"


def _origin(input: object) -> str:
    """What autograd says produced a nameless input: `relu(...)`."""
    node = getattr(input, "grad_fn", None)
    if node is None:
        return "input"
    made_by = node.name().split("::")[-1].removesuffix("0").removesuffix("Backward")
    return f"{_snake(made_by)}(...)" if made_by.isidentifier() else "input"


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _rows(name: str, base: Tensor, part: Tensor) -> str | None:
    """`mha.in_proj_weight[8:16]` for a range of rows of an owned parameter."""
    if not base.is_contiguous() or base.stride() != part.stride() or base.shape[1:] != part.shape[1:]:
        return None
    row = max(base.shape[1:].numel(), 1)
    start = (part.storage_offset() - base.storage_offset()) // row
    return f"{name}[{start}:{start + part.shape[0]}]"
