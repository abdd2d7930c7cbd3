"""Which calls are alike: those of one layer from one place, with the same shapes, dtypes and devices."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any, NamedTuple, Protocol

import msgspec
import torch
from torch import Tensor, nn

from torchtwin.kernel import scopes
from torchtwin.kernel.callsite import Caller, until_user, user_frame
from torchtwin.kernel.causes.hypotheses import LinearNames
from torchtwin.kernel.fastpath import FastPath, Pattern
from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.naming import Names
from torchtwin.kernel.resolve import resolve
from torchtwin.kernel.runs import Alike
from torchtwin.protocol import Call, Gradients, Values

MAX_FORMS = 10_000


class Operands(Protocol):
    """Of one call."""

    @property
    def input(self) -> Tensor: ...
    @property
    def weight(self) -> Tensor: ...
    @property
    def bias(self) -> Tensor | None: ...


class Done(Operands, Protocol):
    """Of one that returned."""

    @property
    def output(self) -> Tensor: ...


@dataclass(eq=False, slots=True)
class Layer:
    """The weight of some calls, whatever they are called with."""

    forms: int = 0
    """How many its calls have taken."""


class Key(NamedTuple):
    """What calls of one form have in common. Holds no tensor: identities are those of `_identity`."""

    weight: Hashable
    bias: Hashable
    place: Hashable
    """Where it was made: every frame from the inner one to the user's."""
    within: Hashable
    """Whose methods lead to the call, and what made the input: the tap doesn't look at these."""
    dtype: torch.dtype
    """Of the output."""
    requires_grad: bool
    """Whether the output does."""
    others: Hashable
    """Device, dtypes and the like."""
    shape: torch.Size
    """Of the input."""

    @property
    def family(self) -> Hashable:
        """Of calls with other sizes as well."""
        return self._replace(shape=len(self.shape))  # type: ignore[arg-type]

    @property
    def to_the_tap(self) -> Hashable:
        """As far as the tap can tell."""
        return self._replace(within=None)


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """The newest call of a form that was told whole, and what was found out about it."""

    told: Call
    names: Names
    words: LinearNames
    leads: dict[str, Hashable]
    """What the names led to."""
    text: str | None
    """The source of the call."""
    place: Hashable
    """Where it was made and of which module, whatever its weight is."""
    layer: Layer
    module: weakref.ref[nn.Module] | None
    """Whose method made the call."""
    code: CodeType
    """Kept, since its `id` is part of the key."""

    def of(self, told: Call) -> Form:
        """The same, known by a newer call."""
        return replace(self, told=msgspec.structs.replace(told, gradients=Gradients(), values=Values()))

    def like(self, shape: tuple[int, ...]) -> Alike:
        return Alike(self.told.id, shape)


class Forms:
    """What is known of the calls of this cell, and which of them may take the fast path."""

    def __init__(self, fast: FastPath) -> None:
        self._fast = fast
        self._forms: dict[Key, Form] = {}
        self._families: dict[Hashable, Form] = {}
        self._places: dict[Hashable, Form] = {}
        self.layers: dict[Hashable, Layer] = {}
        """By the identity of the weight."""
        self._owners: dict[int, tuple[weakref.ref[Tensor], set[Hashable]]] = {}
        """The tensors in memory, and the identities of what is known of each."""
        self._claims: dict[Hashable, Names | None] = {}
        """The names of calls that are one to the tap; null where they are not always the same."""
        self._passing: dict[int, int] = {}
        """The weights whose patterns refer to a call, by its id."""

    def forget(self) -> None:
        """Names may mean something else now. Layers stay known: that one was checked, and when."""
        self._fast.patterns.clear()
        self._passing.clear()
        self._claims.clear()
        self._forms.clear()
        self._families.clear()
        self._places.clear()

    def clear(self) -> None:
        """Forgets the layers, too, and refers to no tensor any more."""
        self.forget()
        self.layers.clear()
        self._owners.clear()

    def fell_off(self, id: int) -> None:
        """That call is not kept any more: none can be told as one like it."""
        weight = self._passing.pop(id, None)
        if weight is not None:
            self._fast.patterns.pop(weight, None)

    def find(self, key: Key | None, frame: FrameType, done: Operands) -> Form | None:
        """The form of a call, if one of it was told whole and its words still hold."""
        known = None if key is None else self._forms.get(key)
        found = _holding(known, frame, done)
        if known is not None and found is None and known.names.stands_by_itself:
            self._fast.patterns.clear()  # as a module was put elsewhere, which others may have been, too
        return found

    def kin(self, key: Key | None, frame: FrameType, done: Operands) -> Form | None:
        """The same, of a call with an input of other sizes."""
        return None if key is None else _holding(self._families.get(key.family), frame, done)

    def at(self, place: Hashable, caller: Caller, frame: FrameType, done: Operands) -> Form | None:
        """The form of the last call there of the same module, of a weight that is computed anew for each."""
        form = _holding(self._places.get(place), frame, done)
        module = None if form is None or form.module is None else form.module()
        return form if module is caller.module else None

    def layer(self, weight: Tensor) -> Layer:
        return self.layers.get(_identity(weight), Layer()) if has_storage(weight) else Layer()

    def add(self, key: Key, form: Form, frame: FrameType, weight: Tensor) -> None:
        """From now on calls of this form are known by this one."""
        if max(len(self._forms), len(self._places), len(self._claims), len(self._passing)) >= MAX_FORMS:
            self.forget()
        form.layer.forms += key not in self._forms
        self.layers[key.weight] = form.layer
        self._forms[key] = self._families[key.family] = self._places[form.place] = form
        if self._claims.setdefault(key.to_the_tap, form.names) != form.names:
            self._claims[key.to_the_tap] = None
            self._fast.patterns.pop(key.weight, None)  # type: ignore[call-overload]
        owner = weight if weight._base is None else weight._base
        if id(owner) not in self._owners:
            self._owners[id(owner)] = weakref.ref(owner, self._gone(id(owner))), set()
        self._owners[id(owner)][1].add(key.weight)

    def lets_pass(self, form: Form, key: Key | None, frame: FrameType, done: Done) -> None:
        """Calls of this form may pass the tap after one look, where their words hold by themselves.

        It is not asked before a second call has come: where one layer runs twice within a call of the user's, both
        have been told by then, and if they are not told alike none of them passes.
        """
        if key is None or not isinstance(key.weight, int) or not isinstance(key.bias, int):
            return  # parts of larger tensors, made anew for each call
        if form.names.stands_by_itself and self._claims.get(key.to_the_tap) is not None:
            *between, user = until_user(frame)
            self._passing[form.told.id] = key.weight
            self._fast.patterns[key.weight] = Pattern(
                alike=form.like(key.shape),
                inner=frame.f_code,
                depth=len(between) + 1,
                code=user.f_code,
                instruction=user.f_lasti,
                input=done.input,
                weight=done.weight,
                bias=done.bias,
                output=done.output,
            )

    def _gone(self, owner: int) -> Callable[[Any], None]:
        """The tensor's `id` may soon be another's."""

        def forget(reference: object) -> None:
            _, weights = self._owners.pop(owner, (None, set()))
            for weight in weights:
                self.layers.pop(weight, None)
                self._fast.patterns.pop(weight, None)  # type: ignore[call-overload]
            for key in [key for key in list(self._forms) if key.weight in weights]:
                self._forms.pop(key, None)
                self._families.pop(key.family, None)
                self._claims.pop(key.to_the_tap, None)

        return forget


def key_of(frame: FrameType, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> Key | None:
    """Null where the operands can't be looked at, or are no plain tensors."""
    if not has_storage(input) or not has_storage(weight) or not (bias is None or has_storage(bias)):
        return None
    frames = until_user(frame)
    input_from = type(input.grad_fn)
    return Key(
        weight=_identity(weight),
        bias=id(None) if bias is None else _identity(bias),
        place=tuple((id(it.f_code), it.f_lasti) for it in frames),
        within=(tuple(id(it.f_locals.get("self")) for it in frames[:-1] if it.f_code.co_name == "forward"), input_from),
        dtype=output.dtype,
        requires_grad=output.requires_grad,
        others=(
            output.device,
            input.dtype,
            input.requires_grad,
            weight.requires_grad,
            weight.shape,
            None if bias is None else (bias.shape, bias.requires_grad),
        ),
        shape=input.shape,
    )


def place_of(key: Key) -> Hashable:
    """Where a call was made and of which module, whatever its weight is."""
    return key._replace(weight=None, bias=None, shape=len(key.shape))  # type: ignore[arg-type]


def _identity(tensor: Tensor) -> Hashable:
    """Parts of a larger tensor are made anew for each call, as attention does."""
    base = tensor._base
    return id(tensor) if base is None else (id(base), tensor.storage_offset())


def leading(names: Names, user: FrameType, done: Operands) -> dict[str, Hashable]:
    """What the names lead to in a frame of the user's: weight or bias, or something else by its `id`."""
    return _leading(names, [*scopes.visible(user), scopes.notebook()], done)


def _leading(names: Names, spaces: list[Mapping[str, Any]], done: Operands) -> dict[str, Hashable]:
    found = {words: resolve(words, spaces) for words in {*names.operands, names.call} - names.placeholders}
    return {
        words: "weight" if it is done.weight else "bias" if it is not None and it is done.bias else id(it)
        for words, it in found.items()
    }


def _holding(form: Form | None, frame: FrameType, done: Operands) -> Form | None:
    return form if form is not None and holds(form.names, form.leads, user_frame(frame), done) else None


def holds(names: Names, leads: dict[str, Hashable], user: FrameType, done: Operands) -> bool:
    """Whether the names mean what they meant; the input's too, if it was found among the variables."""
    visible = scopes.visible(user)
    if names.found is not None and not any(scope.get(names.found) is done.input for scope in visible):
        return False
    return _leading(names, [*visible, scopes.notebook()], done) == leads
