"""Problems that a build's audit took out, for people to look at: each with one solution that shows what is wrong.

Wrong tests gather here, and only a person can tell a wrong test from a wrong reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from critique_coder.records import Json, Outcome, Problem
from critique_coder.review.cases import Case
from critique_coder.review.from_build import Tested, written_rows
from critique_coder.review.gold import AUDITED
from critique_coder.review.naming import Names

READ = "stages/problems.jsonl"
"""The problems as a build read them, those that it took out later among them."""

DOUBTS = {
    "reference_fails": 0.9,
    "flaky": 0.9,
    "tests_disagree": 0.8,
    "wrong_solution_passes": 0.8,
    "statement_cut": 0.7,
    "tests_too_weak": 0.5,
    "too_few_wrong_solutions": 0.3,
}
"""The reasons of the audit that a person can do something about, and how doubtful the tests are then."""

_ACCEPTED = ("wrong_solution_passes", "tests_too_weak")
"""Where the tests let pass what they should not; to be shown is a solution that passed."""


def quarantined_cases(build: Path, audit: Mapping[str, Tested], names: Names, seed: int) -> list[Case]:
    """A case for each problem in the audit's quarantine of which there is a solution; raises BadInput."""
    reasons = _reasons(build)
    if not reasons or not (build / READ).exists():
        return []
    problems = {row["id"]: Problem.from_json(row, f"{build / READ}") for row in written_rows(build / READ, reasons)}
    shown = {problem.id: ("", problem.reference) for problem in problems.values() if problem.reference is not None}
    shown |= _accepted(build, {name for name in problems if reasons[name] in _ACCEPTED}, audit)
    return [
        _case(problems[name], reasons[name], *shown[name], audit, names, seed) for name in problems if name in shown
    ]


def _reasons(build: Path) -> dict[str, str]:
    if not (build / "quarantine.jsonl").exists():
        return {}
    return {
        row["problem_id"]: row["reason"] for row in written_rows(build / "quarantine.jsonl") if row["reason"] in DOUBTS
    }


def _accepted(build: Path, problems: set[str], audit: Mapping[str, Tested]) -> Iterator[tuple[str, tuple[str, str]]]:
    """For each problem the id and code of the first wrong solution, or change of the reference, that passed."""
    if not problems or not (build / AUDITED).exists():
        return
    left = set(problems)
    for row in written_rows(build / AUDITED):
        if row["problem_id"] in left and row.get("author") != "reference" and _passed(row, audit):
            left.remove(row["problem_id"])
            yield row["problem_id"], (row["id"], row["code"])


def _passed(row: Json, audit: Mapping[str, Tested]) -> bool:
    return row["id"] in audit and audit[row["id"]].outcome is Outcome.PASSED


def _case(
    problem: Problem, reason: str, audited: str, code: str, audit: Mapping[str, Tested], names: Names, seed: int
) -> Case:
    """``audited`` is the id under which the code was judged; the reference's where it is empty.

    Of a flaky one the tests say nothing.
    """
    found = audit.get(audited or f"{problem.id}#reference")
    told = found is not None and reason != "flaky" and found.pass_rate is not None
    solution = names.solution_id(problem.id, seed)
    return Case(
        f"critique/{solution}",
        problem,
        solution,
        code,
        tests=found.outcome is Outcome.PASSED if found is not None and told else None,
        failed_tests=found.failed if found is not None and told else (),
        quarantine=reason,
    )
