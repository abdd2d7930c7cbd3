"""What one side sends, the other reads unchanged, or refuses with the path to the fault."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from torchtwin import protocol as p


def decode(data: bytes, kind: Any) -> Any:
    return msgspec.json.decode(data, type=kind, strict=True)


def altered(call: p.Call, **fields: Any) -> bytes:
    return json.dumps({**msgspec.to_builtins(call), **fields}).encode()


def test_every_message_survives_the_wire(message: Any) -> None:
    assert decode(msgspec.json.encode(message), type(message)) == message


def test_every_message_survives_as_plain_data(message: Any) -> None:
    """Comms and MIME bundles carry builtins that Jupyter turns to JSON."""
    plain = json.dumps(msgspec.to_builtins(message), allow_nan=False)
    assert decode(plain.encode(), type(message)) == message


def test_every_member_of_every_union_has_an_example(examples: dict[Any, list[Any]]) -> None:
    for union, members in examples.items():
        assert {type(member) for member in members} == set(get_args(union))


def test_each_event_is_told_by_its_tag_alone(examples: dict[Any, list[Any]]) -> None:
    for event in examples[p.Event]:
        data = msgspec.json.encode(event)
        assert json.loads(data)["type"] == type(event).__struct_config__.tag
        assert type(decode(data, p.Event)) is type(event)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
def test_a_number_that_json_lacks_travels_as_a_word(word: str) -> None:
    assert decode(f'{{"output": ["{word}"]}}'.encode(), p.Values).output == [word]


def test_a_whole_number_is_read_as_a_value() -> None:
    """JavaScript writes 381.0 as 381."""
    assert decode(b'{"output": [381]}', p.Values).output == [381.0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "cal"}, r"Invalid value 'cal'.* `\$\.type`"),
        ({"id": "7"}, r"Expected `int`, got `str`.* `\$\.id`"),
        ({"id": 7.5}, r"Expected `int`, got `float`.* `\$\.id`"),
        ({"forward": {"kind": "same", "message": ""}}, r"Invalid enum value 'same'.* `\$\.forward\.kind`"),
        ({"forward": None}, r"Expected `object`, got `null`.* `\$\.forward`"),
        ({"values": {"output": [1.0, "many"]}}, r"Invalid enum value 'many'.* `\$\.values\.output\[\d\]`"),
        ({"values": {"output": [None]}}, r"got `null`.* `\$\.values\.output\[\d\]`"),
    ],
)
def test_a_wrong_call_is_refused_where_it_is_wrong(call: p.Call, fields: dict[str, Any], reason: str) -> None:
    assert decode(altered(call), p.Event) == call
    with pytest.raises(msgspec.ValidationError, match=reason):
        decode(altered(call, **fields), p.Event)


def test_a_missing_field_is_refused_by_name(call: p.Call) -> None:
    plain = msgspec.to_builtins(call)
    del plain["expression"]
    with pytest.raises(msgspec.ValidationError, match="missing required field `expression`"):
        decode(json.dumps(plain).encode(), p.Event)


def test_a_field_from_a_later_minor_version_is_ignored(call: p.Call) -> None:
    assert decode(altered(call, mood="sunny"), p.Event) == call


def test_received_structs_cannot_be_changed(call: p.Call) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        call.name = "other"  # type: ignore[misc]
