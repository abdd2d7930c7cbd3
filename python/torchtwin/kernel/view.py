"""What the user's side of one call can name: the words of the call, and the namespaces around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from torchtwin.kernel.callsite import Caller
from torchtwin.kernel.identity import variable
from torchtwin.kernel.kinds import is_module, is_tensor
from torchtwin.kernel.modules import modules
from torchtwin.kernel.repeatable import is_repeatable
from torchtwin.kernel.resolve import follow, resolve
from torchtwin.kernel.scopes import notebook, shown, visible
from torchtwin.kernel.words import parsed

_ROOT = re.compile(r"[.,\[]")
_ROWS = re.compile(r"(.*)(\[\d+:\d+\])$")
NOWHERE = "its gradient"
"""Of a tensor that is no leaf, whose gradient is not kept, or that no words lead to."""


class View:
    """Made for one call and gone with it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._scopes = visible(caller.frame) if caller.spaces is None else list(caller.spaces)
        self.module = self._words_for_the_module()
        """The user's words for the module whose `forward` runs, if they do lead to it."""
        self.is_function_call = caller.route == "function" and self._resolve(caller.text.callee) is functional.linear
        """Whether the words are those of a call of `F.linear` itself, not of a `map` around it."""

    @property
    def target(self) -> str | None:
        """The variable that takes the call's result, if the words are those of the layer's own call."""
        direct = self.is_function_call or (self.caller.plain and self.caller.route != "inside" and self._knows_module())
        return self.caller.text.target if direct else None

    @property
    def globals(self) -> Mapping[str, Any]:
        return self._scopes[-1]

    def argument(self, keyword: str, position: int) -> str | None:
        """The words of an argument of the call; in `nn.Linear.forward(self, x)` the module comes before the input."""
        text = self.caller.text
        args = text.args[1:] if self._passes_the_module() else text.args
        return args[position] if position < len(args) else text.keywords.get(keyword)

    def passed(self, tensor: object) -> str | None:
        """The argument as written, where the user's call is the layer's own call, unless it leads to something else."""
        written = self.argument("input", 0) if self._passes_its_argument() else None
        leads_to = None if written is None else self._resolve(written)
        return written if written and (leads_to is None or leads_to is tensor) else None

    def same(self, tensor: object) -> str | None:
        """A variable that is the very object, if that is a tensor."""
        if not is_tensor(tensor):
            return None
        return self._find(lambda scope: _same_object(scope, tensor))

    def local_alias(self, tensor: Tensor) -> str | None:
        """A local variable that is the tensor, or the same elements of the same memory."""
        return next((name for scope in self._scopes[:-1] if (name := variable(scope, tensor))), None)

    def is_shadowed(self, name: str) -> bool:
        """Whether a global name means something else here."""
        return any(name in scope for scope in self._scopes[:-1])

    def free(self, role: str) -> str:
        """A word for an operand that has none. It must not be anybody's: `input`, else `input_`."""
        while self.is_shadowed(role) or role in self.globals:
            role += "_"
        return role

    def gradient(self, words: str | None, tensor: object) -> str:
        """Where autograd puts the tensor's gradient: `fc.weight.grad`; of rows, `mha.in_proj_weight.grad[8:16]`."""
        if words is None or not is_tensor(tensor):
            return NOWHERE
        if self._resolve(words) is tensor and (tensor.is_leaf or tensor.retains_grad):
            return f"{words}.grad"
        rows = _ROWS.match(words)
        base = tensor._base
        is_kept = base is not None and (base.is_leaf or base.retains_grad)
        is_part = rows is not None and is_kept and self._resolve(rows[1]) is base
        return f"{rows[1]}.grad{rows[2]}" if rows is not None and is_part else NOWHERE

    def leads_to(self, path: str) -> bool:
        """Whether a path of the notebook's namespace means the same here."""
        root = _ROOT.split(path.replace("getattr(", ""), maxsplit=1)[0]
        return not self.is_shadowed(root) or self._resolve(root) is notebook().get(root, self)

    def within_container(self) -> str | None:
        """The way from the words of a container's call to the module: `self.net[0]` for `self.net(x)`."""
        callee, module = self.caller.text.callee, self.caller.module
        container = self._resolve(callee)
        if callee is None or module is None or not is_module(container):
            return None
        return next((path for path, found in modules({callee: container}) if found is module), None)

    def is_repeatable(self, words: str) -> bool:
        """Whether the words give the same when they are run again; a bare name does, whatever it stands for."""
        node = parsed(words)
        if node is None or isinstance(node, ast.Name):
            return node is not None
        return is_repeatable(node, lambda part: follow(part, self._scopes))

    def _find(self, search: Callable[[Mapping[str, Any]], str | None]) -> str | None:
        for depth, scope in enumerate(self._scopes):
            name = search(scope)
            if name is not None and (depth < len(self._scopes) - 1 or not self.is_shadowed(name)):
                return name
        return None

    def _resolve(self, words: str | None) -> object:
        return None if words is None else resolve(words, self._scopes)

    def _words_for_the_module(self) -> str | None:
        module, route = self.caller.module, self.caller.route
        if module is None or route not in ("module", "forward"):
            return None
        if self._passes_the_module():
            return self.caller.text.args[0]
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
        if caller.first_in is not None:
            return self._resolve(caller.text.callee) is caller.first_in
        return caller.plain and self._knows_module()

    def _passes_the_module(self) -> bool:
        """Whether the call is of the class's function, as `nn.Linear.forward(self, x)` is."""
        caller = self.caller
        is_written = caller.route == "forward" and caller.module is not None and bool(caller.text.args)
        return is_written and self._resolve(caller.text.args[0]) is caller.module

    def _knows_module(self) -> bool:
        route, callee = self.caller.route, self.caller.text.callee
        return self.module is not None or (route == "module" and self._makes_a_module(callee))

    def _makes_a_module(self, callee: str | None) -> bool:
        """`nn.Linear(2, 3)(x)`: what was called has no name, but the argument is the layer's all the same."""
        node = None if callee is None else parsed(callee)
        made = follow(node.func, self._scopes) if isinstance(node, ast.Call) else None
        return isinstance(made, type) and issubclass(made, nn.Module)


def _same_object(scope: Mapping[str, Any], tensor: Tensor) -> str | None:
    return next((name for name, value in shown(scope) if value is tensor), None)
