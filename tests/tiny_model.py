"""A tiny Llama with random weights, and a tokenizer of whole words: real classes of transformers, ready in a blink."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 64
PAD, END = 0, 1


def tiny_model(seed: int = 0) -> Any:
    """Two layers of 32; weights large enough that logits are far from equal."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
        pad_token_id=PAD,
        bos_token_id=None,
        eos_token_id=END,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


def tiny_tokenizer() -> Any:
    r"""``w2`` ... ``w61`` and both verdict lines are words; a chat is its messages one after the other and ``w2``."""
    words = {"<pad>": PAD, "<end>": END, **{f"w{n}": n for n in range(2, VOCABULARY - 2)}}
    words |= {r"\conclusion{T}": VOCABULARY - 2, r"\conclusion{F}": VOCABULARY - 1}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>", padding_side="left"
    )
    wrapped.chat_template = (
        "{% for message in messages %}{{ message['content'] }} {% endfor %}{% if add_generation_prompt %}w2{% endif %}"
    )
    return wrapped
