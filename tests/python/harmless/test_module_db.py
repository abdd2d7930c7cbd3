"""Every module that torch tests itself, forward and backward, notices nothing of the watch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)  # it can do without hypothesis, and so can we
    from torch.testing._internal.common_modules import ModuleInfo, module_db

# Torch's own tests forbid to assign to `torch.backends.*`, in all of the process.
setattr(torch.backends, "__allow_nonbracketed_mutation_flag", True)

MAX_SAMPLES = 16
"""Of one module. Some have many more, the product of all of their options: of these some by chance."""
IN_CPP = {nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell}
"""Make their linear operations where no tap is."""
NOT_IN_FLOAT32 = {nn.FractionalMaxPool2d, nn.FractionalMaxPool3d}
"""Their samples hold random numbers in float64 whatever they are asked for."""


def samples(info: ModuleInfo, training: bool) -> list[Any]:
    dtype = torch.float64 if info.module_cls in NOT_IN_FLOAT32 else torch.float32
    made = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
    return Random(training).sample(made, min(len(made), MAX_SAMPLES))


def made_of(info: ModuleInfo, sample: Any) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = info.module_cls(*sample.constructor_input.args, **sample.constructor_input.kwargs)
    return module


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("info", module_db, ids=lambda info: info.formatted_name)
def test_a_module_runs_as_without_us(
    harmless: Callable[..., list[Any]], step: Callable[..., object], info: ModuleInfo, training: bool
) -> None:
    def program(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> object:
        return step(module, *args, **named)

    recorded = 0 if info.module_cls in IN_CPP else None
    torch.manual_seed(0)
    for sample in samples(info, training):
        module = made_of(info, sample).train(training)
        harmless(program, module, sample.forward_input.args, sample.forward_input.kwargs, recorded=recorded)


def test_nothing_is_left_out() -> None:
    """All of the table is run, so this is about the table."""
    assert len(module_db) >= 114
    known = {info.module_cls for info in module_db}
    assert known >= {nn.Linear, nn.Bilinear, nn.LazyConv2d, nn.MultiheadAttention, nn.Transformer, nn.LSTM} | IN_CPP
    assert all(samples(info, training) for info in module_db for training in (True, False))
