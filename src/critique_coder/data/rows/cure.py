"""CURE (arXiv 2506.03136): the matrix of codes and generated tests, and what it says of both.

For a problem, every labelled solution is run on every test that a model wrote for it. A solution is rewarded by its
share of the problem's own tests, a test by equations 3 and 4: where it lets every correct code pass, the number of
wrong codes that it rejects; else minus the number of wrong codes that it accepts. Advantages are standardised among
the problem's solutions, and among its tests. Which codes are correct is known from the problem's own tests.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from critique_coder.data.asking import Answer, Question
from critique_coder.data.mix import RowKind
from critique_coder.data.rows.columns import extra_info, named, said, source_of
from critique_coder.data.rows.source import RowSource
from critique_coder.prompts import load_template, parse_tests, solve_prompt, write_tests_prompt
from critique_coder.records import (
    BadInput,
    CritiqueRow,
    Outcome,
    Problem,
    Solution,
    TestCase,
    TestKind,
    Verdict,
    check_tagged,
)


@dataclass(frozen=True, slots=True)
class Code:
    """A solution with what the problem's own tests found."""

    row: CritiqueRow
    correct: bool
    pass_rate: float


def cure(source: RowSource) -> Iterator[dict[str, object]]:
    """For each problem with codes and tests, a row for every code and one for every generated test."""
    codes = _codes(source)
    template = source.use(load_template("write_tests", source.settings.write_tests_template))
    problems = {name: source.data.problems[name] for name in codes}
    prompts = {name: write_tests_prompt(template, problem, 1) for name, problem in problems.items()}
    questions = [
        Question(f"tests/{name}#{number}", prompt)
        for name, prompt in prompts.items()
        for number in range(source.settings.tests_a_problem)
    ]
    answers = source.answers("written_tests", source.settings.tests, questions, "tests")
    written = {name: _written(source, problem, answers) for name, problem in problems.items()}
    with_tests = {
        name: replace(problems[name], tests=tuple(test for _, test in tests))
        for name, tests in written.items()
        if tests
    }
    solutions = [Solution(code.row.solution_id, name, code.row.solution) for name in with_tests for code in codes[name]]
    verdicts = source.judged("matrix", with_tests, solutions, "codes on written tests")
    for name in with_tests:
        judged = [code for code in codes[name] if verdicts[code.row.solution_id].pass_rate is not None]
        source.lost["unscored"] += len(codes[name]) - len(judged)
        matrix = [_row_of(verdicts[code.row.solution_id], len(written[name])) for code in judged]
        yield from _code_rows(source, problems[name], judged, matrix)
        for columns in _test_rows(source, problems[name], judged, matrix, written[name], prompts[name]):
            yield columns | named(template)


def _codes(source: RowSource) -> dict[str, list[Code]]:
    """The labelled solutions of each problem that the problem's own tests judged."""
    verdicts = source.verdicts(row.solution_id for row in source.critiques)
    found: dict[str, list[Code]] = {}
    for name, rows in groupby(source.critiques, key=lambda row: row.problem_id):
        for row in rows:
            verdict = verdicts.get(row.solution_id)
            if verdict is not None and verdict.pass_rate is not None:
                code = Code(row, verdict.outcome is Outcome.PASSED, verdict.pass_rate)
                found.setdefault(name, []).append(code)
    return found


def _written(source: RowSource, problem: Problem, answers: Mapping[str, Answer]) -> list[tuple[Answer, TestCase]]:
    """The tests that were written for a problem, each once; answers without one are counted lost."""
    tests: list[tuple[Answer, TestCase]] = []
    for number in range(source.settings.tests_a_problem):
        answer = answers.get(f"tests/{problem.id}#{number}")
        if answer is None:
            continue
        test = read_test(answer.completion, problem)
        if test is None:
            source.lost["no_test_in_answer"] += 1
        elif any(test == other for _, other in tests):
            source.lost["same_test_again"] += 1
        else:
            tests.append((answer, test))
    return tests


def read_test(completion: str, problem: Problem) -> TestCase | None:
    """The first test of an answer, in the shape of the problem's own; None when there is none of that shape."""
    for given, expected in parse_tests(completion)[:1]:
        if problem.entry_point is None:
            return TestCase(TestKind.STDIO, stdin=given, stdout=expected)
        try:
            args, value = json.loads(given), json.loads(expected)
            check_tagged([args, value], "a written test")
        except (ValueError, RecursionError, BadInput):
            return None
        if isinstance(args, list):
            return TestCase(TestKind.CALL, args=tuple(args), expected=value)
    return None


def _row_of(verdict: Verdict, tests: int) -> list[bool]:
    """Which of the written tests a code passes; a code that does not run at all passes none."""
    passes = [test.outcome is Outcome.PASSED for test in verdict.tests]
    return passes + [False] * (tests - len(passes))


def rewards_of_tests(matrix: Sequence[Sequence[bool]], correct: Sequence[bool]) -> list[float]:
    """The reward of each generated test (CURE, equations 3 and 4).

    ``matrix[l][k]`` says that code l passes test k, ``correct[l]`` that code l passes all of the problem's own tests.
    """
    count = len(matrix[0]) if matrix else 0
    rewards = []
    for k in range(count):
        accepted = sum(not right and row[k] for row, right in zip(matrix, correct, strict=True))
        trusted = all(row[k] for row, right in zip(matrix, correct, strict=True) if right)
        wrong = sum(not right for right in correct)
        rewards.append(float(wrong - accepted if trusted else -accepted))
    return rewards


def advantages(rewards: Sequence[float]) -> list[float]:
    """Rewards standardised within their group; all 0 when they do not differ."""
    if not rewards:
        return []
    mean, spread = statistics.fmean(rewards), statistics.pstdev(rewards)
    return [(reward - mean) / spread if spread > 0 else 0.0 for reward in rewards]


def _code_rows(
    source: RowSource, problem: Problem, codes: Sequence[Code], matrix: Sequence[Sequence[bool]]
) -> Iterator[dict[str, object]]:
    prompt = solve_prompt(source.templates.solve, problem)
    rewards = [code.pass_rate for code in codes]
    for code, passes, advantage in zip(codes, matrix, advantages(rewards), strict=True):
        name = f"cure/{code.row.solution_id}"
        yield {
            "id": name,
            "problem_id": problem.id,
            "solution_id": code.row.solution_id,
            "data_source": source_of("cure"),
            "kind": RowKind.SOLVE.value,
            "prompt": prompt,
            "completion": said(f"```{problem.language}\n{code.row.solution.strip()}\n```"),
            "reward": code.pass_rate,
            "advantage": advantage,
            "passes": list(passes),
            "author": None,
            "extra_info": extra_info(name, problem.id, source.settings.split),
            **named(source.templates.solve),
        }


def _test_rows(
    source: RowSource,
    problem: Problem,
    codes: Sequence[Code],
    matrix: Sequence[Sequence[bool]],
    tests: Sequence[tuple[Answer, TestCase]],
    prompt: list[dict[str, str]],
) -> Iterator[dict[str, object]]:
    rewards = rewards_of_tests(matrix, [code.correct for code in codes])
    for k, ((answer, _), reward, advantage) in enumerate(zip(tests, rewards, advantages(rewards), strict=True)):
        name = f"cure/{answer.row_id}"
        yield {
            "id": name,
            "problem_id": problem.id,
            "solution_id": None,
            "data_source": source_of("cure"),
            "kind": "write_tests",
            "prompt": prompt,
            "completion": said(answer.completion),
            "reward": reward,
            "advantage": advantage,
            "passes": [row[k] for row in matrix],
            "author": answer.author,
            "extra_info": extra_info(name, problem.id, source.settings.split),
        }
