"""The work that is watched: single calls, a step of an encoder, training an MLP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Work:
    name: str
    model: nn.Module
    input: Tensor
    run: Callable[[Forward, int], None]
    """So many steps with `forward`, the model or what stands in its place."""
    calls: int
    """Of `F.linear` in a step."""
    steps: int | None = None
    """In a block that is timed; null: as many as fill the time."""


class Block(nn.Module):
    """A layer of the encoder, with six linear calls."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.before_wide = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.before_attention(x)
        q, k, v = (self._by_head(it) for it in (self.query(h), self.key(h), self.value(h)))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))
        return x + self.narrow(F.gelu(self.wide(self.before_wide(x))))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)


def single() -> Work:
    layer, x = nn.Linear(64, 64), torch.randn(1, 64)

    def run(fc: Forward, times: int) -> None:
        with torch.no_grad():
            for _ in range(times):
                fc(x)

    return Work("nn.Linear(64, 64), batch 1, forward, no grad", layer, x, run, calls=1)


def encoder(layers: int = 12, width: int = 256, batch: int = 8, length: int = 64) -> Work:
    model = nn.Sequential(*(Block(width, 8) for _ in range(layers)), nn.Linear(width, width))
    x = torch.randn(batch, length, width)

    def run(net: Forward, times: int) -> None:
        for _ in range(times):
            net(x).square().mean().backward()
            model.zero_grad()

    name = f"{layers}-layer encoder, d {width}, batch {batch} x {length}, forward and backward"
    return Work(name, model, x, run, calls=6 * layers + 1)


def mlp(steps: int = 200) -> Work:
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    x, labels = torch.randn(64, 784), torch.randint(0, 10, (64,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def run(net: Forward, times: int) -> None:
        for _ in range(times):
            optimizer.zero_grad()
            F.cross_entropy(net(x), labels).backward()
            optimizer.step()

    return Work(f"MLP 784-512-512-10, batch 64, {steps} steps with SGD", model, x, run, calls=3, steps=steps)


WORKS: dict[str, Callable[[], Work]] = {"single": single, "encoder": encoder, "mlp": mlp}


def linear_calls(work: Work) -> int:
    """How often one step really calls `F.linear`."""
    count = 0
    original = F.linear

    def counting(*operands: Any) -> Tensor:
        nonlocal count
        count += 1
        return original(*operands)

    F.linear = counting
    try:
        work.run(work.model, 1)
    finally:
        F.linear = original
    return count
