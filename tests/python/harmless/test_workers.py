"""The workers of a data loader, forked and spawned, may run layers; what the parent records stays its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib, json, sys
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import torchtwin
from torchtwin.kernel.session import session


class Features(Dataset):
    def __init__(self):
        torch.manual_seed(1)
        self.layer = nn.Linear(4, 4)

    def __len__(self):
        return 12

    def __getitem__(self, item):
        with torch.no_grad():
            features = self.layer(torch.full((4,), float(item)) + torch.rand(4))
        return features, item, len(torchtwin.records())


def digest(tensor):
    return hashlib.sha256(tensor.detach().numpy().tobytes()).hexdigest()[:16]


def train(loader):
    torch.manual_seed(2)
    head = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01)
    told, recorded = [], []
    for _ in range(2):
        for features, items, records in loader:
            optimizer.zero_grad()
            loss = head(features).pow(2).mean()
            loss.backward()
            optimizer.step()
            told += [digest(features), digest(loss), items.tolist()]
            recorded += records.tolist()
    return [*told, *map(digest, head.parameters())], recorded


def run():
    torch.manual_seed(3)
    data = Features()
    loader = DataLoader(
        data,
        batch_size=3,
        num_workers=2 if sys.argv[1] == "fork" else 1,  # a spawned one imports torch anew
        multiprocessing_context=sys.argv[1],
        persistent_workers=True,
        shuffle=True,
    )
    data[0]
    told, recorded = train(loader)
    report = session.guard.report()
    return {
        "told": told,
        "random": digest(torch.get_rng_state()),
        "in workers": recorded,
        "records": [(it["operands"]["weight"]["shape"], it["forward"]["kind"]) for it in torchtwin.records()],
        "ids": [it["id"] for it in torchtwin.records()],
        "fault": report and report.first,
    }


if __name__ == "__main__":
    plain = run()
    with torchtwin.watch("every"):
        print(json.dumps([plain, run()]))
"""


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_compute_the_same_and_the_parent_keeps_its_own_records(tmp_path: Path, start: str) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    command = [sys.executable, "-W", "error", str(file), start]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    plain, watched = json.loads(done.stdout)
    assert (watched["told"], watched["random"]) == (plain["told"], plain["random"])
    assert (watched["fault"], plain["records"]) == (None, [])
    assert watched["records"] == [[[4, 4], "identical"]] + [[[2, 4], "identical"]] * 8
    assert watched["ids"] == list(range(1, 10))
    in_workers = watched["in workers"]
    # A forked worker goes on from what the parent had recorded; a spawned one knows of no watch.
    assert (min(in_workers) > 1) is (max(in_workers) > 0) is (start == "fork")
