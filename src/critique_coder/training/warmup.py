"""The warm-up: supervised fine-tuning on critiques that were made from execution, so that the form is there to reward.

The loss counts the critique's tokens alone, not the prompt's (as in critique fine-tuning, arXiv 2501.17703, §2.3).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from critique_coder.storage import Json
from critique_coder.training.engine_trl import newest_checkpoint
from critique_coder.training.recipe import WarmupSettings


class _Losses(TrainerCallback):  # type: ignore[misc]
    def __init__(self, end_of_step: Callable[[int, dict[str, float]], None]) -> None:
        self._end_of_step = end_of_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self._end_of_step(state.global_step, logs)


def warmup_steps(rows: int, settings: WarmupSettings) -> int:
    """Optimizer steps that ``rows`` critiques take."""
    return max(1, round(rows * settings.epochs / settings.batch_size))


def train_warmup(
    model: Any,
    tokenizer: Any,
    rows: list[dict[str, Json]],
    settings: WarmupSettings,
    seed: int,
    folder: Path,
    end_of_step: Callable[[int, dict[str, float]], None],
) -> None:
    """Fine-tune ``model`` in place on ``rows`` ("prompt" and "completion", both chats)."""
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        args=SFTConfig(
            output_dir=str(folder),
            max_steps=warmup_steps(len(rows), settings),
            per_device_train_batch_size=settings.micro_batch_size,
            gradient_accumulation_steps=max(1, settings.batch_size // settings.micro_batch_size),
            learning_rate=settings.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=2,
            completion_only_loss=True,
            max_length=1024,
            seed=seed,
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        train_dataset=Dataset.from_list(rows),
        callbacks=[_Losses(end_of_step)],
    )
    checkpoint = newest_checkpoint(folder)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
