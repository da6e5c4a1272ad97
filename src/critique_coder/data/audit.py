"""Whether a problem can be trusted.

Its statement is whole, its tests agree with each other, its reference passes them, known wrong solutions and small
changes of the reference fail, and all of that every time. The reasons are the words of ``quarantine.jsonl``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from critique_coder.data.losses import Loss
from critique_coder.data.mutants import mutants
from critique_coder.data.recipe import AuditSettings
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind, Verdict
from critique_coder.storage import dumps


def audit_solutions(problems: Iterable[Problem], wrong: Sequence[Solution]) -> list[Solution]:
    """What has to be judged for the audit of a small set: references first, then the known wrong solutions."""
    problems = list(problems)
    ids = {problem.id for problem in problems}
    references = [reference for problem in problems if (reference := reference_of(problem)) is not None]
    return references + [solution for solution in wrong if solution.problem_id in ids]


def solutions_to_audit(problem: Problem, wrong: Sequence[Solution], settings: AuditSettings) -> list[Solution]:
    """What has to be judged for the audit of one problem: nothing when its text alone condemns it."""
    if text_loss(problem, settings) is not None:
        return []
    reference = reference_of(problem)
    once = [*([reference] if reference is not None else []), *wrong]
    repeated = [replace(s, id=again(s.id, number)) for number in range(1, settings.repeats) for s in once]
    return [*once, *repeated, *mutants(problem, settings.mutants)]


def again(solution_id: str, number: int) -> str:
    """The id under which a solution is judged once more."""
    return f"{solution_id}#again-{number}"


def reference_of(problem: Problem) -> Solution | None:
    """A problem's reference as a solution."""
    if problem.reference is None:
        return None
    return Solution(reference_id(problem), problem.id, code=problem.reference, author="reference")


def reference_id(problem: Problem) -> str:
    """The id under which a problem's reference is judged."""
    return f"{problem.id}#reference"


def audit_problem(
    problem: Problem,
    wrong: Sequence[Solution],
    verdicts: Mapping[str, Verdict],
    settings: AuditSettings,
    max_time_s: float = 0,
) -> Loss | None:
    """Why a problem cannot be trusted, or is too slow; None when it can be used. ``verdicts`` are by solution id."""
    return (
        text_loss(problem, settings)
        or _flaky_loss(problem, wrong, verdicts, settings)
        or _reference_loss(problem, verdicts, settings)
        or _slow_loss(problem, verdicts, max_time_s)
        or _wrong_loss(problem, wrong, verdicts, settings)
        or _mutants_loss(problem, verdicts, settings)
    )


def text_loss(problem: Problem, settings: AuditSettings) -> Loss | None:
    """What is wrong with a problem that shows without running anything."""
    if settings.statement and (cut := what_is_cut(problem.statement)) is not None:
        return Loss(problem.id, "statement_cut", cut)
    if settings.agreement and (clash := clashing_tests(problem.tests)) is not None:
        detail = f"tests {clash[0]} and {clash[1]} expect different things of the same input"
        return Loss(problem.id, "tests_disagree", detail)
    return None


_HANGING = frozenset(
    ("a", "an", "and", "are", "be", "for", "in", "is", "of", "or", "than", "that", "the", "to", "with")
)


def what_is_cut(statement: str) -> str | None:
    """What shows that a statement is empty or cut off; None when nothing does."""
    text = statement.strip()
    if not any(sign.isalnum() for sign in text):
        return f"the statement is {text!r}"
    if text.count("```") % 2:
        return "a block of code is not closed"
    last = text.split()[-1]
    if last.endswith(("...", "…")) and last.strip(".…") and "`" not in last:  # dots alone say: and so on
        return "the statement ends in dots"
    if last in _HANGING or last.endswith(","):
        return f"the statement ends in {last!r}"
    return None


def clashing_tests(tests: Sequence[TestCase]) -> tuple[int, int] | None:
    """The places, from 1, of two tests with the same input and different expectations; None when all agree."""
    seen: dict[str, tuple[int, str]] = {}
    for number, test in enumerate(tests, 1):
        if test.kind is TestKind.STDIO:
            asked, expected = dumps(test.stdin.split()), dumps(test.stdout.split())
        elif test.kind is TestKind.CALL:
            asked, expected = dumps([list(test.args), dict(test.kwargs)]), dumps(test.expected)
        else:
            continue
        before = seen.setdefault(asked, (number, expected))
        if before[1] != expected:
            return before[0], number
    return None


def _flaky_loss(
    problem: Problem, wrong: Sequence[Solution], verdicts: Mapping[str, Verdict], settings: AuditSettings
) -> Loss | None:
    names = [reference_id(problem)] if problem.reference is not None else []
    for name in [*names, *(solution.id for solution in wrong)]:
        rounds = [verdicts[name], *(verdicts[again(name, number)] for number in range(1, settings.repeats))]
        seen = [verdict for verdict in rounds if verdict.outcome is not Outcome.UNSCORED]
        if len({(verdict.outcome, verdict.passed) for verdict in seen}) > 1:
            told = ", then ".join(verdict.outcome.value for verdict in seen)
            return Loss(problem.id, "flaky", f"{name}: {told}")
    return None


def _slow_loss(problem: Problem, verdicts: Mapping[str, Verdict], max_time_s: float) -> Loss | None:
    verdict = verdicts.get(reference_id(problem))
    slowest = max((test.time_s for test in verdict.tests), default=0.0) if verdict is not None else 0.0
    if not max_time_s or slowest <= max_time_s:
        return None
    return Loss(problem.id, "slow", f"the reference needs longer than {max_time_s} s on a test")


def _mutants_loss(problem: Problem, verdicts: Mapping[str, Verdict], settings: AuditSettings) -> Loss | None:
    if not settings.mutants:
        return None
    names = [mutant.id for mutant in mutants(problem, settings.mutants)]
    seen = [verdicts[name] for name in names if verdicts[name].outcome is not Outcome.UNSCORED]
    failed = sum(verdict.outcome is not Outcome.PASSED for verdict in seen)
    if failed >= settings.min_mutants_fail * len(seen):
        return None
    return Loss(problem.id, "tests_too_weak", f"{failed} of {len(seen)} small changes of the reference fail")


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
