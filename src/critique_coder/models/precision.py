"""Which number format is fastest here, and what it must not blur."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_FAST = ("amx_bf16", "avx512_bf16")
"""What a processor must offer one of to multiply bfloat16 faster than float32."""


def compute_dtype() -> torch.dtype:
    """bfloat16 where the hardware multiplies it (a GPU, a processor with AMX or AVX512-BF16), else float32.

    Where it does not, bfloat16 products take about twice the time of float32 ones; where it does, about a third
    (``benchmarks/precision.py``).
    """
    offers = torch.cpu.get_capabilities()
    fast = torch.cuda.is_available() or any(offers.get(name, False) for name in _FAST)
    return torch.bfloat16 if fast else torch.float32


class ExactHead(torch.nn.Module):
    """An output layer whose ``exact`` likeliest words have float32 logits, at the price of the bfloat16 product.

    bfloat16 keeps eight bits: logits between 16 and 32 come in steps of an eighth. Words that are closer than that tie,
    and the one with the smaller number wins. A policy that has begun to tell correct from wrong solutions does it by
    less; reinforcement learning meets the same (MiniMax-M1, arXiv 2506.13585). ``forward`` takes states of
    shape (..., width) and returns logits (..., vocabulary), float32.
    """

    def __init__(self, head: Any, exact: int = 32) -> None:
        super().__init__()
        self.weight, self.bias, self._exact = head.weight, head.bias, exact

    def forward(self, states: Tensor) -> Tensor:
        """The logits of ``states``."""
        logits = torch.nn.functional.linear(states, self.weight, self.bias)
        words = logits.topk(min(self._exact, logits.shape[-1]), dim=-1).indices
        with torch.autocast(states.device.type, enabled=False):  # where a trainer samples, bfloat16 would come back
            exact = (self.weight[words].float() @ states.float().unsqueeze(-1)).squeeze(-1)
        if self.bias is not None:
            exact += self.bias[words].float()
        return logits.float().scatter_(-1, words, exact)


def sharpen(model: Any) -> Any:
    """Give a bfloat16 model an ``ExactHead``, in place; other models stay as they are. Returns ``model``."""
    head = model.get_output_embeddings()
    if isinstance(head, torch.nn.Linear) and head.weight.dtype is torch.bfloat16:
        model.set_output_embeddings(ExactHead(head))
    return model
