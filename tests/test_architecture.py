"""The house rules that a machine can check: which room may import which, names, and sizes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import critique_coder

ROOT = Path(critique_coder.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LEAVES = {"settings", "progress"}
"""Small modules that any room may use."""
ALLOWED: dict[str, set[str]] = {
    "fields": set(),
    "records": {"fields"},
    "feedback": {"fields", "records"},
    "storage": {"records"},
    "settings": {"records"},
    "progress": set(),
    "look": set(),
    "web": {"records"},
    "prompts": {"records"},
    "cluster": {"records"},
    "judge": {"records", "storage", "web", "cluster"},
    "models": {"records", "prompts", "storage", "cluster"},
    "data": {"fields", "records", "feedback", "storage", "prompts", "judge", "models"},
    "training": {"records", "feedback", "storage", "prompts", "judge", "models", "data"},
    "evaluation": {"records", "feedback", "storage", "prompts", "judge", "models", "data"},
    "review": {"fields", "records", "feedback", "storage", "prompts", "judge", "look", "web"},
    "report": {"records", "storage", "evaluation", "look"},
}
FREE = {"cli", "__init__", "__main__"}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules_of(path: Path) -> Iterator[str]:
    """The modules that a file imports, relative ones written out."""
    package = ["critique_coder", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
        elif isinstance(node, ast.ImportFrom) and node.module == "critique_coder":
            yield from (f"critique_coder.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def rooms_used(path: Path) -> set[str]:
    """The other rooms that a file imports from; the package's own version number is none."""
    names = [name.split(".") for name in modules_of(path) if name.startswith("critique_coder.")]
    return {name[1] for name in names if not name[1].startswith("__")} - {room_of(path)}


def functions() -> Iterator[tuple[str, int]]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_every_room_has_its_rule() -> None:
    assert {room_of(path) for path in FILES} <= ALLOWED.keys() | FREE


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_arrows_only_go_down(room: str) -> None:
    allowed = ALLOWED[room] | (LEAVES if room not in ("records", "feedback", "storage", "progress", "judge") else set())
    wrong = {str(path.relative_to(ROOT)): rooms_used(path) - allowed for path in FILES if room_of(path) == room}
    assert {name: rooms for name, rooms in wrong.items() if rooms} == {}


SERVED = {("service.py", "starlette"), ("service.py", "anyio")}
"""What the judge needs only when it is a server, or on many machines."""


def test_the_records_and_the_judge_need_only_the_standard_library() -> None:
    outside = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        if room_of(path) in ("records", "feedback", "judge")
        for name in modules_of(path)
        if name.split(".")[0] not in sys.stdlib_module_names | {"critique_coder"}
        and (path.name, name.split(".")[0]) not in SERVED
    }
    assert outside == set()


def test_no_room_for_leftovers() -> None:
    names = {part.removesuffix(".py") for path in FILES for part in path.relative_to(ROOT).parts}
    assert names & {"utils", "util", "helpers", "helper", "common", "misc", "shared", "core"} == set()


def test_no_function_is_over_eighty_lines() -> None:
    assert {name: length for name, length in functions() if length > 80} == {}


def test_most_functions_are_short() -> None:
    lengths = sorted(length for _, length in functions())
    assert lengths[len(lengths) // 2] <= 15 and lengths[len(lengths) * 9 // 10] <= 50
