"""LiveCodeBench: contest problems by date, for evaluation only. Licence CC (as published) and MIT (``lcb_v5``).

Read as published on the hub (``livecodebench/code_generation_lite``: ``public_test_cases`` as the text of JSON,
``private_test_cases`` as that or packed), and as the folder ``lcb_v5``, which has the tests that can be had freely:
public ones, failing cases that were published, and asserts for LeetCode's problems.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable

from critique_coder.data.sources.asserts import assert_tests, starter_for
from critique_coder.data.sources.corpus import Place, Row, Unusable, day, each, fields_of, from_json_text, reader
from critique_coder.data.sources.packed_tests import Refused, TooLarge, unpack
from critique_coder.data.sources.pairs import (
    arguments,
    function_name,
    function_test,
    listed_tests,
    method_of,
    only_name,
    stdio_test,
)
from critique_coder.fields import Fields, type_name
from critique_coder.records import BadInput, Json, Problem, TestCase

_ENTRY = re.compile(r"(\w+)\(\)\.(\w+)")
_GIVES_TEXT = re.compile(r"->\s*(?:str|Optional\[str\])\s*:")


def _name(row: Row) -> str:
    return f"livecodebench/{fields_of(row).text('question_id', empty=False)}"


def _problem(row: Row, name: str) -> Problem:
    fields = fields_of(row)
    stub = fields.text("starter_code", default="")
    entry_point = _entry_point(row, stub)
    unreadable: list[str] = []
    tests = _tests(row, entry_point, stub, unreadable)
    starter = starter_for(stub, tests, None) if stub.strip() else ""
    return Problem(
        id=name,
        statement=fields.text("question_content", empty=False),
        tests=tests,
        starter_code=starter,
        entry_point=entry_point,
        reference=_reference(row, starter),
        source="livecodebench",
        difficulty=fields.text_or_none("difficulty"),
        licence="cc" if "public_test_cases" in row.value else "MIT",
        released=_released(row),
        metadata=_metadata(row.value) | ({"unreadable_cases": len(unreadable)} if unreadable else {}),
    )


problems_of = each(_name, _problem)


def _released(row: Row) -> str:
    """The day of the contest, by which problems that a model cannot have seen are told; raises BadInput."""
    found = day(row, "contest_date")
    if found is None:
        raise BadInput(f"{row.where}, key 'contest_date': missing")
    return found


def _metadata(value: Json) -> dict[str, Json]:
    found = {"split": "eval", "platform": value.get("platform"), "title": value.get("question_title")}
    if "public_tests_from" in value:
        found |= {"title": value.get("title"), "public_tests_from": value["public_tests_from"]}
    return found


def _entry_point(row: Row, stub: str) -> str | None:
    """The method under test, by the record's metadata or its starter code; None for whole programs. Raises BadInput."""
    metadata = from_json_text(row.value.get("metadata") or None, row.where, "metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise BadInput(f"{row.where}, key 'metadata': must be an object, not {type_name(metadata)}")
    name = function_name((metadata or {}).get("func_name"), row.where, "metadata") or only_name(stub)
    if name is None and stub.strip():
        raise BadInput(f"{row.where}, key 'starter_code': begins no one function, and 'metadata' has no 'func_name'")
    return method_of(stub, name) if name else None


def _tests(row: Row, entry_point: str | None, stub: str, unreadable: list[str]) -> tuple[TestCase, ...]:
    """All tests of a record but failing cases that are no arguments, which go to ``unreadable``.

    Raises BadInput and Unusable.
    """
    tests: list[TestCase] = []
    for key in ("public_test_cases", "public_tests", "private_test_cases", "counterexample_tests"):
        if row.value.get(key):
            for test in _listed(row, key):
                found = _test(test, entry_point, stub, row.where, key)
                tests += [found] if found else []
                unreadable += [] if found else [test["input"]]
    if row.value.get("functional_test"):
        tests += _functional(row.value["functional_test"], row.where, entry_point)
    if not tests:
        raise Unusable("has no tests")
    return tuple(tests)


def _listed(row: Row, key: str) -> list[dict[str, Json]]:
    """The tests under a key, unpacked where they are packed; raises BadInput, and Unusable when they are too large."""
    value = row.value[key]
    if key == "private_test_cases" and isinstance(value, str) and not value.lstrip().startswith("["):
        try:
            value = unpack(value)
        except TooLarge as error:
            raise Unusable(f"its private tests are left packed: {error}") from None
        except Refused as error:
            raise BadInput(f"{row.where}, key {key!r}: {error}") from None
    return listed_tests(from_json_text(value, row.where, key), row.where, key)


def _test(test: Json, entry_point: str | None, stub: str, where: str, key: str) -> TestCase | None:
    """One test; None for a failing case whose input is no list of arguments."""
    kind = test.get("testtype")
    if kind not in (None, "functional" if entry_point else "stdin"):
        raise BadInput(
            f"{where}, key {key!r}: holds a test of the type {kind!r}, "
            + (f"and {entry_point} is a function" if entry_point else "and neither a stub nor 'func_name' names one")
        )
    if entry_point is None:
        return stdio_test(test["input"], test["output"])
    given = _python(test["input"]) if key == "counterexample_tests" else arguments(test["input"])
    if given is None:
        return None
    return function_test(entry_point, given, _result(test["output"], bool(_GIVES_TEXT.search(stub))))


def _python(given: Json) -> list[Json] | None:
    """Arguments that are the text of a Python list; None when they are not (one published case holds ``inf``)."""
    try:
        found = ast.literal_eval(given)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, list) else None


def _result(output: Json, is_text: bool) -> Json:
    """The value that a text of the set stands for; a method that returns text may have it without quotes."""
    try:
        value = json.loads(output)
    except (TypeError, ValueError):
        return output
    return output if is_text and not isinstance(value, str) else value


def _functional(given: Json, where: str, entry_point: str | None) -> Iterable[TestCase]:
    """The asserts that ``lcb_v5`` has for LeetCode's problems."""
    if not isinstance(given, dict) or not isinstance(given.get("test"), str) or entry_point is None:
        raise BadInput(f"{where}, key 'functional_test': must be an object with 'test', not {type_name(given)}")
    found = _ENTRY.fullmatch(str(given.get("entry_point") or ""))
    called = f"{found.group(1)}.{found.group(2)}" if found else entry_point
    return assert_tests(given["test"], called, None)


def _reference(row: Row, starter: str) -> str | None:
    """The solution that came with the asserts, behind what it leans on; raises BadInput."""
    given = row.value.get("functional_test") or {}
    fields = Fields(given, f"{row.where}, key 'functional_test'", known=given)
    solution = fields.text("reference", default="")
    return f"{fields.text('prompt', default='') or starter}\n{solution}" if solution else None


PLACE = Place(
    "LiveCodeBench",
    hub="livecodebench/code_generation_lite",
    patterns=("*.jsonl", "*.parquet"),
    folder="lcb_v5",
)
read = reader(PLACE, problems_of)
