"""Functions of the starter code that a check calls. They belong to the check.

Where they are taken from the solution, as when all is one program, a solution can define them again: HumanEval 32 is
checked by ``poly(coeffs, solution)`` of its prompt, and a ``poly`` that returns 0 makes every answer right.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from .script_literals import parse

_Definition = ast.FunctionDef | ast.Assign | ast.Import | ast.ImportFrom


@lru_cache(maxsize=4096)
def with_helpers(check: str, starter: str, entry_point: str | None) -> str:
    """The check with its own copy of what it calls of the starter code; as it was where that is nothing."""
    try:
        tree, known = parse(check), _definitions(parse(starter))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return check
    known.pop((entry_point or "").partition(".")[0], None)
    for name in {name for statement in tree.body for name in _bound(statement)}:
        known.pop(name, None)
    taken = _needed(tree, known)
    if not any(isinstance(node, ast.FunctionDef) for node in taken):
        return check
    return "\n".join([*map(ast.unparse, taken), check])


def _definitions(starter: ast.Module) -> dict[str, _Definition]:
    """Functions that are more than a stub, constants and imports of the starter code, by name."""
    found: dict[str, _Definition] = {}
    for node in starter.body:
        match node:
            case ast.FunctionDef(name=name) if not _is_stub(node):
                found[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]):
                found[name] = node
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name.partition(".")[0]: node for alias in names if alias.name != "*"}
    return found


def _is_stub(function: ast.FunctionDef) -> bool:
    """Whether the body is left for the solution to write."""
    return all(
        isinstance(node, (ast.Pass, ast.Raise)) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names to which a statement at the top of the check gives a meaning."""
    match node:
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in names)


def _needed(tree: ast.Module, known: dict[str, _Definition]) -> list[_Definition]:
    """What the check uses, and what that uses, in the order of the starter code."""
    found: list[_Definition] = []
    rest: list[ast.AST] = [tree]
    while rest:
        names = {node.id for node in ast.walk(rest.pop()) if isinstance(node, ast.Name)}
        new = [known[name] for name in sorted(names & known.keys()) if known[name] not in found]
        found += [node for place, node in enumerate(new) if node not in new[:place]]
        rest += new
    return sorted(found, key=lambda node: node.lineno)
