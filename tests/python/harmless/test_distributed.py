"""Two processes that train one model together train the same one as unwatched, and each records its own calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

RANKS = 2
CALLS = 2 * 3
"""Two layers, three steps."""

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this torch was built without distributed or gloo"
)


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def told(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """What each rank has to tell of its training."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    script = Path(__file__).parent / "one_rank.py"
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), request.param, str(rank), str(RANKS), str(store.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(RANKS)
    ]
    outputs = []
    try:
        for process in processes:
            output, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
            outputs.append(json.loads(output))
    finally:
        for process in processes:
            process.kill()
    return outputs


def test_they_train_the_same_weights_bit_for_bit(told: list[dict[str, Any]]) -> None:
    for rank in told:
        assert rank["watched"] == rank["plain"]
        assert rank["again"] == rank["plain"]
        assert rank["faults"] is None


def test_no_verdict_is_wrong(told: list[dict[str, Any]]) -> None:
    """What is checked agrees: also where the weights are gathered for the call alone."""
    kinds = {kind for rank in told for verdicts in rank["verdicts"] for kind in verdicts}
    assert kinds <= {"identical", "rounding", "unchecked", None}


def test_fully_sharded_weights_are_of_the_kind_that_is_gathered(
    request: pytest.FixtureRequest, told: list[dict[str, Any]]
) -> None:
    kind = "DTensor" if "fsdp" in request.node.callspec.id else "Parameter"
    assert [rank["plain"]["kinds"] for rank in told] == [[kind]] * RANKS


def test_they_do_train_together(told: list[dict[str, Any]]) -> None:
    """On batches of their own: else the test above would say nothing of what is sent between them."""
    first, second = told
    assert first["plain"]["losses"] != second["plain"]["losses"]
    assert first["plain"]["weights"] == second["plain"]["weights"]
    assert first["plain"]["gradients"] == second["plain"]["gradients"]
    assert all(len(rank["plain"]["gradients"]) == 4 * 3 for rank in told)


def test_each_rank_records_its_own_calls_with_its_rank(told: list[dict[str, Any]]) -> None:
    assert [rank["ranks"] for rank in told] == [[0] * CALLS, [1] * CALLS]


def test_outside_of_a_process_group_a_call_has_no_rank(told: list[dict[str, Any]]) -> None:
    """Neither before it was made nor after it was destroyed."""
    assert [rank["alone"] for rank in told] == [[None, None], [None, None]]
