"""Understands check scripts made of asserts, so that their expected values need not enter the solution's process.

``read_script`` turns a script into the calls that it makes and the statements that look at what they return. It does so
only when it understands every statement; whether it does depends on the script's text alone. Values of the script are
literals, arithmetic on literals, and names assigned to them.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .inside.values import NotAValue, encode
from .script_literals import NotUnderstood, evaluate_literal, is_mutable, parse

_ITERATING = ("set", "frozenset", "sorted", "list", "tuple", "sum", "min", "max")
TRUSTED_FUNCTIONS = (*_ITERATING, "len", "abs", "round", "bool")
_USES = dict.fromkeys(_ITERATING, "items") | {"bool": "truth"}
_OPERATORS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot)


@dataclass(frozen=True, slots=True)
class Hole:
    """Stands for what call number ``index`` returned."""

    index: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that the script itself contains."""

    value: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """``name`` applied to operands: a comparison, a trusted function, an item, arithmetic or logic."""

    name: str
    operands: tuple[Node, ...]
    options: tuple[tuple[str, Node], ...] = ()


Node = Hole | Literal | Operation


@dataclass(frozen=True, slots=True)
class Statement:
    """A condition that must hold, and its text for messages."""

    condition: Node
    text: str


@dataclass(slots=True)
class Script:
    """The calls in order, as the jail wants them, and the conditions on what they return. ``imports``: see ``Job``."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    imports: str = ""


@lru_cache(maxsize=4096)
def read_script(code: str, entry_point: str | None) -> Script | None:
    """The script as calls and conditions; None when some statement is not of a known form."""
    try:
        tree = parse(code)
        reader = _Reader(entry_point)
        reader.read_block(calls_of_check(tree, entry_point))
        reader.script.imports = imports_of(tree)
    except (NotUnderstood, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return reader.script if reader.script.calls else None


def imports_of(tree: ast.Module) -> str:
    """The import statements at the top level of a script."""
    return "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)))


def calls_of_check(tree: ast.Module, entry_point: str | None) -> list[ast.stmt]:
    """The statements of a script, with the call ``check(entry_point)`` that HumanEval leaves to its runner."""
    defines = any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)
    called = any(isinstance(node, ast.Name) and node.id == "check" for node in ast.walk(tree))
    if defines and not called and entry_point:
        call = ast.Expr(ast.Call(ast.Name("check", ast.Load()), [_reference(entry_point)], []))
        return [*tree.body, ast.fix_missing_locations(call)]
    return tree.body


def _reference(entry_point: str) -> ast.expr:
    """How a script names the entry point: ``f``, or ``Class().method``."""
    first, _, method = entry_point.partition(".")
    found: ast.expr = ast.Name(first, ast.Load())
    return ast.Attribute(ast.Call(found, [], []), method, ast.Load()) if method else found


class _Reader:
    def __init__(self, entry_point: str | None) -> None:
        self.script = Script()
        self._entry_point = entry_point
        self._names: dict[str, Node] = {}
        self._functions: dict[str, str] = {}
        self._checks: dict[str, ast.FunctionDef] = {}
        self._modules: set[str] = set()
        self._spent: set[str] = set()
        self._inside = False

    def read_block(self, body: list[ast.stmt]) -> None:
        """Read statements in order; raises NotUnderstood."""
        for statement in body:
            self._read_statement(statement)

    def _read_statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assert(test=test):
                self.script.statements.append(Statement(self._used_as("truth", test), ast.unparse(statement)))
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[argument], keywords=[])) if name in self._checks:
                self._read_check(self._checks[name], argument)
            case ast.Assign(targets=[ast.Name(id="METADATA")], value=value):
                evaluate_literal(value, {}, self._modules)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._bind(name, value)
            case ast.FunctionDef(name=name, args=ast.arguments(args=[_], defaults=[]), decorator_list=[]) if (
                not self._inside
            ):
                self._checks[name] = statement
            case ast.Import(names=[ast.alias(name="math", asname=None)]):
                self._modules.add("math")
            case _:
                raise NotUnderstood(ast.unparse(statement))

    def _bind(self, name: str, value: ast.expr) -> None:
        if name in self._spent or name == self._entry_point or hasattr(builtins, name) or name in self._functions:
            raise NotUnderstood(f"{name} is given a second meaning")
        node = self._node(value)
        shared = any(isinstance(part, ast.Name) for part in ast.walk(value))
        if isinstance(node, Literal) and is_mutable(node.value) and shared:
            raise NotUnderstood("two names for one list")
        self._names[name] = node

    def _read_check(self, function: ast.FunctionDef, argument: ast.expr) -> None:
        """``check(f)``: the body with the parameter standing for the solution's function."""
        target = self._solution_function(argument)
        plain = function.args
        if target is None or self._inside or plain.kwonlyargs or plain.vararg or plain.kwarg or plain.posonlyargs:
            raise NotUnderstood("a check of something other than a function")
        names = dict(self._names)
        self._functions = {plain.args[0].arg: target}
        self._inside = True
        self.read_block(function.body)
        self._inside, self._functions, self._names = False, {}, names

    def _solution_function(self, node: ast.expr) -> str | None:
        """The name by which the jail finds the function ``node`` stands for; None when it is not the solution's."""
        match node:
            case ast.Name(id=name) if name in self._functions:
                return self._functions[name]
            case ast.Name(id=name) if (
                name not in self._names and name not in self._checks and name not in self._modules
            ):
                return name if name == self._entry_point or not hasattr(builtins, name) else None
            case ast.Attribute(value=ast.Call(func=ast.Name() as owner, args=[], keywords=[]), attr=method):
                holder = self._solution_function(owner)
                return (
                    f"{holder}.{method}" if holder and "." not in holder and owner.id not in self._functions else None
                )
        return None

    def _node(self, node: ast.expr) -> Node:
        if not self._has_hole(node):
            literal = evaluate_literal(node, self._literals(), self._modules)
            if any(isinstance(part, ast.Name) and part.id in self._spent for part in ast.walk(node)):
                raise NotUnderstood("a list that the solution may have changed is used again")
            return Literal(literal)
        match node:
            case ast.Name(id=name):
                return self._names[name]
            case ast.Call(func=function, args=arguments, keywords=keywords):
                target = self._solution_function(function)
                if target is not None:
                    return self._call(target, arguments, keywords)
                return self._trusted_call(node)
            case ast.Compare(left=left, ops=operators, comparators=others):
                return self._comparison(left, operators, others)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Operation("not", (self._used_as("truth", operand),))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Operation("-", (Literal(0), self._node(operand)))
            case ast.BoolOp(op=ast.And(), values=values):
                return Operation("and", tuple(self._used_as("truth", value) for value in values))
            case ast.BinOp(left=left, op=ast.Sub() | ast.Div() | ast.Add() as operator, right=right):
                return self._arithmetic(left, operator, right)
            case ast.Subscript(value=value, slice=index):
                return Operation("item", (self._node(value), self._constant(index)))
        raise NotUnderstood(ast.unparse(node))

    def _has_hole(self, node: ast.expr) -> bool:
        """Whether the value depends on what the solution returns."""
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and self._solution_function(part.func) is not None:
                return True
            if isinstance(part, ast.Name) and part.id in self._names and not isinstance(self._names[part.id], Literal):
                return True
        return False

    def _literals(self) -> dict[str, Any]:
        return {name: node.value for name, node in self._names.items() if isinstance(node, Literal)}

    def _constant(self, node: ast.expr) -> Literal:
        if isinstance(node, ast.Slice) or self._has_hole(node):
            raise NotUnderstood(ast.unparse(node))
        return Literal(evaluate_literal(node, self._literals(), self._modules))

    def _call(self, target: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Hole:
        named = {}
        for keyword in keywords:
            if keyword.arg is None:
                raise NotUnderstood("**")
            named[keyword.arg] = self._argument(keyword.value)
        given = [value for argument in arguments for value in self._arguments(argument)]
        call = {"function": target, "args": given, "kwargs": named}
        self.script.calls.append(call)
        return Hole(len(self.script.calls) - 1)

    def _arguments(self, node: ast.expr) -> list[Any]:
        """One argument, or those that ``*[...]`` spells out."""
        match node:
            case ast.Starred(value=ast.List(elts=items) | ast.Tuple(elts=items)):
                return [self._argument(item) for item in items]
        return [self._argument(node)]

    def _argument(self, node: ast.expr) -> Any:
        if self._has_hole(node):
            raise NotUnderstood("a call inside a call")
        value = self._node(node)
        assert isinstance(value, Literal)
        if is_mutable(value.value):
            self._spent |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        try:
            return encode(value.value)
        except NotAValue as error:
            raise NotUnderstood(str(error)) from error

    def _comparison(self, left: ast.expr, operators: list[ast.cmpop], others: list[ast.expr]) -> Operation:
        identity = isinstance(operators[0], (ast.Is, ast.IsNot)) and len(operators) == 1
        nodes = [self._used_as("identity", left) if identity else self._node(left), *map(self._node, others)]
        parts = []
        for operator, first, second in zip(operators, nodes, nodes[1:], strict=False):
            if not isinstance(operator, _OPERATORS):
                raise NotUnderstood(type(operator).__name__)
            if isinstance(operator, (ast.Is, ast.IsNot)) and not (
                isinstance(second, Literal) and (second.value is None or isinstance(second.value, bool))
            ):
                raise NotUnderstood("identity of values")
            parts.append(Operation(type(operator).__name__, (first, second)))
        return parts[0] if len(parts) == 1 else Operation("and", tuple(parts))

    def _arithmetic(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> Operation:
        nodes = (self._node(left), self._node(right))
        for node in nodes:  # sets have a difference and lists a sum, which are not worth knowing
            if isinstance(node, Literal) and type(node.value) not in (int, float):
                raise NotUnderstood("arithmetic on other things than numbers")
        return Operation({ast.Sub: "-", ast.Div: "/", ast.Add: "+"}[type(operator)], nodes)

    def _trusted_call(self, node: ast.Call) -> Operation:
        """``set(f(x))``, ``math.isclose(f(x), c)`` and the like: the names mean Python's own."""
        options = tuple((keyword.arg or "**", self._node(keyword.value)) for keyword in node.keywords)
        match node.func:
            case ast.Attribute(value=ast.Name(id="math"), attr="isclose") if (
                "math" in self._modules and len(node.args) == 2
            ):
                if {name for name, _ in options} <= {"rel_tol", "abs_tol"}:
                    return Operation("isclose", tuple(self._node(argument) for argument in node.args), options)
            case ast.Name(id=name) if (
                name in TRUSTED_FUNCTIONS and name not in self._names and name not in self._checks
            ):
                if options and (name != "sorted" or [option for option, _ in options] != ["reverse"]):
                    raise NotUnderstood(ast.unparse(node))
                if len(node.args) == 1 or (name == "round" and len(node.args) == 2):
                    return Operation(
                        name, tuple(self._used_as(_USES.get(name, ""), argument) for argument in node.args), options
                    )
        raise NotUnderstood(ast.unparse(node))

    def _used_as(self, use: str, argument: ast.expr) -> Node:
        """A node of which only this use is made. Where it is a call, any object will do, not only a plain value."""
        node = self._node(argument)
        if isinstance(node, Hole) and isinstance(argument, ast.Call):
            self.script.calls[node.index]["use"] = use
        return node
