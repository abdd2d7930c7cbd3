"""Honest pairs of whole networks: layers with all kinds of functions between them, and gradients of many losses.

Each side rounds its own hidden values, and its own way back from the loss; narrow layers and losses near their end
carry that far.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from benchmarks.trial import honest
from benchmarks.trial.honest import Pair
from torch import Tensor, nn
from torch.nn import functional

Function = Callable[[Tensor], Tensor]


def _exp(h: Tensor) -> Tensor:
    """In the range of float32: where e^h overflows, the gradient of what is written with it is NaN."""
    return torch.exp(h.clamp(max=80))


def _of_exponentials(h: Tensor) -> Tensor:
    rising, falling = torch.exp(h.clamp(-20, 20)), torch.exp(-h.clamp(-20, 20))
    return (rising - falling) / (rising + falling)


BETWEEN: dict[str, tuple[Function, Function]] = {
    "nothing": (lambda h: h, lambda h: h),
    "relu": (torch.relu, lambda h: h * (h > 0)),
    "tanh": (torch.tanh, torch.tanh),
    "gelu": (functional.gelu, lambda h: h * 0.5 * (1 + torch.erf(h / 2**0.5))),
    "tanh by exponentials": (torch.tanh, _of_exponentials),
    "tanh by sigmoid": (torch.tanh, lambda h: 2 / (1 + _exp(-2 * h)) - 1),
    "sigmoid": (torch.sigmoid, lambda h: 1 / (1 + _exp(-h))),
    "gelu by tanh": (
        lambda h: functional.gelu(h, approximate="tanh"),
        lambda h: 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3))),
    ),
    "silu": (functional.silu, lambda h: h / (1 + _exp(-h))),
    "leaky_relu": (functional.leaky_relu, lambda h: torch.where(h > 0, h, 0.01 * h)),
    "elu": (functional.elu, lambda h: torch.where(h > 0, h, _exp(h) - 1)),
    "softplus": (functional.softplus, lambda h: torch.where(h < 60, torch.log1p(_exp(h)), h)),
    "softplus by log": (functional.softplus, lambda h: torch.relu(h) + torch.log(1 + torch.exp(-h.abs()))),
    "square": (torch.square, lambda h: h * h),
    "swish": (lambda h: h * torch.sigmoid(h), lambda h: h * (torch.tanh(h / 2) + 1) / 2),
    "residual": (lambda h: h + torch.tanh(h), lambda h: torch.tanh(h) + h),
    "reciprocal": (lambda h: 1 / (1 + h.abs()), lambda h: (1 + h.abs()) ** -1),
    "softmax": (lambda h: torch.softmax(h, -1), lambda h: (h - h.logsumexp(-1, keepdim=True)).exp()),
    "layer_norm": (
        lambda h: functional.layer_norm(h, h.shape[-1:]),
        lambda h: (h - h.mean(-1, keepdim=True)) / (h.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt(),
    ),
    "numpy": (lambda h: torch.from_numpy(h.detach().numpy() ** 3), lambda h: h.detach() * h.detach() * h.detach()),
    "dropout": (lambda h: h * _kept(h) * 2, lambda h: h * _kept(h) / 0.5),
}
"""By torch's function in the layers' network, and by hand."""


def _kept(h: Tensor) -> Tensor:
    return (torch.rand(h.shape, generator=torch.Generator().manual_seed(1)) < 0.5).to(h.dtype)


LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "sum": (lambda y, t: y.sum(), lambda y, t: torch.ones_like(y)),
    "mean": (lambda y, t: y.mean(), lambda y, t: torch.ones_like(y) / y.numel()),
    "squares": (lambda y, t: ((y - t) ** 2).mean(), lambda y, t: 2 * (y - t) / y.numel()),
    "cross entropy": (
        lambda y, t: functional.cross_entropy(y.flatten(0, -2), _classes(t)),
        lambda y, t: _of_cross_entropy(y, t),
    ),
    "logistic": (
        lambda y, t: functional.binary_cross_entropy_with_logits(y, (t > 0).to(y.dtype)),
        lambda y, t: (1 / (1 + torch.exp(-y)) - (t > 0).to(y.dtype)) / y.numel(),
    ),
    "huber": (
        lambda y, t: functional.huber_loss(y, t),
        lambda y, t: torch.clamp(y - t, -1, 1) / y.numel(),
    ),
}
"""By torch's function, and its gradient by hand."""


def _classes(t: Tensor) -> Tensor:
    return t.flatten(0, -2).argmax(-1)


def _of_cross_entropy(y: Tensor, t: Tensor) -> Tensor:
    rows = y.flatten(0, -2)
    e = (rows - rows.max(-1, keepdim=True).values).exp()
    g = e / e.sum(-1, keepdim=True)
    g[range(len(g)), _classes(t)] -= 1
    return (g / len(g)).reshape(y.shape)


@dataclass(frozen=True)
class Network:
    layers: Sequence[nn.Linear]
    between: Sequence[str]
    x: Tensor

    def by_layers(self) -> Tensor:
        h = self.x
        for layer, function in zip(self.layers, [*self.between, "nothing"], strict=True):
            h = BETWEEN[function][0](layer(h))
        return h

    def by_hand(self, parameters: Sequence[tuple[Tensor, Tensor]], way: str) -> tuple[Tensor, Tensor]:
        """The output, and the input of the last layer."""
        h = last = self.x
        for (w, b), function in zip(parameters, [*self.between, "nothing"], strict=True):
            last, h = h, BETWEEN[function][1](honest.WAYS[way](h, w, b))
        return h, last

    def copies(self) -> list[tuple[Tensor, Tensor]]:
        return [
            (it.weight.detach().clone().requires_grad_(), it.bias.detach().clone().requires_grad_())
            for it in self.layers
        ]


def pairs(seed: int, count: int) -> Iterator[Pair]:
    """Outputs with and without a graph, gradients by autograd and by hand."""
    for number in range(count):
        draw = random.Random(f"network {seed} {number}")
        network = _network(draw)
        way = draw.choice(["x @ w.T + b", "einsum", "sum of products", "loop over rows"])
        kind = draw.choice(["output", "output without a graph", "output of a detached input", "gradient", "gradient"])
        what = f"network {seed} {number}: {kind}, {way}, {', '.join(network.between)}"
        found = _output(network, way, kind, what) if kind != "gradient" else _gradient(draw, network, way, what)
        if found is not None:
            yield found


def _network(draw: random.Random) -> Network:
    torch.manual_seed(draw.getrandbits(40))
    depth = draw.randint(2, 4)
    widths = [draw.choice([1, 1, 2, 3, 8, 64, 512]) for _ in range(depth + 1)]
    dtype = draw.choice([torch.float32, torch.float32, torch.float32, torch.float64, torch.bfloat16])
    layers = [nn.Linear(a, b, dtype=dtype) for a, b in itertools.pairwise(widths)]
    functions = [it for it in BETWEEN if it != "numpy" or dtype != torch.bfloat16]
    between = [draw.choice(functions) for _ in layers[1:]]
    batch = [draw.choice([1, 1, 2, 5, 64]) for _ in range(draw.choice([1, 1, 2]))]
    x = torch.randn(*batch, widths[0]).to(dtype) * draw.choice([1, 1, 8])
    return Network(layers, between, x)


def _output(network: Network, way: str, kind: str, what: str) -> Pair:
    mode = torch.no_grad() if kind == "output without a graph" else contextlib.nullcontext()
    with mode:
        y = network.by_layers()
        hand, _ = network.by_hand([(it.weight, it.bias) for it in network.layers], way)
    if kind == "output of a detached input":
        hand = hand.detach()
    return Pair("network, output", what, y, hand, network)


def _gradient(draw: random.Random, network: Network, way: str, what: str) -> Pair | None:
    loss = draw.choice(list(LOSSES))
    y = network.by_layers()
    t = torch.randn(y.shape).to(y.dtype)
    if draw.random() < 0.3:  # near the end of a training the error is as small as its rounding
        t = (y.detach().double() * (1 + 1e-6)).to(y.dtype)
    LOSSES[loss][0](y, t).backward()
    at = draw.randrange(len(network.layers))
    layer, copies = network.layers[at], network.copies()
    hand, last = network.by_hand(copies, way)
    if at == len(network.layers) - 1 and draw.random() < 0.5:
        g = LOSSES[loss][1](hand.detach(), t).reshape(-1, hand.shape[-1])
        of_w, of_b = g.T @ last.detach().reshape(-1, last.shape[-1]), g.sum(0)
    else:
        LOSSES[loss][0](hand, t).backward()
        of_w, of_b = copies[at][0].grad, copies[at][1].grad
    of, ours = draw.choice([(layer.weight, of_w), (layer.bias, of_b)])
    if of.grad is None or ours is None:  # cut off by NumPy
        return None
    return Pair("network, gradient", f"{what}, {loss}, layer {at}", ours, of.grad, network)
