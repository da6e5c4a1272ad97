"""DeepCoder-Preview (``agentica-org/DeepCoder-Preview-Dataset``): competition problems with many tests. Licence MIT.

Its configurations differ in how they keep tests, always as the text of JSON: ``taco`` has ``{"inputs", "outputs",
"fn_name"?}``, ``primeintellect`` a list of ``{"type", "fn_name"?, "input", "output"}``, ``lcbv5`` a list of ``{"input",
"output", "testtype"}`` with the function's name in ``metadata``, and ``codeforces`` a list of ``{"input", "output"}``.
The configuration is told by the record, so that files may lie anywhere. All of ``lcbv5`` and ``codeforces`` is a
benchmark's and for evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
from critique_coder.data.sources.pairs import (
    Unusable,
    arguments,
    function_test,
    method_of,
    only_name,
    paired_tests,
    python_solution,
    starter_program,
    stdio_test,
    unwrapped,
)
from critique_coder.fields import type_name
from critique_coder.records import BadInput, Json, Problem, TestCase

_BENCHMARKS = {"lcbv5", "codeforces"}
_LICENCES = {"taco": "Apache-2.0"}


def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of records of every configuration; raises BadInput."""
    for row in rows:
        fields = fields_of(row)
        statement, stub = fields.text("problem", empty=False), fields.text("starter_code", default="")
        given = from_json_text(row.value.get("tests"), row.where, "tests")
        kind = _configuration(given, row)
        problem_id = f"deepcoder/{kind}/{id_by_place(row)}"
        entry_point = _entry_point(given, row, stub)
        try:
            tests = _tests(given, entry_point, row.where)
        except Unusable as error:
            lose(problem_id, str(error))
            continue
        yield Problem(
            id=problem_id,
            statement=statement,
            tests=tests,
            starter_code=starter_program(stub) if stub.strip() and entry_point else "",
            entry_point=entry_point,
            reference=python_solution(row.value.get("solutions")),
            source="deepcoder",
            licence=_LICENCES.get(kind, "MIT"),
            released="2025-04-08",
            metadata={"split": "eval" if kind in _BENCHMARKS else split_by_file(row.file), "configuration": kind},
        )


def _configuration(given: Json, row: Row) -> str:
    """By the shape of the tests, which differs between the configurations; raises BadInput."""
    if isinstance(given, dict) and "inputs" in given:
        return "taco"
    if isinstance(given, list) and all(isinstance(test, dict) for test in given):
        keys = given[0].keys() if given else frozenset()
        folder = row.file.parent.name
        return (
            "lcbv5" if "testtype" in keys or "starter_code" in row.value
            else "primeintellect" if "type" in keys
            else folder if folder in {"primeintellect", "taco"} else "codeforces"
        )  # fmt: skip
    raise BadInput(
        f"{row.where}, key 'tests': must be the text of a list of tests or of inputs and outputs, "
        f"not {type_name(given)}"
    )


def _entry_point(given: Json, row: Row, stub: str) -> str | None:
    """The function under test, or None for whole programs."""
    if isinstance(given, dict):
        name = given.get("fn_name")
    else:
        metadata = from_json_text(row.value.get("metadata"), row.where, "metadata")
        name = given[0].get("fn_name") if given else None
        functional = bool(given) and given[0].get("testtype") == "functional"
        if name is None and functional:
            name = metadata.get("func_name") if isinstance(metadata, dict) else None
            name = name or _named(given[0]) or only_name(stub)
            if name is None:
                raise BadInput(f"{row.where}, key 'metadata': functional tests need 'func_name'")
    return method_of(stub, name) if isinstance(name, str) and name else None


def _named(test: Json) -> Json:
    metadata = test.get("metadata")
    return metadata.get("func_name") if isinstance(metadata, dict) else None


def _tests(given: Json, entry_point: str | None, where: str) -> tuple[TestCase, ...]:
    if isinstance(given, dict):
        return paired_tests(given.get("inputs"), given.get("outputs"), entry_point, where, "tests")
    if not given:
        raise Unusable("has no tests")
    for number, test in enumerate(given, 1):
        for key in ("input", "output"):
            if key not in test:
                raise BadInput(f"{where}, key 'tests', test {number}: {key!r} is missing")
    if entry_point is None:
        return tuple(stdio_test(test["input"], test["output"]) for test in given)
    results = unwrapped([test["output"] for test in given])
    pairs = zip(given, results, strict=True)
    return tuple(function_test(entry_point, arguments(test["input"]), result) for test, result in pairs)


PLACE = Place(
    "DeepCoder-Preview",
    hub="agentica-org/DeepCoder-Preview-Dataset",
    patterns=("taco/*.parquet", "primeintellect/*.parquet", "lcbv5/*.parquet"),
    folder="deepcoder",
)
read = reader(PLACE, problems_of)
