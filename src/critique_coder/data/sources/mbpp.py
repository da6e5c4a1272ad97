"""MBPP: 974 short Python tasks with three asserts each. Licence CC-BY-4.0.

Found at ``path`` (``mbpp.jsonl``, ``.gz`` or the sanitized JSON of the same records), else in the folder that
``CRITIQUE_CODER_DATA`` names. Tasks 601 to 974 are its training split; ``metadata.split`` says which a task is in.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from critique_coder.data.sources.corpus import Source
from critique_coder.records import BadInput, Json, Problem, TestCase, TestKind
from critique_coder.storage import read_json, read_rows

_NAMES = ("mbpp.jsonl", "mbpp.jsonl.gz")


def read(path: str | None) -> Source:
    """Read MBPP; raises BadInput when it is not found or not in its published shape."""
    place = _find(path)
    rows = _json_rows if place.suffix == ".json" else read_rows
    return Source((str(place),), lambda lose: (_problem(row, where) for where, row in rows(place)))


def _find(path: str | None) -> Path:
    data = os.environ.get("CRITIQUE_CODER_DATA")
    place = Path(path) if path is not None else Path(data) / "mbpp" if data else None
    if place is None:
        raise BadInput(
            "source 'mbpp' needs a path: the file mbpp.jsonl, or set CRITIQUE_CODER_DATA to a folder with mbpp/"
        )
    if not place.is_dir():
        return place
    for name in _NAMES:
        if (place / name).exists():
            return place / name
    raise BadInput(f"{place}: holds none of {', '.join(_NAMES)}")


def _json_rows(place: Path) -> Iterator[tuple[str, Json]]:
    for number, row in enumerate(read_json(place), 1):
        yield f"{place}, entry {number}", row


def _problem(row: Json, where: str) -> Problem:
    try:
        number, setup = int(row["task_id"]), row.get("test_setup_code") or "\n".join(row.get("test_imports") or [])
        asserts = list(row["test_list"])
        statement = str(row.get("text") or row["prompt"]).strip()
        code = str(row["code"]).replace("\r\n", "\n")
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{where}: not an MBPP record ({error})") from None
    name = _called(asserts[0], code)
    prefix = setup + "\n" if setup else ""
    return Problem(
        id=f"mbpp/{number}",
        statement=f"{statement}\n\nThe function must pass this check: `{asserts[0]}`",
        tests=tuple(TestCase(TestKind.SCRIPT, code=f"{prefix}{line}\n") for line in asserts),
        entry_point=name,
        reference=code,
        source="mbpp",
        licence="CC-BY-4.0",
        released="2021-08-16",
        metadata={"split": "train" if 601 <= number <= 974 else "eval"},
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
    except SyntaxError:
        return None
    return next((name for name in calls if name in defined), None)
