"""Log-probabilities of completions, computed for the completions alone.

The output layer of a small model is a fifth of its work and, at 49,152 words, most of its memory. The trainers of TRL
run it over every position, prompts included, wherever Triton is missing; here only the columns that hold completions
reach it. Used by both training stages.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def completion_logprobs(
    model: Any, input_ids: Tensor, attention_mask: Tensor, length: int, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of each of the last ``length`` tokens.

    ``input_ids`` and ``attention_mask`` have shape (rows, tokens), prompts padded on the left, so that completions
    begin in the same column. Both results have shape (rows, ``length``); the entropy carries no gradient.
    """
    positions = (attention_mask.cumsum(1) - 1).clamp(min=0)
    logits = model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=positions,
        logits_to_keep=length + 1,
        use_cache=False,
    ).logits
    logp = (logits[:, :-1].float() / temperature).log_softmax(-1)
    chosen = logp.gather(-1, input_ids[:, -length:, None])[..., 0]
    with torch.no_grad():
        entropy = -(logp.exp() * logp).sum(-1)
    return chosen, entropy


def clipped_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, tokens: Tensor, low: float, high: float
) -> Tensor:
    """The token-mean GRPO loss (paper, section 2.3; DAPO, arXiv 2503.14476, eq. 12), summed over these rows.

    ``logprobs``, ``old_logprobs`` and ``mask`` have shape (rows, length), ``advantages`` (rows,). ``tokens`` is the
    number of tokens that count in the whole batch, so that the parts of a batch add up to its mean. The ratio of new
    to old probability is clipped to [1 - ``low``, 1 + ``high``].
    """
    ratio = (logprobs - old_logprobs).exp()
    gain = torch.min(ratio * advantages[:, None], ratio.clamp(1 - low, 1 + high) * advantages[:, None])
    return -(gain * mask).sum() / tokens.clamp(min=1)
