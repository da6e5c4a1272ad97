r"""Critiques written from what execution found, for the warm-up (the way of CTRL's first stage, arXiv 2502.03492, §3.2).

A small model asked as in the paper writes a verdict line in one answer of a hundred, so reinforcement learning alone
would have nothing to reward. The warm-up shows it the form: one sentence about one test, then the verdict line. What
departs from CTRL: the critique is put together from the test's result instead of being written by a larger model with
a hint, so nothing about hints can leak; and its verdict is the row's label, so the label threshold decides what the
sentence may be about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from critique_coder.judge.compare_values import read, show
from critique_coder.records import CritiqueRow, Json, Outcome, Problem, TestCase, TestKind, TestResult, Verdict
from critique_coder.storage import hash_fraction

_LONGEST = 80
"""Characters of an input or a value above which a test is not talked about."""


@dataclass(frozen=True, slots=True)
class Synthesised:
    """A critique for a row, made from the result of one of its tests."""

    row: CritiqueRow
    text: str


def synthesise(
    rows: Iterable[CritiqueRow], problems: Mapping[str, Problem], verdicts: Mapping[str, Verdict], seed: int
) -> list[Synthesised]:
    """A critique for each row that can be told in a sentence.

    Left out: rows whose label contradicts a test (above the threshold with a test failed), since any sentence about
    them would be half a lie, and rows all of whose tests are too long to quote.
    """
    made = []
    for row in rows:
        verdict = verdicts[row.solution_id]
        if row.label is (verdict.outcome is Outcome.PASSED):
            text = _critique(row, problems[row.problem_id], verdict, seed)
            if text is not None:
                made.append(Synthesised(row, text))
    return made


def _critique(row: CritiqueRow, problem: Problem, verdict: Verdict, seed: int) -> str | None:
    """A sentence about one test that shows what the label says, drawn by the row's id, and the verdict line."""
    broken = _broken(verdict)
    if broken is not None:
        return f"Wrong: {broken}.\n\\conclusion{{F}}"
    telling = [
        (test, result)
        for test, result in zip(problem.tests, verdict.tests, strict=False)
        if (result.outcome is Outcome.PASSED) is row.label
    ]
    told = [(asked, result) for test, result in telling if (asked := _asked(test, problem)) is not None]
    if not told:
        return None
    asked, result = told[int(hash_fraction(seed, "tell", row.id) * len(told))]
    if row.label:
        return f"Right: {asked}, and it does.\n\\conclusion{{T}}"
    return f"Wrong: {asked}, but {_found(result)}.\n\\conclusion{{F}}"


def _broken(verdict: Verdict) -> str | None:
    """What is wrong with a program that cannot work on any input; None when it can."""
    messages = {test.message or "" for test in verdict.tests}
    if verdict.outcome is Outcome.COMPILE_ERROR:
        return "the code does not compile"
    if verdict.passed == 0 and len(messages) == 1 and "does not define" in (only := messages.pop()):
        return only
    return None


def _asked(test: TestCase, problem: Problem) -> str | None:
    """What the test asks for, in words; None when that would be too long, or the test is a check program."""
    if test.kind is TestKind.CALL:
        values = [_shown(value) for value in test.args]
        values += [f"{name}={_shown(value)}" for name, value in test.kwargs.items()]
        words = f"`{problem.entry_point}({', '.join(values)})` should return {_shown(test.expected)}"
    elif test.kind is TestKind.STDIO:
        words = f"For the input {test.stdin.strip()!r} it should print {test.stdout.strip()!r}"
    else:
        return None
    return words if len(words) <= _LONGEST + 40 else None


def _shown(value: Json) -> str:
    return show(read(value))


def _found(result: TestResult) -> str:
    """What the judge found instead: the part of its message after "got", else the message as it is."""
    message = result.message or result.outcome.value
    if result.outcome is Outcome.WRONG_ANSWER:
        _, got, value = message.partition(", got ")
        return f"it gives {value[:_LONGEST]}" if got else f"it {message[:_LONGEST]}"
    if result.outcome in (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT):
        return "it does not come to an end"
    return f"it fails: {message[:_LONGEST]}"
