"""One judge for all tests, short ways to ask it, and the order in which files of tests begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from critique_coder.judge import Judge
from critique_coder.records import Checker, Problem, Solution, TestCase, TestKind, Verdict

settings.register_profile("judge", database=None, deadline=None, max_examples=60)
settings.load_profile("judge")

Verify = Callable[..., Verdict]

LONGEST = ("models/test_ray_model.py", "judge/test_ray_judge.py", "training/test_run.py", "judge/test_adversarial.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: ``make test`` hands out whole files in this order, and none is alone at the end."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))  # stable: a file's tests stay in order


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Judge(workers=2, time_limit_s=2, memory_limit_mb=512, output_limit_mb=4) as judge:
        yield judge


@pytest.fixture(scope="session")
def program(judge: Judge) -> Verify:
    """``program(code, stdin, stdout)``: the verdict of one ``stdio`` test."""

    def verify(code: str, stdin: str = "", stdout: str = "", checker: Checker | None = None, **limits: Any) -> Verdict:
        test = TestCase(TestKind.STDIO, stdin=stdin, stdout=stdout, checker=checker)
        return judge.verify(Problem("p", "statement", (test,), **limits), Solution("s", "p", code))

    return verify


@pytest.fixture(scope="session")
def call(judge: Judge) -> Verify:
    """``call(code, *args, expected=...)``: the verdict of one ``call`` test of ``f``."""

    def verify(code: str, *args: Any, expected: Any, entry_point: str = "f", **others: Any) -> Verdict:
        kwargs, checker = others.pop("kwargs", {}), others.pop("checker", None)
        test = TestCase(TestKind.CALL, args=args, kwargs=kwargs, expected=expected, checker=checker)
        return judge.verify(
            Problem("p", "statement", (test,), entry_point=entry_point, **others), Solution("s", "p", code)
        )

    return verify


@pytest.fixture(scope="session")
def script(judge: Judge) -> Verify:
    """``script(check, code)``: the verdict of one ``script`` test of ``f``."""

    def verify(check: str, code: str, entry_point: str | None = "f", **others: Any) -> Verdict:
        test = TestCase(others.pop("kind", TestKind.SCRIPT), code=check)
        return judge.verify(
            Problem("p", "statement", (test,), entry_point=entry_point, **others), Solution("s", "p", code)
        )

    return verify
