"""A finished build, as training and evaluation read it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from critique_coder.records import BadInput, Json, Problem
from critique_coder.storage import read_json, read_problems, read_rows


@dataclass(frozen=True)
class BuiltData:
    """A build folder; everything is read when it is asked for. Raises BadInput when a part is missing or damaged."""

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> BuiltData:
        """Check that ``folder`` is a finished build; raises BadInput."""
        place = Path(folder)
        if not (place / "manifest.json").exists():
            hint = (
                "the build was not finished; run it again"
                if (place / "settings.json").exists()
                else "make one with `critique-coder build`"
            )
            raise BadInput(f"{folder}: is not a finished build folder (no manifest.json): {hint}")
        return cls(place)

    @cached_property
    def manifest(self) -> dict[str, Json]:
        """What the build wrote about itself."""
        manifest: dict[str, Json] = read_json(self.folder / "manifest.json")
        return manifest

    @cached_property
    def problems(self) -> dict[str, Problem]:
        """The problems by id."""
        return {problem.id: problem for problem in read_problems(self.folder / "problems.jsonl")}

    def rows(self, split: str) -> list[dict[str, Json]]:
        """The rows of ``train`` or ``heldout``."""
        return [row for _, row in read_rows(self.folder / "rows" / f"{split}.parquet")]

    def warmup(self) -> list[dict[str, Json]]:
        """The critiques made from execution, each with prompt, completion and label."""
        return [row for _, row in read_rows(self.folder / "warmup.jsonl")]

    @cached_property
    def mean_pass_rates(self) -> dict[str, float]:
        """The mean pass rate of each problem's candidate solutions."""
        rates: dict[str, list[float]] = {}
        for _, row in read_rows(self.folder / "verdicts.jsonl"):
            if row["pass_rate"] is not None:
                rates.setdefault(row["problem_id"], []).append(row["pass_rate"])
        return {problem: sum(values) / len(values) for problem, values in rates.items()}
