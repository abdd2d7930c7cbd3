"""Two results that are held against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import torch

from torchtwin.kernel.comparing.sides import Side
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import Part, Words, judge
from torchtwin.protocol import Verdict


@dataclass(frozen=True)
class Pair:
    """Two sides of one shape, and of floating dtypes that can be judged."""

    actual: Side
    expected: Side
    part: Part | None = None
    """Where they are some rows of larger results."""

    @property
    def words(self) -> Words:
        return Words(self.actual.name, self.expected.name)

    @property
    def dtype(self) -> torch.dtype:
        """The less precise of the two."""
        return max((self.actual.value.dtype, self.expected.value.dtype), key=UNIT_ROUNDOFF.__getitem__)

    def judge(self, within: Enclosure, limit: str = Words.limit) -> Verdict:
        """The verdict, given where honest results lie, and what that limit is called."""
        words = replace(self.words, limit=limit)
        return judge(self.actual.value, self.expected.value, within, words, self.part)


def is_low(dtype: torch.dtype) -> bool:
    """Whether a precision is lower than float32's."""
    return UNIT_ROUNDOFF[dtype] > UNIT_ROUNDOFF[torch.float32]


def noted(verdict: Verdict, note: str) -> Verdict:
    """The verdict with one more note."""
    return msgspec.structs.replace(verdict, note=f"{verdict.note}; {note}" if verdict.note else note)
