"""The warm-up: supervised fine-tuning on critiques that were made from execution, so that the form is there to reward.

The loss counts the critique's tokens alone, not the prompt's (as in critique fine-tuning, arXiv 2501.17703, §2.3), and
takes the judgement relative to how the model leans (``Lean``). It runs on the trainer of transformers: TRL's would run
the output layer over the prompts as well (see ``logprobs``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from critique_coder.models.local import encode_chat
from critique_coder.models.precision import compute_dtype
from critique_coder.models.sampling import Tokens
from critique_coder.records import Json
from critique_coder.training.logprobs import completion_logits, logprobs_of
from critique_coder.training.recipe import WarmupSettings

EndOfStep = Callable[[int, dict[str, float]], None]


class Lean:
    """How much likelier the model finds "right" than "wrong" whatever the solution: the middle between both labels.

    Every critique decides between the same two words, so their odds are the stiffest direction of all: with Adam's
    momentum they swing by several nats, while correct and wrong solutions differ by tenths of one. Taken relative to
    the lean the judgement learns the difference alone; ``decision.centre`` takes the lean away at the end.
    """

    _KEPT = 0.7

    def __init__(self) -> None:
        self._means: dict[bool, float] = {}

    def seen(self, odds: torch.Tensor, sides: torch.Tensor) -> float:
        """The lean after critiques of the given ``sides`` (1 correct, -1 wrong) with log-odds ``odds``, both (n,)."""
        for label in (True, False):
            own = odds[(sides > 0) == label]
            if len(own):
                mean = float(own.mean())
                self._means[label] = self._KEPT * self._means.get(label, mean) + (1 - self._KEPT) * mean
        return self.now

    @property
    def now(self) -> float:
        """The lean, in nats; 0 before a critique was seen."""
        return sum(self._means.values()) / max(1, len(self._means))


class _CritiqueTrainer(Trainer):  # type: ignore[misc]
    lean: Lean | None = None

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        with self.accelerator.autocast():
            loss = warmup_loss(model, inputs, self.lean)
        return (loss, {}) if return_outputs else loss


def warmup_loss(model: Any, inputs: dict[str, torch.Tensor], lean: Lean | None = None) -> torch.Tensor:
    """The cross-entropy of the completions of a ``collate``d batch, a weighted mean over their tokens.

    Where a row has softened its judgement, the target is shared between the token and the other judgement's. With a
    ``lean`` the logits of both words are moved together by it first, as a logit-adjusted loss does with the share of a
    class (arXiv 2007.07314).
    """
    weights, share, sides = inputs["weights"], inputs["others_share"], inputs["sides"]
    length = weights.shape[1]
    logits = completion_logits(model, inputs["input_ids"], inputs["attention_mask"], length)
    logprobs, _ = logprobs_of(logits, torch.stack([inputs["input_ids"][:, -length:], inputs["others"]], dim=-1))
    own, other = logprobs.unbind(-1)
    likely = (1 - share) * own + share * other
    decides = sides != 0
    if lean is not None and decides.any():
        own, other, share, sides = (values[decides] for values in (own, other, share, sides))
        leans = lean.seen(((own - other) * sides).detach(), sides)
        own, other = _shifted(own, other, sides * leans / 2)
        likely = likely.masked_scatter(decides, (1 - share) * own + share * other)
    return -(likely * weights).sum() / weights.sum()


def _shifted(own: torch.Tensor, other: torch.Tensor, shift: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The log-probabilities of two words had the logit of the one been less by ``shift`` and the other's more by it."""
    less, more = own - shift, other + shift
    total = (1 - own.exp() - other.exp()).clamp(min=0) + less.exp() + more.exp()
    return less - total.log(), more - total.log()


class _Losses(TrainerCallback):  # type: ignore[misc]
    def __init__(self, end_of_step: EndOfStep, lean: Lean | None) -> None:
        self._end_of_step, self._lean = end_of_step, lean

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self._end_of_step(state.global_step, logs if self._lean is None else {**logs, "lean": self._lean.now})


def warmup_steps(rows: int, settings: WarmupSettings) -> int:
    """Optimizer steps that ``rows`` critiques take."""
    return max(1, round(rows * settings.epochs / settings.batch_size))


def train_warmup(
    model: Any,
    tokenizer: Any,
    rows: Sequence[dict[str, Json]],
    settings: WarmupSettings,
    seed: int,
    folder: Path,
    end_of_step: EndOfStep,
) -> None:
    """Fine-tune ``model`` in place on ``rows``: "prompt" and "completion", both chats, and "decisive".

    The last are the places in the completion at which a critique decides, or None. They are two tokens among dozens,
    which the loss would otherwise drown among the quoted values. Rows that ``soften`` has seen have a softer judgement.
    With ``centre_rows`` the judgement is learned relative to the ``Lean``, which is told as "lean" after each step, as
    the last critiques left it.
    """
    lean = Lean() if settings.centre_rows else None
    trainer = _CritiqueTrainer(
        model=model,
        args=_arguments(len(rows), settings, seed, folder),
        train_dataset=_alike_together(
            [encode_row(tokenizer, row, settings.decision_weight) for row in rows], settings.batch_size
        ),
        data_collator=lambda batch: collate(batch, tokenizer.pad_token_id),
        callbacks=[_Losses(end_of_step, lean)],
    )
    trainer.lean = lean
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def _alike_together(rows: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """Each batch of ``size`` rows from the shortest to the longest, so that a forward pass holds little padding."""
    batches = (rows[start : start + size] for start in range(0, len(rows), size))
    return [row for batch in batches for row in sorted(batch, key=lambda row: len(row["prompt"]))]


def _arguments(rows: int, settings: WarmupSettings, seed: int, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=warmup_steps(rows, settings),
        per_device_train_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=max(1, settings.batch_size // settings.micro_batch_size),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=2,
        train_sampling_strategy="sequential",  # the rows come in an order in which batches of critiques are balanced
        seed=seed,
        bf16=compute_dtype() is torch.bfloat16,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )


def encode_row(tokenizer: Any, row: dict[str, Json], decision_weight: float) -> dict[str, Any]:
    """Token ids of prompt and completion, the end of the turn included, and the weight of each completion token.

    Where the row is a critique and says how one of the other label goes on, ``judges`` has the place of the token that
    decides, the token of the other judgement, its share of the target (0 unless softened), and the side (1 for a
    correct solution, -1 for a wrong one).
    """
    text, decisive = str(row["completion"][-1]["content"]), row["decisive"]
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    completion: Tokens = [*encoded.input_ids, tokenizer.eos_token_id]
    weights = [1.0] * len(completion)
    for place in decisive or ():
        weights[next(n for n, (_, end) in enumerate(encoded.offset_mapping) if end > place)] = decision_weight
    made = {"prompt": encode_chat(tokenizer, row["prompt"]), "completion": completion, "weights": weights}
    if decisive and row.get("otherwise"):
        begun = text[: decisive[0]] + str(row["otherwise"])
        other = tokenizer(begun, add_special_tokens=False).input_ids
        apart = (n for n, pair in enumerate(zip(completion, other, strict=False)) if pair[0] != pair[1])
        place = next(apart, None)
        if place is not None:  # None: the tokenizer does not tell the two judgements apart
            made["judges"] = (place, other[place], row.get("otherwise_share", 0.0), 1 if row["label"] else -1)
    return made


def soften(rows: Sequence[dict[str, Json]], chances: Mapping[str, float], strength: float) -> list[dict[str, Json]]:
    """The rows, the judgement of each critique moved from its label towards the chance (by id) that it is right.

    ``strength`` 0 keeps the label, 1 takes the chance alone. Rows without a label stay as they are.
    """
    return [
        {**row, "otherwise_share": strength * abs(row["label"] - chances[row["id"]])} if row["id"] in chances else row
        for row in rows
    ]


def collate(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Rows of one width, whose completions begin in one column.

    Prompts are padded behind what all of them begin with (the system prompt), which is then computed once; completions
    at their end. Shapes: ``input_ids`` and ``attention_mask`` (rows, prompt + completion), ``weights`` (0 for padding),
    ``others``, ``others_share`` and ``sides`` (rows, completion): another token, its share of the target, and which
    side the row is on where it decides (0 elsewhere).
    """
    width = max(len(row["prompt"]) for row in batch)
    length = max(len(row["completion"]) for row in batch)
    alike = [len(set(column)) == 1 for column in zip(*(row["prompt"] for row in batch), strict=False)]
    # each prompt's last token stays beside its completion, whose first token is read from there
    shared = min([*alike, False].index(False), min(len(row["prompt"]) for row in batch) - 1)
    ids, attention, weights = [], [], []
    others = torch.zeros(len(batch), length, dtype=torch.long)
    others_share, sides = torch.zeros(len(batch), length), torch.zeros(len(batch), length)
    for number, row in enumerate(batch):
        prompt, completion = row["prompt"], row["completion"]
        before, after = width - len(prompt), length - len(completion)
        ids.append(prompt[:shared] + [pad] * before + prompt[shared:] + completion + [pad] * after)
        attention.append([1] * shared + [0] * before + [1] * (len(prompt) - shared + len(completion)) + [0] * after)
        weights.append([*row["weights"], *[0.0] * after])
        if "judges" in row:
            place, other, share, side = row["judges"]
            others[number, place], others_share[number, place], sides[number, place] = other, share, side
    return {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(attention),
        "weights": torch.tensor(weights),
        "others": others,
        "others_share": others_share,
        "sides": sides,
    }
