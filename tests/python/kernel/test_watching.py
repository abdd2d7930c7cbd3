"""The public functions, in processes of their own where the order of imports is the point."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

import torchtwin
from torchtwin.kernel.session import session

RECORD_KEYS = {"id", "name", "expression", "site", "operands", "forward", "gradients", "error"}
VERDICT_KEYS = {
    "kind",
    "message",
    "reason",
    "equal_elements",
    "elements",
    "max_abs_diff",
    "max_ulp_diff",
    "units",
    "bound",
    "coverage",
}


def python(source: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _off_again() -> object:
    yield
    torchtwin.unwatch()
    torchtwin.clear()


def test_a_watch_before_the_import_of_torch_sees_its_calls() -> None:
    out = python(
        "import torchtwin, sys\ntorchtwin.watch()\nassert 'torch' not in sys.modules\nimport torch\n"
        "torch.nn.Linear(2, 3)(torch.ones(1, 2))\n"
        "print(len(torchtwin.records()), torch.__spec__.loader.__class__.__name__)"
    )
    assert out.split() == ["1", "SourceFileLoader"]


def test_unwatching_before_the_import_leaves_no_hook() -> None:
    out = python(
        "import torchtwin, sys\nbefore = list(sys.meta_path)\ntorchtwin.watch()\ntorchtwin.unwatch()\n"
        "assert sys.meta_path == before\nimport torch\nprint(torch.nn.functional.linear is torch._C._nn.linear)"
    )
    assert out.strip() == "True"


def test_a_failing_import_of_torch_stays_the_users_error(tmp_path: object) -> None:
    out = python(
        f"import sys, pathlib\nfolder = pathlib.Path({str(tmp_path)!r})\n(folder / 'torch.py').write_text('1 / 0')\n"
        "sys.path.insert(0, str(folder))\nimport torchtwin\ntorchtwin.watch()\n"
        "try:\n    import torch\nexcept ZeroDivisionError:\n    print('theirs')"
    )
    assert out.strip() == "theirs"


def test_a_forked_child_does_not_wait_for_the_parents_locks() -> None:
    out = python(
        "import os, signal, threading, torch, torchtwin\nfrom torchtwin.kernel.session import session\n"
        "torchtwin.watch()\nheld, done = threading.Event(), threading.Event()\n"
        "def hold():\n    with session.recorder._lock, session.guard._lock:\n        held.set()\n        done.wait()\n"
        "threading.Thread(target=hold).start()\nheld.wait()\nchild = os.fork()\n"
        "if child == 0:\n    signal.alarm(20)\n    torch.nn.Linear(2, 3)(torch.ones(1, 2))\n"
        "    os._exit(len(torchtwin.records()))\n"
        "done.set()\nprint(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert out.strip() == "1"


def test_as_a_context_manager_it_ends_the_watch_that_it_began() -> None:
    with torchtwin.watch():
        torch.nn.Linear(2, 3)(torch.ones(1, 2))
    torch.nn.Linear(2, 3)(torch.ones(1, 2))
    assert len(torchtwin.records()) == 1


def test_an_inner_block_leaves_the_outer_watch_on() -> None:
    torchtwin.watch()
    with torchtwin.watch():
        pass
    torch.nn.Linear(2, 3)(torch.ones(1, 2))
    assert len(torchtwin.records()) == 1


def test_records_are_plain_and_json_able_with_the_promised_keys() -> None:
    with torchtwin.watch():
        torch.nn.Linear(2, 3)(torch.ones(1, 2)).sum().backward()
    (record,) = torchtwin.records()
    assert json.loads(json.dumps(record)) == record
    assert set(record) >= RECORD_KEYS
    assert set(record["site"]) >= {"cell_id", "file", "line", "source"}
    assert set(record["operands"]) == {"input", "weight", "weight_t", "bias", "output"}
    assert set(record["operands"]["input"]) == {"name", "shape", "dtype", "device", "requires_grad"}
    assert set(record["forward"]) >= VERDICT_KEYS
    assert set(record["gradients"]) == {"weight", "bias", "input"}


def test_code_in_a_file_has_its_path_and_line() -> None:
    with torchtwin.watch():
        torch.nn.Linear(2, 3)(torch.ones(1, 2))  # this line
    site = torchtwin.records()[0]["site"]
    assert (site["file"], site["cell_id"]) == (__file__, None)
    assert site["source"].endswith("# this line")


def test_clear_drops_the_records_and_keeps_watching() -> None:
    torchtwin.watch()
    torch.nn.Linear(2, 3)(torch.ones(1, 2))
    torchtwin.clear()
    assert torchtwin.records() == []
    torch.nn.Linear(2, 3)(torch.ones(1, 2))
    assert len(torchtwin.records()) == 1


def test_a_mode_that_there_is_not_is_refused_and_nothing_changes() -> None:
    with pytest.raises(ValueError, match="mode is 'all'; it must be one of 'shapes', 'auto', 'every'"):
        torchtwin.watch(mode="all")  # type: ignore[arg-type]
    assert not session.watching


@pytest.mark.parametrize("budget", [0, -0.1, 1.01, 3, float("nan")])
def test_a_budget_that_is_no_share_is_refused_and_nothing_changes(budget: float) -> None:
    with pytest.raises(ValueError, match=r"budget is .*; it is a share of the running time, above 0 and at most 1"):
        torchtwin.watch(budget=budget)
    assert not session.watching
    assert session.budget == 0.03


def test_mode_and_budget_hold_until_they_are_set_again() -> None:
    before = torchtwin.watch(mode="shapes", budget=0.5)
    torchtwin.watch()
    assert (session.mode, session.budget) == ("shapes", 0.5)
    torchtwin.watch(mode="every")
    assert (session.mode, session.budget) == ("every", 0.5)
    before.__exit__(None, None, None)
    assert (session.mode, session.budget) == ("auto", 0.03)


def test_a_block_gives_mode_and_budget_back() -> None:
    with torchtwin.watch("every", 1):
        assert (session.watching, session.mode, session.budget) == (True, "every", 1)
        with torchtwin.watch("shapes"):
            assert (session.mode, session.budget) == ("shapes", 1)
        assert (session.watching, session.mode) == (True, "every")
    assert (session.watching, session.mode, session.budget) == (False, "auto", 0.03)


def test_records_tell_each_call_also_those_that_were_only_counted() -> None:
    fc, x = torch.nn.Linear(2, 3), torch.ones(1, 2)
    with torchtwin.watch("shapes"):
        for _ in range(50):
            fc(x)
    records = torchtwin.records()
    assert [it["id"] for it in records] == list(range(records[0]["id"], records[0]["id"] + 50))
    assert {it["forward"]["reason"] for it in records} == {"in mode `shapes` calls are recorded only"}
    assert {it["site"]["source"] for it in records} == {"fc(x)"}


def test_a_block_within_a_cell_that_watches_by_itself_is_no_choice_that_outlasts_the_block() -> None:
    lent = session.lend("every")
    with torchtwin.watch("shapes"):
        assert session.mode == "shapes"
    assert (session.watching, session.mode) == (True, "every")
    session.take_back(lent)
    assert (session.watching, session.mode) == (False, lent.mode)


def test_a_watch_that_is_asked_for_within_such_a_cell_goes_on_after_it() -> None:
    lent = session.lend("every")
    torchtwin.watch()
    session.take_back(lent)
    assert (session.watching, session.mode) == (True, lent.mode)
