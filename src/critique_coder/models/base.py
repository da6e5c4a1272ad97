"""What every model offers: chat messages in, text out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Messages: TypeAlias = Sequence[dict[str, str]]
"""A chat: ``[{"role": "user", "content": "..."}]``."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (tokens, completions) since the last call."""


class ModelError(Exception):
    """The model or its endpoint failed. The message is one line and says what to do."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw. ``temperature`` 0 is greedy; ``top_k`` 0 and ``top_p`` 1 mean no cut; ``max_tokens`` an answer."""

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 20
    max_tokens: int = 128
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer. ``tokens`` counts what the model wrote; ``finished`` is False when it was cut at ``max_tokens``.

    ``prompt_tokens`` counts what the model read, where an endpoint says so (a local model: 0).
    """

    text: str
    tokens: int
    finished: bool
    prompt_tokens: int = 0


class TextModel(Protocol):
    """A local model or an endpoint."""

    @property
    def name(self) -> str:
        """What reports and manifests call this model."""
        ...

    def sample(
        self, prompts: Sequence[Messages], n: int, sampling: Sampling, progress: Progress = ...
    ) -> list[list[Completion]]:
        """``n`` answers for each prompt, in the order of ``prompts``; raises ModelError."""
        ...
