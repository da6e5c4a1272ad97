"""Is this output what the test expects? Pure functions on text, for ``stdio`` tests."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Context, Decimal

from critique_coder.records import Checker, CheckerName

_SPACE = " \t\r\v\f"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_EXACT_ENOUGH = Context(prec=60)


def texts_equal(expected: str, got: str, checker: Checker | None) -> bool:
    """Compare under ``checker``; None is the contract's default (lines, or equal lists of decimal numbers)."""
    name = checker.name if checker else None
    if name is CheckerName.EXACT:
        return expected == got
    if name is CheckerName.TOKENS:
        return expected.split() == got.split()
    if name is CheckerName.FLOAT:
        assert checker is not None
        return _tokens_close(expected.split(), got.split(), checker)
    wanted, found = lines_of(expected), lines_of(got)
    if name is CheckerName.UNORDERED_LINES:
        return Counter(wanted) == Counter(found)
    if len(wanted) != len(found):
        return False
    same = _lines_equal if name is None else str.__eq__
    return all(same(a, b) for a, b in zip(wanted, found, strict=True))


def lines_of(text: str) -> list[str]:
    """Lines without trailing white space, and without the empty lines at the end."""
    lines = [line.rstrip(_SPACE) for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _lines_equal(expected: str, got: str) -> bool:
    if expected == got:
        return True
    wanted, found = expected.split(), got.split()
    if len(wanted) != len(found):
        return False
    return all(_same_number(a, b) for a, b in zip(wanted, found, strict=True))


def _same_number(expected: str, got: str) -> bool:
    """Both decimal numbers, and equal as numbers. Not a number: nan, 1_000, digits of other scripts."""
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(got)):
        return False
    return Decimal(expected) == Decimal(got)


def _tokens_close(expected: list[str], got: list[str], checker: Checker) -> bool:
    if len(expected) != len(got):
        return False
    return all(a == b or _close_numbers(a, b, checker) for a, b in zip(expected, got, strict=True))


def _close_numbers(expected: str, got: str, checker: Checker) -> bool:
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(got)):
        return False
    a, b, context = Decimal(expected), Decimal(got), _EXACT_ENOUGH
    distance = context.abs(context.subtract(a, b))
    relative = context.multiply(Decimal(checker.rel_tol), max(context.abs(a), context.abs(b)))
    return distance <= relative or distance <= Decimal(checker.abs_tol)


def first_difference(expected: str, got: str) -> str:
    """A short message for people: the first line that differs."""
    wanted, found = lines_of(expected), lines_of(got)
    for number, (a, b) in enumerate(zip(wanted, found, strict=False), 1):
        if a != b and not _lines_equal(a, b):
            return f"line {number}: expected {shorten(repr(a))}, got {shorten(repr(b))}"
    if len(wanted) != len(found):
        line = min(len(wanted), len(found))
        a_or_end = [shorten(repr(lines[line])) if line < len(lines) else "the end" for lines in (wanted, found)]
        return f"line {line + 1}: expected {a_or_end[0]}, got {a_or_end[1]}"
    return f"expected {shorten(repr(expected))}, got {shorten(repr(got))}"


def shorten(text: str, length: int = 200) -> str:
    """At most ``length`` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
