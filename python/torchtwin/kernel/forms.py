"""Which calls are alike: those of one layer from one place, with the same shapes, dtypes and devices."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor

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
        """Of calls of other shapes as well."""
        return self[:-1]


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """The newest call of a form that was told whole, and what was found out about it."""

    told: Call
    names: Names
    words: LinearNames
    leads: dict[str, int]
    """What the names led to, by `id`."""
    text: str | None
    """The source of the call."""
    place: Hashable
    """Where it was made and of which module, whatever its weight is."""
    layer: Layer
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
        self._owners: dict[int, weakref.ref[Tensor]] = {}

    def forget(self) -> None:
        """Names may mean something else now. Layers stay known: that one was checked, and when."""
        self._fast.patterns.clear()
        self._forms.clear()
        self._families.clear()
        self._places.clear()

    def clear(self) -> None:
        """Forgets the layers, too, and refers to no tensor any more."""
        self.forget()
        self.layers.clear()
        self._owners.clear()

    def find(self, key: Key | None, frame: FrameType, input: Tensor) -> Form | None:
        """The form of a call, if one of it was told whole and its words still hold."""
        form = None if key is None else self._forms.get(key)
        return form if form is not None and _still_holds(form, frame, input) else None

    def kin(self, key: Key | None, frame: FrameType, input: Tensor) -> Form | None:
        """The same, of a call with an input of another shape."""
        form = None if key is None else self._families.get(key.family)
        return form if form is not None and _still_holds(form, frame, input) else None

    def at(self, place: Hashable) -> Form | None:
        """The form of the last call there, of a weight that is computed anew for each."""
        return self._places.get(place)

    def layer(self, weight: Tensor) -> Layer:
        return self.layers.get(_identity(weight), Layer()) if has_storage(weight) else Layer()

    def add(self, key: Key, form: Form, frame: FrameType, weight: Tensor) -> None:
        """From now on calls of this form are known by this one."""
        if len(self._forms) >= MAX_FORMS:
            self.forget()
        form.layer.forms += key not in self._forms
        self.layers[key.weight] = form.layer
        self._forms[key] = self._families[key.family] = self._places[form.place] = form
        owner = weight if weight._base is None else weight._base
        if id(owner) not in self._owners:
            self._owners[id(owner)] = weakref.ref(owner, self._gone(id(owner), key.weight))
        self.lets_pass(form, key, frame)

    def lets_pass(self, form: Form, key: Key | None, frame: FrameType) -> None:
        """Calls of this form may pass the tap after one look, where their words hold by themselves."""
        if key is None or not isinstance(key.weight, int) or not isinstance(key.bias, int):
            return  # parts of larger tensors, made anew for each call
        if form.names.found is None:
            *between, user = until_user(frame)
            self._fast.patterns[key.weight] = Pattern(
                alike=form.like(key.shape),
                inner=frame.f_code,
                depth=len(between) + 1,
                code=user.f_code,
                instruction=user.f_lasti,
                bias=key.bias,
                shape=key.shape,
                dtype=key.dtype,
                requires_grad=key.requires_grad,
            )

    def _gone(self, owner: int, weight: Hashable) -> Callable[[Any], None]:
        """The tensor's `id` may soon be another's."""

        def forget(reference: object) -> None:
            self._owners.pop(owner, None)
            self._fast.patterns.pop(owner, None)
            self.layers.pop(weight, None)
            gone = {key for key in list(self._forms) if owner in _ids(key.weight)}
            for key in gone:
                self._forms.pop(key, None)
                self._families.pop(key.family, None)

        return forget


def key_of(frame: FrameType, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> Key | None:
    """Null where the operands can't be looked at, or are no plain tensors."""
    if not has_storage(input) or not has_storage(weight) or not (bias is None or has_storage(bias)):
        return None
    user = user_frame(frame)
    return Key(
        weight=_identity(weight),
        bias=id(None) if bias is None else _identity(bias),
        place=(id(user.f_code), user.f_lasti, id(frame.f_code), frame.f_lasti),
        dtype=output.dtype,
        requires_grad=output.requires_grad,
        others=(
            output.device,
            input.dtype,
            input.requires_grad,
            weight.requires_grad,
            weight.shape,
            None if bias is None else bias.shape,
        ),
        shape=input.shape,
    )


def place_of(caller: Caller, frame: FrameType, key: Key) -> Hashable:
    """Where a call was made and of which module, whatever its weight is."""
    return key.place, key.dtype, key.requires_grad, key.others, id(caller.module)


def _identity(tensor: Tensor) -> Hashable:
    """Parts of a larger tensor are made anew for each call, as attention does."""
    base = tensor._base
    return id(tensor) if base is None else (id(base), tensor.storage_offset())


def _ids(identity: Hashable) -> tuple[int, ...]:
    return (identity[0],) if isinstance(identity, tuple) else (identity,)  # type: ignore[return-value]


def leading(names: Names, user: FrameType) -> dict[str, int]:
    """What the names of the operands lead to in a frame of the user's, by `id`."""
    spaces = [*scopes.visible(user), scopes.notebook()]
    return {words: id(resolve(words, spaces)) for words in {*names.operands, names.call} - names.placeholders}


def _still_holds(form: Form, frame: FrameType, input: Tensor) -> bool:
    """Whether the names mean what they meant; the input's too, if it was found among the variables."""
    user, found = user_frame(frame), form.names.found
    if found is not None and not any(scope.get(found) is input for scope in scopes.visible(user)):
        return False
    return leading(form.names, user) == form.leads
