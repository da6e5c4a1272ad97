"""What a source gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from critique_coder.records import BadInput, Problem, Solution


@dataclass(frozen=True, slots=True)
class Corpus:
    """Problems, the solutions that came with them and are known to be wrong, and the files they were read from."""

    problems: tuple[Problem, ...]
    wrong_solutions: tuple[Solution, ...] = ()
    files: tuple[str, ...] = field(default=())


Reader: TypeAlias = Callable[[str | None], Corpus]
"""Reads a corpus from a file or folder; None means the source's own place."""


def from_hub(repository: str, name: str, otherwise: str) -> Path:
    """The Parquet file of a data set of the hub; raises BadInput, which says what else to do."""
    try:
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(repository, repo_type="dataset", allow_patterns=["*.parquet"]))
        return next(folder.rglob("*.parquet"))
    except Exception as error:  # the hub client raises many kinds; all mean the same to the user
        raise BadInput(
            f"{name} was not found: {otherwise} (the hub could not be asked: {type(error).__name__})"
        ) from None
