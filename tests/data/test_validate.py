"""Validation: what it doubts and what it does not; mutants are programs, differ, and are the same every time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from critique_coder.data.mutants import mutants
from critique_coder.data.validate import Doubt, Validation, to_judge, validation
from critique_coder.data.verify import verify_solutions
from critique_coder.judge import Judge, Way
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind, Verdict

REFERENCE = "def f(x):\n    if x > 2 and True:\n        return x + 1\n    return [3, 2][x % 2]\n"


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=2) as one:
        yield one


def problem(reference: str | None = REFERENCE, inputs: tuple[int, ...] = (0, 1, 2, 3)) -> Problem:
    expected = {0: 3, 1: 2, 2: 3, 3: 4}
    tests = tuple(TestCase(TestKind.CALL, args=(x,), expected=expected[x]) for x in inputs)
    return Problem("p", "statement", tests, entry_point="f", reference=reference)


def validate(
    judge: Judge, folder: Path, one: Problem, wrong: tuple[Solution, ...] = (), repeats: int = 2
) -> Validation:
    verdicts = verify_solutions(judge, {"p": one}, to_judge([one], wrong, 4, repeats), folder / "verdicts.jsonl")
    return validation([one], wrong, verdicts, repeats)


def test_which_of_two_limits_comes_first_is_no_doubt() -> None:
    """A program that computes and grows without end; a busy machine decides which limit it meets first."""
    one = problem(reference=None)
    (wrong,) = to_judge([one], (Solution("w", "p", "x = []\nwhile True: x.append(1)"),), 0, 1)

    def seen(*outcomes: Outcome) -> list[Doubt]:
        verdicts = [
            Verdict(wrong.id, "p", outcome, int(outcome is Outcome.PASSED), 4, 0.0, (), "full", False)
            for outcome in outcomes
        ]
        return [finding.doubt for finding in validation([one], (wrong,), verdicts, len(verdicts)).findings]

    assert seen(Outcome.TIME_LIMIT, Outcome.MEMORY_LIMIT) == []
    assert seen(Outcome.TIME_LIMIT, Outcome.WRONG_ANSWER) == [Doubt.FLAKY]


def test_mutants_are_programs_that_differ_and_come_out_the_same_every_time() -> None:
    made = mutants(problem(), 50)
    sources = [solution.code or "" for solution in made]
    assert len(made) > 8 and len(set(sources)) == len(sources) and ast.unparse(ast.parse(REFERENCE)) not in sources
    assert all(ast.parse(source) for source in sources)
    assert mutants(problem(), 50) == made and mutants(problem(), 3) == made[:3]
    assert any("x >= 2" in source for source in sources) and any(" or " in source for source in sources)


def test_without_a_reference_there_are_no_mutants() -> None:
    assert mutants(problem(None), 4) == [] and mutants(problem("def f(:"), 4) == []


def test_a_sound_problem_is_not_doubted(judge: Judge, tmp_path: Path) -> None:
    wrong = Solution("w", "p", code="def f(x): return 7")
    found = validate(judge, tmp_path, problem(), (wrong,))
    assert found.findings == () and (found.references, found.wrong) == (1, 1)
    assert found.mutants[0] == 4 and found.ways == {Way.CALL: 4}


def test_a_reference_that_fails(judge: Judge, tmp_path: Path) -> None:
    (finding,) = validate(judge, tmp_path, problem("def f(x): return 3")).findings
    assert finding.doubt is Doubt.REFERENCE_FAILS and "test 2: wrong_answer" in finding.detail


def test_a_wrong_solution_that_passes(judge: Judge, tmp_path: Path) -> None:
    (finding,) = validate(
        judge, tmp_path, problem(inputs=(0, 2)), (Solution("w", "p", code="def f(x): return 3"),)
    ).findings
    assert finding.doubt is Doubt.WRONG_PASSES and "passes all 2 tests" in finding.detail


def test_a_verdict_that_changes(judge: Judge, tmp_path: Path) -> None:
    dice = "import os\ndef f(x): return 3 if os.urandom(1)[0] % 2 else 4"
    finding, *of_mutants = validate(judge, tmp_path, problem(dice), repeats=12).findings
    assert all(other.doubt is Doubt.FLAKY for other in of_mutants)
    assert finding.doubt is Doubt.FLAKY and "then" in finding.detail


def test_a_test_that_cannot_be_run_here(judge: Judge, tmp_path: Path) -> None:
    one = Problem(
        "p", "s", (TestCase(TestKind.SCRIPT, code="import numpy\nassert f(1) == 1"),), reference="def f(x): return x"
    )
    findings = validate(judge, tmp_path, one).findings
    assert {finding.doubt for finding in findings} == {Doubt.UNSCORED} and "numpy" in findings[0].detail


def test_few_mutants_of_a_long_program_are_made_at_once() -> None:
    """Making all of them, to draw four, would take hours."""
    table = ", ".join(map(str, range(6000)))
    long = problem(f"def double(n):\n    table = [{table}]\n    return 2 * n\n")
    found = mutants(long, 4)
    assert len({solution.code for solution in found}) == 4 and found == mutants(long, 4)
    assert mutants(long, 0) == []
