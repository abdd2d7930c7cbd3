"""Two results that are held against each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from torchtwin.kernel.comparing.sides import Side
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.judge import Words


@dataclass(frozen=True)
class Pair:
    """Two sides of one shape, and of floating dtypes that can be judged."""

    actual: Side
    expected: Side

    @property
    def words(self) -> Words:
        return Words(self.actual.name, self.expected.name)

    @property
    def dtype(self) -> torch.dtype:
        """The less precise of the two."""
        return max((self.actual.value.dtype, self.expected.value.dtype), key=UNIT_ROUNDOFF.__getitem__)
