"""A matrix product as it was asked for, and parts of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Index = slice | Tensor


@dataclass(frozen=True)
class Product:
    """What was computed: `left @ right.T + bias`, in one dtype."""

    left: Tensor
    """Shape (M, K)."""
    right: Tensor
    """Shape (N, K)."""
    bias: Tensor | None
    """Broadcasts to (M, N)."""

    @property
    def shape(self) -> torch.Size:
        """Of the result: (M, N)."""
        return torch.Size((self.left.shape[0], self.right.shape[0]))

    @property
    def terms(self) -> int:
        return self.left.shape[1]

    def bias_rows(self) -> Tensor | None:
        """Shape (M, N), or (1, N) where all rows have the same."""
        if self.bias is None:
            return None
        full = self.bias.broadcast_to(self.shape)
        return full[:1] if full.stride(0) == 0 and full.shape[0] else full

    def part(self, rows: Index, columns: Index = slice(None)) -> Product:
        """The product that gives some rows and columns of the result."""
        bias = None if self.bias is None else self.bias.broadcast_to(self.shape)[rows][:, columns]
        return Product(self.left[rows], self.right[columns], bias)

    def evaluate(self) -> Tensor:
        """In the operands' own dtype, rounded after the product and again after the sum."""
        product = self.left @ self.right.T
        return product if self.bias is None else product + self.bias
