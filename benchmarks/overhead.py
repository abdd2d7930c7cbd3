"""What the watch costs: `python benchmarks/overhead.py`. Watched and unwatched runs alternate; medians are told."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

import torchtwin

ROUNDS = 15


def seconds(work: Callable[[], object], times: int) -> float:
    """For one call of `work`."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


def compare(name: str, work: Callable[[], object], times: int) -> None:
    """Prints the time of an unwatched run, what watching adds, and the ratio."""
    plain, watched = [], []
    for _ in range(ROUNDS):
        plain.append(seconds(work, times))
        with torchtwin.watch():
            watched.append(seconds(work, times))
        torchtwin.clear()
    added = statistics.median(w - p for p, w in zip(plain, watched, strict=True))
    ratio = statistics.median(w / p for p, w in zip(plain, watched, strict=True))
    print(f"{name:44} {1e6 * statistics.median(plain):10.0f} us  +{1e6 * added:8.0f} us  x {ratio:.2f}")


def main() -> None:
    torch.set_num_threads(1)
    layer, x = torch.nn.Linear(64, 64), torch.randn(1, 64)
    encoder = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True), 2)
    tokens = torch.randn(8, 64, 256)

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    compare("nn.Linear(64, 64), batch 1, forward", forward, 200)
    compare("the same, forward and backward", lambda: layer(x).sum().backward(), 100)
    compare("2-layer encoder, 8 x 64 x 256, with backward", lambda: encoder(tokens).sum().backward(), 1)


if __name__ == "__main__":
    main()
