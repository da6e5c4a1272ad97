"""What a source gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from critique_coder.records import Problem, Solution


@dataclass(frozen=True, slots=True)
class Corpus:
    """Problems, the solutions that came with them and are known to be wrong, and the files they were read from."""

    problems: tuple[Problem, ...]
    wrong_solutions: tuple[Solution, ...] = ()
    files: tuple[str, ...] = field(default=())


Reader: TypeAlias = Callable[[str | None], Corpus]
"""Reads a corpus from a file or folder; None means the source's own place."""
