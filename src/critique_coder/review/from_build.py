"""The cases that a build or a run holds: labelled solutions, and the critiques that a model wrote while it trained.

Critiques come from the rollouts alone, never from the evaluation: what people say of them is trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from critique_coder.feedback import code_sha256
from critique_coder.records import BadInput, CritiqueRow, Judgement, LabelSource, Outcome, Problem, Verdict
from critique_coder.review.cases import Case
from critique_coder.storage import read_json, read_problems, read_rows


def build_of(folder: Path) -> Path:
    """The build folder of a run, or ``folder`` itself when it is a build; raises BadInput."""
    if not (folder / "rollouts").is_dir():
        return folder
    data = read_json(folder / "manifest.json").get("data", {}).get("folder")
    if not isinstance(data, str):
        raise BadInput(f"{folder / 'manifest.json'}, key 'data': names no build folder; give the build itself")
    return Path(data)


def cases_of(folder: Path) -> tuple[Case, ...]:
    """The cases of a build, or of a run: its build's and its critiques; raises BadInput."""
    solutions = cases_of_build(build_of(folder))
    return (*solutions, *_critiques(folder, {case.id: case for case in solutions}))


def _critiques(run: Path, solutions: Mapping[str, Case]) -> list[Case]:
    """A case for each different critique in the rollouts; those of rows that the build has no more are left out."""
    found: dict[str, Case] = {}
    for path in sorted((run / "rollouts").glob("*.parquet")):
        for _, row in read_rows(path):
            case = solutions.get(row["row_id"])
            if row["kind"] == "critique" and case is not None and row["completion"].strip():
                name = f"{case.id}@{code_sha256(row['completion'])[:12]}"
                judgement = _JUDGEMENTS.get(row["finding"])
                found[name] = replace(case, id=name, row_id=case.id, completion=row["completion"], judgement=judgement)
    return list(found.values())


_JUDGEMENTS = {Judgement.CORRECT.value: True, Judgement.INCORRECT.value: False}


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
