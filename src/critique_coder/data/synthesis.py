r"""Critiques made from what execution found, for the warm-up (the way of CTRL's first stage, arXiv 2502.03492, §3.2).

A small model asked as in the paper writes a verdict line in one answer of a hundred, so reinforcement learning alone
would have nothing to reward. The warm-up shows it the form: a judgement, what one test showed, the verdict line. What
departs from CTRL: the critique is put together from the test's result instead of being written by a larger model with
a hint, so nothing about hints can leak.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from critique_coder.judge.compare_values import read, show
from critique_coder.records import CritiqueRow, Json, Outcome, Problem, TestCase, TestKind, TestResult, Verdict
from critique_coder.storage import hash_fraction

_LONGEST_TEST = 80
"""Characters of a question with its answer above which the test is not told."""
_LONGEST_VALUE = 24
"""Characters of a value that a program gave above which it is cut."""
_LONGEST_MESSAGE = 40
"""Characters of another message above which it is cut, but for that of a name that is not defined."""
_EXCEPTIONS = ("Error", "Exception")


@dataclass(frozen=True, slots=True)
class Synthesised:
    """A critique for a row, made from the result of one of its tests.

    ``decisive`` are the places in ``text`` of the first word that depends on the label, and of the verdict's letter: a
    small model that has written "right" is confused by what it says next, and ends in F in every fourth critique.
    ``otherwise`` is the word with which a critique of the other label would go on at the first of them.
    """

    row: CritiqueRow
    text: str
    decisive: tuple[int, int]
    otherwise: str


def synthesise(
    rows: Iterable[CritiqueRow], problems: Mapping[str, Problem], verdicts: Mapping[str, Verdict], seed: int
) -> list[Synthesised]:
    """A critique for each row that can be told in a sentence.

    Left out: rows whose label contradicts a test (above the threshold with a test failed), since any sentence about
    them would be half a lie, and rows all of whose tests are too long to quote.
    """
    return list(each_synthesised(rows, problems, verdicts, seed))


def each_synthesised(
    rows: Iterable[CritiqueRow], problems: Mapping[str, Problem], verdicts: Mapping[str, Verdict], seed: int
) -> Iterator[Synthesised]:
    """The critiques of ``synthesise`` one at a time."""
    for row in rows:
        verdict = verdicts[row.solution_id]
        if row.label is (verdict.outcome is Outcome.PASSED):
            critique = _critique(row, problems[row.problem_id], verdict, seed)
            if critique is not None:
                yield Synthesised(row, *critique)


_OPENING = "The solution is "
_DECIDES = {True: "right", False: "wrong"}


def _critique(
    row: CritiqueRow, problem: Problem, verdict: Verdict, seed: int
) -> tuple[str, tuple[int, int], str] | None:
    """The judgement, what one test showed, and the verdict line; the decisive places; the other judgement.

    The judgement comes first: which test was chosen is itself a sign of a wrong solution, and a model that has learned
    to tell by it has nothing to tell by when it chooses the test. The test is drawn by the row's id among the shortest
    quarter, but two at least; a small model loses itself in long values, and repeats them until it is cut.
    """
    telling = [
        (words, result)
        for test, result in zip(problem.tests, verdict.tests, strict=False)
        if (result.outcome is Outcome.PASSED) is row.label and (words := _asked(test, problem)) is not None
    ]
    if not telling:
        return None
    telling.sort(key=lambda entry: sum(map(len, entry[0])))
    telling = telling[: max(2, len(telling) // 4)]
    (asked, expected), result = telling[int(hash_fraction(seed, "tell", row.id) * len(telling))]
    shown = f"gives {expected}" if row.label else f"should give {expected}, but {_broken(verdict) or _found(result)}"
    verdict_line = r"\conclusion{T}" if row.label else r"\conclusion{F}"
    text = f"{_OPENING}{_DECIDES[row.label]}: {asked} {shown}.\n{verdict_line}"
    return text, (len(_OPENING), text.rindex("{") + 1), _DECIDES[not row.label]


def _broken(verdict: Verdict) -> str | None:
    """What is wrong with a program that cannot work on any input; None when it can."""
    messages = {test.message or "" for test in verdict.tests}
    if verdict.outcome is Outcome.COMPILE_ERROR:
        return "the code does not compile"
    if verdict.passed == 0 and len(messages) == 1 and "does not define" in (only := messages.pop()):
        return only
    return None


def _asked(test: TestCase, problem: Problem) -> tuple[str, str] | None:
    """What the test asks and what it expects; None when that would be too long, or the test is a check program."""
    if test.kind is TestKind.CALL:
        values = [_shown(value) for value in test.args]
        values += [f"{name}={_shown(value)}" for name, value in test.kwargs.items()]
        asked, expected = f"`{problem.entry_point}({', '.join(values)})`", _shown(test.expected)
    elif test.kind is TestKind.STDIO:
        asked, expected = f"the input {test.stdin.strip()!r}", repr(test.stdout.strip())
    else:
        return None
    return (asked, expected) if len(asked) + len(expected) <= _LONGEST_TEST else None


def _shown(value: Json) -> str:
    return show(read(value))


def _found(result: TestResult) -> str:
    """What the judge found instead: the part of its message after "got", else the message as it is."""
    message = result.message or result.outcome.value
    if result.outcome is Outcome.WRONG_ANSWER:
        _, got, value = message.partition(", got ")
        return f"it gives {_cut(value, _LONGEST_VALUE)}" if got else f"it {_cut(message, _LONGEST_MESSAGE)}"
    if result.outcome in (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT):
        return "it does not come to an end"
    exception = message.partition(":")[0]
    if exception.endswith(_EXCEPTIONS):  # without what it says: a small model begins to quote there, and does not end
        return f"it raises {exception}"
    return f"it fails: {_cut(message, _LONGEST_MESSAGE)}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest].rstrip() + "..."
