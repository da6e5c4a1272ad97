"""Is this value what the test expects? Pure functions on tagged JSON, for ``call`` tests.

What came out of the jail is never built into sets or dictionaries of its own: a solution could choose keys that
collide. Sets and dictionaries become ``Bag`` and are only looked up in after their sizes agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from critique_coder.records import Checker, CheckerName

from .compare_text import shorten, texts_equal
from .inside.values import MAX_DEPTH, decode_tag

_MAX_DEPTH = MAX_DEPTH + 5
_SCALARS = (type(None), bool, int, float, str)


@dataclass(frozen=True, slots=True)
class Bag:
    """A set, frozenset or dict as the list of its items or pairs. ``kind``: ``set``, ``frozenset`` or ``dict``."""

    kind: str
    items: list[Any]


class Malformed(Exception):
    """Not tagged JSON."""


def read(tagged: Any) -> Any:
    """Tagged JSON as Python scalars, lists, tuples and bags; raises Malformed."""
    try:
        return _read(tagged, 0)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


def _read(tagged: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} deep")

    def inner(item: Any) -> Any:
        return _read(item, depth + 1)

    if isinstance(tagged, list):
        return tagged if all(type(item) in _SCALARS for item in tagged) else [inner(item) for item in tagged]
    if not isinstance(tagged, dict):
        return tagged
    if len(tagged) != 1 or not next(iter(tagged)).startswith("$"):
        return Bag("dict", [(key, inner(item)) for key, item in tagged.items()])
    ((tag, body),) = tagged.items()
    if tag == "$dict":
        return Bag("dict", [(inner(key), inner(item)) for key, item in body])
    if tag == "$tuple":
        return tuple(inner(item) for item in body)
    if tag in ("$set", "$frozenset"):
        return Bag(tag[1:], [inner(item) for item in body])
    return decode_tag(tag, body)


def values_equal(expected: Any, got: Any, checker: Checker | None) -> bool:
    """Compare two values that ``read`` gave, under ``checker``; None is the contract's default."""
    if isinstance(expected, str) and isinstance(got, str):
        textual = checker is not None and checker.name not in (CheckerName.EXACT, CheckerName.FLOAT)
        return texts_equal(expected, got, checker) if textual else expected == got
    if _is_number(expected) and _is_number(got):
        return _numbers_equal(expected, got, checker)
    exact = checker is not None and checker.name is CheckerName.EXACT
    if isinstance(expected, (list, tuple)) and isinstance(got, (list, tuple)):
        if len(expected) != len(got) or (exact and type(expected) is not type(got)):
            return False
        return all(values_equal(a, b, checker) for a, b in zip(expected, got, strict=True))
    if isinstance(expected, Bag) and isinstance(got, Bag):
        return _bags_equal(expected, got, checker, exact)
    if isinstance(expected, complex) and isinstance(got, complex):
        return all(_numbers_equal(a, b, checker) for a, b in ((expected.real, got.real), (expected.imag, got.imag)))
    return type(expected) is type(got) and isinstance(expected, (bool, bytes, type(None))) and bool(expected == got)


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _numbers_equal(expected: float, got: float, checker: Checker | None) -> bool:
    if expected == got or (_is_nan(expected) and _is_nan(got)):
        return True
    if checker is None or checker.name is not CheckerName.FLOAT:
        return False
    if not (_finite(expected) and _finite(got)):
        return False
    a, b = Fraction(expected), Fraction(got)
    distance = abs(a - b)
    return distance <= Fraction(checker.rel_tol) * max(abs(a), abs(b)) or distance <= Fraction(checker.abs_tol)


def _is_nan(value: float) -> bool:
    return type(value) is float and math.isnan(value)


def _finite(value: float) -> bool:
    return type(value) is int or math.isfinite(value)


def _bags_equal(expected: Bag, got: Bag, checker: Checker | None, exact: bool) -> bool:
    if (expected.kind == "dict") != (got.kind == "dict") or (exact and expected.kind != got.kind):
        return False
    if len(expected.items) != len(got.items):
        return False
    if expected.kind != "dict":
        found = {_key(item): item for item in got.items}
        wanted = {_key(item) for item in expected.items}
        if wanted == found.keys():
            return True
        return (
            checker is not None
            and checker.name is CheckerName.FLOAT
            and _match_numbers(expected.items, got.items, checker)
        )
    by_key = {_key(key): item for key, item in got.items}
    absent = object()
    return len(by_key) == len(got.items) and all(
        values_equal(item, by_key.get(_key(key), absent), checker) for key, item in expected.items
    )


def _match_numbers(expected: list[Any], got: list[Any], checker: Checker) -> bool:
    """Sets of numbers under a tolerance: pairwise in order of size."""
    if not all(_is_number(item) for item in (*expected, *got)):
        return False
    return all(_numbers_equal(a, b, checker) for a, b in zip(sorted(expected), sorted(got), strict=True))


def _key(value: Any) -> str:
    """Text that is the same for equal values; text, because its hash is nobody's to choose."""
    if _is_number(value):
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return f"n{hex(value)}" if isinstance(value, int) else f"n{value!r}"
    if isinstance(value, (list, tuple)):
        return f"({','.join(map(_key, value))})"
    if isinstance(value, Bag):
        pairs = value.items if value.kind != "dict" else [(key, item) for key, item in value.items]
        return f"{'d' if value.kind == 'dict' else 's'}{{{','.join(sorted(map(_key, pairs)))}}}"
    return f"{type(value).__name__}{value!r}"


@dataclass(frozen=True, slots=True)
class _Room:
    """How much of a value is written out: levels, items of each, and characters of a text or a number."""

    levels: int
    items: int
    length: int

    @property
    def inner(self) -> _Room:
        return _Room(self.levels - 1, self.items, self.length)


_SHORT, _LONG = _Room(3, 40, 200), _Room(50, 2_000, 20_000)


def show(value: Any) -> str:
    """The value as people write it, at most 200 characters."""
    return shorten(_show(value, _SHORT))


def show_long(value: Any) -> str:
    """The value as people write it, at most 20,000 characters."""
    return shorten(_show(value, _LONG), _LONG.length)


def _show(value: Any, room: _Room) -> str:
    if isinstance(value, Bag):
        return _show_bag(value, room)
    if isinstance(value, (list, tuple)):
        inner = _show_items(value, room)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, int) and abs(value) >= 10**300:
        return f"{hex(value)[:60]}…"
    return shorten(repr(value[: room.length + 100] if isinstance(value, (str, bytes)) else value), room.length)


def _show_bag(bag: Bag, room: _Room) -> str:
    if bag.kind == "dict":
        most = room.items // 2
        pairs = [f"{_show(key, room.inner)}: {_show(item, room.inner)}" for key, item in bag.items[:most]]
        return f"{{{', '.join(pairs)}{', …' if len(bag.items) > most else ''}}}"
    inner = f"{{{_show_items(bag.items, room)}}}" if bag.items else ("set()" if bag.kind == "set" else "")
    return f"frozenset({inner})" if bag.kind == "frozenset" else inner


def _show_items(items: Iterable[Any], room: _Room) -> str:
    if room.levels <= 0:
        return "…"
    listed = list(items)
    written = ", ".join(_show(item, room.inner) for item in listed[: room.items])
    return written + (", …" if len(listed) > room.items else "")
