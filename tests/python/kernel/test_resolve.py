"""Words lead to what they mean, without running any of the user's code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from torchtwin.kernel.resolve import resolve


class Trap:
    """Everything that could run the user's code does, and tells."""

    ran: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> object:
        Trap.ran.append(name)
        return None

    def __getitem__(self, key: object) -> object:
        Trap.ran.append(str(key))
        return None

    @property
    def prop(self) -> None:
        Trap.ran.append("prop")


net = nn.Sequential(nn.Linear(2, 3), nn.ModuleDict({"a": nn.Linear(3, 1)}))
SCOPES: list[dict[str, Any]] = [
    {"i": 1, "trap": Trap()},
    {"net": net, "layers": [net], "by_name": {"n": net}, "i": 0, "torch": torch},
]


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("net", net),
        ("net[0]", net[0]),
        ("net[i]['a']", net[1]["a"]),
        ("layers[0][0]", net[0]),
        ("by_name['n'][0].weight", net[0].weight),
        ("torch.nn.Linear", nn.Linear),
        ("net[7]", None),
        ("absent", None),
        ("net.absent", None),
        ("net[0](x)", None),
        ("not python", None),
    ],
)
def test_words_lead_where_they_should(words: str, meaning: object) -> None:
    assert resolve(words, SCOPES) is meaning


@pytest.mark.parametrize("words", ["trap.prop", "trap.anything", "trap[0]", "trap.a.b"])
def test_no_code_of_the_users_runs(words: str) -> None:
    Trap.ran.clear()
    assert resolve(words, SCOPES) is None
    assert Trap.ran == []
