"""Only `protocol/` knows the wire's key names: elsewhere they are fields of structs, never strings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import torchtwin
from torchtwin import protocol

PACKAGE = Path(torchtwin.__file__).parent
ENVELOPE = {"after", "dropped", "envelopes", "event", "expression", "latest", "operands", "seq", "upto", "watching"}
ROLES = {"grad_output", "weight_t"}
"""The kernel's own words for operands, too."""


def structs() -> Iterator[type[msgspec.Struct]]:
    for name in protocol.__all__:
        thing = getattr(protocol, name)
        if isinstance(thing, type) and issubclass(thing, msgspec.Struct):
            yield thing


FIELDS = {field.name for struct in structs() for field in msgspec.structs.fields(struct)}
WIRE = {name for name in FIELDS if "_" in name or name in ENVELOPE} - ROLES
"""The names that nothing but the wire has. Others (`id`, `name`, `input`) are common words."""


def strings_used_as_keys(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys):
                found: list[ast.expr | None] = keys
            case ast.Subscript(slice=key):
                found = [key]
            case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[key, *_]):
                found = [key]
            case _:
                continue
        yield from (
            (key.lineno, key.value) for key in found if isinstance(key, ast.Constant) and isinstance(key.value, str)
        )


def wire_keys(source: str) -> list[str]:
    return [f"line {line}: {key!r}" for line, key in strings_used_as_keys(ast.parse(source)) if key in WIRE]


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if (PACKAGE / "protocol") not in path.parents]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_outside_protocol_spells_a_wire_key(path: Path) -> None:
    assert wire_keys(path.read_text(encoding="utf-8")) == []


def test_the_wire_has_the_names_that_this_test_looks_for() -> None:
    assert WIRE >= ENVELOPE
    assert {"cell_id", "gradient_formulas", "internal_errors", "max_ulp_diff", "requires_grad"} <= WIRE


@pytest.mark.parametrize("source", ['page["envelopes"]', 'event.get("upto")', '{"seq": 1}', 'x = {**a, "up_to": 2}'])
def test_this_test_can_fail(source: str) -> None:
    assert len(wire_keys(source)) == 1


@pytest.mark.parametrize("source", ["page.envelopes", 'message["content"]', '"envelopes"', "Page(upto=1)"])
def test_attributes_and_other_keys_are_left_alone(source: str) -> None:
    assert wire_keys(source) == []
