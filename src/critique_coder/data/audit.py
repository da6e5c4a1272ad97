"""Whether a problem can be trusted: its reference passes its own tests, and known wrong solutions fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from critique_coder.data.filter import Loss
from critique_coder.data.recipe import AuditSettings
from critique_coder.records import Outcome, Problem, Solution, Verdict


def audit_solutions(problems: Sequence[Problem], wrong: Sequence[Solution]) -> list[Solution]:
    """What has to be judged for the audit: each problem's reference, and its known wrong solutions."""
    ids = {problem.id for problem in problems}
    references = [
        Solution(reference_id(problem), problem.id, code=problem.reference, author="reference")
        for problem in problems
        if problem.reference is not None
    ]
    return references + [solution for solution in wrong if solution.problem_id in ids]


def reference_id(problem: Problem) -> str:
    """The id under which a problem's reference is judged."""
    return f"{problem.id}#reference"


def audit(
    problems: Sequence[Problem], wrong: Sequence[Solution], verdicts: Mapping[str, Verdict], settings: AuditSettings
) -> tuple[list[Problem], list[Loss]]:
    """The problems that can be trusted, and the others with the reason. ``verdicts`` are by solution id."""
    wrong_of: dict[str, list[Solution]] = {}
    for solution in wrong:
        wrong_of.setdefault(solution.problem_id, []).append(solution)
    kept: list[Problem] = []
    lost: list[Loss] = []
    for problem in problems:
        loss = _reference_loss(problem, verdicts, settings) or _wrong_loss(problem, wrong_of, verdicts, settings)
        if loss is None:
            kept.append(problem)
        else:
            lost.append(loss)
    return kept, lost


def _reference_loss(problem: Problem, verdicts: Mapping[str, Verdict], settings: AuditSettings) -> Loss | None:
    verdict = verdicts.get(reference_id(problem))
    if not settings.reference or verdict is None or verdict.outcome is Outcome.PASSED:
        return None
    number, test = next((n, t) for n, t in enumerate(verdict.tests, 1) if t.outcome is not Outcome.PASSED)
    return Loss(problem.id, "reference_fails", f"test {number}: {test.outcome.value}: {test.message or ''}".strip(": "))


def _wrong_loss(
    problem: Problem, wrong_of: Mapping[str, list[Solution]], verdicts: Mapping[str, Verdict], settings: AuditSettings
) -> Loss | None:
    wrong = wrong_of.get(problem.id, [])
    accepted = [s.id for s in wrong if verdicts[s.id].outcome is Outcome.PASSED]
    if accepted:
        return Loss(problem.id, "wrong_solution_passes", f"{accepted[0]} passes all {len(problem.tests)} tests")
    failed = sum(verdicts[s.id].outcome not in (Outcome.PASSED, Outcome.UNSCORED) for s in wrong)
    if failed < settings.min_wrong:
        return Loss(
            problem.id, "too_few_wrong_solutions", f"{failed} known wrong solutions fail, {settings.min_wrong} wanted"
        )
    return None
