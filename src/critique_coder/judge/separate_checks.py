"""Checks in a process of their own, which reaches the solution's functions by name and gets plain data back.

``separate_check`` decides by the check's text alone whether that is enough for it. It is not where the check changes
its surroundings and expects the solution to notice (``mock``, ``random.seed``, files, captured output), or where it
needs the solution's very classes and objects, or hands over functions of its own; such a check shares a process with
the solution (``shared_checks``).
"""

from __future__ import annotations

import ast
import builtins
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from critique_coder.records import Outcome, TestCase, TestKind, TestResult

from .limits import Limits
from .scoring import Found, broken, reported, text
from .script_literals import parse
from .script_reading import calls_of_check, imports_of
from .shared_checks import missing_module
from .worker import Ending, Job

_HARMLESS_MODULES = frozenset({
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools",
    "json", "math", "numbers", "operator", "random", "re", "statistics", "string", "textwrap", "typing", "unittest",
})  # fmt: skip
"""Modules whose use in a check the solution cannot notice; ``random`` as long as its state is not set."""

_TELLING_NAMES = frozenset({
    "ChainMap", "Counter", "Enum", "Generator", "Iterable", "Iterator", "OrderedDict", "__import__", "assertIs",
    "assertIsNot", "assertLogs", "assertNoLogs", "assertWarns", "assertWarnsRegex", "breakpoint", "compile",
    "dataclass", "defaultdict", "delattr", "dir", "eval", "exec", "getcontext", "globals", "id", "input",
    "localcontext", "locals", "mock", "namedtuple", "open", "partial", "patch", "seed", "setattr", "setcontext",
    "setstate", "vars",
})  # fmt: skip
"""Names that say that a check looks at what does not cross from one process to the other, or at its surroundings."""

_CALLERS = frozenset({"map", "filter", "sorted", "min", "max", "callable", "list", "assertRaises", "assertRaisesRegex"})
"""What a function of the solution may be handed to."""

_NO_DATA = frozenset({
    "enumerate", "filter", "iter", "map", "memoryview", "object", "reversed", "slice", "type", "zip",
})  # fmt: skip
"""Builtins whose results are no data."""

_WITH_CONSTANTS = frozenset({"math", "cmath", "string"})
_TAKE_LAMBDAS = frozenset({"sorted", "map", "filter", "min", "max", "sort"})
_CHECK_EXTRA_S, _CHECK_EXTRA_MB = 5.0, 512.0


class _Unfit(Exception):
    """The check needs the solution beside it."""


@dataclass(frozen=True, slots=True)
class SeparateCheck:
    """A check that does without the solution beside it.

    ``names`` are what it takes from the solution; ``code`` is its text, with the call that a runner would make;
    ``imports`` are statements whose names the solution may rely on too.
    """

    names: tuple[str, ...]
    code: str
    imports: str


@lru_cache(maxsize=1024)
def separate_check(code: str, entry_point: str | None) -> SeparateCheck | None:
    """Read a check; None when it has to share the solution's process, as one that handles objects of packages does."""
    if missing_module(code, ()):
        return None
    try:
        tree = parse(code)
        statements = calls_of_check(tree, entry_point)
        names = _Reader(ast.Module(statements, []), entry_point).names()
    except (_Unfit, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if statements is not tree.body:
        code = f"{code}\n{ast.unparse(statements[-1])}\n"
    return SeparateCheck(names, code, imports_of(tree))


def _telling_nodes(tree: ast.Module) -> list[ast.AST]:
    """All nodes but those of literals, which may be long and say nothing."""
    found: list[ast.AST] = []
    rest: list[ast.AST] = [tree]
    while rest:
        node = rest.pop()
        found.append(node)
        rest += [child for child in ast.iter_child_nodes(node) if not _is_literal(child)]
    return found


def _is_literal(node: ast.AST) -> bool:
    """Whether a node is made of constants alone."""
    match node:
        case ast.Constant():
            return True
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return bool(items) and all(map(_is_literal, items))
        case ast.Dict(keys=keys, values=values):
            return all(key is not None and _is_literal(key) for key in keys) and all(map(_is_literal, values))
        case ast.UnaryOp(operand=operand):
            return isinstance(operand, ast.Constant)
    return False


class _Reader:
    def __init__(self, tree: ast.Module, entry_point: str | None) -> None:
        self._nodes = _telling_nodes(tree)
        self._parents = {child: node for node in self._nodes for child in ast.iter_child_nodes(node)}
        self._first = (entry_point or "").partition(".")[0]
        self._own = {name for node in self._nodes for name in _bound(node)}
        self._functions = {node.name for node in self._nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        self._imported = {name for node in self._nodes for name in _imports(node)}

    def names(self) -> tuple[str, ...]:
        """Every name that is neither the check's own nor a builtin; raises _Unfit."""
        for node in self._nodes:
            self._look_at(node)
        found = {node.id for node in self._nodes if isinstance(node, ast.Name) and self._is_outside(node)}
        for node in self._nodes:
            if isinstance(node, ast.Name) and node.id in found:
                self._look_at_use(node)
        if not found or self._first in self._own:
            raise _Unfit
        return tuple(sorted(found))

    def _is_outside(self, node: ast.Name) -> bool:
        if node.id in self._own:
            return False
        return node.id == self._first or not hasattr(builtins, node.id)

    def _look_at(self, node: ast.AST) -> None:
        """Refuse what no check in a process of its own can do."""
        match node:
            case ast.Import() | ast.ImportFrom():
                for name in _modules(node):
                    if name not in _HARMLESS_MODULES:
                        raise _Unfit
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if name in _TELLING_NAMES or (
                name.startswith("__") and name != "__name__"
            ):
                raise _Unfit
            case ast.ClassDef(bases=bases) if "TestCase" not in "".join(ast.unparse(base) for base in bases):
                raise _Unfit
            case ast.AsyncFunctionDef() | ast.Await() | ast.Yield() | ast.YieldFrom() | ast.Global() | ast.Nonlocal():
                raise _Unfit
            case ast.Compare(ops=operators, comparators=others) if any(
                isinstance(operator, (ast.Is, ast.IsNot)) and not isinstance(other, ast.Constant)
                for operator, other in zip(operators, others, strict=True)
            ):
                raise _Unfit
            case ast.Lambda() if not self._is_used_here(node):
                raise _Unfit
            case ast.Assign(value=ast.GeneratorExp()) | ast.Call(func=ast.Name(id="type"), args=[ast.GeneratorExp()]):
                raise _Unfit
            case ast.Assign(value=ast.Call(func=ast.Name(id=name))) if name in _NO_DATA and name not in self._own:
                raise _Unfit
            case ast.Call():
                self._look_at_call(node)

    def _is_used_here(self, function: ast.Lambda) -> bool:
        """Whether a lambda is the key of a sort, or what an assertion shall call: then it stays where it is."""
        parent = self._parents[function]
        call = self._parents[parent] if isinstance(parent, ast.keyword) else parent
        match call:
            case ast.Call(func=ast.Name(id=name)):
                return name in _TAKE_LAMBDAS and name not in self._own and name != self._first
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"))):
                return True
            case ast.Call(func=ast.Attribute(attr=name)):
                return name in _TAKE_LAMBDAS
        return False

    def _look_at_call(self, call: ast.Call) -> None:
        """What may go to the solution must be data."""
        function = call.func
        match function:
            case ast.Name(id=name) if (hasattr(builtins, name) or name in self._functions) and not self._is_outside(
                function
            ):
                return
            case ast.Attribute(value=ast.Constant()):
                return
            case ast.Attribute(value=ast.Name(id=name)) if name in self._imported or name == "self":
                return
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            match argument:
                case ast.GeneratorExp():
                    raise _Unfit
                case ast.Attribute(value=ast.Name(id=name)) if name in self._imported - _WITH_CONSTANTS:
                    raise _Unfit
                case ast.Name(id=name) if name in self._functions or name in self._imported:
                    raise _Unfit
                case ast.Name(id=name) if name not in self._own and hasattr(builtins, name) and name != self._first:
                    raise _Unfit
                case ast.Call(func=ast.Name(id=name)) if name in _NO_DATA and name not in self._own:
                    raise _Unfit

    def _look_at_use(self, name: ast.Name) -> None:
        """A name of the solution is called, given another name, or handed on to be called."""
        parent = self._parents[name]
        match parent:
            case ast.Call(func=function) if function is name:
                if _like_a_class(name.id):
                    self._look_at_object(parent)
            case ast.Call(func=ast.Name(id=caller)) if caller in _CALLERS or caller in self._functions:
                pass
            case ast.Call(func=ast.Attribute(attr=caller)) if caller in _CALLERS and name is not parent.args[0]:
                pass
            case ast.keyword(arg="key") | ast.Assign(targets=[ast.Name()]) | ast.BinOp() | ast.Subscript():
                pass
            case ast.Compare() if not _like_a_class(name.id):
                pass
            case ast.Tuple() | ast.List() if isinstance(self._parents[parent], ast.For):
                pass
            case _:
                raise _Unfit

    def _look_at_object(self, call: ast.Call) -> None:
        """An instance of a class of the solution is asked for its methods and fields, and for nothing else."""
        match self._parents[call]:
            case ast.Attribute():
                pass
            case ast.Call(func=ast.Name(id=caller)) if caller in self._functions:
                pass
            case ast.Assign(targets=[ast.Name(id=variable)]):
                self._only_asked(node for node in self._nodes if isinstance(node, ast.Name) and node.id == variable)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=field)]):
                self._only_asked(node for node in self._nodes if isinstance(node, ast.Attribute) and node.attr == field)
            case ast.Assign(targets=[ast.Attribute()]):
                pass
            case _:
                raise _Unfit

    def _only_asked(self, uses: Iterable[ast.Name | ast.Attribute]) -> None:
        for node in uses:
            if not isinstance(node.ctx, ast.Load):
                continue
            match self._parents[node]:
                case ast.Attribute():
                    pass
                case ast.Call(func=ast.Name() as function) if function is not node and self._is_outside(function):
                    pass
                case _:
                    raise _Unfit


def _like_a_class(name: str) -> bool:
    return name[:1].isupper() and not name.isupper()


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a node gives a meaning."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
    yield from _imports(node)


def _imports(node: ast.AST) -> Iterator[str]:
    """The names that an import statement binds."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            if alias.name == "*":
                raise _Unfit
            yield alias.asname or alias.name.partition(".")[0]


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or "."] if not node.level else ["."]
    return [alias.name for alias in node.names]


def separate_jobs(
    check: SeparateCheck, sources: tuple[str, ...], test: TestCase, most_bytes: int
) -> tuple[Job, Job, str]:
    """The solution's job, the check's, and the nonce that its report of success must carry."""
    nonce = secrets.token_hex(16)
    as_unittest = test.kind is TestKind.UNITTEST
    body = {"code": check.code, "nonce": nonce, "names": check.names, "unittest": as_unittest, "most_bytes": most_bytes}
    serving = Job("serve", sources, imports=check.imports)
    return serving, Job("check", (), check=body), nonce


def check_limits(limits: Limits) -> Limits:
    """What the check's own process may use: more than the solution's, for it must outlast that one."""
    return Limits(limits.time_s + _CHECK_EXTRA_S, limits.memory_mb + _CHECK_EXTRA_MB, limits.output_mb)


def score_separate(nonce: str, serving: Ending, checking: Ending, limits: Limits) -> TestResult:
    """Passed only if the check's process said so, with the nonce, and both processes ended normally."""
    outcome, message = broken(serving, limits) or _told(nonce, checking, limits)
    return TestResult(outcome, serving.cpu_s + checking.cpu_s, message)


def _told(nonce: str, checking: Ending, limits: Limits) -> Found:
    last = checking.reports[-1] if checking.reports else [None]
    match last:
        case ["passed", told] if told == nonce and checking.status == 0 and checking.killed is None:
            return Outcome.PASSED, None
        case ["failed", why]:
            return Outcome.WRONG_ANSWER, text(why)
        case ["error", *_]:
            return reported(last)
        case ["gone", "too long"]:
            return Outcome.OUTPUT_LIMIT, f"more than {limits.output_mb:g} MiB of output"
        case ["gone", why]:
            return Outcome.RUNTIME_ERROR, text(why)
        case ["unfit", why]:
            return Outcome.UNSCORED, f"the check hands over {text(why)}, which only a shared process could"
    found = broken(checking, check_limits(limits))
    return found or (Outcome.RUNTIME_ERROR, "the check left before its end")
