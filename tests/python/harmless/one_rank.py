"""One of several processes that train a model together, unwatched and watched: what both gave, as JSON on stdout.

`python one_rank.py ddp|fsdp RANK RANKS PORT`; the store behind PORT is another's.
"""

from __future__ import annotations

import json
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import torchtwin
from torchtwin.kernel.session import session

STEPS = 3


def wrapped(kind: str, model: nn.Sequential) -> nn.Module:
    if kind == "ddp":
        return DistributedDataParallel(model)
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for layer in (model[0], model[2]):
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def train(kind: str) -> dict[str, object]:
    """Each rank has batches of its own."""
    torch.manual_seed(0)
    model = wrapped(kind, nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    torch.manual_seed(1 + dist.get_rank())
    losses, gradients = [], []
    for _ in range(STEPS):
        loss = model(torch.randn(5, 6)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        gradients += [whole(p.grad) for p in model.parameters() if p.grad is not None]
        optimizer.step()
        losses.append(loss.item().hex())
    return {
        "losses": losses,
        "gradients": gradients,
        "weights": [whole(p) for p in model.parameters()],
        "kinds": sorted({type(p).__name__ for p in model.parameters()}),
        "random": torch.get_rng_state().tolist(),
    }


def whole(tensor: torch.Tensor) -> list[str]:
    """Every bit of all of it, of the parts on other ranks too."""
    plain = tensor.detach()
    values = plain.full_tensor() if isinstance(plain, DTensor) else plain
    return [float(value).hex() for value in values.flatten()]


def a_call() -> int | None:
    """The rank that a call made now is recorded with."""
    torchtwin.clear()
    with torchtwin.watch("every"):
        nn.Linear(2, 3)(torch.ones(1, 2))
    return session.latest(10_000)[-1].rank


def main(kind: str, rank: int, ranks: int, port: int) -> None:
    alone = [a_call()]
    store = dist.TCPStore("127.0.0.1", port, is_master=False)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks)
    plain = train(kind)
    torchtwin.clear()
    with torchtwin.watch("every"):
        watched = train(kind)
    calls = session.latest(10_000)
    again = train(kind)
    dist.destroy_process_group()
    alone.append(a_call())
    json.dump(
        {
            "plain": plain,
            "watched": watched,
            "again": again,
            "ranks": [call.rank for call in calls],
            "verdicts": [
                [it and it.kind for it in (call.forward, call.gradients.weight, call.gradients.bias)] for call in calls
            ],
            "alone": alone,
            "faults": session.guard.report() and session.guard.report().first,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
