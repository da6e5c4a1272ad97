"""Checks of JSON that other parts wrote: each gives a typed value or says in one line which place is not as expected.

A run folder may be half written, copied by hand or come from another version. The page is made of typed values only,
so that a wrong file is named here and not met as a ``KeyError`` in a template.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from critique_coder.records import BadInput, Json


def mapping(value: Json, where: str) -> dict[str, Json]:
    """An object; raises BadInput."""
    if not isinstance(value, dict):
        raise BadInput(f"{where}: expected an object; the file is damaged or of another version")
    return value


def items(value: Json, where: str) -> list[Json]:
    """A list; raises BadInput."""
    if not isinstance(value, list):
        raise BadInput(f"{where}: expected a list; the file is damaged or of another version")
    return value


def text(value: Json, where: str) -> str:
    """A string; raises BadInput."""
    if not isinstance(value, str):
        raise BadInput(f"{where}: expected text; the file is damaged or of another version")
    return value


def text_or_none(value: Json, where: str) -> str | None:
    """A string or null; raises BadInput."""
    return None if value is None else text(value, where)


def number(value: Json, where: str) -> float:
    """A number; null, the file form of a metric that is not defined, becomes NaN. Raises BadInput."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{where}: expected a number; the file is damaged or of another version")
    return float(value) if math.isfinite(value) else math.nan


def counts(value: Json, where: str) -> dict[str, int]:
    """An object of whole numbers, such as outcomes; missing is empty. Raises BadInput."""
    found = {}
    for name, count in mapping(value if value is not None else {}, where).items():
        amount = number(count, f"{where}, {name!r}")
        if math.isnan(amount):
            raise BadInput(f"{where}, {name!r}: expected a whole number; the file is damaged or of another version")
        found[name] = int(amount)
    return found


def growing_rows(path: Path) -> list[tuple[str, dict[str, Json]]]:
    """(where, object) of each line of a log that may still be written to: an unfinished last line is left out.

    A missing file is an empty log. Raises BadInput when another line is damaged.
    """
    try:
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    rows = []
    for place, line in enumerate(whole.split(b"\n"), 1):
        where = f"{path}, line {place}"
        if line.strip():
            rows.append((where, mapping(_parsed(line, where), where)))
    return rows


def _parsed(line: bytes, where: str) -> Json:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise BadInput(f"{where}: not valid JSON; the file is damaged") from None
