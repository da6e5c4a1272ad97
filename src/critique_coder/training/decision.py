"""The word by which a critique judges: how likely it is, and how its two sides are brought into balance.

The warm-up learns how far correct and wrong solutions lie apart, not where the middle lies (``warmup.Lean``). Where it
ends up is the same on problems that were trained on and on others, so it is measured there and taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from critique_coder.models.precision import compute_dtype
from critique_coder.models.sampling import Tokens
from critique_coder.records import Json
from critique_coder.training.warmup import encode_row

ROUNDS = 2
"""Corrections: each is exact for a small lean only."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The tokens up to where a critique decides, the tokens with which it can go on there, and the truth."""

    tokens: Tokens
    right: int
    wrong: int
    label: bool


def decisions(tokenizer: Any, rows: Sequence[dict[str, Json]]) -> list[Decision]:
    """Where the critiques among warm-up rows decide; those whose two judgements begin with one token are left out."""
    found = []
    for row in rows:
        if row["label"] is not None and row.get("otherwise"):
            encoded = encode_row(tokenizer, row, 1.0)
            if "judges" in encoded:
                place, other, _, _ = encoded["judges"]
                own = encoded["completion"][place]
                words = (own, other) if row["label"] else (other, own)
                found.append(Decision(encoded["prompt"] + encoded["completion"][:place], *words, row["label"]))
    return found


def log_odds(model: Any, batch: Sequence[Decision]) -> Tensor:
    """How much likelier each critique is to say "right" than "wrong": shape (batch,), float32, in nats.

    From the last states and not from the logits, which bfloat16 rounds to an eighth; what a model does to its logits
    afterwards (a cap, a scale) is left out.
    """
    width = max(len(entry.tokens) for entry in batch)
    missing = [width - len(entry.tokens) for entry in batch]
    device = model.device
    ids = torch.tensor([[0] * gap + entry.tokens for gap, entry in zip(missing, batch, strict=True)], device=device)
    mask = torch.tensor([[0] * gap + [1] * (width - gap) for gap in missing], device=device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.autocast(device.type, torch.bfloat16, enabled=compute_dtype() is torch.bfloat16):
        states = model.base_model(input_ids=ids, attention_mask=mask, position_ids=positions).last_hidden_state[:, -1]
    words = model.get_output_embeddings().weight
    apart = words[[entry.right for entry in batch]].float() - words[[entry.wrong for entry in batch]].float()
    odds: Tensor = (states.float() * apart).sum(-1)
    return odds


def balanced(found: Sequence[Decision], most: int) -> list[Decision]:
    """The first of either label, as many of one as of the other and at most ``most``, one after the other."""
    sides = [[entry for entry in found if entry.label is label] for label in (True, False)]
    count = min(most // 2, *map(len, sides))
    return [entry for pair in zip(*(islice(side, count) for side in sides), strict=True) for entry in pair]


def centre(
    model: Any, found: Sequence[Decision], size: int, done: Callable[[int], None] = lambda count: None
) -> list[float]:
    """Move what can be trained as little as it takes for the mean log-odds of ``found`` to be zero.

    That is where cross-entropy on as many correct as wrong solutions leads as well. ``found`` is to be balanced and not
    empty, and is looked at ``size`` a forward pass. Each of ``ROUNDS`` rounds goes along the gradient of the mean, by
    Newton's step. Returns the mean before each and at the end, in nats; ``done`` is called with the number of decisions
    just looked at.
    """
    trained = [value for value in model.parameters() if value.requires_grad]
    model.eval()
    means = []
    for _ in range(ROUNDS):
        model.zero_grad()
        means.append(_mean_odds(model, found, size, done))
        slopes = [(value, value.grad) for value in trained if value.grad is not None]
        square = sum(float(slope.double().square().sum()) for _, slope in slopes)
        with torch.no_grad():
            for value, slope in slopes:
                value -= means[-1] / max(square, 1e-12) * slope
    model.zero_grad()
    with torch.no_grad():
        return [*means, _mean_odds(model, found, size, done)]


def _mean_odds(model: Any, found: Sequence[Decision], size: int, done: Callable[[int], None]) -> float:
    """The mean log-odds of ``found``; where gradients are on, that of the mean is added to the parameters'."""
    total = 0.0
    for start in range(0, len(found), size):
        batch = found[start : start + size]
        odds = log_odds(model, batch).sum() / len(found)
        if odds.requires_grad:
            odds.backward()  # type: ignore[no-untyped-call]
        total += odds.item()
        done(len(batch))
    return total
