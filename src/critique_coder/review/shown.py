"""Cases as the page shows them: code line by line, tests as rows of a table, and differences of two programs.

What the tests found is put in only where the caller says so: until a person has judged, it must not reach the browser.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from critique_coder.judge.inside.values import decode
from critique_coder.look import highlighted, visible
from critique_coder.records import Json, Outcome, Problem, TestCase, TestKind

MOST_ROWS = 40
_LONGEST_CODE = 200_000
_LONGEST_COLOURED = 50_000
_LONGEST_COMPARED = 2_000
_LONGEST_VALUE = 20_000
_FOLDED_OVER = 320
_FOLDED_LINES = 8
_PEEK = 120


@dataclass(frozen=True, slots=True)
class Value:
    """A text in a table's cell. ``peek``: what stands for it while it is folded; None for a short one."""

    text: str
    peek: str | None = None
    size: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What one test found: an outcome, what the solution returned or printed where that is known, and the message."""

    outcome: Outcome
    got: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One test, by its number from 1: what is asked, what is expected (None: a program that checks), what it found."""

    number: int
    asked: Value
    expected: Value | None
    outcome: Outcome | None = None
    got: Value | None = None
    message: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the test passed."""
        return self.outcome is Outcome.PASSED


def value(text: str) -> Value:
    """A text with its fold: long ones show their beginning, and very long ones are cut and say so."""
    cut = text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "\n…"
    lines = text.count("\n") + 1
    if len(text) <= _FOLDED_OVER and lines <= _FOLDED_LINES:
        return Value(cut)
    size = f"{len(text):,} characters" + (f", {lines:,} lines" if lines > 1 else "")
    return Value(cut, " ".join(text[:_PEEK].split()) + " …", size)


def rows(problem: Problem, found: Mapping[int, Found] | None = None) -> list[Row]:
    """A problem's tests; with what they ``found`` (by place, from 0) failing ones come first."""
    made = [_row(problem, place, test, (found or {}).get(place)) for place, test in enumerate(problem.tests)]
    return sorted(made, key=lambda row: row.passed) if found is not None else made


def _row(problem: Problem, place: int, test: TestCase, found: Found | None) -> Row:
    asked, expected = written(problem, test)
    row = Row(place + 1, value(asked), None if expected is None else value(expected))
    if found is None:
        return row
    got = None if found.got is None else value(found.got)
    return Row(row.number, row.asked, row.expected, found.outcome, got, found.message)


def written(problem: Problem, test: TestCase) -> tuple[str, str | None]:
    """What a test asks and what it expects, as people write it."""
    if test.kind is TestKind.STDIO:
        return test.stdin, test.stdout
    if test.kind is TestKind.CALL:
        arguments = [literal(item) for item in test.args]
        arguments += [f"{name}={literal(item)}" for name, item in test.kwargs.items()]
        return f"{problem.entry_point}({', '.join(arguments)})", literal(test.expected)
    if test.kind is TestKind.PROJECT:
        files = "".join(f"\n\n# {path}\n{text}" for path, text in test.files.items())
        return "\n".join(filter(None, (test.build, test.command))) + files, None
    return test.code.strip("\n"), None


def literal(tagged: Json) -> str:
    """Tagged JSON as a Python value is written."""
    try:
        found = decode(tagged)
    except (ValueError, TypeError, KeyError):
        return str(tagged)
    try:
        return repr(found)
    except ValueError:  # an integer of more digits than Python writes out
        return hex(found) if isinstance(found, int) else str(tagged)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code with its number from 1, in colours."""

    number: int
    code: Markup


_SPAN = re.compile(r"<span[^>]*>|</span>")


def lines(code: str, language: str) -> list[Line]:
    """Code line by line; a colour that goes over several lines is taken up again on each."""
    plain = _plain(code)
    coloured = str(highlighted(plain, language)) if len(plain) <= _LONGEST_COLOURED else html.escape(plain)
    return [Line(number, Markup(text)) for number, text in enumerate(_closed(coloured.rstrip("\n").split("\n")), 1)]


def _plain(code: str) -> str:
    cut = code if len(code) <= _LONGEST_CODE else code[:_LONGEST_CODE] + "\n…"
    return visible(cut).rstrip("\n")


def _closed(texts: Sequence[str]) -> Iterator[str]:
    still_open: list[str] = []
    for text in texts:
        begun = "".join(still_open)
        for tag in _SPAN.findall(text):
            if tag == "</span>":
                still_open.pop()
            else:
                still_open.append(tag)
        yield begun + text + "</span>" * len(still_open)


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a comparison: ``sign`` is ``-``, ``+`` or a space, the numbers are those of either side."""

    sign: str
    left: int | None
    right: int | None
    code: Markup


def difference(left: str, right: str, language: str) -> list[Change]:
    """Two programs as one list of lines: what only the left one has, what only the right one has, and what both."""
    sides = (lines(left, language), lines(right, language))
    plain = [_plain(text).split("\n") for text in (left, right)]
    short = max(map(len, plain)) <= _LONGEST_COMPARED
    matcher = difflib.SequenceMatcher(None, plain[0], plain[1], autojunk=not short)
    changes: list[Change] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(sides[0][a:b], sides[1][c:d], strict=True)
            changes += [Change(" ", one.number, other.number, other.code) for one, other in pairs]
        else:
            changes += [Change("-", line.number, None, line.code) for line in sides[0][a:b]]
            changes += [Change("+", None, line.number, line.code) for line in sides[1][c:d]]
    return changes
