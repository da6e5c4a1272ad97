"""The answers that a run or an evaluation keeps in ``evaluation/``, and the build that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from critique_coder.records import BadInput, Json, Judgement
from critique_coder.report import shapes
from critique_coder.report.reading import Run
from critique_coder.storage import sha256_file


def pass_rates(run: Run) -> list[tuple[str, float | None]]:
    """(problem, pass rate) of each solution of the last stage; None where the judge could not score it."""
    rates: list[tuple[str, float | None]] = []
    for where, row in _rows(run, "verdicts"):
        rate = shapes.number(row.get("pass_rate"), f"{where}, key 'pass_rate'")
        problem = shapes.text(row.get("problem_id"), f"{where}, key 'problem_id'")
        rates.append((problem, rate if rate == rate else None))
    return rates


def critiques(run: Run) -> dict[str, tuple[Judgement, Mapping[str, Json]]]:
    """By row id, what the last stage said of each held-out pair, and the line itself."""
    found: dict[str, tuple[Judgement, Mapping[str, Json]]] = {}
    for where, row in _rows(run, "critiques"):
        name = shapes.text(row.get("row_id"), f"{where}, key 'row_id'")
        found[name] = (_judgement(row, where), row)
    return found


def _judgement(row: Mapping[str, Json], where: str) -> Judgement:
    try:
        return Judgement(str(row.get("judgement")))
    except ValueError:
        known = ", ".join(judgement.value for judgement in Judgement)
        raise BadInput(f"{where}, key 'judgement': {row.get('judgement')!r} is not one of: {known}") from None


def _rows(run: Run, what: str) -> list[tuple[str, dict[str, Json]]]:
    return shapes.growing_rows(run.folder / "evaluation" / run.final.name / f"{what}.jsonl")


def build_of(run: Run, sources: Iterable[Run]) -> Path | None:
    """The run's build, if it still lies where one of ``sources`` names it and is still the same build.

    A run that goes on does not name its own yet.
    """
    for source in sources:
        folder = Path(str(source.noted("data", "folder")))
        manifest = folder / "manifest.json"
        if manifest.is_file() and sha256_file(manifest) == run.settings["data"]:
            return folder
    return None
