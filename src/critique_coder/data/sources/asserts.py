"""LeetCode's problems as sets of asserts: each assert becomes a test of its own.

The sets keep them as ``def check(candidate): assert candidate(nums = [1]) == 2 ...`` or as a run of statements such as
``my_solution = Solution()``, ``test_input = {"n": 5}``, ``assert my_solution.f(**test_input) == 3``. One assert a test
keeps the pass rate meaningful, and an assert about plain values is compared outside the solution's process.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from critique_coder.data.sources.corpus import Unusable
from critique_coder.data.sources.pairs import IMPORTS, starter_program
from critique_coder.records import TestCase, TestKind

NODES = '''
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next


class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right


def list_node(values):
    """The linked list of these values, or None."""
    head = None
    for value in reversed(values):
        head = ListNode(value, head)
    return head


def is_same_list(one, other):
    while one and other and one.val == other.val:
        one, other = one.next, other.next
    return one is None and other is None


def tree_node(values):
    """The tree of these values, level by level, where None stands for no child; or None."""
    if not values:
        return None
    root = TreeNode(values[0])
    level, rest = [root], iter(values[1:])
    for parent in level:
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                child = TreeNode(value)
                setattr(parent, side, child)
                level.append(child)
    return root


def is_same_tree(one, other):
    if one is None or other is None:
        return one is other
    return one.val == other.val and is_same_tree(one.left, other.left) and is_same_tree(one.right, other.right)
'''
"""LeetCode's linked lists and trees, under the names that the asserts use."""

_STUB = re.compile(r"```python\n(.*?)```", re.DOTALL)


def stub_in(statement: str) -> str:
    """The start of the solution that a statement gives in its last code block, or nothing."""
    blocks = _STUB.findall(statement)
    return blocks[-1].rstrip() if blocks else ""


def parsed(code: str, what: str) -> list[ast.stmt]:
    """The statements of Python; raises Unusable, which says ``what`` is none."""
    try:
        return ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unusable(f"{what} not Python ({error})") from None


@lru_cache(maxsize=64)
def surroundings(program: str) -> tuple[str, str]:
    """What a solution is put behind (imports, classes, constants) and the functions that only checks call."""
    body = parsed(program, "the code before its solution is")
    functions = [statement for statement in body if isinstance(statement, ast.FunctionDef)]
    others = [statement for statement in body if not isinstance(statement, ast.FunctionDef)]
    return _text(others), _text(functions)


def starter_for(stub: str, tests: Iterable[TestCase], program: str | None) -> str:
    """The starter code: the published ``program`` before a solution (None: LeetCode's imports) and the stub.

    The nodes' classes are in it where the stub or a test names them.
    """
    if program is not None:
        return starter_program(stub, surroundings(program)[0])
    used = "\n".join([stub, *(test.code for test in tests)])
    needed = re.search(r"\b(ListNode|TreeNode|list_node|tree_node)\b", used)
    return starter_program(stub, IMPORTS + surroundings(NODES)[0] if needed else IMPORTS)


def assert_tests(code: str, entry_point: str, program: str | None = None) -> tuple[TestCase, ...]:
    """One script for each assert, with the functions of ``program`` (None: those for nodes) that it calls.

    ``entry_point`` is ``Class.method`` and what ``candidate`` stands for. Raises Unusable.
    """
    body = parsed(code, "its tests are")
    names = {"candidate": ast.parse(entry_point.replace(".", "().", 1), mode="eval").body}
    checks = [statement for statement in body if isinstance(statement, ast.FunctionDef) and statement.name == "check"]
    functions = _functions(surroundings(NODES if program is None else program)[1])
    tests = tuple(_scripts(checks[0].body if checks else body, names, functions))
    if not tests:
        raise Unusable("has no asserts")
    return tests


def _scripts(
    statements: Iterable[ast.stmt], names: dict[str, ast.expr], functions: Mapping[str, ast.FunctionDef]
) -> Iterable[TestCase]:
    before: list[ast.stmt] = []
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_plain(value):
                names[name] = value
            case ast.Assert():
                check = ast.fix_missing_locations(_Put(names).visit(statement))
                yield TestCase(TestKind.SCRIPT, code=_text([*_called([*before, check], functions), *before, check]))
            case _:
                before.append(ast.fix_missing_locations(_Put(names).visit(statement)))


def _is_plain(value: ast.expr) -> bool:
    if ast.unparse(value) == "Solution()":
        return True
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return False
    return True


class _Put(ast.NodeTransformer):
    """Puts values in the place of names, and keywords in that of ``**{...}``."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = dict(values)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The value, where the name is read."""
        return self._values.get(node.id, node) if isinstance(node.ctx, ast.Load) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """``f(**{"n": 5})`` is ``f(n=5)``."""
        self.generic_visit(node)
        keywords: list[ast.keyword] = []
        for keyword in node.keywords:
            match keyword:
                case ast.keyword(arg=None, value=ast.Dict(keys=keys, values=values)) if all(map(_is_name, keys)):
                    pairs = zip(keys, values, strict=True)
                    keywords += [ast.keyword(str(ast.literal_eval(k)), v) for k, v in pairs if k is not None]
                case _:
                    keywords.append(keyword)
        node.keywords = keywords
        return node


def _is_name(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier()


@lru_cache(maxsize=64)
def _functions(program: str) -> Mapping[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(program).body if isinstance(node, ast.FunctionDef)}


def _called(statements: Iterable[ast.stmt], functions: Mapping[str, ast.FunctionDef]) -> list[ast.stmt]:
    """The functions that the statements call, and those that these call, in the program's order."""
    found: set[str] = set()
    waiting: list[ast.stmt] = list(statements)
    while waiting:
        read = {node.id for node in ast.walk(waiting.pop()) if isinstance(node, ast.Name)}
        waiting += [functions[name] for name in read & functions.keys() - found]
        found |= read & functions.keys()
    return [node for name, node in functions.items() if name in found]


def _text(statements: Iterable[ast.stmt]) -> str:
    return "".join(f"{ast.unparse(statement)}\n" for statement in statements)
