"""What the policy's own likelihood of a solution says about its being right.

A small model knows more than it can say: the log-probability of a solution's tokens, where they stand as the answer to
the question, tells right from wrong far better than what it writes when it is asked (``benchmarks/likelihood.py``).
The warm-up takes this as a second teacher beside the labels (``warmup.soften``), as in distillation with soft targets
(arXiv 1503.02531, section 2). Training problems alone are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from critique_coder.models.local import encode_chat
from critique_coder.models.precision import compute_dtype
from critique_coder.models.sampling import Tokens
from critique_coder.records import Json
from critique_coder.training.logprobs import completion_logprobs

_RIDGE = 1e-3
_NEWTON_STEPS = 30


@torch.no_grad()
def answer_logprobs(
    model: Any, tokenizer: Any, answers: Sequence[list[Json]], done: Callable[[int], None] = lambda count: None
) -> Tensor:
    """Mean and sum of the log-probabilities of each answer's tokens, shape (answers, 2), in nats.

    An answer is a chat whose last turn is the solution. ``done`` is called with the number of answers just finished.
    """
    found = []
    fast = compute_dtype() is torch.bfloat16
    for chat in answers:
        prompt, text = encode_chat(tokenizer, chat[:-1]), str(chat[-1]["content"])
        tokens: Tokens = tokenizer(text, add_special_tokens=False).input_ids
        ids = torch.tensor([prompt + tokens], device=model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=fast):
            logprobs, _ = completion_logprobs(model, ids, torch.ones_like(ids), len(tokens))
        found.append(torch.stack([logprobs.mean(), logprobs.sum()]))
        done(1)
    return torch.stack(found).cpu()


def chance_of_right(features: Tensor, labels: Sequence[bool]) -> Tensor:
    """The chance that each solution is right, shape (n,), by a logistic fit of ``labels`` on ``features`` (n, k).

    Both labels weigh the same in the fit, however many there are of each: a chance of one half means that the features
    are as likely among the right solutions as among the wrong ones. Raises ValueError when a label is missing.
    """
    right = torch.tensor([float(label) for label in labels], dtype=torch.float64)
    share = right.mean()
    if not 0 < share < 1:
        raise ValueError("solutions of both labels are needed")
    weight = torch.where(right > 0, 0.5 / share, 0.5 / (1 - share)) / len(right)
    values = features.double()
    values = (values - values.mean(0)) / values.std(0).clamp(min=1e-9)
    values = torch.cat([values, torch.ones(len(values), 1, dtype=torch.float64)], dim=1)
    fit = torch.zeros(values.shape[1], dtype=torch.float64)
    ridge = _RIDGE * torch.eye(len(fit), dtype=torch.float64)
    for _ in range(_NEWTON_STEPS):
        chance = (values @ fit).sigmoid()
        gradient = values.T @ (weight * (chance - right)) + ridge @ fit
        curvature = (values.T * (weight * chance * (1 - chance))) @ values + ridge
        fit = fit - torch.linalg.solve(curvature, gradient)
    return (values @ fit).sigmoid().float()
