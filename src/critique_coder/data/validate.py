"""Can these problems be trusted? References pass, wrong solutions fail, and both do so every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from critique_coder.data.audit import again, audit_solutions, reference_id, text_loss
from critique_coder.data.mutants import mutants
from critique_coder.data.recipe import AuditSettings
from critique_coder.judge import Way, way_of
from critique_coder.records import Outcome, Problem, Solution, Verdict


class Doubt(StrEnum):
    """Why a problem should not be trusted."""

    REFERENCE_FAILS = "the reference fails"
    WRONG_PASSES = "a wrong solution passes"
    FLAKY = "verdicts differ from run to run"
    UNSCORED = "cannot be judged here"
    STATEMENT = "the statement is empty or cut off"
    DISAGREE = "tests disagree with each other"


@dataclass(frozen=True, slots=True)
class Finding:
    """A doubt about a problem, with what it was seen by."""

    problem_id: str
    doubt: Doubt
    detail: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found. ``ways``: tests by the way in which they are run. ``mutants``: tried and rejected."""

    findings: tuple[Finding, ...]
    ways: Mapping[Way, int]
    references: int
    wrong: int
    mutants: tuple[int, int]


def to_judge(problems: Sequence[Problem], wrong: Sequence[Solution], mutant_count: int, repeats: int) -> list[Solution]:
    """What has to be judged: references, wrong solutions and mutants, each ``repeats`` times."""
    once = audit_solutions(problems, wrong)
    for problem in problems:
        once += mutants(problem, mutant_count)
    return [
        solution if number == 0 else replace(solution, id=again(solution.id, number))
        for number in range(repeats)
        for solution in once
    ]


def validation(
    problems: Sequence[Problem], wrong: Sequence[Solution], verdicts: Sequence[Verdict], repeats: int
) -> Validation:
    """Read the verdicts on what ``to_judge`` gave, in its order."""
    count = len(verdicts) // repeats
    rounds = [verdicts[start : start + count] for start in range(0, count * repeats, count)]
    known_wrong = {solution.id for solution in wrong}
    references = {reference_id(problem) for problem in problems}
    findings = [finding for problem in problems if (finding := _finding_in_text(problem)) is not None]
    tried = rejected = 0
    for seen in zip(*rounds, strict=True):
        first = seen[0]
        is_mutant = first.solution_id not in known_wrong and first.solution_id not in references
        tried += is_mutant
        rejected += is_mutant and first.outcome is not Outcome.PASSED
        doubt = _doubt(seen, first.solution_id in references, first.solution_id in known_wrong)
        if doubt is not None:
            findings.append(Finding(first.problem_id, doubt, _detail(seen, doubt)))
    return Validation(
        findings=tuple(findings),
        ways=Counter(way_of(problem, test) for problem in problems for test in problem.tests),
        references=sum(problem.reference is not None for problem in problems),
        wrong=sum(verdict.solution_id in known_wrong for verdict in rounds[0]) if rounds else 0,
        mutants=(tried, rejected),
    )


def _finding_in_text(problem: Problem) -> Finding | None:
    loss = text_loss(problem, AuditSettings())
    if loss is None:
        return None
    return Finding(problem.id, Doubt.STATEMENT if loss.reason == "statement_cut" else Doubt.DISAGREE, loss.detail)


_LIMIT = "a limit"
_LIMITS = (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT, Outcome.MEMORY_LIMIT, Outcome.OUTPUT_LIMIT)
"""A program that grows without end goes over one of them: over which first says nothing about the problem."""


def _doubt(seen: Sequence[Verdict], is_reference: bool, is_wrong: bool) -> Doubt | None:
    outcomes = {verdict.outcome for verdict in seen}
    if Outcome.UNSCORED in outcomes:
        return Doubt.UNSCORED
    if len({(_LIMIT if verdict.outcome in _LIMITS else verdict.outcome, verdict.passed) for verdict in seen}) > 1:
        return Doubt.FLAKY
    if is_reference and outcomes != {Outcome.PASSED}:
        return Doubt.REFERENCE_FAILS
    return Doubt.WRONG_PASSES if is_wrong and Outcome.PASSED in outcomes else None


def _detail(seen: Sequence[Verdict], doubt: Doubt) -> str:
    """The solution, and its first test that did not pass."""
    told = seen[0].solution_id
    if doubt is Doubt.FLAKY:
        return f"{told}: " + ", then ".join(f"{v.outcome.value} ({v.passed} of {v.total})" for v in seen)
    for verdict in seen:
        for number, test in enumerate(verdict.tests, 1):
            if test.outcome is not Outcome.PASSED:
                return f"{told}: test {number}: {test.outcome.value}: {test.message or ''}".rstrip(": ")
    return f"{told} passes all {seen[0].total} tests"
