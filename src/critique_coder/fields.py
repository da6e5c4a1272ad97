"""Reading a JSON object key by key, with complaints of one line that name place, key and remedy."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

Json: TypeAlias = Any
"""A value as ``json.loads`` gives it."""

E = TypeVar("E", bound=StrEnum)


class BadInput(Exception):
    """What the user handed in cannot be used. The message is one line: where, which key, what is wrong, the remedy."""


class Fields:
    """Reads the keys of one JSON object and complains in one line that names place and key."""

    def __init__(self, value: Json, where: str, known: Iterable[str]) -> None:
        if not isinstance(value, dict):
            raise BadInput(f"{where}: must be an object, not {type_name(value)}")
        self._value: dict[str, Json] = value
        self._where = where
        known = tuple(known)
        for key in value:
            if key not in known:
                raise BadInput(
                    f"{where}: unknown key {key!r}{nearest(key, known)}; put what is your own under 'metadata'"
                )

    def _bad(self, key: str, what: str) -> BadInput:
        return BadInput(f"{self._where}, key {key!r}: {what}")

    def text(self, key: str, default: str | None = None, empty: bool = True) -> str:
        """Text; raises BadInput when it is missing without a default, of another type, or not storable."""
        value = self._value.get(key)
        value = default if value is None else value
        if value is None:
            raise self._bad(key, "missing")
        if not isinstance(value, str):
            raise self._bad(key, f"must be text, not {type_name(value)}")
        if not empty and not value.strip():
            raise self._bad(key, "must not be empty")
        if not _storable(value):
            raise self._bad(key, "holds half a character (a lone surrogate), which no file can store; remove it")
        return value

    def text_or_none(self, key: str, convert: bool = False) -> str | None:
        """Text or null; with ``convert`` a number becomes text. Raises BadInput."""
        value = self._value.get(key)
        if value is None or isinstance(value, str):
            return value
        if convert and isinstance(value, (int, float)):
            return str(value)
        raise self._bad(key, f"must be text or null, not {type_name(value)}")

    def items(self, key: str) -> list[Json]:
        """A list that must be there; raises BadInput."""
        value = self._value.get(key)
        if not isinstance(value, list):
            raise self._bad(key, "missing" if value is None else f"must be a list, not {type_name(value)}")
        return value

    def mapping(self, key: str) -> dict[str, Json]:
        """An object; a missing one is empty. Raises BadInput."""
        value = self._value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._bad(key, f"must be an object, not {type_name(value)}")
        return value

    def number(
        self, key: str, default: float | None = None, minimum: float | None = None, above: float | None = None
    ) -> float | None:
        """A finite number within its bounds; raises BadInput."""
        value = self._value.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
            raise self._bad(key, f"must be a number, not {type_name(value)}")
        if (minimum is not None and value < minimum) or (above is not None and value <= above):
            raise self._bad(
                key,
                f"must be {'at least' if minimum is not None else 'above'} {minimum if minimum is not None else above}",
            )
        return value

    def choice(self, key: str, options: type[E]) -> E:
        """One of an enumeration's values; raises BadInput."""
        value: Json = self._value.get(key)
        try:
            return options(value)
        except ValueError:  # asked first: every outcome of every test comes by here
            names = [option.value for option in options]
            found = "missing" if value is None else f"{value!r} is not known{nearest(str(value), names)}"
            raise self._bad(key, f"{found}; one of: {', '.join(names)}") from None


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # by the interpreter: texts of megabytes are common, and a loop over signs is slow
        return False
    return True


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is nearest, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def type_name(value: object) -> str:
    """What a person calls the type of a JSON value."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true/false", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
