"""What the user's side of one call can name: the words of the call, and the namespaces around it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from torchtwin.kernel.callsite import Caller
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.namespace import variable, visible
from torchtwin.kernel.resolve import parsed, resolve


class View:
    """Made for one call and gone with it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._scopes = visible(caller.frame)
        self.module = self._words_for_the_module()
        """The user's words for the module whose `forward` runs, if they do lead to it."""
        self.is_function_call = caller.route == "function" and self._resolve(caller.text.callee) is functional.linear
        """Whether the words are those of a call of `F.linear` itself, not of a `map` around it."""

    @property
    def globals(self) -> Mapping[str, Any]:
        return self._scopes[-1]

    def argument(self, keyword: str, position: int) -> str | None:
        """The words of an argument of the call."""
        text = self.caller.text
        return text.args[position] if position < len(text.args) else text.keywords.get(keyword)

    def input(self, tensor: object) -> str | None:
        """The argument as written where the user's call is the layer's own call; else a variable that is the tensor."""
        written = self.argument("input", 0) if self._passes_its_argument() else None
        if written is not None and self._fits(written, tensor):
            return written
        return self.same(tensor) if is_tensor(tensor) else None

    def same(self, tensor: Tensor) -> str | None:
        """A variable that is the very object."""
        return self._find(lambda scope: _same_object(scope, tensor))

    def local_alias(self, tensor: Tensor) -> str | None:
        """A local variable that is the tensor, or the same elements of the same memory."""
        return next((name for scope in self._scopes[:-1] if (name := variable(scope, tensor))), None)

    def is_shadowed(self, name: str) -> bool:
        """Whether a global name means something else here."""
        return any(name in scope for scope in self._scopes[:-1])

    def _find(self, search: Callable[[Mapping[str, Any]], str | None]) -> str | None:
        for depth, scope in enumerate(self._scopes):
            name = search(scope)
            if name is not None and not any(name in nearer for nearer in self._scopes[:depth]):
                return name
        return None

    def _resolve(self, words: str | None) -> object:
        return None if words is None else resolve(words, self._scopes)

    def _words_for_the_module(self) -> str | None:
        module, route = self.caller.module, self.caller.route
        if module is None or route not in ("module", "forward"):
            return None
        callee = self.caller.text.callee
        if callee is not None and route == "forward":
            callee = callee.removesuffix(".forward")
        if self._resolve(callee) is module:
            return callee
        # A subclass's own `forward` that computes with the module's weight, or calls `super().forward`.
        return "self" if route == "forward" and self._resolve("self") is module else None

    def _passes_its_argument(self) -> bool:
        """Whether what the user passed is what the layer got."""
        caller = self.caller
        if caller.route == "function":
            return self.is_function_call
        if not caller.plain or _changes_its_input(caller.module):
            return False
        return self.module is not None or (caller.route == "module" and _made_on_the_spot(caller.text.callee))

    def _fits(self, written: str, value: object) -> bool:
        """A bare name can be looked up; anything longer is believed, since it is the very text of the argument."""
        return not written.isidentifier() or self._resolve(written) is value


def _changes_its_input(module: nn.Module | None) -> bool:
    return module is None or bool(module._forward_pre_hooks)


def _made_on_the_spot(callee: str | None) -> bool:
    """`nn.Linear(2, 3)(x)`: what was called has no name, but the argument is the layer's all the same."""
    return callee is not None and isinstance(parsed(callee), ast.Call)


def _same_object(scope: Mapping[str, Any], tensor: Tensor) -> str | None:
    return next((n for n, value in list(scope.items()) if value is tensor and not n.startswith("_")), None)
