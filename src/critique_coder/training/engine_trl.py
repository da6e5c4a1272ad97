"""The TRL engine: GRPO on one machine (and by accelerate on several GPUs), through TRL's public seams.

Three things are ours, each through a seam that TRL offers:

- ``rollout_func``: rollouts are drawn by ``models.sampling``, which encodes a prompt once for its whole group, from a
  copy of the policy in the fastest number format, which takes over its weights before each step.
- ``reward_funcs``: the two rewards, each None for rows that are not its own.
- ``compute_loss``: rollouts without an advantage (a group whose rewards are all equal, a rollout that was cut) add
  nothing to the gradient as long as there is no KL term; they are left out of the forward pass, and the padding of the
  rest is trimmed. The loss is the same: it is normalised by the token count of the whole batch. On a processor, where
  TRL would run the output layer over the prompts too, the same loss is computed from the completions alone, and a
  prompt once for all of its rollouts that stand in one micro batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from critique_coder.models import Sampling
from critique_coder.models.local import encode_chat, end_tokens
from critique_coder.models.precision import compute_dtype, sharpen
from critique_coder.models.sampling import Tokens, generate
from critique_coder.records import BadInput, Json
from critique_coder.storage import read_json
from critique_coder.training.logprobs import clipped_loss, completion_logprobs
from critique_coder.training.recipe import GrpoSettings
from critique_coder.training.rewards import Rewards

EndOfStep = Callable[[int, dict[str, float]], None]
"""Called with the step (from 1) and its metrics."""


class Trainer(GRPOTrainer):  # type: ignore[misc]
    """GRPOTrainer that skips what cannot add to the gradient.

    ``entropy`` collects (sum, tokens) of the token entropies since somebody last took them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entropy: list[tuple[float, float]] = []

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The GRPO loss of the rows that matter; a zero that can be differentiated when none does."""
        if self.beta != 0:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        rows = (inputs["advantages"].abs() > 1e-8) & inputs["completion_mask"].any(dim=1)
        if not rows.any():
            return next(p for p in model.parameters() if p.requires_grad).sum() * 0.0
        if self.accelerator.device.type != "cpu":
            return super().compute_loss(model, _trimmed(inputs, rows), return_outputs, num_items_in_batch)
        parts = [self._completion_loss(model, _trimmed(inputs, group)) for group in _groups(inputs, rows)]
        return torch.stack(parts).sum()

    def _completion_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """What TRL computes for ``loss_type="dapo"``, without running the output layer over the prompts."""
        mask = inputs["completion_mask"]
        with self.accelerator.autocast():
            logprobs, entropy = completion_logprobs(
                model,
                torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
                torch.cat([inputs["prompt_mask"], mask], dim=1),
                mask.shape[1],
                self.temperature,
            )
        old = inputs.get("old_per_token_logps")
        self.entropy.append((float((entropy * mask).sum()), float(mask.sum())))
        return clipped_loss(
            logprobs,
            logprobs.detach() if old is None else old,
            inputs["advantages"],
            mask,
            inputs["num_items_in_batch"],
            self.epsilon_low,
            self.epsilon_high,
        )

    def take_entropy(self) -> float | None:
        """The mean entropy of the tokens learned from since the last call, in nats."""
        taken, self.entropy = self.entropy, []
        tokens = sum(count for _, count in taken)
        return sum(total for total, _ in taken) / tokens if tokens else None


def _groups(inputs: dict[str, Any], rows: torch.Tensor) -> list[torch.Tensor]:
    """The chosen rows by prompt, each group as a mask over all rows (rows,): TRL shuffles the rollouts of a batch.

    The loss normalises by the tokens of the whole batch, so that the parts of a batch add up to it.
    """
    groups: dict[tuple[int, ...], torch.Tensor] = {}
    for row in rows.nonzero()[:, 0].tolist():
        prompt = tuple(inputs["prompt_ids"][row][inputs["prompt_mask"][row].bool()].tolist())
        groups.setdefault(prompt, torch.zeros_like(rows))[row] = True
    return list(groups.values())


def _trimmed(inputs: dict[str, Any], rows: torch.Tensor) -> dict[str, Any]:
    """The chosen rows, without the columns in which all of them are padding. Tensors are (rows, ...) or scalars."""
    count = len(rows)
    kept = {
        key: value[rows] if isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == count else value
        for key, value in inputs.items()
    }
    width = int(kept["prompt_mask"].sum(dim=1).max())
    length = int(kept["completion_mask"].sum(dim=1).max())
    for key in ("prompt_ids", "prompt_mask"):
        kept[key] = kept[key][:, kept[key].shape[1] - width :]
    for key in ("completion_ids", "completion_mask", "old_per_token_logps", "sampling_per_token_logps"):
        if isinstance(kept.get(key), torch.Tensor):
            kept[key] = kept[key][:, :length]
    return kept


class Rollouts:
    """TRL's rollout function: one continuation for each prompt it is given (a group's prompts stand side by side)."""

    def __init__(self, settings: GrpoSettings, seed: int, end_ids: frozenset[int]) -> None:
        self._settings, self._seed, self._end_ids = settings, seed, end_ids
        self._sampler: Any = None
        self.tokens = 0

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, list[Any]]:
        """Prompt ids, completion ids and the log-probabilities under which the completions were drawn."""
        sampler = self._synced(trainer.accelerator.unwrap_model(trainer.model))
        encoded: list[Tokens] = [encode_chat(trainer.processing_class, prompt) for prompt in prompts]
        sampling = Sampling(
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
            top_k=self._settings.top_k,
            max_tokens=self._settings.max_tokens,
            seed=self._seed * 1_000_003 + trainer.state.global_step,
        )
        batch = self._settings.rollout_batch_size
        drawn = generate(sampler, encoded, sampling, end_ids=self._end_ids, batch_size=batch)
        self.tokens += sum(len(row.tokens) for row in drawn)
        return {
            "prompt_ids": encoded,
            "completion_ids": [row.tokens for row in drawn],
            "logprobs": [row.logprobs for row in drawn],
        }

    def _synced(self, policy: Any) -> Any:
        if self._sampler is None:
            self._sampler = sharpen(copy.deepcopy(policy).to(compute_dtype()).eval().requires_grad_(False))
        with torch.no_grad():
            for mine, theirs in zip(self._sampler.parameters(), policy.parameters(), strict=True):
                mine.copy_(theirs)
        return self._sampler


class _Steps(TrainerCallback):  # type: ignore[misc]
    """Hands each step's metrics on."""

    def __init__(self, end_of_step: EndOfStep) -> None:
        self._end_of_step = end_of_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Called by the trainer after each optimizer step."""
        if logs and "train_runtime" not in logs:
            self._end_of_step(state.global_step, logs)


def train_grpo(
    model: Any,
    tokenizer: Any,
    rows: list[dict[str, Json]],
    rewards: Rewards,
    settings: GrpoSettings,
    seed: int,
    folder: Path,
    end_of_step: Callable[[int, dict[str, float], Rollouts], None],
) -> None:
    """Run GRPO on ``rows`` (row_id, kind, problem_id, label, prompt), in their order; ``model`` is changed in place.

    Checkpoints lie in ``folder``; when there is one, training goes on from the newest.
    """
    rollouts = Rollouts(settings, seed, end_tokens(model, tokenizer))
    trainer = Trainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=[rewards.solve, rewards.critique],
        args=config(settings, seed, folder),
        train_dataset=Dataset.from_list(rows),
        rollout_func=rollouts,
    )

    def report(step: int, logs: dict[str, float]) -> None:
        entropy = trainer.take_entropy()
        end_of_step(step, logs if entropy is None else logs | {"entropy": entropy}, rollouts)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Steps(report))
    checkpoint = newest_checkpoint(folder)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def config(settings: GrpoSettings, seed: int, folder: Path) -> GRPOConfig:
    """Our settings in TRL's words."""
    rollouts = settings.prompts * settings.group_size
    cpu = not torch.cuda.is_available()
    return GRPOConfig(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=rollouts // settings.micro_batch_size,
        num_generations=settings.group_size,
        max_completion_length=settings.max_tokens,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=settings.warmup_steps,
        epsilon=settings.clip_low,
        epsilon_high=settings.clip_high,
        beta=settings.kl,
        loss_type="dapo",
        scale_rewards="group" if settings.advantage_std else "none",
        mask_truncated_completions=settings.mask_truncated,
        temperature=settings.temperature,
        shuffle_dataset=False,
        seed=seed,
        bf16=compute_dtype() is torch.bfloat16,
        use_cpu=cpu,
        gradient_checkpointing=False,
        max_grad_norm=1.0,
        logging_steps=1,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a folder; one that a kill left half-written is passed over.

    The trainer writes its state last: where that file holds its whole text, the rest of the checkpoint is there too.
    """
    found = [path for path in folder.glob("checkpoint-*") if _is_json(path / "trainer_state.json")]
    found.sort(key=lambda path: int(path.name.rpartition("-")[2]))
    return found[-1] if found else None


def _is_json(path: Path) -> bool:
    try:
        read_json(path)
    except BadInput:
        return False
    return True
