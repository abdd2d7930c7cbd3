"""A watched model is copied, pickled and saved as without us, and loads where Torchtwin is not installed."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import torchtwin
from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
Step = Callable[..., object]


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 3))


def x() -> Tensor:
    return torch.randn(2, 5, 4, requires_grad=True)


def pickled(value: object) -> bytes:
    return pickle.dumps(value)


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def trained(model: nn.Module, x: Tensor) -> list[object]:
    """All that people save of a training."""
    optimizer = torch.optim.AdamW(model.parameters())
    model(x).sum().backward()
    optimizer.step()
    return [model, model.state_dict(), optimizer.state_dict(), list(model.parameters()), x]


def test_a_training_is_saved_to_the_same_bytes(harmless: Harmless) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        return [saved(part) for part in trained(model, x)]

    harmless(program, model(), x())


def test_what_is_pickled_is_the_same_again(harmless: Harmless) -> None:
    """To the byte it can't be: a pickle has the addresses of the tensors' memory in it."""

    def program(model: nn.Module, x: Tensor) -> object:
        written = [pickled(part) for part in trained(model, x)]
        assert not any(b"torchtwin" in it for it in written)
        return [pickle.loads(it) for it in written]

    harmless(program, model(), x())


def test_a_model_is_copied_while_its_graph_lives(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        out = model(x)
        deep, shallow = copy.deepcopy(model), copy.copy(model)
        out.sum().backward()
        return [deep, shallow, step(deep, x), step(copy.deepcopy(model), x), copy.deepcopy(x)]

    harmless(program, model(), x())


def test_a_result_still_refuses_to_be_copied(harmless: Harmless) -> None:
    def program(model: nn.Module, x: Tensor) -> str:
        with pytest.raises(RuntimeError) as caught:
            copy.deepcopy(model(x))
        return str(caught.value)

    harmless(program, model(), x())


@pytest.mark.parametrize("written", [pickled, saved])
def test_what_was_written_loads_without_torchtwin(tmp_path: Path, written: Callable[[object], bytes]) -> None:
    net = model().eval()
    given = torch.randn(2, 5, 4)
    with torchtwin.watch():
        expected = net(given)
        expected.sum().backward()
        (tmp_path / "model").write_bytes(written([net, given, expected.detach()]))
    load = "pickle.load(file)" if written is pickled else "torch.load(file, weights_only=False)"
    source = (
        "import pickle, sys, torch\nsys.modules['torchtwin'] = None\n"  # to import it is an error
        f"torch.set_num_threads({torch.get_num_threads()})\n"  # sums go by it
        f"with open({str(tmp_path / 'model')!r}, 'rb') as file: net, given, expected = {load}\n"
        "with torch.enable_grad(): print(torch.equal(net(given), expected))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
