"""The paper's Table 1 for any corpus: questions, tests a question, and how long the inputs of the tests are."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from statistics import median

from critique_coder.records import Json, Problem, TestCase, TestKind
from critique_coder.storage import dumps


@dataclass(slots=True)
class TestTable:
    """Takes problems one by one; a number is held for each."""

    __test__ = False

    _counts: array[int] = field(default_factory=lambda: array("l"))
    _characters: int = 0

    def add(self, problem: Problem) -> None:
        """Count one question with its tests."""
        self._counts.append(len(problem.tests))
        self._characters += sum(map(input_characters, problem.tests))

    def to_json(self) -> dict[str, Json]:
        """The rows of Table 1 (paper, section 2.2); means and the median are None where there is no question."""
        tests = sum(self._counts)
        return {
            "questions": len(self._counts),
            "tests": tests,
            "mean_tests": round(tests / len(self._counts), 2) if self._counts else None,
            "median_tests": float(median(self._counts)) if self._counts else None,
            "mean_input_characters": round(self._characters / tests, 2) if tests else None,
        }


def input_characters(test: TestCase) -> int:
    """Characters of a test's input: standard input, the arguments as JSON, or the text of a check program."""
    if test.kind is TestKind.STDIO:
        return len(test.stdin)
    if test.kind is TestKind.CALL:
        return len(dumps(list(test.args))) + (len(dumps(dict(test.kwargs))) if test.kwargs else 0)
    return len(test.code)


TABLE1 = {
    "questions": "questions",
    "mean_tests": "avg tests",
    "median_tests": "median tests",
    "mean_input_characters": "avg chars of an input",
}
"""The rows of Table 1 and their titles."""


def table1_lines(columns: dict[str, dict[str, Json]]) -> list[str]:
    """Table 1 for the terminal: a line a figure, a column a state of the corpus."""
    lines = [f"{'':<22}" + "".join(f"{name:>12}" for name in columns)]
    for key, title in TABLE1.items():
        cells = [column[key] for column in columns.values()]
        lines.append(f"{title:<22}" + "".join(f"{_cell(cell):>12}" for cell in cells))
    return lines


def _cell(value: Json) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
