"""APPS and TACO: problems of many judges, with tests and solutions as the text of JSON. Licences MIT and Apache-2.0.

Both keep ``input_output`` as ``{"inputs": [...], "outputs": [...], "fn_name"?: name}``: with a name the inputs are
lists of arguments. APPS has many records without any test; they are counted and left out. What lies in a ``test`` file
is for evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from critique_coder.data.sources.corpus import (
    Lose,
    Place,
    Row,
    fields_of,
    from_json_text,
    id_by_place,
    reader,
    split_by_file,
)
from critique_coder.data.sources.pairs import Unusable, method_of, paired_tests, python_solution, starter_program
from critique_coder.fields import type_name
from critique_coder.records import BadInput, Json, Problem, TestCase


class _Set(NamedTuple):
    name: str
    licence: str
    released: str


_APPS = _Set("apps", "MIT", "2021-05-20")
_TACO = _Set("taco", "Apache-2.0", "2023-12-22")


def apps_problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of APPS's records; raises BadInput."""
    return _problems_of(rows, lose, _APPS)


def taco_problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of TACO's records; raises BadInput."""
    return _problems_of(rows, lose, _TACO)


def _problems_of(rows: Iterable[Row], lose: Lose, which: _Set) -> Iterator[Problem]:
    for row in rows:
        fields = fields_of(row)
        split = split_by_file(row.file)
        own = fields.text_or_none("problem_id", convert=True) or fields.text_or_none("id", convert=True)
        problem_id = f"{which.name}/{split}/{own or id_by_place(row)}"
        statement, stub = fields.text("question", empty=False), fields.text("starter_code", default="")
        try:
            tests, entry_point = _tests(row, stub)
        except Unusable as error:
            lose(problem_id, str(error))
            continue
        yield Problem(
            id=problem_id,
            statement=statement,
            tests=tests,
            starter_code=starter_program(stub) if stub.strip() and entry_point else "",
            entry_point=entry_point,
            time_limit_s=_seconds(row.value.get("time_limit")),
            reference=python_solution(row.value.get("solutions")),
            source=which.name,
            difficulty=fields.text_or_none("difficulty"),
            licence=which.licence,
            released=(fields.text_or_none("date") or which.released)[:10],
            metadata={"split": split, "url": row.value.get("url"), "judge": row.value.get("source")},
        )


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
    name = given.get("fn_name")
    entry_point = method_of(stub, name) if isinstance(name, str) and name else None
    inputs, outputs = given.get("inputs"), given.get("outputs")
    return paired_tests(inputs, outputs, entry_point, row.where, "input_output"), entry_point


def _seconds(limit: Json) -> float | None:
    """A time limit such as ``2.0 seconds``, where a record has one."""
    found = re.match(r"\s*([\d.]+)\s*s", limit) if isinstance(limit, str) else None
    try:
        return (float(found.group(1)) or None) if found else None
    except ValueError:
        return None


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
