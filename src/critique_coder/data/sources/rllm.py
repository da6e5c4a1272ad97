"""The problem files of the rLLM repository, as DeepCoder's authors store them. Code MIT, problems CC-BY-4.0 and others.

``code_contests`` keeps ``{"inputs": [...], "outputs": [...]}``, ``codeforces`` a list of ``{"input", "output"}``, and
``leetcode`` ``{"functional": "def check(candidate): ..."}``. The files have no ids: a record is named by its file and
place. Those called ``test_...`` are for evaluation.
"""

from __future__ import annotations

import re

from critique_coder.data.sources.asserts import assert_tests, starter_for, stub_in
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
from critique_coder.data.sources.leetcode import without_request
from critique_coder.data.sources.pairs import listed_tests, paired_tests, python_solution
from critique_coder.fields import type_name
from critique_coder.records import BadInput, Json, Problem, TestCase

_CALLED = re.compile(r"check\(\s*(\w+)\(\)\.(\w+)\s*\)\s*$")
_TIME = re.compile(r"^Time Limit: (?:\{'seconds': (\d+), 'nanos': (\d+)\}|(\d+) ms)\s*$", re.MULTILINE)
_REQUEST = "Please solve the programming task below using a self-contained code snippet in a markdown code block."


def _name(row: Row) -> str:
    return f"rllm/{id_by_place(row)}"


def _problem(row: Row, name: str) -> Problem:
    text = fields_of(row).text("problem", empty=False)
    tests, entry_point = _tests(from_json_text(row.value.get("tests"), row.where, "tests"), row.where)
    return Problem(
        id=name,
        statement=without_request(text.removeprefix(_REQUEST)),
        tests=tests,
        starter_code=starter_for(stub_in(text), tests, None) if entry_point else "",
        entry_point=entry_point,
        time_limit_s=_time_limit(text),
        reference=_reference(row, entry_point),
        source="rllm",
        licence="MIT" if entry_point else "CC-BY-4.0",
        released="2025-04-08",
        metadata={"split": split_by_file(row.file)},
    )


problems_of = each(_name, _problem)


def _tests(given: Json, where: str) -> tuple[tuple[TestCase, ...], str | None]:
    """The tests and, for LeetCode's, the method under test; raises BadInput and Unusable."""
    match given:
        case {"functional": str(check)}:
            called = _CALLED.search(check)
            if called is None:
                raise Unusable("its check does not call a method of a class")
            entry_point = f"{called.group(1)}.{called.group(2)}"
            return assert_tests(check, entry_point), entry_point
        case {"inputs": inputs, "outputs": outputs, **others} if not others:
            return paired_tests(inputs, outputs, None, where, "tests"), None
        case [*_]:
            pairs = listed_tests(given, where, "tests")
            inputs, outputs = [pair["input"] for pair in pairs], [pair["output"] for pair in pairs]
            return paired_tests(inputs, outputs, None, where, "tests"), None
    raise BadInput(
        f"{where}, key 'tests': must hold 'functional', or 'inputs' and 'outputs' alone, or be a list of input and "
        f"output, not {type_name(given)}"
    )


def _reference(row: Row, entry_point: str | None) -> str | None:
    """The recorded solution, for LeetCode's with what it leans on before it; raises BadInput."""
    solution = python_solution(row.value.get("solutions"), row.where)
    return f"{starter_for('', (), None)}\n{solution}" if solution and entry_point else solution


def _time_limit(text: str) -> float | None:
    """The limit that the statement names, in seconds."""
    found = _TIME.search(text)
    if found is None:
        return None
    seconds, nanos, milliseconds = (int(part or 0) for part in found.groups())
    return (seconds + nanos / 1e9 + milliseconds / 1e3) or None


PLACE = Place("rLLM's problem files", folder="rllm_code")
read = reader(PLACE, problems_of)
