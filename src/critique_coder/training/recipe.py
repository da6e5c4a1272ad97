"""The settings of a training run: what a file in ``recipes/training`` may say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from critique_coder.data.recipe import JudgeSettings
from critique_coder.settings import Settings


class WarmupSettings(Settings):
    """The supervised stage that teaches the form of a critique, before reinforcement learning."""

    rows: int = Field(256, ge=0)
    """Critiques to learn from, half of them of correct solutions; 0 skips the stage."""
    solve_rows: int = Field(128, ge=0)
    """Passing solutions of the model's own among them, so that it does not unlearn to write programs."""
    reference_rows: int = Field(0, ge=0)
    """References of training problems that it did not solve among them, for what its own solutions cannot show."""
    solutions_last: bool = False
    """Show solutions after the critiques instead of among them: those that are also judged are then judged before they
    are known by heart, but after few critiques their form is forgotten again."""
    epochs: float = Field(1.0, gt=0)
    """Passes over all of them, in the same order."""
    decision_weight: float = Field(20.0, gt=0)
    """Weight in the loss of the word and of the letter by which a critique decides; every other token has 1."""
    soften: float = Field(0.0, ge=0, le=1)
    """How far the target of the deciding word moves from the label to what the model's own likelihood of the solution
    says; 0 keeps the label."""
    centre_rows: int = Field(64, ge=0, multiple_of=2)
    """Critiques, half of them of correct solutions, on which the judgement is brought into balance after the last step.
    Until then it is learned relative to how the model leans; 0 learns it as it is and leaves it."""
    learning_rate: float = Field(5e-5, gt=0)
    """Peak of a linear schedule."""
    batch_size: int = Field(16, ge=1)
    """Rows an optimizer step."""
    micro_batch_size: int = Field(8, ge=1)
    """Rows a forward pass."""


class GrpoSettings(Settings):
    """Group relative policy optimisation on the mixed rows (paper, section 2.3 and 3.1)."""

    steps: int = Field(20, ge=0)
    """Optimizer steps; 0 skips the stage."""
    prompts: int = Field(8, ge=1)
    """Rows a step (the paper: 128)."""
    group_size: int = Field(8, ge=2)
    """Rollouts a row, among which advantages are computed (the paper: 8)."""
    learning_rate: float = Field(1e-6, gt=0)
    """Constant after the warm-up steps (the paper: 1e-6, for models of 4 and 8 billion)."""
    warmup_steps: int = Field(0, ge=0)
    """Steps over which the learning rate rises."""
    clip_low: float = Field(0.2, gt=0, lt=1)
    """The ratio of new to old probability is clipped below 1 - this."""
    clip_high: float = Field(0.3, gt=0)
    """The ratio is clipped above 1 + this."""
    kl: float = Field(0.0, ge=0)
    """Weight of the divergence from the reference model; 0 loads none."""
    critique_weight: float = Field(1.0, ge=0)
    """Factor on the critique reward (the paper: 0.8 in its first stage; it only counts with advantage_std = false)."""
    advantage_std: bool = True
    """Divide advantages by the standard deviation of the group's rewards."""
    temperature: float = Field(1.0, gt=0)
    """Temperature of rollouts."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus of rollouts."""
    top_k: int = Field(0, ge=0)
    """Most likely tokens that rollouts draw from; 0 means all."""
    max_tokens: int = Field(128, ge=1)
    """Longest rollout; a longer one is cut."""
    mask_truncated: bool = True
    """Leave rollouts that were cut out of the loss, as the paper does; false lets them lose what they score."""
    keep_pass_rate: tuple[float, float] = (0.0, 1.0)
    """Use only solve rows whose measured mean pass rate lies in this band (offline difficulty filter)."""
    micro_batch_size: int = Field(4, ge=1)
    """Rollouts a forward pass; a divisor of prompts x group_size."""

    @field_validator("keep_pass_rate")
    @classmethod
    def _in_order(cls, band: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= band[0] <= band[1] <= 1:
            raise ValueError("must be two shares in rising order, such as [0.05, 0.95]")
        return band

    save_every: int = Field(10, ge=1)
    """Steps between checkpoints."""
    rollout_batch_size: int = Field(64, ge=1)
    """Rollouts written at once."""


class EvaluationSettings(Settings):
    """What is measured on held-out problems, before and after."""

    samples: int = Field(4, ge=1)
    """Solutions a problem, for pass@1."""
    temperature: float = Field(0.6, ge=0)
    """Temperature of solutions (the paper: 0.6)."""
    critique_temperature: float = Field(0.6, ge=0)
    """Temperature of critiques (the paper: 0.6); 0 takes the likeliest judgement."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus (the paper: 0.95)."""
    top_k: int = Field(20, ge=0)
    """Most likely tokens (the paper: 20)."""
    max_tokens: int = Field(128, ge=1)
    """Longest answer."""
    max_pairs: int = Field(0, ge=0)
    """At most this many (problem, solution) pairs to judge; 0 means all."""
    batch_size: int = Field(128, ge=1)
    """Answers written at once."""


class TrainRecipe(Settings):
    """A training recipe."""

    seed: int = 0
    """Everything random follows from this."""
    method: Literal["hybrid", "rl", "crl"] = "hybrid"
    """Rows that reinforcement learning uses: both kinds, solve rows alone, or critique rows alone."""
    engine: Literal["trl"] = "trl"
    """What runs the optimisation."""
    model: str | None = None
    """Folder or hub id of the model to train; the embedded one when nothing is said."""
    freeze_layers: int = Field(0, ge=0)
    """Layers from the first on, and the embeddings, that both stages leave as they are: less work and memory."""
    warmup: WarmupSettings = WarmupSettings()
    grpo: GrpoSettings = GrpoSettings()
    judge: JudgeSettings = JudgeSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
