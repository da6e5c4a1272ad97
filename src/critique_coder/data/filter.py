"""The paper's test filter (section 2.2): drop long tests, keep up to a number of them at random."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from critique_coder.data.recipe import FilterSettings
from critique_coder.records import Problem, TestCase
from critique_coder.storage import dumps, hash_fraction

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a problem is not used."""

    problem_id: str
    reason: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """The row of ``quarantine.jsonl``."""
        return {"problem_id": self.problem_id, "reason": self.reason, "detail": self.detail}


def filter_problems(
    problems: Iterable[Problem], settings: FilterSettings, seed: int
) -> tuple[list[Problem], list[Loss]]:
    """The problems with the tests that are kept, and those left with none."""
    kept: list[Problem] = []
    lost: list[Loss] = []
    for problem in problems:
        tests = [test for test in problem.tests if count_tokens(test) <= settings.max_test_tokens]
        if not tests:
            detail = f"all {len(problem.tests)} tests are longer than {settings.max_test_tokens} tokens"
            lost.append(Loss(problem.id, "tests_too_long", detail))
            continue
        kept.append(replace(problem, tests=tuple(_draw(tests, settings.max_tests, seed, problem.id))))
    if settings.max_problems:
        chosen = sorted(kept, key=lambda p: hash_fraction(seed, "problem", p.id))[: settings.max_problems]
        ids = {problem.id for problem in chosen}
        kept = [problem for problem in kept if problem.id in ids]
    return kept, lost


def count_tokens(test: TestCase) -> int:
    """The length of a test: words, numbers and signs in its JSON form."""
    return len(_TOKEN.findall(dumps(test.to_json())))


def _draw(tests: list[TestCase], most: int, seed: int, problem_id: str) -> list[TestCase]:
    if len(tests) <= most:
        return tests
    order = sorted(range(len(tests)), key=lambda n: hash_fraction(seed, "test", problem_id, n))
    return [tests[n] for n in sorted(order[:most])]
