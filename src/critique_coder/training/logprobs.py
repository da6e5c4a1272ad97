"""Log-probabilities of completions, computed for the completions alone.

The output layer of a small model is a fifth of its work and, at 49,152 words, most of its memory. The trainers of TRL
run it over every position, prompts included, wherever Triton is missing; here only the columns that hold completions
reach it. Used by both training stages.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_WORTH_SHARING = 8
"""Columns that all rows must have in common before they are computed once for all of them."""


def completion_logprobs(
    model: Any, input_ids: Tensor, attention_mask: Tensor, length: int, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of each of the last ``length`` tokens, as ``completion_logits`` reads them.

    Both results have shape (rows, ``length``); the entropy carries no gradient.
    """
    logits = completion_logits(model, input_ids, attention_mask, length)
    logprobs, entropy = logprobs_of(logits, input_ids[:, -length:, None], temperature)
    return logprobs[..., 0], entropy


def completion_logits(model: Any, input_ids: Tensor, attention_mask: Tensor, length: int) -> Tensor:
    """The logits from which each of the last ``length`` tokens is drawn: (rows, length, vocabulary).

    ``input_ids`` and ``attention_mask`` have shape (rows, tokens); completions begin in the same column, padding may
    stand anywhere. Columns at the beginning that all rows have in common (the prompt of a group's rollouts, the system
    prompt of a batch) are computed once.
    """
    positions = (attention_mask.cumsum(1) - 1).clamp(min=0)
    shared = _common_columns(input_ids, attention_mask, input_ids.shape[1] - length - 1)
    cache = None
    if shared:
        cache = model(
            input_ids=input_ids[:1, :shared],
            attention_mask=attention_mask[:1, :shared],
            position_ids=positions[:1, :shared],
            logits_to_keep=1,
            use_cache=True,
        ).past_key_values
        cache.batch_repeat_interleave(len(input_ids))
    logits: Tensor = model(
        input_ids=input_ids[:, shared:],
        attention_mask=attention_mask,
        position_ids=positions[:, shared:],
        past_key_values=cache,
        logits_to_keep=length + 1,
        use_cache=cache is not None,
    ).logits
    return logits[:, :-1]


def logprobs_of(logits: Tensor, tokens: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Log-probabilities of ``tokens`` (rows, length, k) under ``logits`` (rows, length, vocabulary), and entropies.

    Results have shape (rows, length, k) and (rows, length), in float32 and nats; the entropy carries no gradient.
    """
    logprobs, entropy = _Logprobs.apply(logits, tokens, temperature)  # type: ignore[no-untyped-call]
    return logprobs, entropy


class _Logprobs(torch.autograd.Function):
    """A row at a time: the distributions of a whole batch over the vocabulary would be written to memory many times."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        found, entropies, sums = [], [], []
        for row, wanted in zip(logits, tokens, strict=True):
            scaled = row.float() / temperature
            log_sum = scaled.logsumexp(-1, keepdim=True)
            found.append(scaled.gather(-1, wanted) - log_sum)
            entropies.append(log_sum[:, 0] - ((scaled - log_sum).exp_() * scaled).sum(-1))
            sums.append(log_sum)
        entropy = torch.stack(entropies)
        ctx.save_for_backward(logits, tokens, torch.stack(sums))
        ctx.temperature = temperature
        ctx.mark_non_differentiable(entropy)
        return torch.stack(found), entropy

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Of log p(token), by each logit: (1 where it is the token's, else 0, less its probability) / temperature."""
        logits, tokens, sums = ctx.saved_tensors
        result = torch.empty_like(logits)
        for place, (row, wanted, log_sum, gradient) in enumerate(zip(logits, tokens, sums, gradients[0], strict=True)):
            chances = (row.float() / ctx.temperature - log_sum).exp_()
            chances.mul_(-gradient.sum(-1, keepdim=True)).scatter_add_(-1, wanted, gradient)
            result[place] = chances.div_(ctx.temperature)
        return result, None, None


def _common_columns(input_ids: Tensor, attention_mask: Tensor, most: int) -> int:
    """Columns from the first on in which all rows are alike; 0 when they are too few to bother."""
    if len(input_ids) == 1:
        return 0
    alike = ((input_ids == input_ids[:1]) & (attention_mask == attention_mask[:1])).all(dim=0)
    common = int(alike.long().cumprod(0).sum())
    return min(common, most) if min(common, most) >= _WORTH_SHARING else 0


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
