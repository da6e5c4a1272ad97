"""Whether a problem can be trusted: its reference passes its own tests, and known wrong solutions fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from critique_coder.data.losses import Loss
from critique_coder.data.recipe import AuditSettings
from critique_coder.records import Outcome, Problem, Solution, Verdict


def audit_solutions(problems: Iterable[Problem], wrong: Sequence[Solution]) -> list[Solution]:
    """What has to be judged for the audit of a small set: references first, then the known wrong solutions."""
    problems = list(problems)
    ids = {problem.id for problem in problems}
    references = [reference for problem in problems if (reference := reference_of(problem)) is not None]
    return references + [solution for solution in wrong if solution.problem_id in ids]


def solutions_to_audit(problem: Problem, wrong: Sequence[Solution], settings: AuditSettings) -> list[Solution]:
    """What has to be judged for the audit of one problem."""
    reference = reference_of(problem)
    return [*([reference] if reference is not None else []), *wrong]


def reference_of(problem: Problem) -> Solution | None:
    """A problem's reference as a solution."""
    if problem.reference is None:
        return None
    return Solution(reference_id(problem), problem.id, code=problem.reference, author="reference")


def reference_id(problem: Problem) -> str:
    """The id under which a problem's reference is judged."""
    return f"{problem.id}#reference"


def audit_problem(
    problem: Problem, wrong: Sequence[Solution], verdicts: Mapping[str, Verdict], settings: AuditSettings
) -> Loss | None:
    """Why a problem cannot be trusted; None when it can. ``verdicts`` are by solution id."""
    return _reference_loss(problem, verdicts, settings) or _wrong_loss(problem, wrong, verdicts, settings)


def _reference_loss(problem: Problem, verdicts: Mapping[str, Verdict], settings: AuditSettings) -> Loss | None:
    verdict = verdicts.get(reference_id(problem))
    if not settings.reference or verdict is None or verdict.outcome is Outcome.PASSED:
        return None
    number, test = next((n, t) for n, t in enumerate(verdict.tests, 1) if t.outcome is not Outcome.PASSED)
    return Loss(problem.id, "reference_fails", f"test {number}: {test.outcome.value}: {test.message or ''}".strip(": "))


def _wrong_loss(
    problem: Problem, wrong: Sequence[Solution], verdicts: Mapping[str, Verdict], settings: AuditSettings
) -> Loss | None:
    accepted = [s.id for s in wrong if verdicts[s.id].outcome is Outcome.PASSED]
    if accepted:
        return Loss(problem.id, "wrong_solution_passes", f"{accepted[0]} passes all {len(problem.tests)} tests")
    failed = sum(verdicts[s.id].outcome not in (Outcome.PASSED, Outcome.UNSCORED) for s in wrong)
    if failed < settings.min_wrong:
        return Loss(
            problem.id, "too_few_wrong_solutions", f"{failed} known wrong solutions fail, {settings.min_wrong} wanted"
        )
    return None
