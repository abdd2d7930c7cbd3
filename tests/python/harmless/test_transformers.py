"""Small models of `transformers`, randomly initialised, train and generate the same bits under the watch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from torchtwin.protocol import Call

WORDS = 50
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def words() -> Tensor:
    return torch.randint(3, WORDS, (2, 7))


def text() -> dict[str, Tensor]:
    ids = words()
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


def images() -> dict[str, Tensor]:
    return {"pixel_values": torch.randn(2, 3, 8, 8), "labels": torch.tensor([0, 2])}


def sound() -> dict[str, Tensor]:
    return {"input_features": torch.randn(2, 8, 20), "labels": words()}


def bert() -> nn.Module:
    return BertForMaskedLM(BertConfig(**SMALL))


def gpt2() -> nn.Module:
    """Its blocks are Conv1D, which multiplies by `addmm`; only the head is an `nn.Linear`."""
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=WORDS, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    )


def llama() -> nn.Module:
    return LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=1))


def t5() -> nn.Module:
    return T5ForConditionalGeneration(
        T5Config(vocab_size=WORDS, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0)
    )


def vit() -> nn.Module:
    small = {name: SMALL[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers")}
    return ViTForImageClassification(
        ViTConfig(**small, num_attention_heads=2, image_size=8, patch_size=4, num_labels=3)
    )


def whisper() -> nn.Module:
    config = WhisperConfig(
        vocab_size=WORDS,
        num_mel_bins=8,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=10,
        max_target_positions=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    return WhisperForConditionalGeneration(config)


def mixtral() -> nn.Module:
    return MixtralForCausalLM(MixtralConfig(**SMALL, num_key_value_heads=1, num_local_experts=3))


MODELS = {
    "bert": (bert, text),
    "gpt2": (gpt2, text),
    "llama": (llama, text),
    "t5": (t5, text),
    "vit": (vit, images),
    "whisper": (whisper, sound),
    "mixtral": (mixtral, text),
}
GENERATE = ["gpt2", "llama", "t5", "whisper", "mixtral"]


def made(name: str) -> tuple[nn.Module, dict[str, Tensor]]:
    torch.manual_seed(0)
    model, inputs = MODELS[name]
    return model(), inputs()


def train(model: nn.Module, inputs: dict[str, Tensor]) -> Any:
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=0.01)
    output = model(**inputs)
    output.loss.backward()
    optimizer.step()
    return output, optimizer.state_dict()


@pytest.mark.parametrize("name", MODELS)
def test_a_step_of_training_ends_in_the_same_weights(harmless: Callable[..., list[Call]], name: str) -> None:
    assert harmless(train, *made(name))


@pytest.mark.parametrize("sampled", [False, True], ids=["greedy", "sampled"])
@pytest.mark.parametrize("name", GENERATE)
def test_a_model_generates_the_same_from_its_cache(
    harmless: Callable[..., list[Call]], name: str, sampled: bool
) -> None:
    model, inputs = made(name)
    del inputs["labels"]

    def generate(model: Any, inputs: dict[str, Tensor]) -> Any:
        done = model.generate(
            **inputs, max_new_tokens=4, do_sample=sampled, return_dict_in_generate=True, output_logits=True
        )
        assert done.past_key_values.get_seq_length() > 1
        return done

    assert harmless(generate, model.eval(), inputs)


def test_nothing_is_downloaded() -> None:
    assert transformers.utils.hub.is_offline_mode()
