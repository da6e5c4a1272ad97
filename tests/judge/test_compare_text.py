"""Comparison of outputs: what is the same, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.judge.compare_text import first_difference, texts_equal
from critique_coder.records import Checker, CheckerName

EXACT, LINES, TOKENS = Checker(CheckerName.EXACT), Checker(CheckerName.LINES), Checker(CheckerName.TOKENS)
UNORDERED = Checker(CheckerName.UNORDERED_LINES)


def close(rel_tol: float = 0.0, abs_tol: float = 0.0) -> Checker:
    return Checker(CheckerName.FLOAT, rel_tol, abs_tol)


TABLE = [
    ("6\n", "6", None, True),
    ("6", "6  \r\n\n\n", None, True),
    ("", "\n\n", None, True),
    ("1.0", "1", None, True),
    ("1 2.50", "1.000   2.5", None, True),
    ("1e3", "1000", None, True),
    ("0", "-0", None, True),
    ("0.30000000000000004", "0.3", None, False),
    ("-1000000", "-1000001", None, False),
    ("100000000000000000000", "100000000000000000001", None, False),
    ("1", "1\n2", None, False),
    ("1\n2", "1", None, False),
    ("1\n2", "2\n1", None, False),
    ("1\n\n2", "1\n2", None, False),
    ("a b", "a  b", None, False),
    ("  a", "a", None, False),
    ("YES", "Yes", None, False),
    ("1", "True", None, False),
    ("1", "١", None, False),
    ("1000", "1_000", None, False),
    ("1", "nan", None, False),
    ("nan", "nan", None, True),
    ("0", "nan", None, False),
    ("5", "0x5", None, False),
    ("1 a", "1.0 a", None, False),
    ("", "0", None, False),
    ("[1, 2]", "[1,2]", None, False),
    ("a\n", "a\n", EXACT, True),
    ("a\n", "a", EXACT, False),
    ("1", "1.0", EXACT, False),
    ("a \n", "a", LINES, True),
    ("1", "1.0", LINES, False),
    ("a  b\nc", "a b c", TOKENS, True),
    ("1", "1.0", TOKENS, False),
    ("a\nb\na", "a\na\nb", UNORDERED, True),
    ("a\nb\na", "a\nb\nb", UNORDERED, False),
    ("a\nb", "a\nb\nb", UNORDERED, False),
    ("1.0 x", "1.0000001 x", close(rel_tol=1e-6), True),
    ("1.0 x", "1.0000001 y", close(rel_tol=1e-6), False),
    ("0", "0.0001", close(rel_tol=1e-3), False),
    ("0", "0.0001", close(abs_tol=1e-3), True),
    ("1", "nan", close(abs_tol=9), False),
    ("1", "inf", close(abs_tol=9), False),
    ("1 2", "1", close(abs_tol=9), False),
    ("1000000", "1000001", close(rel_tol=1e-9), False),
    ("1" + "0" * 400, "1" + "0" * 399 + "1", close(rel_tol=1e-9), True),
]


@pytest.mark.parametrize(("expected", "got", "checker", "same"), TABLE)
def test_table(expected: str, got: str, checker: Checker | None, same: bool) -> None:
    assert texts_equal(expected, got, checker) is same


@given(st.text(), st.sampled_from([None, EXACT, LINES, TOKENS, UNORDERED, close()]))
def test_everything_equals_itself(text: str, checker: Checker | None) -> None:
    assert texts_equal(text, text, checker)


@given(st.text("ab1. \n", max_size=12), st.text("ab1. \n", max_size=12))
def test_symmetric_and_implied_by_stricter(first: str, second: str) -> None:
    assert texts_equal(first, second, None) == texts_equal(second, first, None)
    if texts_equal(first, second, EXACT):
        assert texts_equal(first, second, LINES)
    if texts_equal(first, second, LINES):
        assert texts_equal(first, second, None)
        assert texts_equal(first, second, UNORDERED)


@given(st.lists(st.integers(), min_size=1), st.integers(min_value=0), st.integers().filter(bool))
def test_one_changed_number_is_seen(numbers: list[int], place: int, change: int) -> None:
    other = list(numbers)
    other[place % len(other)] += change
    assert not texts_equal(" ".join(map(str, numbers)), " ".join(map(str, other)), None)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_trailing_zeros_do_not_count(number: object) -> None:
    assert texts_equal(f"{number}", f"{number}000", None)


def test_first_difference_names_the_line() -> None:
    assert first_difference("1\n2\n3", "1\n5\n3") == "line 2: expected '2', got '5'"
    assert first_difference("1\n2", "1") == "line 2: expected '2', got the end"
    assert len(first_difference("x" * 5000, "y" * 5000)) < 450
