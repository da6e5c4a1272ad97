r"""Critiques made from what execution found, for the warm-up (the way of CTRL's first stage, arXiv 2502.03492, §3.2).

A small model asked as in the paper writes a verdict line in one answer of a hundred, so reinforcement learning alone
would have nothing to reward. The warm-up shows it the form: the line that a right solution has, what one test showed,
the verdict line. What departs from CTRL: the critique is put together from the reference and the test's result instead
of being written by a larger model with a hint, so nothing about hints can leak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from critique_coder.judge.compare_values import read, show
from critique_coder.records import CritiqueRow, Json, Outcome, Problem, TestCase, TestKind, TestResult, Verdict
from critique_coder.storage import hash_fraction

_LONGEST = 70
"""Characters of a line or a value above which it is not quoted."""
_RESULT = ("return", "print")
_NOT_QUOTED = ("#", "def ", '"""', "import ", "from ", "class ")


@dataclass(frozen=True, slots=True)
class Synthesised:
    """A critique for a row, made from the result of one of its tests.

    ``decisive`` is the place in ``text`` of the first word that depends on the label.
    """

    row: CritiqueRow
    text: str
    decisive: int


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
                made.append(Synthesised(row, text, _decisive(text)))
    return made


_SAYS = {True: ", and it does: ", False: ", but it does not: "}
_ALONE = {True: "It is right: ", False: "It is wrong: "}


def _decisive(text: str) -> int:
    """Where "and", "but", "right" or "wrong" stands, whichever opening was used."""
    for words in (*_SAYS.values(), *_ALONE.values()):
        if words in text:
            return text.index(words) + (2 if words.startswith(",") else len("It is "))
    raise AssertionError("every critique has one of the openings")


def _critique(row: CritiqueRow, problem: Problem, verdict: Verdict, seed: int) -> str | None:
    """What a right solution says in one line, whether this one does, what one test showed, and the verdict line.

    The test is drawn by the row's id. The quoted line is the solution's own when it is correct (every test passed, so
    the line is right), else one of the reference's that the solution lacks: to write it, a model has to think of its
    own solution before it judges, and the verdict then is a comparison. Without a reference the test stands alone.
    """
    line = _own_line(row.solution) if row.label else _missing_line(row.solution, problem.reference)
    opening = _ALONE[row.label] if line is None else f"It should say `{line}`{_SAYS[row.label]}"
    broken = _broken(verdict)
    if broken is not None:
        return f"{opening}{broken}.\n\\conclusion{{F}}"
    telling = [
        (test, result)
        for test, result in zip(problem.tests, verdict.tests, strict=False)
        if (result.outcome is Outcome.PASSED) is row.label
    ]
    told = [(words, result) for test, result in telling if (words := _asked(test, problem)) is not None]
    if not told:
        return None
    (asked, expected), result = told[int(hash_fraction(seed, "tell", row.id) * len(told))]
    if row.label:
        return f"{opening}{asked} gives {expected}.\n\\conclusion{{T}}"
    return f"{opening}{asked} should give {expected}, but {_found(result)}.\n\\conclusion{{F}}"


def _own_line(code: str) -> str | None:
    """The last line of a program that returns or prints; else its last line."""
    lines = _lines(code)
    return next((line for line in reversed(lines) if line.startswith(_RESULT)), lines[-1] if lines else None)


def _missing_line(code: str, reference: str | None) -> str | None:
    """A line of the reference that the program lacks, one that returns or prints where there is one."""
    have = {"".join(line.split()) for line in _lines(code)}
    lacking = [line for line in _lines(reference or "") if "".join(line.split()) not in have]
    return next((line for line in reversed(lacking) if line.startswith(_RESULT)), lacking[-1] if lacking else None)


def _lines(code: str) -> list[str]:
    """The lines that do something and are short enough to quote, stripped."""
    stripped = (line.strip() for line in code.splitlines())
    return [line for line in stripped if line and len(line) <= _LONGEST and not line.startswith(_NOT_QUOTED)]


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
    return (asked, expected) if len(asked) + len(expected) <= 2 * _LONGEST else None


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
