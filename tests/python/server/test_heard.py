"""A page that a kernel published is believed only as far as it was read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.python.server.conftest import IDENTICAL, KERNEL, call, content, page, run, state, taken

from torchtwin import protocol as p
from torchtwin.server.heard import Heard, Unfit, heard

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").glob("page-*.json"))
DIFFERENT = p.Verdict(kind="different", message="differs")
UNCHECKED = p.Verdict(kind="unchecked", message="not checked", reason="over the budget")


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_every_page_that_the_front_end_reads_is_taken_with_its_events_as_they_came(path: Path) -> None:
    sent = json.loads(path.read_text(encoding="utf-8"))["value"]
    found = heard(KERNEL, content(sent))
    assert found is not None
    assert json.loads(found.text) == sent
    assert [json.loads(row.body) for row in found.rows] == [it["event"] for it in sent["envelopes"]]


def test_the_message_of_another_comm_is_none_of_ours() -> None:
    assert heard(KERNEL, msgspec.json.encode({"comm_id": "widgets", "data": page(call(1))})) is None


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (call(1), "identical"),
        (call(1, UNCHECKED, gradients=p.Gradients(weight=IDENTICAL)), "identical"),
        (call(1, gradients=p.Gradients(input=DIFFERENT, weight=UNCHECKED)), "different"),
        (call(1, UNCHECKED, error=p.Failure("RuntimeError", "shapes", "they clash", [], [])), "failed"),
        (call(1, UNCHECKED), "unchecked"),
    ],
)
def test_a_call_is_filed_under_the_worst_of_its_verdicts(made: p.Call, verdict: str) -> None:
    assert [row.verdict for row in taken(page(made)).rows] == [verdict]


def test_a_run_is_filed_with_the_calls_that_its_calls_are_like() -> None:
    (row,) = taken(page(run(5, 1, 2, 1))).rows
    assert (row.kind, row.id, row.calls, row.like) == ("run", 5, 3, {1: 2, 2: 1})


def test_an_event_of_a_kind_that_is_not_known_is_counted_and_the_others_are_taken() -> None:
    sent = msgspec.to_builtins(page(call(1), state()))
    sent["envelopes"][0]["event"] = {"type": "hologram", "depth": 3}
    found = heard(KERNEL, content(sent))
    assert found is not None
    assert (found.unknown, [row.kind for row in found.rows]) == (1, ["state"])


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    sent: dict[str, Any] = msgspec.to_builtins(page(call(1), run(2, 1, 1)))
    change(sent)
    return sent


UNFIT: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("version 2 of the wire", lambda it: it.update(protocol=2)),
    ("ends before it begins", lambda it: it.update(after=9)),
    ("ends before it begins", lambda it: it.update(latest=1)),
    ("not of its page", lambda it: it["envelopes"][0].update(session="s2")),
    ("not of its page", lambda it: it["envelopes"][1].update(seq=3)),
    ("is no id", lambda it: it["envelopes"][0]["event"].update(id=-1)),
    ("is no id", lambda it: it["envelopes"][0]["event"].update(id=2**62)),
    ("is no id", lambda it: it["envelopes"][1]["event"].update(like=[1, -1])),
    ("no shapes", lambda it: it["envelopes"][1]["event"].update(shape=[0, 1])),
    ("no shapes", lambda it: it["envelopes"][1]["event"].update(shape=[0])),
    ("no shapes", lambda it: it["envelopes"][1]["event"].update(like=[], shape=[])),
    ("missing required field", lambda it: it["envelopes"][0]["event"].pop("name")),
    ("Expected `int` <=", lambda it: it.update(latest=2**60)),
    ("matching regex", lambda it: it.update(session="../s1")),
]


@pytest.mark.parametrize(("reason", "change"), UNFIT)
def test_a_page_that_contradicts_itself_is_refused_with_the_reason(
    reason: str, change: Callable[[dict[str, Any]], None]
) -> None:
    with pytest.raises(Unfit, match=reason):
        heard(KERNEL, content(changed(change)))


def test_text_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(Unfit):
        heard(KERNEL, content(page(call(1))).replace(b'"fc"', b'"\xff"'))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(data=json_values, path=st.lists(st.integers(0, 20), max_size=6))
def test_whatever_stands_in_place_of_a_part_is_refused_or_taken_and_nothing_else(data: Any, path: list[int]) -> None:
    sent: Any = msgspec.to_builtins(page(call(1), run(2, 1, 1), state(), p.Cleared(1)))
    replace(sent, path, data)
    try:
        found = heard(KERNEL, json.dumps({"comm_id": "torchtwin-records", "data": sent}).encode())
    except Unfit:
        return
    assert isinstance(found, Heard)


def replace(tree: Any, path: list[int], value: Any) -> None:
    """Puts `value` somewhere into `tree`, where `path` leads."""
    for step in path:
        keys = list(tree) if isinstance(tree, dict) else range(len(tree))
        key = keys[step % len(keys)] if keys else None
        if key is None:
            return
        if not isinstance(tree[key], dict | list) or step == path[-1]:
            tree[key] = value
            return
        tree = tree[key]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_page_are_refused(data: bytes) -> None:
    with pytest.raises(Unfit):
        heard(KERNEL, data)


def test_nesting_without_end_is_refused() -> None:
    deep = b'{"comm_id": "torchtwin-records", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(Unfit):
        heard(KERNEL, deep)
