"""CodeContests: competition problems with tests of standard input and output. Licence CC-BY-4.0 (tests: MIT).

Two shapes are read: that of the published set (``deepmind/code_contests``: public, private and generated tests, with
solutions in several languages), and its subset with a Python solution for each problem. Many problems accept more than
one answer and would need a checker of their own; ``codecontests229_verified.jsonl.gz`` holds those whose solution
passes by plain comparison, and is what a folder with both is read as.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from critique_coder.data.sources.corpus import Place, Row, Unusable, each, fields_of, reader, split_by_file
from critique_coder.data.sources.pairs import listed_tests, paired_tests, python_solution
from critique_coder.fields import Fields
from critique_coder.records import BadInput, Checker, CheckerName, Json, Problem, TestCase

_KINDS = ("public_tests", "private_tests", "generated_tests")
_PYTHON3 = 3
_TOKENS = Checker(CheckerName.TOKENS)
"""How the set's authors compare outputs: how they are broken into lines does not matter."""
_JUDGES = ("unknown", "CodeChef", "Codeforces", "HackerEarth", "CodeJam", "AtCoder", "Aizu")


def _name(row: Row) -> str:
    fields = fields_of(row)
    if "task_id" in row.value:
        return f"codecontests/{fields.text('task_id', empty=False).removeprefix('codecontests/')}"
    return f"codecontests/{fields.text('name', empty=False).removeprefix('codecontests/').replace(' ', '_')}"


def _problem(row: Row, name: str) -> Problem:
    fields = fields_of(row)
    return Problem(
        id=name,
        statement=fields.text("description", empty=False),
        tests=tuple(replace(test, checker=_TOKENS) for test in _tests(row)),
        reference=_reference(row),
        source="codecontests",
        difficulty=fields.text_or_none("difficulty", convert=True),
        licence="CC-BY-4.0",
        released="2022-02-08",
        metadata=_metadata(row),
        **_limits(row),
    )


problems_of = each(_name, _problem)


def _tests(row: Row) -> list[TestCase]:
    """The tests of either shape; raises BadInput and Unusable."""
    if "task_id" in row.value:
        pairs = listed_tests(row.value.get("tests"), row.where, "tests")
        inputs, outputs = [test["input"] for test in pairs], [test["output"] for test in pairs]
        return list(paired_tests(inputs, outputs, None, row.where, "tests"))
    if row.value.get("input_file"):
        raise Unusable(f"its programs read the file {row.value['input_file']}, not standard input")
    tests: list[TestCase] = []
    for kind in _KINDS:
        given = fields_of(row).mapping(kind)
        inputs, outputs = given.get("input") or [], given.get("output") or []
        if inputs or outputs:
            tests += paired_tests(inputs, outputs, None, row.where, kind)
    if not tests:
        raise Unusable("has no tests")
    return tests


def _reference(row: Row) -> str | None:
    """The first solution in Python 3; raises BadInput."""
    if "solution_python" in row.value:
        return python_solution(row.value["solution_python"], row.where, "solution_python")
    found = fields_of(row).mapping("solutions")
    languages, codes = found.get("language") or [], found.get("solution") or []
    if not isinstance(languages, list) or not isinstance(codes, list) or len(languages) != len(codes):
        raise BadInput(f"{row.where}, key 'solutions': must hold lists 'language' and 'solution' of the same length")
    pairs = zip(languages, codes, strict=True)
    return python_solution([code for language, code in pairs if language == _PYTHON3], row.where)


def _metadata(row: Row) -> dict[str, Json]:
    judge, tags = row.value.get("source"), row.value.get("tags") or row.value.get("cf_tags") or []
    known = isinstance(judge, int) and 0 <= judge < len(_JUDGES)
    return {"split": split_by_file(row.file), "judge": _JUDGES[judge] if known else judge, "tags": tags}


def _limits(row: Row) -> dict[str, Any]:
    """The published limits, where a record has them; the judge's own hold otherwise. Raises BadInput."""
    fields = fields_of(row)
    given = fields.mapping("time_limit")
    time = Fields(given, f"{row.where}, key 'time_limit'", known=given)
    seconds = (time.number("seconds", minimum=0) or 0) + (time.number("nanos", minimum=0) or 0) / 1e9
    memory = fields.number("memory_limit_bytes", minimum=0)
    limits = {"time_limit_s": seconds, "memory_limit_mb": memory / 2**20 if memory else None}
    return {key: limit for key, limit in limits.items() if limit}


PLACE = Place(
    "CodeContests",
    hub="deepmind/code_contests",
    folder="codecontests",
    names=("codecontests229_verified.jsonl.gz",),
)
read = reader(PLACE, problems_of)
