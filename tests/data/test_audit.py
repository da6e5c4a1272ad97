"""The audit: each way in which a problem cannot be trusted is found, and one that can be is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from critique_coder.data.audit import audit_problem, clashing_tests, solutions_to_audit, what_is_cut
from critique_coder.data.build import build
from critique_coder.data.recipe import AuditSettings, BuildRecipe
from critique_coder.judge import Judge
from critique_coder.records import Problem, Solution, TestCase, TestKind
from critique_coder.settings import resolve
from critique_coder.storage import read_rows, write_jsonl
from making import a_problem

FLAKY = "import os\ndef double(n):\n    return 2 * n + os.urandom(1)[0] % 2\n"
MANY_WAYS = "def double(n):\n    return 3 * n if n > 4 and n != 7 else 2 * n\n"
SLOW = "import time\ndef double(n):\n    while time.process_time() < 0.2:\n        pass\n    return 2 * n\n"


def reason_of(problem: Problem, settings: AuditSettings, wrong: list[Solution] = [], max_time_s: float = 0) -> str:  # noqa: B006
    solutions = solutions_to_audit(problem, wrong, settings)
    with Judge(workers=2, first_failure=True) as judge:
        verdicts = {v.solution_id: v for v in judge.verify_many((problem, solution) for solution in solutions)}
    loss = audit_problem(problem, wrong, verdicts, settings, max_time_s)
    return "" if loss is None else loss.reason


ALL = AuditSettings(repeats=6, mutants=4)
WRONG = [Solution("w", "p", "def double(n):\n    return 3 * n\n")]


def test_a_good_problem_is_left_alone() -> None:
    assert reason_of(a_problem(), ALL, WRONG, 5.0) == ""


@pytest.mark.parametrize(
    ("problem", "settings", "reason"),
    [
        (a_problem(reference="def double(n):\n    return n * n\n"), ALL, "reference_fails"),
        (a_problem(reference=FLAKY, tests=2), AuditSettings(repeats=20), "flaky"),
        (a_problem(reference=MANY_WAYS, tests=1), AuditSettings(mutants=8, min_mutants_fail=0.9), "tests_too_weak"),
    ],
)
def test_what_cannot_be_trusted_is_found(problem: Problem, settings: AuditSettings, reason: str) -> None:
    assert reason_of(problem, settings) == reason


def test_a_known_wrong_solution_that_passes_and_a_slow_reference_are_found() -> None:
    right = [Solution("w", "p", "def double(n):\n    return n + n\n")]
    assert reason_of(a_problem(), AuditSettings(), right) == "wrong_solution_passes"
    slow = a_problem(reference=SLOW, tests=1)
    assert reason_of(slow, AuditSettings(), [], 0.02) == "slow" and reason_of(slow, AuditSettings()) == ""


def call(value: int, expected: Any) -> TestCase:
    return TestCase(TestKind.CALL, args=(value,), expected=expected)


def stdio(given: str, expected: str) -> TestCase:
    return TestCase(TestKind.STDIO, stdin=given, stdout=expected)


def test_tests_that_disagree_are_found_by_their_places() -> None:
    assert clashing_tests([call(1, 2), call(2, 4), call(1, 3)]) == (1, 3)
    assert clashing_tests([call(1, 2), call(2, 4), call(1, 2)]) is None
    assert clashing_tests([call(1, True), call(1, 1)]) == (1, 2)
    assert clashing_tests([stdio("1 2\n", "3"), stdio("1 2", "3 \n")]) is None
    assert clashing_tests([stdio("1 2\n", "3"), stdio("1  2", "4")]) == (1, 2)
    assert clashing_tests([TestCase(TestKind.SCRIPT, code="assert f() == 1")] * 2) is None


@pytest.mark.parametrize(
    "statement",
    ["", "...", " - ", "Return the sum of", "Given a list of numbers, return the", "Take n,", "Add a and b...",
     "Complete this.\n```python\ndef f():\n"],
)  # fmt: skip
def test_an_empty_or_cut_statement_is_found(statement: str) -> None:
    assert what_is_cut(statement) is not None


@pytest.mark.parametrize(
    "statement",
    ["Add two numbers.", "Is n prime?", "Complete this.\n```python\ndef f(): ...\n```", "Output format: `a, b, ...`.",
     "Print the answer: 1 2 3", "Return the range 1, 2, ..., n", "A -> 1\nB -> 2\n..."],
)  # fmt: skip
def test_a_whole_statement_is_not_taken_for_a_cut_one(statement: str) -> None:
    assert what_is_cut(statement) is None


def test_a_build_says_what_was_lost_of_each_source(tmp_path: Path) -> None:
    problems = [
        a_problem("good", source="one"),
        a_problem("cut", source="one", tests=3),
        a_problem("clash", source="two"),
        a_problem("slow", source="two", reference=None, tests=1),
    ]
    rows = [problem.to_json() for problem in problems]
    rows[1]["statement"] = "Write the"
    rows[2]["tests"].append({"kind": "call", "args": [1], "expected": 7})
    write_jsonl(tmp_path / "problems.jsonl", rows)
    codes = {"good": "def double(n): return 2 * n", "slow": SLOW}
    solutions = [{"id": f"{name}#0", "problem_id": name, "code": code} for name, code in codes.items()]
    write_jsonl(tmp_path / "solutions.jsonl", solutions)
    values: dict[str, Any] = {
        "source": [{"name": "problems", "path": str(tmp_path / "problems.jsonl")}],
        "candidates": {"path": str(tmp_path / "solutions.jsonl")},
        "filter": {"max_time_s": 0.05},
        "judge": {"workers": 1},
    }
    manifest = build(resolve(BuildRecipe, values, [], "recipe"), tmp_path / "data")
    assert manifest["counts"]["problems"]["by_source"] == {
        "one": {"read": 2, "kept": 1, "lost": {"statement_cut": 1}},
        "two": {"read": 2, "kept": 0, "lost": {"slow": 1, "tests_disagree": 1}},
    }
    kept = [row["id"] for _, row in read_rows(tmp_path / "data" / "problems.jsonl")]
    critiques = [row["problem_id"] for _, row in read_rows(tmp_path / "data" / "critiques.jsonl")]
    assert kept == critiques == ["good"]
    assert manifest["counts"]["table1"]["before"] == {
        "questions": 4, "tests": 13, "mean_tests": 3.25, "median_tests": 3.5, "mean_input_characters": 3.0,
    }  # fmt: skip
    assert manifest["counts"]["table1"]["kept"]["questions"] == 1
