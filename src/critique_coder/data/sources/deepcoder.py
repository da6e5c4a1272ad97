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
    Unusable,
    fields_of,
    from_json_text,
    id_by_place,
    reader,
    split_by_file,
)
from critique_coder.data.sources.pairs import (
    function_name,
    listed_tests,
    method_of,
    only_name,
    paired_tests,
    python_solution,
    starter_program,
)
from critique_coder.fields import type_name
from critique_coder.records import BadInput, Json, Problem, TestCase

_BENCHMARKS = {"lcbv5", "codeforces"}
_LICENCES = {"taco": "Apache-2.0"}


def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of records of every configuration; raises BadInput."""
    for row in rows:
        fields_of(row)
        name = id_by_place(row)
        try:
            given = from_json_text(row.value.get("tests"), row.where, "tests")
            kind = _configuration(given, row)
            name = f"{kind}/{name}"
            problem = _problem(row, kind, given)
        except Unusable as error:
            lose(f"deepcoder/{name}", str(error))
            continue
        yield problem


def _problem(row: Row, kind: str, given: Json) -> Problem:
    fields = fields_of(row)
    stub = fields.text("starter_code", default="")
    entry_point = _entry_point(given, row, stub)
    return Problem(
        id=f"deepcoder/{kind}/{id_by_place(row)}",
        statement=fields.text("problem", empty=False),
        tests=_tests(given, entry_point, row.where),
        starter_code=starter_program(stub) if stub.strip() and entry_point else "",
        entry_point=entry_point,
        reference=python_solution(row.value.get("solutions"), row.where),
        source="deepcoder",
        licence=_LICENCES.get(kind, "MIT"),
        released="2025-04-08",
        metadata={"split": "eval" if kind in _BENCHMARKS else split_by_file(row.file), "configuration": kind},
    )


def _configuration(given: Json, row: Row) -> str:
    """By the shape of the tests, which differs between the configurations; raises BadInput."""
    if isinstance(given, dict) and "inputs" in given:
        return "taco"
    if isinstance(given, list):
        listed_tests(given, row.where, "tests")
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
    """The function under test, or None for whole programs; raises BadInput and Unusable."""
    if isinstance(given, dict):
        name = function_name(given.get("fn_name"), row.where, "tests")
        return method_of(stub, name) if name else None
    named = {function_name(test.get("fn_name"), row.where, "tests") for test in given}
    kinds = {str(test.get("testtype") or test.get("type")) for test in given}
    if len(named) > 1 or len(kinds) > 1:
        raise Unusable("its tests are of several functions or kinds")
    name = next(iter(named), None)
    if name is None and kinds & {"functional", "function_call"}:
        name = _func_name(row.value, row) or _func_name(given[0], row) or only_name(stub)
        if name is None:
            raise BadInput(f"{row.where}, key 'metadata': functional tests need 'func_name'")
    return method_of(stub, name) if name else None


def _func_name(record: Json, row: Row) -> str | None:
    """The function that the metadata of a record or of a test names; raises BadInput."""
    metadata = from_json_text(record.get("metadata") or None, row.where, "metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise BadInput(f"{row.where}, key 'metadata': must be an object, not {type_name(metadata)}")
    return function_name(metadata.get("func_name"), row.where, "metadata")


def _tests(given: Json, entry_point: str | None, where: str) -> tuple[TestCase, ...]:
    if isinstance(given, dict):
        return paired_tests(given.get("inputs"), given.get("outputs"), entry_point, where, "tests")
    inputs, outputs = [test["input"] for test in given], [test["output"] for test in given]
    return paired_tests(inputs, outputs, entry_point, where, "tests")


PLACE = Place(
    "DeepCoder-Preview",
    hub="agentica-org/DeepCoder-Preview-Dataset",
    patterns=("taco/*.parquet", "primeintellect/*.parquet", "lcbv5/*.parquet"),
    folder="deepcoder",
)
read = reader(PLACE, problems_of)
