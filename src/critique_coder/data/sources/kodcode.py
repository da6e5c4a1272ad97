"""KodCode-V1 (``KodCode/KodCode-V1``): synthetic problems with pytest tests. Licence CC-BY-NC-4.0.

The tests import the solution (``from solution import f``); here they see its names as they are, so that import is
taken out, and so is an import of pytest that nothing uses. A test file of one problem is one test.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from critique_coder.data.sources.corpus import Lose, Place, Row, fields_of, reader
from critique_coder.data.sources.pairs import Unusable
from critique_coder.records import Json, Problem, TestCase, TestKind


def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of the set's records; raises BadInput."""
    for row in rows:
        fields = fields_of(row)
        problem_id = f"kodcode/{fields.text('question_id', empty=False)}"
        try:
            check = without_solution_import(fields.text("test"))
        except Unusable as error:
            lose(problem_id, str(error))
            continue
        yield Problem(
            id=problem_id,
            statement=_statement(fields.text("question", empty=False), row.value.get("test_info")),
            tests=(TestCase(TestKind.UNITTEST, code=check),),
            entry_point=_name(row.value.get("test_info")),
            reference=fields.text_or_none("solution"),
            source="kodcode",
            difficulty=fields.text_or_none("gpt_difficulty"),
            licence="CC-BY-NC-4.0",
            released="2025-03-04",
            metadata={"split": "train", "subset": row.value.get("subset"), "style": row.value.get("style")},
        )


def without_solution_import(code: str) -> str:
    """A test module without its import of the solution; another name that it gives to something is kept.

    An import of pytest that nothing uses goes too, so that the test runs where pytest is not.

    Raises Unusable when it is not Python, has no test, or reaches the solution as a module.
    """
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unusable(f"its tests are not Python ({error})") from None
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


def _name(info: Json) -> str | None:
    """The function under test, where the record names one."""
    if isinstance(info, list) and len(info) == 1 and isinstance(info[0], dict):
        name = info[0].get("function_name")
        return name if isinstance(name, str) and name else None
    return None


def _statement(question: str, info: Json) -> str:
    """The question with the declarations that the tests rely on, which it need not name."""
    told = [entry.get("function_declaration") for entry in info or () if isinstance(entry, dict)]
    missing = [line.strip() for line in told if isinstance(line, str) and line.strip() and line.strip() not in question]
    return f"{question.strip()}\n\nThe tests use: `{'`, `'.join(missing)}`" if missing else question.strip()


PLACE = Place("KodCode", hub="KodCode/KodCode-V1", patterns=("data/train*.parquet",), folder="kodcode")
read = reader(PLACE, problems_of)
