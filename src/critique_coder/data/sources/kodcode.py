"""KodCode-V1 (``KodCode/KodCode-V1``): synthetic problems with pytest tests. Licence CC-BY-NC-4.0.

The tests import the solution (``from solution import f``); here they see its names as they are, so that import is
taken out, and so is an import of pytest that nothing uses. A test file of one problem is one test.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from critique_coder.data.sources.asserts import parsed
from critique_coder.data.sources.corpus import Place, Row, Unusable, each, fields_of, from_json_text, reader
from critique_coder.data.sources.pairs import function_name
from critique_coder.fields import Fields, type_name
from critique_coder.records import BadInput, Problem, TestCase, TestKind


def _problem_id(row: Row) -> str:
    return f"kodcode/{fields_of(row).text('question_id', empty=False)}"


def _problem(row: Row, name: str) -> Problem:
    fields, declared = fields_of(row), _declared(row)
    return Problem(
        id=name,
        statement=_statement(fields.text("question", empty=False), declared),
        tests=(TestCase(TestKind.UNITTEST, code=without_solution_import(fields.text("test"))),),
        entry_point=declared[0].name if len(declared) == 1 else None,
        reference=fields.text_or_none("solution"),
        source="kodcode",
        difficulty=fields.text_or_none("gpt_difficulty"),
        licence="CC-BY-NC-4.0",
        released="2025-03-04",
        metadata={"split": "train", "subset": row.value.get("subset"), "style": row.value.get("style")},
    )


problems_of = each(_problem_id, _problem)


def without_solution_import(code: str) -> str:
    """A test module without its import of the solution; another name that it gives to something is kept.

    An import of pytest that nothing uses goes too, so that the test runs where pytest is not.

    Raises Unusable when it is not Python, has no test, or reaches the solution as a module.
    """
    body = parsed(code, "its tests are")
    if not any(_is_test(statement) for statement in body):
        raise Unusable("has no tests")
    lines = code.splitlines()
    for statement in reversed(body):
        match statement:
            case ast.Import(names=names) if any(name.name.split(".")[0] == "solution" for name in names):
                raise Unusable("its tests import the solution as a module")
            case ast.Import(names=[ast.alias(name="pytest", asname=None)]) if code.count("pytest") == 1:
                del lines[statement.lineno - 1 : statement.end_lineno]
            case ast.ImportFrom(module="solution", names=names):
                kept = [f"{name.asname} = {name.name}" for name in names if name.asname not in (None, name.name)]
                lines[statement.lineno - 1 : statement.end_lineno] = kept
    return "\n".join(lines).strip() + "\n"


def _is_test(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ClassDef):
        return any(_is_test(inner) for inner in statement.body)
    return isinstance(statement, ast.FunctionDef) and statement.name.startswith("test")


class _Declared(NamedTuple):
    """A function that the tests call."""

    name: str | None
    line: str


def _declared(row: Row) -> list[_Declared]:
    """What ``test_info`` says of the functions under test; raises BadInput."""
    given = from_json_text(row.value.get("test_info"), row.where, "test_info")
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadInput(f"{row.where}, key 'test_info': must be a list of objects, not {type_name(given)}")
    found: list[_Declared] = []
    for number, entry in enumerate(given, 1):
        where = f"{row.where}, key 'test_info', entry {number}"
        fields = Fields(entry, where, known=entry if isinstance(entry, dict) else ())
        name = function_name(entry.get("function_name"), where, "function_name")
        found.append(_Declared(name, fields.text("function_declaration", default="").strip()))
    return found


def _statement(question: str, declared: Sequence[_Declared]) -> str:
    """The question with the declarations that the tests rely on, which it need not name."""
    missing = [line for _, line in declared if line and line not in question]
    return f"{question.strip()}\n\nThe tests use: `{'`, `'.join(missing)}`" if missing else question.strip()


PLACE = Place("KodCode", hub="KodCode/KodCode-V1", patterns=("data/train*.parquet",), folder="kodcode")
read = reader(PLACE, problems_of)
