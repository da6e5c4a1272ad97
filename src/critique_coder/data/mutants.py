"""Wrong solutions made from a right one by a small change, as mutation testing makes them: a comparison, a number, ...

Some change nothing that matters; how many of a problem's mutants its tests reject says how sharp the tests are.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from itertools import islice

from critique_coder.records import Problem, Solution
from critique_coder.storage import hash_fraction

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
}  # fmt: skip


def mutants(problem: Problem, count: int, seed: int = 0) -> list[Solution]:
    """At most ``count`` different mutants of the problem's reference, drawn by ``seed``; none where it has none.

    Only those that are drawn are made: a long program has thousands.
    """
    if problem.reference is None or problem.language != "python":
        return []
    try:
        tree = ast.parse(problem.reference)
    except (SyntaxError, ValueError, RecursionError):  # a completion that makes sense behind the starter code only
        return []
    original = ast.unparse(tree)
    choices = [(place, n) for place, node in enumerate(ast.walk(tree)) for n in range(len(_changes(node)))]
    drawn: dict[str, None] = {}
    for place, number in sorted(choices, key=lambda choice: hash_fraction(seed, problem.id, *choice)):
        if len(drawn) >= count:
            break
        source = _changed(tree, place, number)
        if source != original:
            drawn[source] = None
    return [
        Solution(f"{problem.id}#mutant-{number}", problem.id, code=source, author="mutant")
        for number, source in enumerate(drawn, 1)
    ]


def _changed(tree: ast.Module, place: int, number: int) -> str:
    """The source of the program after one of the changes of one of its nodes, in the order of ``ast.walk``."""
    mutated = copy.deepcopy(tree)
    node = next(islice(ast.walk(mutated), place, None))
    _changes(node)[number](node)
    return ast.unparse(mutated)


Change = Callable[[ast.AST], None]


def _changes(node: ast.AST) -> list[Change]:
    """What can be done to a node, each as a function that does it to the same node of a copy."""
    match node:
        case ast.Compare(ops=[operator, *_]) if type(operator) in _COMPARISONS:
            return [lambda copied: copied.ops.__setitem__(0, _COMPARISONS[type(operator)]())]
        case ast.BinOp(op=operation) | ast.AugAssign(op=operation) if type(operation) in _ARITHMETIC:
            return [lambda copied: setattr(copied, "op", _ARITHMETIC[type(operation)]())]
        case ast.BoolOp(op=joined):
            other = ast.Or if isinstance(joined, ast.And) else ast.And
            return [lambda copied: setattr(copied, "op", other())]
        case ast.Constant(value=bool(value)):
            return [lambda copied: setattr(copied, "value", not value)]
        case ast.Constant(value=int(value)):
            return [
                lambda copied: setattr(copied, "value", value + 1),
                lambda copied: setattr(copied, "value", value - 1),
            ]
        case ast.If(test=test) | ast.While(test=test) if not isinstance(test, ast.Constant):
            return [lambda copied: setattr(copied, "test", ast.UnaryOp(ast.Not(), copied.test))]
        case ast.Return(value=ast.expr()):
            return [lambda copied: setattr(copied, "value", ast.Constant(None))]
    return []
