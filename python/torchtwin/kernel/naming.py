"""Names a call's module and operands as the user would, in the namespace where the call was made."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from torchtwin.kernel.callsite import Caller
from torchtwin.kernel.identity import has_storage, same_view, variable
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.owners import Owners
from torchtwin.kernel.resolve import attribute
from torchtwin.kernel.view import View
from torchtwin.kernel.words import parsed

MAX_TEXT = 80
"""A longer input expression is not repeated in the twin; it stands there as `input`."""
_BACKWARD = re.compile(r"([A-Z][A-Za-z]*)Backward\d*$")
_USUAL_WORDS = {"addmm": "linear", "mm": "matmul", "bmm": "matmul", "unsafe_view": "view"}
MAX_ALIASES = 10_000
"""Variables found for weights, kept within one cell."""
MAX_SEARCHED_ANEW = 500
"""Where there are no more names than these, they are looked through at each call: one may be bound anew meanwhile."""


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
    placeholders: frozenset[str]
    """Those of the names that stand for a tensor without one: `input`, which nobody can look up."""
    gradients: dict[str, str]
    """Where autograd puts the gradient of each operand: `fc.weight.grad`."""
    found: str | None = None
    """The input's name, where it was found among the variables, and does not stand in the call itself."""
    aliases: frozenset[str] = frozenset()
    """Variables that were found for weight or bias, and do not stand in the call itself."""

    @property
    def operands(self) -> tuple[str, str, str, str]:
        """The names of weight and bias, those of the very objects too."""
        return self.weight, self.bias, self.weight_itself, self.bias_itself

    @property
    def stands_by_itself(self) -> bool:
        """Whether the words hold for as long as the same words call the same layer."""
        return self.found is None and not self.aliases


class Namer:
    """Names calls. What it finds in the notebook's namespace is kept until `forget()`, and used while it holds."""

    def __init__(self, loop_variables: Callable[[], Container[str]]) -> None:
        """`loop_variables` tells the notebook's names that a loop left behind, which say nothing of a parameter."""
        self._loop_variables = loop_variables
        self._owners = Owners()
        self._aliases: dict[tuple[int, int, int], str | None] = {}

    def forget(self) -> None:
        """To be called when the namespace may have changed: before each cell."""
        self._owners.forget()
        self._aliases.clear()

    def names(self, caller: Caller, input: object, weight: object, bias: object) -> Names:
        """The names of the operands of one call, tensors or whatever else the user passed."""
        view = View(caller)
        placeholder = {role: view.free(role) for role in ("input", "weight", "bias")}
        passed = view.passed(input)
        written = passed or view.same(input)
        input_text = written if written and _can_stand(written, view) else view.same(input)
        weight_itself = self._itself(view, weight, "weight", 1) or placeholder["weight"]
        bias_itself = self._itself(view, bias, "bias", 2) or placeholder["bias"]
        weight_words = self._alias(view, weight) or weight_itself
        bias_words = self._alias(view, bias) or bias_itself
        arguments = {view.argument("weight", 1), view.argument("bias", 2)} if view.is_function_call else set()
        variables = {it for it in (weight_words, bias_words, weight_itself, bias_itself) if it.isidentifier()}
        return Names(
            call=self._call_name(view, weight),
            input=(_short(written) if written else _origin(input)) or placeholder["input"],
            weight=weight_words,
            bias=bias_words,
            output=view.target or "output",
            input_text=input_text or placeholder["input"],
            weight_itself=weight_itself,
            bias_itself=bias_itself,
            placeholders=frozenset(placeholder.values()),
            found=None if input_text == passed else input_text,
            aliases=frozenset(variables - arguments - set(placeholder.values())),
            gradients={
                "input": view.gradient(input_text, input),
                "weight": view.gradient(weight_itself, weight),
                "bias": view.gradient(bias_itself, bias),
            },
        )

    def _call_name(self, view: View, weight: object) -> str:
        """The module that holds the weight; attention, whose functions use its weights, goes by the nearest module."""
        caller = view.caller
        path = self._owners.path(caller.module) if caller.module is not None else None
        if caller.plain and path:
            return path
        if owner := self._owners.owner(weight):
            return owner.path
        if caller.module is not None:
            return path or view.module or type(caller.module).__name__
        return caller.text.callee if caller.text.callee and view.is_function_call else "linear"

    def _itself(self, view: View, tensor: object, role: str, position: int) -> str | None:
        """A variable that is this object; else the function's argument; else an attribute of the module."""
        if not is_tensor(tensor):
            return None
        name = view.same(tensor)
        if name is not None and (name not in self._loop_variables() or view.is_shadowed(name)):
            return name
        if view.is_function_call and (written := view.argument(role, position)) and _can_stand(written, view):
            return written
        if path := self._path_of_holder(view, tensor, role):
            return f"{path}.{role}"
        return self._owned(view, tensor) or name

    def _path_of_holder(self, view: View, tensor: Tensor, role: str) -> str | None:
        """The module whose `forward` runs, if it is known to hold the tensor in this role."""
        module = view.caller.module
        if module is None or view.caller.swapped or not (view.caller.plain or attribute(module, role) is tensor):
            return None
        return view.module or view.within_container() or self._path_from(view, module)

    def _path_from(self, view: View, module: nn.Module) -> str | None:
        path = self._owners.path(module)
        return path if path is not None and view.leads_to(path) else None

    def _owned(self, view: View, tensor: Tensor) -> str | None:
        base = tensor._base
        owner, part_of = self._owners.owner(tensor), self._owners.owner(base)
        found = owner or part_of
        if found is None or view.caller.swapped or not view.leads_to(found.path):
            return None
        return found.words if owner is not None or base is None else _rows(found.words, base, tensor)

    def _alias(self, view: View, tensor: object) -> str | None:
        """A variable that is this tensor, or the same elements of the same memory."""
        if not is_tensor(tensor) or not has_storage(tensor):
            return None
        if local := view.local_alias(tensor):
            return local
        name = self._global_alias(view.globals, tensor)
        return None if name is None or view.is_shadowed(name) else name

    def _global_alias(self, scope: Mapping[str, Any], tensor: Tensor) -> str | None:
        key = (id(tensor), tensor.data_ptr(), len(scope))  # a new name makes a namespace longer
        name = self._aliases.get(key)
        if key in self._aliases and (name is None or _still(scope, name, tensor)):
            return name
        if len(self._aliases) >= MAX_ALIASES:
            self._aliases.clear()
        name = variable(scope, tensor, without=self._loop_variables())
        if name is not None or len(scope) > MAX_SEARCHED_ANEW:
            self._aliases[key] = name
        return name


def _can_stand(words: str, view: View) -> bool:
    """Whether the words may stand in an expression that can be run again."""
    return len(words) <= MAX_TEXT and view.is_repeatable(words)


def _still(scope: Mapping[str, Any], name: str, tensor: Tensor) -> bool:
    value = scope.get(name)
    return is_tensor(value) and same_view(value, tensor)


@functools.lru_cache(maxsize=4096)
def _short(text: str) -> str | None:
    """`relu(...)` for a call, the text itself for anything else that is not too long."""
    node = parsed(text)
    if isinstance(node, ast.Call):
        return f"{ast.unparse(node.func).split('.')[-1]}(...)"
    words = " ".join(text.split())
    return words if len(words) <= MAX_TEXT else None


def _origin(input: object) -> str | None:
    """What autograd says produced a nameless input: `relu(...)`."""
    node = input.grad_fn if is_tensor(input) else None
    made_by = None if node is None else _BACKWARD.match(node.name())
    if made_by is None:
        return None
    operation = _snake(made_by[1])
    return f"{_USUAL_WORDS.get(operation, operation)}(...)"


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _rows(name: str, base: Tensor, part: Tensor) -> str | None:
    """`mha.in_proj_weight[8:16]` for a range of rows of an owned parameter."""
    if not base.is_contiguous() or base.stride() != part.stride() or base.shape[1:] != part.shape[1:]:
        return None
    start, rest = divmod(int(part.storage_offset() - base.storage_offset()), max(base.shape[1:].numel(), 1))
    return None if rest else f"{name}[{start}:{start + part.shape[0]}]"
