"""MBPP: 974 short Python tasks with three asserts each. Licence CC-BY-4.0.

Found at ``path`` (``mbpp.jsonl``, ``.gz`` or the sanitized JSON of the same records), else in the folder that
``CRITIQUE_CODER_DATA`` names. Tasks 601 to 974 are its training split; ``metadata.split`` says which a task is in.
"""

from __future__ import annotations

import ast

from critique_coder.data.sources.corpus import Place, Row, Unusable, each, fields_of, reader, task_number, texts
from critique_coder.records import Problem, TestCase, TestKind


def _name(row: Row) -> str:
    return f"mbpp/{task_number(row)}"


def _problem(row: Row, name: str) -> Problem:
    fields = fields_of(row)
    setup = fields.text("test_setup_code", default="") or "\n".join(texts(row, "test_imports"))
    if not fields.items("test_list"):
        raise Unusable("has no tests")
    asserts = texts(row, "test_list")
    statement = fields.text("text", default="") or fields.text("prompt", empty=False)
    code = fields.text("code", empty=False).replace("\r\n", "\n")
    prefix = setup + "\n" if setup else ""
    return Problem(
        id=name,
        statement=f"{statement.strip()}\n\nThe function must pass this check: `{asserts[0]}`",
        tests=tuple(TestCase(TestKind.SCRIPT, code=f"{prefix}{line}\n") for line in asserts),
        entry_point=_called(asserts[0], code),
        reference=code,
        source="mbpp",
        licence="CC-BY-4.0",
        released="2021-08-16",
        metadata={"split": "train" if 601 <= task_number(row) <= 974 else "eval"},
    )


def _called(check: str, code: str) -> str | None:
    """The function of the reference that the check calls."""
    try:
        defined = {node.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)}
        calls = [
            node.func.id
            for node in ast.walk(ast.parse(check))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return next((name for name in calls if name in defined), None)


PLACE = Place("MBPP", folder="mbpp", names=("mbpp.jsonl", "mbpp.jsonl.gz"), only=True)
read = reader(PLACE, each(_name, _problem))
