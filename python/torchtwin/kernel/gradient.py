"""The gradient check: this call's share of each gradient against the formula, when `.backward()` reaches the call.

A post hook on the node of the autograd graph that multiplies (`AddmmBackward0`, `MmBackward0`) sees this call's
gradients alone, before they are added to those of other calls, and finds the operands in the node's own saved tensors.
It runs after the node's arithmetic: a prehook that read the saved tensors would use up those of a non-reentrant
checkpoint.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from torchtwin.kernel.backward import GradOutput, started_with
from torchtwin.kernel.check import check_product, check_sum, queue_product, queue_sum
from torchtwin.kernel.coverage import is_queued, reason_not_to_check_gradient
from torchtwin.kernel.guard import Guard
from torchtwin.kernel.handles import Handles
from torchtwin.kernel.passes import Arrival, Passes
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.probe import Silent
from torchtwin.kernel.proof.queue import TO_COME
from torchtwin.kernel.quiet import quietly
from torchtwin.protocol import Verdict

# Where the operands stand among the inputs of the nodes that multiply.
_MULTIPLIES = {
    "AddmmBackward0": ("bias", "input", "weight"),
    "MmBackward0": ("input", "weight"),
    "BmmBackward0": ("input", "weight"),  # batches of a strided input, with a frozen weight
}
_ADDS = "AddBackward0"
# What `F.linear` puts between its output and the product. Anything else belongs to another call.
_PASSES_ON = re.compile(r"(View|UnsafeView|ReshapeAlias|Squeeze)Backward\d$|AddBackward0$")
_TRANSPOSES = "TBackward0"
_ON_THE_WAY = re.compile(r"(T|ToCopy)Backward\d$")  # the transpose, and the cast of autocast
_ON_THE_WAY_OF_THE_INPUT = re.compile(r"(ToCopy|View|UnsafeView|ReshapeAlias|Unsqueeze|Expand)Backward\d$")
_HANDS_ON = "BackwardHookFunctionBackward"
"""Stands before the inputs of a module that has full backward hooks, and gives each its own gradient."""
_MAX_DEPTH = 4


@dataclass(frozen=True)
class Watched:
    """What the hooks of one call need to know. Holds no tensor of the user's."""

    id: int
    shapes: dict[str, torch.Size | None]
    """Of `input`, `weight`, `bias` and `output`."""
    names: dict[str, str]
    """Of `input`, `weight` and `bias`."""
    gradients: dict[str, str]
    """Where autograd puts the gradients of the three: `fc.weight.grad`."""
    requires_grad: dict[str, bool]

    @property
    def trains_bias_alone(self) -> bool:
        """Where the product needs no gradient, the call's part of the graph may be the addition alone."""
        return not self.requires_grad["input"] and not self.requires_grad["weight"]


@dataclass(frozen=True)
class Share:
    """One operand's gradient, as far as this call is concerned."""

    operand: str
    verdict: Verdict
    layer: Tensor | None = None
    formula: Tensor | None = None
    to_come: Pending | Silent | None = None
    """What gives the verdict later."""


@dataclass(frozen=True)
class _Leaf:
    """A leaf that accumulates one of the gradients that a node gives."""

    position: int
    """Of the gradient, among those that the node gives."""
    is_transposed: bool
    shape: torch.Size
    arrival: Arrival

    def expects(self, gradients: Sequence[Tensor | None], are_readable: bool) -> None:
        gradient = gradients[self.position]
        if gradient is not None:  # else this backward did not ask for it
            self.arrival.expect(gradient, self._share(gradient.detach()) if are_readable else None)

    def _share(self, gradient: Tensor) -> Tensor | None:
        share = gradient.T if self.is_transposed else gradient
        return share.reshape(self.shape) if share.numel() == self.shape.numel() else None


Report = Callable[[int, list[Share], GradOutput | None], None]
"""Takes the call's id, the shares that were checked, and the gradient of the output, with the last of them."""


class GradientCheck:
    """Puts hooks on the graph of a call, and takes all of them off again."""

    def __init__(self, guard: Guard, report: Report, passes: Passes) -> None:
        self._arrived: Callable[..., None] = guard(quietly(self._check))
        self._report = report
        self._passes = passes
        self._handles = Handles()
        self._is_heard = True

    @contextlib.contextmanager
    def unheard(self) -> Iterator[None]:
        """A backward of ours through the user's own graphs. Assumes that no other thread runs one meanwhile."""
        self._is_heard = False
        try:
            yield
        finally:
            self._is_heard = True

    def watch(self, call: Watched, input: Tensor, output: Tensor) -> str | None:
        """Checks this call's gradients whenever a backward reaches it. Returns the reason where it can't."""
        if torch._C._autograd._top_saved_tensors_default_hooks(True) is not None:
            return "the graph's tensors are packed by hooks, as a checkpoint does"
        nodes = list(_nodes_of_the_call(output.grad_fn))
        last = nodes[-1].name() if nodes else "nothing"
        if last not in _MULTIPLIES and not (last == _ADDS and call.trains_bias_alone):
            return f"the graph of the call ends in {last}, which is not followed"
        for node in nodes:
            if node.name() in (_ADDS, *_MULTIPLIES):
                leaves = list(self._leaves(call, node, input))
                self._handles.add(node.register_hook(self._hook(call, node.name(), node is nodes[-1], leaves)))
        return None

    def stop(self) -> None:
        """Removes every hook that is still on a graph."""
        self._handles.remove()
        self._passes.stop()

    def _leaves(self, call: Watched, node: Node, input: Tensor) -> Iterator[_Leaf]:
        """The operands of a node that are leaves: what it gives for them is accumulated in their `.grad`."""
        roles = _MULTIPLIES.get(node.name(), ("", "bias"))
        for position, (role, edge) in enumerate(zip(roles, node.next_functions, strict=False)):
            way = list(_way_to_a_leaf(edge, role)) if role else []
            if not way or not way[-1].name().endswith("AccumulateGrad"):
                continue
            leaf: Tensor = way[-1].variable  # type: ignore[attr-defined]
            if role != "input" or leaf is _before_hooks(input):  # views of the user's own may lie between
                is_transposed = sum(it.name() == _TRANSPOSES for it in way) % 2 == 1
                arrival = self._passes.watch(way[-1], call.id, role, call.gradients[role])
                yield _Leaf(position, is_transposed, leaf.shape, arrival)

    def _hook(
        self, call: Watched, name: str, is_last: bool, leaves: list[_Leaf]
    ) -> Callable[[Sequence[Tensor | None], Sequence[Tensor | None]], None]:
        def hook(grad_inputs: Sequence[Tensor | None], grad_outputs: Sequence[Tensor | None]) -> None:
            if self._is_heard and not torch.compiler.is_compiling():  # compiled autograd traces through hooks
                self._arrived(call, name, is_last, leaves, grad_inputs, grad_outputs)

        return hook

    def _check(
        self,
        call: Watched,
        name: str,
        is_last: bool,
        leaves: list[_Leaf],
        grad_inputs: Sequence[Tensor | None],
        grad_outputs: Sequence[Tensor | None],
    ) -> None:
        g = grad_outputs[0]
        if g is None:
            return
        reason = reason_not_to_check_gradient(g)
        for leaf in leaves:
            leaf.expects(grad_inputs, are_readable=reason is None)
        if reason is not None:
            roles = _MULTIPLIES.get(name, ("bias",))
            self._report(call.id, [Share(role, unchecked(reason)) for role in roles], None)
            return
        shares = list(_shares(call, name, grad_inputs, g.detach()))
        grad_output = _grad_output(call, g) if is_last else None
        self._report(call.id, shares, grad_output)


def _grad_output(call: Watched, g: Tensor) -> GradOutput:
    def started() -> Tensor | None:
        node = torch._C._current_autograd_node()
        return None if node is None else started_with(node)

    return GradOutput(_as(g.detach(), call.shapes["output"]), started, torch._C._current_graph_task_id())


def _nodes_of_the_call(node: Node | None) -> Iterator[Node]:
    """From the output's node down to the one that multiplies; all of them were made by this call."""
    for _ in range(_MAX_DEPTH):
        if node is None:
            return
        yield node
        if not _PASSES_ON.match(node.name()):
            return
        node = node.next_functions[0][0] if node.next_functions else None


def _way_to_a_leaf(edge: tuple[Node | None, int], role: str) -> Iterator[Node]:
    """From what a node multiplies or adds to what accumulates its gradient, or to where something else is computed."""
    passes_on = _ON_THE_WAY_OF_THE_INPUT if role == "input" else _ON_THE_WAY
    node, number = edge
    while node is not None:
        yield node
        hands_on = node.name() == _HANDS_ON
        if not hands_on and not passes_on.match(node.name()):
            return
        node, number = node.next_functions[number if hands_on else 0]


def _before_hooks(input: Tensor) -> Tensor | None:
    """The tensor itself; where a module's backward hooks stand before it, the leaf that the module was called with."""
    node, number = input.grad_fn, input.output_nr
    if node is None or node.name() != _HANDS_ON:
        return input
    while node is not None and node.name() == _HANDS_ON:
        node, number = node.next_functions[number]
    return getattr(node, "variable", None)


def _shares(call: Watched, name: str, grad_inputs: Sequence[Tensor | None], g: Tensor) -> Iterator[Share]:
    if name == _ADDS:
        yield from _bias_share(call, grad_inputs[1], _as(g, call.shapes["output"]))
        if call.trains_bias_alone:
            yield from (Share(role, _not_required(call, role)) for role in ("weight", "input"))
        return
    roles = dict(zip(_MULTIPLIES[name], grad_inputs, strict=False))
    node = torch._C._current_autograd_node()
    if name == "BmmBackward0":
        yield _product_share(call, "input", roles["input"], lambda: (g.flatten(0, -2), _saved(node, name, "weight")[0]))
        yield Share("weight", _missing(call, "weight", None) or unchecked("a batched product, which is not followed"))
        return
    # g.T @ x, of shape (N, K), and g @ w, of shape (M, K)
    yield _product_share(call, "weight", _t(roles["weight"]), lambda: (g.T, _saved(node, name, "input").T))
    yield _product_share(call, "input", roles["input"], lambda: (g, _saved(node, name, "weight")))
    if "bias" in roles:
        yield from _bias_share(call, roles["bias"], _as(g, call.shapes["output"]))


def _t(gradient: Tensor | None) -> Tensor | None:
    """The node multiplies by `w.T`, so what it gives is the gradient of that."""
    return None if gradient is None else gradient.T


def _saved(node: Any, name: str, operand: str) -> Tensor:
    """What the node kept for its backward: the input (M, K), or `w.T` (K, N)."""
    attribute = "_saved_mat2" if operand == "weight" else "_saved_mat1" if name == "AddmmBackward0" else "_saved_self"
    saved: Tensor = getattr(node, attribute)
    return saved.detach()


def _product_share(
    call: Watched,
    operand: str,
    gradient: Tensor | None,
    factors: Callable[[], tuple[Tensor, Tensor]],
) -> Share:
    if missing := _missing(call, operand, gradient):
        return Share(operand, missing)
    assert gradient is not None
    try:
        rows, columns = factors()
    except RuntimeError:  # a checkpoint hands out what it saved only once
        return Share(operand, unchecked("its operands were recomputed by a checkpoint and are gone"))
    layer = gradient.detach()
    if is_queued(layer):
        return _share(operand, queue_product(layer, rows, columns), _as(layer, call.shapes[operand]))
    found, formula = check_product(layer, rows, columns)
    if operand == "input":
        layer = _as(layer, call.shapes["input"])
        formula = None if formula is None else _as(formula, call.shapes["input"])
    return _share(operand, found, layer, formula)


def _bias_share(call: Watched, gradient: Tensor | None, g: Tensor) -> Iterator[Share]:
    shape = call.shapes["bias"]
    if shape is None:
        return
    if missing := _missing(call, "bias", gradient):
        yield Share("bias", missing)
        return
    assert gradient is not None
    if gradient.numel() != shape.numel():  # autograd goes by the shape that the bias had in an older graph
        reason = f"its gradient has shape {list(gradient.shape)}, `{call.names['bias']}` has {list(shape)}"
        yield Share("bias", unchecked(reason))
        return
    layer = gradient.detach().reshape(shape)
    if is_queued(layer):
        yield _share("bias", queue_sum(layer, g, shape), layer)
        return
    verdict, formula = check_sum(layer, g, shape)
    yield Share("bias", verdict, layer, formula)


def _share(operand: str, found: Verdict | Pending | Silent, layer: Tensor, formula: Tensor | None = None) -> Share:
    if isinstance(found, Verdict):
        return Share(operand, found, layer, formula)
    return Share(operand, unchecked(TO_COME), layer, formula, found)


def _as(tensor: Tensor, shape: torch.Size | None) -> Tensor:
    return tensor if shape is None else tensor.reshape(shape)


def _not_required(call: Watched, operand: str) -> Verdict:
    return unchecked(f"`{call.names[operand]}` does not require grad")


def _missing(call: Watched, operand: str, gradient: Tensor | None) -> Verdict | None:
    if not call.requires_grad[operand]:
        return _not_required(call, operand)
    return unchecked("this backward did not ask for it") if gradient is None else None
