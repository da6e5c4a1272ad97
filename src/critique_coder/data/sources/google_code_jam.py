"""Google Code Jam and Kick Start: problems with their official tests and no reference solutions. Licence Apache-2.0.

Outputs are lines ``Case #k: ...``; numbers are equal within a tolerance that the record gives.
"""

from __future__ import annotations

import re
from dataclasses import replace

from critique_coder.data.sources.corpus import Place, Row, each, fields_of, reader
from critique_coder.data.sources.pairs import listed_tests, paired_tests
from critique_coder.records import Checker, CheckerName, Problem, TestCase

_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def _name(row: Row) -> str:
    return f"google-code-jam/{fields_of(row).text('task_id', empty=False).removeprefix('gcj/')}"


def _problem(row: Row, name: str) -> Problem:
    fields = fields_of(row)
    contest = fields.text("source", default="")
    year = _YEAR.search(contest)
    return Problem(
        id=name,
        statement=fields.text("statement", empty=False),
        tests=_tests(row, fields.number("float_tolerance", default=1e-6, minimum=0) or 0.0),
        source="google-code-jam",
        licence="Apache-2.0",
        released=year.group() if year else None,
        metadata={"split": "train", "contest": contest},
    )


problems_of = each(_name, _problem)


def _tests(row: Row, tolerance: float) -> tuple[TestCase, ...]:
    keys = [key for key in ("sample_tests", "secret_tests") if row.value.get(key) is not None]
    found = [test for key in keys for test in listed_tests(row.value[key], row.where, key)]
    inputs, outputs = [test["input"] for test in found], [test["output"] for test in found]
    checker = Checker(CheckerName.FLOAT, tolerance, tolerance)
    tests = paired_tests(inputs, outputs, None, row.where, "secret_tests")
    return tuple(replace(test, checker=checker) for test in tests)


PLACE = Place("Google Code Jam's archive", folder="google_code_jam")
read = reader(PLACE, problems_of)
