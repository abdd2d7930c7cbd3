"""What recorded calls used and gave, as it was then: copies of small tensors, weak references to large ones."""

from __future__ import annotations

import builtins
import math
import re
import weakref
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from torchtwin.kernel.backward import MAX_STEPS, GradOutput
from torchtwin.kernel.coverage import is_queued
from torchtwin.kernel.identity import has_storage, mark
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.scopes import shown
from torchtwin.kernel.twin import Twin, twin

MAX_COPIED = 2**15
"""Elements of a tensor that is copied."""
MAX_PASSES = 16
"""Backward passes of one call, of which the newest are remembered."""
MAX_COPIES = 2**21
"""Elements of all copies; the oldest are let go first."""

_VIEWS = re.compile(
    r"(View|UnsafeView|ReshapeAlias|Squeeze|Unsqueeze|T|Transpose|Permute|Expand|Alias|Clone|Select|Slice|Index"
    r"|Embedding|ToCopy)Backward\d$"
)
"""What gives the numbers of its argument, all or some of them."""

Role = Literal["output", "weight", "bias", "input"]


@dataclass(frozen=True)
class _Original:
    """A tensor of the user's, and what tells whether it still is what it was when the call was made."""

    tensor: weakref.ref[Tensor]
    mark: tuple[int, int]

    def as_it_was(self) -> Tensor | None:
        tensor = self.tensor()
        return tensor if tensor is not None and mark(tensor) == self.mark else None


@dataclass(frozen=True)
class Pass:
    """What one backward brought to a call; copies."""

    grad_output: Tensor
    """In the shape of the output."""
    is_given: bool
    """Whether `grad_output` can't depend on how anything was rounded: it is 1, say, or stood in a variable before."""
    backward: int
    """Of the same number in every call that one backward reached."""
    shares: dict[str, Tensor]
    """This call's share of the gradients of weight, bias and input, in their shapes."""

    @property
    def elements(self) -> int:
        return self.grad_output.numel() + sum(share.numel() for share in self.shares.values())


@dataclass
class PastCall:
    """One recorded call. All that it gives is detached."""

    id: int
    text: str | None
    """The source of the call."""
    originals: dict[str, _Original]
    """Of `input`, `weight`, `bias` and `output`."""
    computed: frozenset[str] = frozenset()
    """The operands that autograd knows to be results."""
    has_graph: bool = False
    """Whether autograd follows the output."""
    stretch: int = 0
    """Calls of one number were made in one go: in one cell, or between two questions."""
    made_in: int = 0
    """The stretch in which the input came to be."""
    copies: dict[str, Tensor] = field(default_factory=dict)
    passes: list[Pass] = field(default_factory=list)
    arriving: dict[str, Tensor] = field(default_factory=dict)
    """Shares of a backward that has not reached the node that multiplies yet, as that of a bias that is added apart."""

    def original(self, role: str) -> Tensor | None:
        """The user's tensor itself, whatever was done to it since; null when it is gone."""
        held = self.originals.get(role)
        return None if held is None else held.tensor()

    def operand(self, role: str) -> Tensor | None:
        """The tensor as it was when the call was made; null where that is not known any more."""
        if (copy := self.copies.get(role)) is not None:
            return copy
        held = self.originals.get(role)
        found = None if held is None else held.as_it_was()
        return None if found is None else found.detach()

    def twin(self) -> Twin | None:
        """The operands as the layer used them; null where one is not known any more."""
        input, weight, bias, output = (self.operand(role) for role in ("input", "weight", "bias", "output"))
        if input is None or weight is None or (bias is None and "bias" in self.originals):
            return None
        return twin(input, weight, bias, input if output is None else output)


def is_computed(tensor: Tensor) -> bool:
    """Whether it is a result, by the graph, and no leaf nor a view of one."""
    node = tensor.grad_fn
    for _ in range(MAX_STEPS):
        if node is None or not _VIEWS.match(node.name()):
            break
        node = node.next_functions[0][0]
    return node is not None and not node.name().endswith("AccumulateGrad")


def _is_round_share(g: Tensor, started: Tensor) -> bool:
    """Whether all of it is one number: a power of two (1, or a loss scale) over a number of elements, as of a mean."""
    if not g.numel() or not started.numel() or bool((g != g.reshape(-1)[0]).any()):
        return False
    start, share = (abs(float(t.reshape(-1)[0])) for t in (started, g))
    if bool((started != started.reshape(-1)[0]).any()) or not share or math.frexp(start)[0] != 0.5:
        return False
    count, error = start / share, 2 * float(torch.finfo(g.dtype).eps)
    if not count < 2 * g.numel():
        return False
    near = range(math.floor(count * (1 - error)), math.ceil(count * (1 + error)) + 1)
    return any(n and g.numel() % n == 0 and math.isclose(count, n, rel_tol=error) for n in near)


def _is_the_same(g: Tensor, started: Tensor) -> bool:
    return g.numel() == started.numel() and torch.equal(g.reshape(-1), started.detach().reshape(-1))


class Past:
    """The last `max_calls` calls."""

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self.stretch = 0
        self._made_in: Any = WeakIdKeyDictionary()
        """The stretch after which a tensor first stood in a variable of the notebook as it is, and its mark then."""
        self._calls: OrderedDict[int, PastCall] = OrderedDict()
        self._copied: OrderedDict[int, PastCall] = OrderedDict()
        self._elements = 0
        self._latest: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()
        self._holders: Counter[int] = Counter()
        """How many calls hold a copy, by its `id`."""

    def __reversed__(self) -> Iterator[PastCall]:
        """Newest first."""
        return iter(list(reversed(self._calls.values())))

    def get(self, id: int) -> PastCall | None:
        return self._calls.get(id)

    def hold(self, id: int, operands: dict[str, Tensor | None], text: str | None, copy: bool) -> None:
        """Remembers a call's operands. `copy`: their elements may be read."""
        tensors = {role: tensor for role, tensor in operands.items() if tensor is not None}
        call = PastCall(
            id,
            text,
            originals={role: _Original(weakref.ref(t), mark(t)) for role, t in tensors.items()},
            computed=frozenset(role for role, t in tensors.items() if role != "output" and is_computed(t)),
            has_graph="output" in tensors and tensors["output"].requires_grad,
            stretch=self.stretch,
            made_in=self._stretch_of(tensors.get("input")),
        )
        self._calls[id] = call
        if len(self._calls) > self._max_calls:
            oldest, gone = self._calls.popitem(last=False)
            if self._copied.pop(oldest, None) is not None:
                self._let_go(gone)
        if copy:
            self._copied[id] = call
            call.copies = {role: self._copy(t) for role, t in tensors.items() if t.numel() <= MAX_COPIED}
            for it in call.copies.values():
                self._elements += 0 if self._holders[builtins.id(it)] else it.numel()
                self._holders[builtins.id(it)] += 1
            self._make_room()

    def hold_pass(self, id: int, grad_output: GradOutput | None, shares: dict[str, Tensor]) -> None:
        """Remembers what a backward brought to a call whose operands were copied; null `grad_output`: more comes."""
        call = self._copied.get(id)
        if call is None:
            return
        call.arriving |= {role: t.clone() for role, t in shares.items() if t.numel() <= MAX_COPIED}
        if grad_output is None:
            return
        if grad_output.value.numel() > MAX_COPIED:
            call.arriving = {}
            return
        arrived, call.arriving = call.arriving, {}
        call.passes.append(self._pass(call, grad_output, arrived))
        self._elements += call.passes[-1].elements
        while len(call.passes) > MAX_PASSES:
            self._elements -= call.passes.pop(0).elements
        self._make_room()

    def _stretch_of(self, tensor: Tensor | None) -> int:
        """In which it came to be, or what it is a view of."""
        if tensor is None or not has_storage(tensor):
            return self.stretch
        whole = tensor._base if tensor._is_view() else tensor
        known = [(it, self._made_in.get(it)) for it in (tensor, whole) if it is not None]
        return min((then[0] for it, then in known if then is not None and then[1] == mark(it)), default=self.stretch)

    def _pass(self, call: PastCall, grad_output: GradOutput, shares: dict[str, Tensor]) -> Pass:
        # To read a number would wait for a device that works on its own.
        g = grad_output.value
        started = None if is_queued(g) else grad_output.started()
        is_given = started is not None and (
            _is_round_share(g, started) or (self._stretch_of(started) < call.stretch and _is_the_same(g, started))
        )
        return Pass(g.clone(), is_given, grad_output.backward, shares)

    def is_data(self, tensor: Tensor) -> None:
        """That a tensor depends on nothing that is computed from now on."""
        self._made_in[tensor] = self.stretch - 1, mark(tensor)

    def cell_ended(self, names: Mapping[str, Any]) -> None:
        """What is new among the notebook's variables was made in this stretch."""
        for _, value in shown(names):
            if is_tensor(value) and has_storage(value):
                self._made_in[value] = self._stretch_of(value), mark(value)

    def clear(self) -> None:
        self._calls.clear()
        self._copied.clear()
        self._latest.clear()
        self._holders.clear()
        self._made_in.clear()
        self._elements = 0

    def outputs(self) -> dict[int, str]:
        """The source text of the call that returned a tensor, by the `id` of each tensor that still exists."""
        found = ((call.original("output"), call.text) for call in self._calls.values())
        return {builtins.id(output): text for output, text in found if output is not None and text is not None}

    def _copy(self, tensor: Tensor) -> Tensor:
        """A weight is the same in most calls. Its elements are compared, as `.data` changes them uncounted."""
        known = self._latest.get(id(tensor))
        is_alike = known is not None and known.dtype == tensor.dtype and known.shape == tensor.shape
        if known is not None and is_alike and not is_queued(tensor) and bool((known == tensor).all()):
            return known
        copy = tensor.detach().clone()
        if tensor.is_leaf:
            self._latest[id(tensor)] = copy
        return copy

    def _make_room(self) -> None:
        while self._elements > MAX_COPIES and len(self._copied) > 1:
            _, oldest = self._copied.popitem(last=False)
            self._let_go(oldest)

    def _let_go(self, call: PastCall) -> None:
        """Of the copies of a call; those that other calls hold as well stay."""
        self._elements -= sum(it.elements for it in call.passes)
        for copy in call.copies.values():
            self._holders[id(copy)] -= 1
            if not self._holders[id(copy)]:
                del self._holders[id(copy)]
                self._elements -= copy.numel()
        call.copies, call.passes, call.arriving = {}, [], {}
