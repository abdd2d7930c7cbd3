"""Layers in the forms that people put them into: recurrent, normalised, pruned, lazy, tied, adapted."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
Step = Callable[..., object]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 8, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.lstm(x)
        out: Tensor = self.head(hidden[:, -1])
        return out


class Tied(nn.Module):
    """Embeds words and finds them again with one weight, as language models do."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        out: Tensor = self.head(torch.tanh(self.body(self.embedding(words))))
        return out


def test_an_lstm_with_a_head(harmless: Harmless, step: Step) -> None:
    (head,) = harmless(step, Recurrent(), torch.randn(2, 5, 4, requires_grad=True), recorded=1)
    assert head.name == "self.head"


@pytest.mark.parametrize("training", [True, False])
def test_a_transformer_with_masks(harmless: Harmless, step: Step, training: bool) -> None:
    model = nn.Transformer(8, 2, 1, 1, 16, dropout=0.1, batch_first=True).train(training)
    mask = model.generate_square_subsequent_mask(5)

    def program(model: nn.Module, source: Tensor, target: Tensor) -> object:
        return step(model, source, target, tgt_mask=mask, tgt_is_causal=True)

    assert harmless(program, model, torch.randn(2, 6, 8), torch.randn(2, 5, 8))


@pytest.mark.parametrize("no_grad", [torch.no_grad, torch.inference_mode])
def test_the_fast_path_of_an_encoder_is_still_taken(harmless: Harmless, no_grad: Callable[[], torch.no_grad]) -> None:
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()

    def program(model: nn.Module, x: Tensor) -> list[object]:
        with no_grad(), torch.autograd.profiler.profile() as profile:
            out = model(x)
        return [out, sorted(event.name for event in profile.function_events if not event.name.startswith("["))]

    with torch.no_grad():
        assert "aten::_transformer_encoder_layer_fwd" in program(model, torch.randn(2, 5, 8))[1]  # type: ignore[operator]
    harmless(program, model, torch.randn(2, 5, 8), recorded=0)


@pytest.mark.parametrize("normed", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_normalised_weight(harmless: Harmless, step: Step, normed: Callable[[nn.Module], nn.Module]) -> None:
    def program(model: nn.Module, x: Tensor) -> list[object]:
        return [step(model.train(), x), step(model.eval(), x)]

    assert harmless(program, normed(nn.Linear(4, 3)), torch.randn(5, 4, requires_grad=True))


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_a_weight_that_an_old_style_hook_normalises(harmless: Harmless, step: Step) -> None:
    def program(x: Tensor) -> object:
        return step(nn.utils.weight_norm(nn.Linear(4, 3)), x)

    assert harmless(program, torch.randn(5, 4, requires_grad=True))


def test_a_pruned_layer(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> list[object]:
        prune.l1_unstructured(model[0], "weight", amount=0.5)  # type: ignore[index]
        prune.random_structured(model[2], "weight", amount=1, dim=0)  # type: ignore[index]
        pruned = step(model, x)
        prune.remove(model[0], "weight")  # type: ignore[index]
        return [pruned, step(model, x)]

    assert harmless(program, mlp(), torch.randn(5, 4))


def test_lazy_layers(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> list[object]:
        return [step(model, x), step(model, x)]

    assert harmless(program, nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)), torch.randn(5, 4))


def test_tied_weights(harmless: Harmless, step: Step) -> None:
    assert harmless(step, Tied(), torch.randint(10, (2, 5)))


def test_a_lora_that_is_trained_switched_off_and_merged(harmless: Harmless, step: Step) -> None:
    config = LoraConfig(r=2, lora_alpha=4, lora_dropout=0.1, target_modules=["0", "2"], init_lora_weights=False)

    def program(model: nn.Module, x: Tensor) -> list[object]:
        adapted = get_peft_model(model, config)
        optimizer = torch.optim.SGD([it for it in adapted.parameters() if it.requires_grad], lr=0.1)
        trained = step(adapted, x)
        optimizer.step()
        with adapted.disable_adapter(), torch.no_grad():
            base = adapted(x)
        merged = adapted.merge_and_unload()
        return [trained, base, merged(x), merged]

    assert len(harmless(program, mlp(), torch.randn(5, 4))) == 6 + 2 + 2


def test_a_layer_in_which_a_weight_is_replaced_between_steps(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> list[object]:
        first = step(model, x)
        model.load_state_dict(copy.deepcopy(mlp().state_dict()))
        second = step(model, x)
        model[0].weight.data = torch.ones(8, 4)  # type: ignore[index]
        third = step(model, x)
        model.to(torch.float64)
        return [first, second, third, step(model, x.double())]

    assert harmless(program, mlp(), torch.randn(5, 4))
