"""CodeContests: competition problems with tests of standard input and output. Licence CC-BY-4.0 (tests: MIT).

Two shapes are read: that of the published set (``deepmind/code_contests``: public, private and generated tests, with
solutions in several languages), and its subset with a Python solution for each problem. Many problems accept more than
one answer and would need a checker of their own; ``codecontests229_verified.jsonl.gz`` holds those whose solution
passes by plain comparison, and is what a folder with both is read as.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from critique_coder.data.sources.corpus import Lose, Place, Row, fields_of, reader, split_by_file
from critique_coder.data.sources.pairs import Unusable, paired_tests, python_solution
from critique_coder.records import BadInput, Checker, CheckerName, Json, Problem

_KINDS = ("public_tests", "private_tests", "generated_tests")
_PYTHON3 = 3
_TOKENS = Checker(CheckerName.TOKENS)
"""How the set's authors compare outputs: how they are broken into lines does not matter."""
_JUDGES = ("unknown", "CodeChef", "Codeforces", "HackerEarth", "CodeJam", "AtCoder", "Aizu")


def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of records in either shape; raises BadInput."""
    for row in rows:
        fields = fields_of(row)
        published = "task_id" not in row.value
        name = fields.text("name" if published else "task_id", empty=False).removeprefix("codecontests/")
        problem_id = f"codecontests/{name.replace(' ', '_')}" if published else f"codecontests/{name}"
        try:
            inputs, outputs = _pairs(row, published)
            pairs = paired_tests(inputs, outputs, None, row.where, "tests")
            tests = tuple(replace(test, checker=_TOKENS) for test in pairs)
        except Unusable as error:
            lose(problem_id, str(error))
            continue
        yield Problem(
            id=problem_id,
            statement=fields.text("description", empty=False),
            tests=tests,
            reference=python_solution(_solutions(row.value)),
            source="codecontests",
            difficulty=fields.text_or_none("difficulty", convert=True),
            licence="CC-BY-4.0",
            released="2022-02-08",
            metadata=_metadata(row),
            **_limits(row.value),
        )


def _pairs(row: Row, published: bool) -> tuple[Json, Json]:
    value = row.value
    if not published:
        tests = value.get("tests")
        if not isinstance(tests, list) or not all(isinstance(test, dict) for test in tests):
            return tests, tests
        return [test.get("input") for test in tests], [test.get("output") for test in tests]
    if value.get("input_file"):
        raise Unusable(f"its programs read the file {value['input_file']}, not standard input")
    inputs: list[Json] = []
    outputs: list[Json] = []
    for kind in _KINDS:
        tests = value.get(kind) or {}
        if not isinstance(tests, dict):
            raise BadInput(f"{row.where}, key {kind!r}: must be an object of 'input' and 'output'")
        inputs += tests.get("input") or []
        outputs += tests.get("output") or []
    return inputs, outputs


def _solutions(value: Json) -> Json:
    if "solution_python" in value:
        return value["solution_python"]
    found = value.get("solutions") or {}
    pairs = zip(found.get("language") or (), found.get("solution") or (), strict=False)
    return [code for language, code in pairs if language == _PYTHON3]


def _metadata(row: Row) -> dict[str, Json]:
    judge, tags = row.value.get("source"), row.value.get("tags") or row.value.get("cf_tags") or []
    known = isinstance(judge, int) and 0 <= judge < len(_JUDGES)
    return {"split": split_by_file(row.file), "judge": _JUDGES[judge] if known else judge, "tags": tags}


def _limits(value: Json) -> dict[str, Any]:
    """The published limits, where a record has them; the judge's own hold otherwise."""
    limits: dict[str, Any] = {}
    time, memory = value.get("time_limit"), value.get("memory_limit_bytes")
    if isinstance(time, dict) and (seconds := (time.get("seconds") or 0) + (time.get("nanos") or 0) / 1e9) > 0:
        limits["time_limit_s"] = seconds
    if isinstance(memory, int) and memory > 0:
        limits["memory_limit_mb"] = memory / 2**20
    return limits


PLACE = Place(
    "CodeContests",
    hub="deepmind/code_contests",
    folder="codecontests",
    names=("codecontests229_verified.jsonl.gz",),
)
read = reader(PLACE, problems_of)
