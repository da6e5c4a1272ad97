"""APPS and TACO: problems of many judges, with tests and solutions as the text of JSON. Licences MIT and Apache-2.0.

Both keep ``input_output`` as ``{"inputs": [...], "outputs": [...], "fn_name"?: name}``: with a name the inputs are
lists of arguments. APPS has many records without any test; they are counted and left out. What lies in a ``test`` file
is for evaluation.
"""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple

from critique_coder.data.sources.corpus import (
    Place,
    Row,
    Unusable,
    each,
    fields_of,
    from_json_text,
    id_by_place,
    reader,
    split_by_file,
)
from critique_coder.data.sources.pairs import (
    function_name,
    method_of,
    paired_tests,
    python_solution,
    starter_program,
)
from critique_coder.fields import type_name
from critique_coder.records import BadInput, Problem, TestCase


class _Set(NamedTuple):
    name: str
    licence: str
    released: str


_APPS = _Set("apps", "MIT", "2021-05-20")
_TACO = _Set("taco", "Apache-2.0", "2023-12-22")


def _name(row: Row, which: _Set) -> str:
    fields = fields_of(row)
    own = fields.text_or_none("problem_id", convert=True) or fields.text_or_none("id", convert=True)
    return f"{which.name}/{split_by_file(row.file)}/{own or id_by_place(row)}"


def _problem(row: Row, name: str, which: _Set) -> Problem:
    fields = fields_of(row)
    statement, stub = fields.text("question", empty=False), fields.text("starter_code", default="")
    tests, entry_point = _tests(row, stub)
    kept = {key: fields.text_or_none(key) for key in _AS_THEY_ARE}
    return Problem(
        id=name,
        statement=statement,
        tests=tests,
        starter_code=starter_program(stub) if stub.strip() and entry_point else "",
        entry_point=entry_point,
        time_limit_s=_seconds(kept["time_limit"]),
        reference=_reference(row),
        source=which.name,
        difficulty=fields.text_or_none("difficulty"),
        licence=which.licence,
        released=_released(kept["date"]) or which.released,
        metadata={
            "split": split_by_file(row.file),
            "url": fields.text_or_none("url"),
            "judge": fields.text_or_none("source"),
            **{key: text for key, text in kept.items() if text},
        },
    )


_AS_THEY_ARE = ("date", "time_limit", "memory_limit")
"""Texts in words of many judges, which are kept beside what is read out of them."""

apps_problems_of = each(partial(_name, which=_APPS), partial(_problem, which=_APPS))
taco_problems_of = each(partial(_name, which=_TACO), partial(_problem, which=_TACO))


def _reference(row: Row) -> str | None:
    """A solution out of the text of a JSON list, which is empty where a record has none; raises BadInput."""
    given = row.value.get("solutions")
    if isinstance(given, str):
        given = from_json_text(given, row.where, "solutions") if given.strip() else None
    return python_solution(given, row.where)


def _tests(row: Row, stub: str) -> tuple[tuple[TestCase, ...], str | None]:
    """The tests and the function under test; raises BadInput and Unusable."""
    given = row.value.get("input_output")
    if given is None or (isinstance(given, str) and not given.strip()):
        raise Unusable("has no tests")
    given = from_json_text(given, row.where, "input_output")
    if not isinstance(given, dict):
        raise BadInput(f"{row.where}, key 'input_output': must be an object, not {type_name(given)}")
    if not given:
        raise Unusable("has no tests")
    name = function_name(given.get("fn_name"), row.where, "input_output")
    entry_point = method_of(stub, name) if name else None
    inputs, outputs = given.get("inputs"), given.get("outputs")
    return paired_tests(inputs, outputs, entry_point, row.where, "input_output"), entry_point


def _seconds(limit: str | None) -> float | None:
    """A time limit such as ``2.0 seconds``, where a record has one in that form."""
    found = re.match(r"\s*(\d+(?:\.\d*)?)\s*s", limit or "")
    return (float(found.group(1)) or None) if found else None


def _released(text: str | None) -> str | None:
    """The day that a record's date begins with, where it does."""
    found = re.match(r"\d{4}-\d\d-\d\d", text or "")
    return found.group() if found else None


_APPS_PLACE = Place("APPS", hub="codeparrot/apps", patterns=("*.jsonl", "*.parquet"), folder="apps")
_TACO_PLACE = Place(
    "TACO",
    hub="BAAI/TACO",
    revision="refs/convert/parquet",
    patterns=("ALL/**/*.parquet", "ALL/*.parquet"),
    folder="taco",
)
"""TACO's main branch holds a loading script; the hub keeps the records as Parquet beside it."""

read_apps = reader(_APPS_PLACE, apps_problems_of)
read_taco = reader(_TACO_PLACE, taco_problems_of)
