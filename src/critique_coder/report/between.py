"""Runs against the first of them, paired over the problems and pairs on which both were measured.

Two runs are compared only when their held-out rows and tests are the same: the same build, or builds whose
``problems.jsonl`` and ``rows/heldout.parquet`` have the same hashes. Anything else would compare two exams. Builds that
differ by what people said of them are the exception: see ``relabelled``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from critique_coder.evaluation.metrics import Judged, critique_counts, critique_metrics, solve_counts, solve_metrics
from critique_coder.evaluation.statistics import Difference, differences
from critique_coder.records import Json
from critique_coder.report.answers import build_of, critiques, pass_rates
from critique_coder.report.reading import Run
from critique_coder.report.words import stage_title
from critique_coder.storage import read_rows


@dataclass(slots=True)
class Against:
    """How a run differs from another at their last stages; ``notes`` say what was not compared, or with what care."""

    metrics: dict[str, Difference] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def against(first: Run, run: Run) -> Against:
    """``run`` minus ``first``, with intervals from the answers in ``evaluation/``."""
    if not same_exam(first, run):
        return Against(notes=[_not_compared(first, run)])
    result = Against(notes=cautions(first, run))
    _compare_solutions(first, run, result)
    _compare_critiques(first, run, result)
    return result


def same_exam(first: Run, run: Run) -> bool:
    """Whether two runs were measured on the same held-out rows and tests."""
    if first.settings["data"] == run.settings["data"]:
        return True
    files = ("problems.jsonl", "rows/heldout.parquet")
    old, new = ([run.noted("data", "manifest", "outputs", name) for name in files] for run in (first, run))
    return None not in old and old == new


def people_of(run: Run) -> Json:
    """The feedback folder that the run's build took labels from; None for a build by tests alone."""
    return run.noted("data", "manifest", "settings", "label", "people")


def _not_compared(first: Run, run: Run) -> str:
    note = "not compared: the two were measured on different held-out rows or tests"
    if people_of(first) is None and people_of(run) is None:
        return note
    return (
        f"{note}, since people judged in between, and a build folder that tells which is gone or was changed; put it "
        "back where it was, or measure the older model by the newer build with critique-coder evaluate"
    )


def cautions(first: Run, run: Run) -> list[str]:
    """With what care the two are to be compared."""
    notes = []
    both = first.asked.keys() & run.asked.keys() - _OF_NO_MATTER
    others = sorted(name for name in both if first.asked[name] != run.asked[name])
    if others:
        notes.append(f"measured with different evaluation settings: {', '.join(others)}")
    if first.final.name != run.final.name and not (first.only_measured or run.only_measured):
        old, new = stage_title(first.final.name), stage_title(run.final.name)
        notes.append(f"compared at different stages: {old} and {new}")
    return notes


_OF_NO_MATTER = frozenset(("model", "endpoint", "batch_size"))
"""What stands among the settings, and says nothing of how hard the exam was."""


def _compare_solutions(first: Run, run: Run, result: Against) -> None:
    old, new = (solve_counts(pass_rates(side)) for side in (first, run))
    shared = len(set(old.problems) & set(new.problems))
    if not shared:
        result.notes.append("pass@1 not compared: the verdicts in evaluation/ are missing")
        return
    if shared < max(len(old.problems), len(new.problems)):
        result.notes.append(f"pass@1 compared on the {shared} problems that both have")
    result.metrics |= differences(old, new, solve_metrics)


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

    Labels stand in the row itself, else in the rows of the build that one of ``sources`` names.
    """
    said = critiques(run)
    told = all("label" in row and "problem_id" in row for _, row in said.values())
    labels = {} if told or not said else _labels(run, sources)
    judged = {}
    for name, (judgement, row) in said.items():
        truth: Mapping[str, Json] = row if told else labels.get(name, {})
        if not isinstance(truth.get("label"), bool):
            raise _NoLabels
        judged[name] = Judged(str(truth["problem_id"]), truth["label"], judgement)
    return judged


def _labels(run: Run, sources: tuple[Run, ...]) -> dict[str, dict[str, Json]]:
    folder = build_of(run, sources)
    if folder is None:
        raise _NoLabels
    return {row["id"]: row for _, row in read_rows(folder / "rows" / "heldout.parquet")}
