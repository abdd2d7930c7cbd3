"""The matmuls of a statement, in the order in which Python computes them, each with its shapes or its error."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from torch import nn
from torch.nn import functional

from torchtwin.kernel.kinds import is_module, is_tensor
from torchtwin.kernel.modules import held
from torchtwin.kernel.paused.operands import (
    Given,
    Made,
    Unknown,
    Value,
    Words,
    applied,
    arithmetic,
    compared,
    item,
    known,
)
from torchtwin.kernel.paused.statement import Statement
from torchtwin.kernel.paused.trial import Outcome, broadcast, linear, product, trial
from torchtwin.kernel.resolve import attribute
from torchtwin.kernel.standin import StandIn

KEEP_SHAPES = (
    nn.Identity,
    nn.Dropout,
    nn.AlphaDropout,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Softplus,
    nn.Softsign,
    nn.Softmax,
    nn.LogSoftmax,
    nn.Tanh,
    nn.Tanhshrink,
)
"""Layers that give what they get, in shape."""
MAX_DEPTH = 20
"""Of containers within each other."""
_LINEAR = functional.linear.original if isinstance(functional.linear, StandIn) else functional.linear
_MATMULS = ("matmul", "mm")


@dataclass(frozen=True)
class Found:
    """A matmul, as far as its operands are known."""

    node: ast.expr
    input: Given
    weight: Given
    bias: Given | None = None
    outcome: Outcome = field(default_factory=Outcome)
    layer: nn.Linear | None = None
    container: nn.Module | None = None
    """The `nn.Sequential` that calls the layer."""
    is_first: bool = False
    """Whether the container hands its own input to it."""
    is_formula: bool = False
    """`a @ b`, with or without `+ c`."""

    @property
    def why(self) -> str | None:
        """Why nothing is known of it; null where something is."""
        parts = [it for it in (self.input, self.weight, self.bias) if it is not None]
        unknown = next((it.why for it in parts if isinstance(it, Unknown)), None)
        if unknown is not None:
            return unknown or "an operand can't be told without running code"
        return None if self.outcome.made or self.outcome.error else "it can't be tried without computing it"


def products(statement: Statement, words: Words) -> list[Found]:
    """Those that have not run."""
    reading = _Reading(statement, words)
    for part in statement.parts:
        reading.read(part)
        if reading.failed:
            break
    return [it for it in reading.found if statement.when(it.node) != "done"]


class _Reading:
    """Goes through the expressions of one statement as Python does."""

    def __init__(self, statement: Statement, words: Words) -> None:
        self._statement = statement
        self._words = words
        self._bound: dict[str, Given] = {}
        """By `:=`, in the statement itself."""
        self.found: list[Found] = []
        self._depth = 0

    @property
    def failed(self) -> bool:
        """Whether the statement ends at what was found last."""
        return bool(self.found) and self.found[-1].outcome.error is not None

    def read(self, node: ast.expr) -> Given:
        """What the expression gives. Nothing that is only perhaps computed is read."""
        if self.failed:
            return Unknown("what comes before it raises")
        match node:
            case ast.Constant(value):
                return Value(value)
            case ast.Name(name):
                return self._bound.get(name) or self._words.name(name)
            case ast.Attribute(value):
                return self._words.attribute(self.read(value), node)
            case ast.Subscript(value, index):
                of = self.read(value)
                if isinstance(of, Value) and is_module(of.it):
                    return self._held(of.it, self.read(index))
                return item(of, self.read(index))
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left, op, right):
                return self._binary(node, left, op, right)
            case ast.UnaryOp(op, operand):
                return self._unary(op, self.read(operand))
            case ast.NamedExpr(ast.Name(name), value):
                self._bound[name] = self.read(value)
                return self._bound[name]
            case ast.IfExp(test, body, orelse):
                return self._if(self.read(test), body, orelse)
            case ast.Tuple(items) | ast.List(items):
                return self._sequence(node, [self.read(it) for it in items])
            case ast.Await(value) | ast.YieldFrom(value):
                self.read(value)
            case ast.Yield(value):
                if value is not None:
                    self.read(value)
            case _:
                return self._other(node)
        return Unknown(self._not_yet(node))

    def _other(self, node: ast.expr) -> Given:
        match node:
            case ast.Slice(lower, upper, step):
                ends = [Value(None) if it is None else self.read(it) for it in (lower, upper, step)]
                if all(isinstance(it, Value) and type(it.it) in (int, type(None)) for it in ends):
                    return Value(slice(*(it.it for it in ends if isinstance(it, Value))))
            case ast.Compare(left, [op], [right]):
                return compared(op, self.read(left), self.read(right))
            case ast.BoolOp(values=[first, *_]):
                self.read(first)
            case ast.Dict(keys, values):
                for part in (*keys, *values):
                    if part is not None:
                        self.read(part)
            case ast.Set(items):
                for part in items:
                    self.read(part)
            case ast.JoinedStr(values):
                for part in values:
                    if isinstance(part, ast.FormattedValue):
                        self.read(part.value)
            case ast.Starred(value):
                self.read(value)
        return Unknown(self._not_yet(node))

    def _not_yet(self, node: ast.expr) -> str:
        return f"`{' '.join(self._statement.words(node).split())}` does not exist yet"

    def _sequence(self, node: ast.expr, items: list[Given]) -> Given:
        values = [it.it if isinstance(it, Value) else it.itself if isinstance(it, Made) else None for it in items]
        is_whole = all(isinstance(it, Value) or (isinstance(it, Made) and it.itself is not None) for it in items)
        if not is_whole:
            return Unknown(self._not_yet(node))
        return Value(tuple(values) if isinstance(node, ast.Tuple) else values)

    def _if(self, test: Given, body: ast.expr, orelse: ast.expr) -> Given:
        if isinstance(test, Value) and type(test.it) in (bool, int, type(None)):
            return self.read(body if test.it else orelse)
        return Unknown("which of the two is computed can't be told")

    def _unary(self, op: ast.unaryop, operand: Given) -> Given:
        if isinstance(op, ast.Not):
            is_plain = isinstance(operand, Value) and type(operand.it) in (bool, int, type(None))
            return Value(not operand.it) if is_plain and isinstance(operand, Value) else Unknown("")
        if not isinstance(operand, Made) and not (isinstance(operand, Value) and type(operand.it) in (int, float)):
            return operand if isinstance(operand, Unknown) else Unknown("")
        function: Callable[..., object] = {ast.USub: lambda x: -x, ast.UAdd: lambda x: +x}.get(type(op), lambda x: ~x)
        return applied(function, [operand])

    def _held(self, module: nn.Module, index: Given) -> Given:
        """`net[0]`."""
        known_index = isinstance(index, Value) and type(index.it) in (int, str)
        found = held(module, index.it) if known_index and isinstance(index, Value) else None
        return Value(found) if found is not None else Unknown("a module's item can't be told without running code")

    def _binary(self, node: ast.BinOp, left: ast.expr, op: ast.operator, right: ast.expr) -> Given:
        a = self.read(left)
        before = len(self.found)
        b = self.read(right)
        if self.failed:
            return Unknown("")
        if isinstance(op, ast.MatMult):
            return self._add(_formula(node, a, b))
        is_last = len(self.found) == before and bool(self.found) and self.found[-1].node is left
        if isinstance(op, ast.Add) and is_last and self.found[-1].is_formula:
            return self._with_bias(node, b)
        return arithmetic(op, a, b)

    def _with_bias(self, node: ast.BinOp, bias: Given) -> Given:
        """`x @ w.T + b`: one formula, whose sum may be what does not fit."""
        product = self.found.pop()
        made = product.outcome.made
        outcome = broadcast(made, bias) if made is not None and isinstance(bias, Made) else product.outcome
        if isinstance(bias, Value) and type(bias.it) in (int, float):
            self.found.append(product)
            return made or Unknown(self._not_yet(node))
        return self._add(Found(node, product.input, product.weight, _tensor(bias), outcome, is_formula=True))

    def _add(self, found: Found) -> Given:
        self.found.append(found)
        return found.outcome.made or Unknown(self._not_yet(found.node))

    def _call(self, node: ast.Call) -> Given:
        called = self._words.leads_to(node.func)
        of = self.read(node.func.value) if isinstance(node.func, ast.Attribute) else None
        arguments = [self.read(it) for it in node.args]
        named = {str(it.arg): self.read(it.value) for it in node.keywords}
        if self.failed:
            return Unknown("")
        is_plain = not any(isinstance(it, ast.Starred) for it in node.args) and "None" not in named
        if not is_plain:
            return Unknown(self._not_yet(node))
        if called is _LINEAR or (isinstance(called, StandIn) and called.original is _LINEAR):
            return self._function(node, arguments, named)
        if is_module(called):
            return self._module(node, called, arguments, named)
        if isinstance(of, Value) and is_module(of.it) and _is_forward(node.func, of.it):
            return self._layer(node, of.it, _one(arguments, named))
        return self._torchs(node, of, arguments, named)

    def _torchs(self, node: ast.Call, of: Given | None, arguments: list[Given], named: dict[str, Given]) -> Given:
        """A function or method of torch's."""
        if isinstance(of, Made):
            assert isinstance(node.func, ast.Attribute)
            if node.func.attr in _MATMULS and len(arguments) == 1 and not named:
                return self._add(_formula(node, of, arguments[0]))
            return self._words.method(of, node, arguments, named)
        function = self._words.pure(node)
        if function is None:
            return Unknown(self._not_yet(node))
        if function in _MATMULS and len(arguments) == 2 and not named:
            return self._add(_formula(node, *arguments))
        return self._words.call(node, function, arguments, named)

    def _function(self, node: ast.Call, arguments: list[Given], named: dict[str, Given]) -> Given:
        """`F.linear(x, w, b)`."""
        given = dict(zip(("input", "weight", "bias"), arguments, strict=False)) | named
        if not {"input", "weight"} <= given.keys() or len(arguments) > 3 or given.keys() - {"input", "weight", "bias"}:
            return Unknown(self._not_yet(node))
        bias = given.get("bias")
        bias = None if isinstance(bias, Value) and bias.it is None else bias
        return self._add(_tried(Found(node, given["input"], given["weight"], bias)))

    def _module(self, node: ast.Call, module: nn.Module, arguments: list[Given], named: dict[str, Given]) -> Given:
        given, reason = _one(arguments, named), hooked(module)
        if reason is not None and isinstance(module, nn.Linear):
            return self._add(Found(node, Unknown(reason), _parameter(module, "weight"), layer=module))
        if reason is not None or given is None:
            return Unknown(self._not_yet(node))
        if type(module) in KEEP_SHAPES:
            return _alike(given)
        if type(module) is nn.Sequential:
            return self._through(node, module, module, given, True)
        return self._layer(node, module, given)

    def _layer(self, node: ast.Call, layer: nn.Module, given: Given | None) -> Given:
        if not isinstance(layer, nn.Linear) or given is None or not is_plain_linear(layer):
            return Unknown(self._not_yet(node))
        return self._add(_of_layer(node, layer, given))

    def _through(
        self, node: ast.Call, outer: nn.Module, container: nn.Module, given: Given, is_first: bool, depth: int = 0
    ) -> Given:
        """The layers of an `nn.Sequential`, one after the other."""
        for at, module in enumerate(_children(container)):
            reason = hooked(module) if depth < MAX_DEPTH else "it is nested too deeply"
            if reason is None and isinstance(module, nn.Linear) and is_plain_linear(module):
                found = _of_layer(node, module, given, outer, is_first and at == 0)
                given = self._add(found)
            elif reason is None and type(module) is nn.Sequential:
                given = self._through(node, outer, module, given, is_first and at == 0, depth + 1)
            elif reason is None and type(module) is nn.Flatten:
                given = applied(lambda x, m=module: x.flatten(m.start_dim, m.end_dim), [given])
            elif reason is None and type(module) in KEEP_SHAPES:
                given = _alike(given)
            else:
                given = Unknown(reason or f"the output of a {type(module).__name__} does not exist yet")
            if self.failed:
                return Unknown("")
        return given


def _alike(given: Given) -> Given:
    return Made(given.like, given.device, given.requires_grad) if isinstance(given, Made) else given


def _one(arguments: list[Given], named: dict[str, Given]) -> Given | None:
    """The input of a layer's call."""
    given = [*arguments, *(it for key, it in named.items() if key == "input")]
    return given[0] if len(given) == 1 and len(named) + len(arguments) == 1 else None


def _formula(node: ast.expr, left: Given, right: Given) -> Found:
    a, b = _tensor(left), _tensor(right)
    outcome = trial(product, [a, b]) if isinstance(a, Made) and isinstance(b, Made) else Outcome()
    return Found(node, a, b, None, outcome, is_formula=True)


def _tensor(given: Given) -> Given:
    """Only a tensor may be multiplied; what else there is has rules of its own."""
    if isinstance(given, Value):
        return Unknown(f"a {type(given.it).__name__} is no tensor")
    return given


def _of_layer(
    node: ast.expr, layer: nn.Linear, given: Given, container: nn.Module | None = None, is_first: bool = False
) -> Found:
    bias = _parameter(layer, "bias")
    bias_or_none = None if isinstance(bias, Value) else bias
    found = Found(node, given, _parameter(layer, "weight"), bias_or_none, Outcome(), layer, container, is_first)
    return _tried(found)


def _tried(found: Found) -> Found:
    operands = [found.input, found.weight, *([] if found.bias is None else [found.bias])]
    made = [it for it in operands if isinstance(it, Made)]
    if isinstance(found.input, Value):
        outcome = Outcome(error=_refused(found.input.it))
    elif len(made) == len(operands):
        outcome = trial(linear, made)
    else:
        return found
    return Found(
        found.node, found.input, found.weight, found.bias, outcome, found.layer, found.container, found.is_first
    )


def _refused(value: object) -> Exception:
    """What torch says of an input that is no tensor."""
    kind = type(value).__name__
    return TypeError(f"linear(): argument 'input' (position 1) must be Tensor, not {kind}")


def _parameter(layer: nn.Linear, name: str) -> Given:
    found = attribute(layer, name)
    if found is None:
        is_there = name in layer.__dict__.get("_parameters", {})
        return Value(None) if is_there else Unknown(f"its {name} is computed when it is asked for")
    return known(found) if is_tensor(found) else Unknown(f"its {name} is no tensor")


def is_plain_linear(layer: nn.Linear) -> bool:
    """Whether its `forward` is torch's own."""
    return type(layer).forward is nn.Linear.forward and "forward" not in vars(layer)


def _is_forward(function: ast.expr, module: nn.Module) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "forward" and isinstance(module, nn.Linear)


def hooked(module: nn.Module) -> str | None:
    """Why a call of the module may be more than its class's `forward`."""
    own = vars(module)
    if "forward" in own:
        return "it has a `forward` of its own"
    if type(module).__call__ is not nn.Module.__call__ or "_call_impl" in own:
        return "its class calls it in a way of its own"
    if own.get("_forward_pre_hooks") or nn.modules.module._global_forward_pre_hooks:
        return "a hook may change what it is given"
    if own.get("_forward_hooks") or nn.modules.module._global_forward_hooks:
        return "a hook may change what it gives"
    return None


def _children(container: nn.Module) -> Iterator[nn.Module]:
    children = vars(container).get("_modules")
    yield from (it for it in (children or {}).values() if is_module(it))
