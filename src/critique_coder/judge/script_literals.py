"""The values that a check script writes down: literals and arithmetic on them, computed with bounds."""

from __future__ import annotations

import ast
import math
import operator
import threading
from collections.abc import Callable, Mapping
from typing import Any

_MAX_ITEMS, _MAX_BITS = 1_000_000, 100_000
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.BitXor: operator.xor, ast.RShift: operator.rshift,
}  # fmt: skip
_MATH_NAMES = {name: getattr(math, name) for name in ("pi", "e", "inf", "nan", "tau")}
_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "set": set, "frozenset": frozenset, "list": list, "tuple": tuple, "dict": dict, "float": float, "int": int,
    "complex": complex, "bytes": bytes, "str": str, "range": range,
}  # fmt: skip


_PARSING = threading.Lock()


class NotUnderstood(Exception):
    """The script has a form that is not rewritten."""


def parse(code: str) -> ast.Module:
    """``ast.parse``, one thread at a time: Python 3.11 counts the depth of all threads together (SystemError)."""
    with _PARSING:
        return ast.parse(code)


def evaluate_literal(node: ast.expr, names: Mapping[str, Any], modules: set[str]) -> Any:
    """The value of ``node``, where ``names`` are known values; raises NotUnderstood."""
    try:
        value = _evaluate(node, names, modules)
    except (ArithmeticError, TypeError, ValueError, KeyError, IndexError) as error:
        raise NotUnderstood(f"{ast.unparse(node)}: {error}") from error
    return list(value) if isinstance(value, range) else value


def _evaluate(node: ast.expr, names: Mapping[str, Any], modules: set[str]) -> Any:
    def inner(part: ast.expr) -> Any:
        return _evaluate(part, names, modules)

    match node:
        case ast.Constant(value=value) if value is not ...:
            return value
        case ast.List(elts=items):
            return [inner(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(inner(item) for item in items)
        case ast.Set(elts=items):
            return {inner(item) for item in items}
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {inner(key): inner(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if "math" in modules and name in _MATH_NAMES:
            return _MATH_NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -inner(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return +inner(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not inner(operand)
        case ast.BinOp(left=left, op=sign, right=right):
            return _arithmetic(type(sign), inner(left), inner(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if (
            name in _CONSTRUCTORS and name not in names
        ):
            return _construct(name, [inner(argument) for argument in arguments])
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return bool(inner(left) == inner(right))
    raise NotUnderstood(ast.unparse(node))


def _construct(name: str, arguments: list[Any]) -> Any:
    if name in ("bytes", "range") and any(
        isinstance(argument, int) and abs(argument) > _MAX_ITEMS for argument in arguments
    ):
        raise NotUnderstood("too large")
    return _CONSTRUCTORS[name](*arguments)


def _arithmetic(sign: type[ast.operator], left: Any, right: Any) -> Any:
    """Compute unless the result would be huge."""
    if sign not in _ARITHMETIC:
        raise NotUnderstood(sign.__name__)
    if sign is ast.Mod and isinstance(left, (str, bytes)):
        raise NotUnderstood("formatting")
    if sign in (ast.Pow, ast.LShift) and isinstance(right, int):
        bits = abs(left).bit_length() if isinstance(left, int) else 1
        if (bits * right if sign is ast.Pow else bits + right) > _MAX_BITS:
            raise NotUnderstood("too large")
    if sign is ast.Mult:
        for sequence, count in ((left, right), (right, left)):
            if isinstance(sequence, (str, bytes, list, tuple)) and len(sequence) * int(count) > _MAX_ITEMS:
                raise NotUnderstood("too large")
    return _ARITHMETIC[sign](left, right)


def is_mutable(value: Any) -> bool:
    """Whether a function that gets the value could change it for others."""
    if isinstance(value, (list, set, dict)):
        return True
    return isinstance(value, tuple) and any(map(is_mutable, value))
