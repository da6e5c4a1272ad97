"""The cases that a build folder holds: every labelled solution, and every critique that was written for one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from critique_coder.records import BadInput, CritiqueRow, LabelSource, Outcome, Problem, Verdict
from critique_coder.review.cases import Case
from critique_coder.storage import read_problems, read_rows


def cases_of_build(folder: Path) -> tuple[Case, ...]:
    """A case for each row of ``critiques.jsonl``, named by the row's id; raises BadInput when parts are missing.

    The label by tests is the row's, or what the tests said where people's label stands in the row.
    """
    if not (folder / "critiques.jsonl").exists():
        raise BadInput(f"{folder}: is not a build folder (no critiques.jsonl); make one with `critique-coder build`")
    problems = {problem.id: problem for problem in read_problems(folder / "problems.jsonl")}
    verdicts = {
        verdict.solution_id: verdict
        for where, row in read_rows(folder / "verdicts.jsonl")
        for verdict in [Verdict.from_json(row, where)]
    }
    return tuple(
        _case(CritiqueRow.from_json(row, where), where, problems, verdicts)
        for where, row in read_rows(folder / "critiques.jsonl")
    )


def _case(row: CritiqueRow, where: str, problems: Mapping[str, Problem], verdicts: Mapping[str, Verdict]) -> Case:
    if row.problem_id not in problems:
        raise BadInput(f"{where}: problem {row.problem_id!r} is not in this build; build it again")
    verdict = verdicts.get(row.solution_id)
    results = verdict.tests if verdict is not None else ()
    failed = tuple(place for place, result in enumerate(results) if result.outcome is not Outcome.PASSED)
    return Case(row.id, problems[row.problem_id], row.solution_id, row.solution, _by_tests(row), failed)


def _by_tests(row: CritiqueRow) -> bool | None:
    return row.label if row.label_source is LabelSource.TESTS else row.test_label
