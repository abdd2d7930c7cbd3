"""What the user's words lead to, found without running any code of theirs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torchtwin.kernel.kinds import is_module
from torchtwin.kernel.modules import held
from torchtwin.kernel.words import parsed


def resolve(text: str, scopes: list[Mapping[str, Any]]) -> object:
    """What a name, attribute path or constant subscript leads to, without running any code of the user's; else null."""
    node = parsed(text)
    return None if node is None else follow(node, scopes)


def follow(node: ast.expr, scopes: list[Mapping[str, Any]]) -> object:
    """The same for words that are parsed already."""
    match node:
        case ast.Name(name):
            return next((scope[name] for scope in scopes if name in scope), None)
        case ast.Attribute(value, name):
            return attribute(follow(value, scopes), name)
        case ast.Call(ast.Name("getattr"), [value, ast.Constant(str() as name)]):
            return attribute(follow(value, scopes), name)
        case ast.Subscript(value, index):
            return _item(follow(value, scopes), _follow_index(index, scopes))
    return None


def _follow_index(node: ast.expr, scopes: list[Mapping[str, Any]]) -> object:
    match node:
        case ast.Constant(value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() as value)):
            return -value
    return follow(node, scopes)


def attribute(value: object, name: str) -> object:
    """From the object's own dictionaries only: anything else may be the user's code, as a property of its class is."""
    own = _own(value)
    for place in (own.get("_modules"), own.get("_parameters"), own.get("_buffers")) if is_module(value) else ():
        if isinstance(place, Mapping) and name in place:
            return place[name]
    return own[name] if name in own and not _computes(type(value), name) else None


def _computes(kind: type, name: str) -> bool:
    """Whether a property or the like of the class comes before what the object itself holds under this name."""
    if issubclass(kind, ModuleType):
        return False
    stands = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return stands is not None and hasattr(type(stands), "__set__")


def _own(value: object) -> Mapping[str, Any]:
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return own if isinstance(own, Mapping) else {}


def _item(value: object, index: object) -> object:
    if type(index) not in (int, str):  # another key's hash and comparison may be the user's code
        return None
    if is_module(value):
        return held(value, index)  # type: ignore[arg-type]
    try:
        return value[index] if type(value) in (list, tuple, dict) else None  # type: ignore[index]
    except (LookupError, TypeError):
        return None
