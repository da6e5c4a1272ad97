"""What a solution gave in a test, beside what the test made of it: for people who look, never for a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from critique_coder.records import TestCase, TestKind, TestResult

from .compare_values import show_long
from .scoring import value_of
from .worker import Ending

_LONGEST_OUTPUT = 100_000

See = Callable[[Ending], None]
"""Is told how a test that gives something (``stdio`` or ``call``) ended, before it is scored."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What one test found. ``got``: what the solution printed or returned, as people write it, where it did."""

    result: TestResult
    got: str | None = None


def observed(test: TestCase, result: TestResult, ending: Ending | None) -> Observed:
    """``ending`` is None where the test gives nothing to look at, or the machinery failed."""
    return Observed(result, None if ending is None else _got(test, ending))


def _got(test: TestCase, ending: Ending) -> str | None:
    if test.kind is TestKind.STDIO:
        return ending.stdout[:_LONGEST_OUTPUT].decode("utf-8", "replace")
    returned = any(report[0] == "value" for report in ending.reports)
    trouble, value = value_of(ending, 0)
    return show_long(value).encode("utf-8", "replace").decode() if returned and trouble is None else None
