"""Google Code Jam and Kick Start: problems with their official tests and no reference solutions. Licence Apache-2.0.

Outputs are lines ``Case #k: ...``; numbers are equal within a tolerance that the record gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from critique_coder.data.sources.corpus import Lose, Place, Row, fields_of, reader
from critique_coder.data.sources.pairs import Unusable, paired_tests
from critique_coder.records import BadInput, Checker, CheckerName, Problem, TestCase

_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of the archive's records; raises BadInput."""
    for row in rows:
        fields = fields_of(row)
        problem_id = f"google-code-jam/{fields.text('task_id', empty=False).removeprefix('gcj/')}"
        contest = fields.text("source", default="")
        year = _YEAR.search(contest)
        try:
            tests = _tests(row, fields.number("float_tolerance", default=1e-6, minimum=0) or 0.0)
        except Unusable as error:
            lose(problem_id, str(error))
            continue
        yield Problem(
            id=problem_id,
            statement=fields.text("statement", empty=False),
            tests=tests,
            source="google-code-jam",
            licence="Apache-2.0",
            released=year.group() if year else None,
            metadata={"split": "train", "contest": contest},
        )


def _tests(row: Row, tolerance: float) -> tuple[TestCase, ...]:
    found = [*(row.value.get("sample_tests") or ()), *(row.value.get("secret_tests") or ())]
    for test in found:
        if not isinstance(test, dict) or not {"input", "output"} <= test.keys():
            raise BadInput(f"{row.where}, key 'secret_tests': each test must have 'input' and 'output'")
    inputs, outputs = [test["input"] for test in found], [test["output"] for test in found]
    checker = Checker(CheckerName.FLOAT, tolerance, tolerance)
    tests = paired_tests(inputs, outputs, None, row.where, "secret_tests")
    return tuple(replace(test, checker=checker) for test in tests)


PLACE = Place("Google Code Jam's archive", folder="google_code_jam")
read = reader(PLACE, problems_of)
