"""Runs against the first of them, paired over the problems and pairs on which both were measured.

Two runs are compared only when their held-out rows and tests are the same: the same build, or builds whose
``problems.jsonl`` and ``rows/heldout.parquet`` have the same hashes. Anything else would compare two exams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from critique_coder.evaluation.metrics import Judged, critique_counts, critique_metrics, solve_counts, solve_metrics
from critique_coder.evaluation.statistics import Difference, differences
from critique_coder.records import BadInput, Json, Judgement
from critique_coder.report import shapes
from critique_coder.report.reading import Run
from critique_coder.report.words import stage_title
from critique_coder.storage import read_rows, sha256_file


@dataclass(slots=True)
class Against:
    """How a run differs from another at their last stages; ``notes`` say what was not compared, or with what care."""

    metrics: dict[str, Difference] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def against(first: Run, run: Run) -> Against:
    """``run`` minus ``first``, with intervals from the answers in ``evaluation/``."""
    result = Against()
    if not _same_exam(first, run):
        result.notes.append("not compared: the two were measured on different held-out rows or tests")
        return result
    if first.asked != run.asked:
        result.notes.append("measured with different evaluation settings")
    if first.final.name != run.final.name:
        old, new = stage_title(first.final.name), stage_title(run.final.name)
        result.notes.append(f"compared at different stages: {old} and {new}")
    _compare_solutions(first, run, result)
    _compare_critiques(first, run, result)
    return result


def _same_exam(first: Run, run: Run) -> bool:
    if first.settings["data"] == run.settings["data"]:
        return True
    files = ("problems.jsonl", "rows/heldout.parquet")
    old, new = ([run.noted("data", "manifest", "outputs", name) for name in files] for run in (first, run))
    return None not in old and old == new


def _compare_solutions(first: Run, run: Run, result: Against) -> None:
    old, new = (solve_counts(_pass_rates(side)) for side in (first, run))
    shared = len(set(old.problems) & set(new.problems))
    if not shared:
        result.notes.append("pass@1 not compared: the verdicts in evaluation/ are missing")
        return
    if shared < max(len(old.problems), len(new.problems)):
        result.notes.append(f"pass@1 compared on the {shared} problems that both have")
    result.metrics |= differences(old, new, solve_metrics)


def _pass_rates(run: Run) -> list[tuple[str, float | None]]:
    rates: list[tuple[str, float | None]] = []
    for where, row in shapes.growing_rows(_answers(run, "verdicts")):
        rate = shapes.number(row.get("pass_rate"), f"{where}, key 'pass_rate'")
        problem = shapes.text(row.get("problem_id"), f"{where}, key 'problem_id'")
        rates.append((problem, rate if rate == rate else None))
    return rates


def _compare_critiques(first: Run, run: Run, result: Against) -> None:
    try:
        old, new = _judged(first, (first, run)), _judged(run, (run, first))
    except _NoLabels:
        result.notes.append("critiques not compared: the build folder with their labels is not here, or was changed")
        return
    shared = [name for name in old if name in new]
    if not shared:
        result.notes.append("critiques not compared: the answers in evaluation/ are missing")
        return
    if len(shared) < max(len(old), len(new)):
        result.notes.append(f"critiques compared on the {len(shared)} pairs that both judged")
    before, after = (critique_counts(side[name] for name in shared) for side in (old, new))
    result.metrics |= differences(before, after, critique_metrics)


class _NoLabels(Exception):
    """The truth about the pairs is nowhere to be found."""


def _judged(run: Run, sources: tuple[Run, ...]) -> dict[str, Judged]:
    """Each critique of the last stage by its row id.

    Labels stand in the row itself, else in the rows of the build that one of ``sources`` names: a run that goes on
    does not name its own yet.
    """
    rows = shapes.growing_rows(_answers(run, "critiques"))
    told = all("label" in row and "problem_id" in row for _, row in rows)
    labels = {} if told or not rows else _labels(run, sources)
    judged = {}
    for where, row in rows:
        name = shapes.text(row.get("row_id"), f"{where}, key 'row_id'")
        truth: Mapping[str, Json] = row if told else labels.get(name, {})
        if not isinstance(truth.get("label"), bool):
            raise _NoLabels
        judged[name] = Judged(str(truth["problem_id"]), truth["label"], _judgement(row, where))
    return judged


def _judgement(row: Mapping[str, Json], where: str) -> Judgement:
    try:
        return Judgement(str(row.get("judgement")))
    except ValueError:
        known = ", ".join(judgement.value for judgement in Judgement)
        raise BadInput(f"{where}, key 'judgement': {row.get('judgement')!r} is not one of: {known}") from None


def _labels(run: Run, sources: tuple[Run, ...]) -> dict[str, dict[str, Json]]:
    """The rows of the run's build by id, if it still lies where a run read it and is still the same build."""
    for source in sources:
        folder = Path(str(source.noted("data", "folder")))
        manifest = folder / "manifest.json"
        if manifest.is_file() and sha256_file(manifest) == run.settings["data"]:
            return {row["id"]: row for _, row in read_rows(folder / "rows" / "heldout.parquet")}
    raise _NoLabels


def _answers(run: Run, what: str) -> Path:
    return run.folder / "evaluation" / run.final.name / f"{what}.jsonl"
