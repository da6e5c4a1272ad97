"""Decides a rewritten check script: the conditions of the script on the values that came out of the jail.

Equality here is Python's own, since a script passes when Python would run it to its end: ``True == 1`` holds, and a
list is not a tuple. Values are scalars, lists, tuples and ``Bag``; see ``compare_values``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from critique_coder.records import Outcome, TestResult

from .compare_text import shorten
from .compare_values import Bag, read, show
from .inside.values import encode
from .limits import Limits
from .scoring import Found, broken, value_of
from .script_reading import Hole, Literal, Node, Operation, Script
from .worker import Ending


class _Failed(Exception):
    """A condition could not be decided for the solution's fault; carries the outcome."""

    def __init__(self, found: Found) -> None:
        super().__init__(found[1])
        self.found = found


def score_script(script: Script, ending: Ending, limits: Limits) -> TestResult:
    """The result of a rewritten ``script`` test: its first condition that does not hold, in order."""
    outcome, message = _first_failure(script, ending, limits) or broken(ending, limits) or (Outcome.PASSED, None)
    return TestResult(outcome, ending.cpu_s, message)


def _first_failure(script: Script, ending: Ending, limits: Limits) -> Found | None:
    values = _Values(ending, limits)
    for statement in script.statements:
        try:
            if not _truth(values.of(statement.condition)):
                return Outcome.WRONG_ANSWER, f"{shorten(statement.text)} {values.seen(statement.condition)}".strip()
        except _Failed as error:
            return error.found
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            return Outcome.RUNTIME_ERROR, f"{shorten(statement.text)}: {type(error).__name__}: {shorten(str(error))}"
    for index in range(len(script.calls)):
        try:
            values.of(Hole(index))
        except _Failed as error:
            return error.found
    return None


class _Values:
    """Computes the nodes of a script over the values of one run."""

    def __init__(self, ending: Ending, limits: Limits) -> None:
        self._ending, self._limits = ending, limits

    def of(self, node: Node) -> Any:
        if isinstance(node, Literal):
            return read(encode(node.value))
        if isinstance(node, Hole):
            return self._returned(node.index)
        if node.name == "and":
            return all(_truth(self.of(operand)) for operand in node.operands)
        operands = [self.of(operand) for operand in node.operands]
        return _FUNCTIONS[node.name](*operands, **{name: self.of(value) for name, value in node.options})

    def _returned(self, index: int) -> Any:
        if not self._has(index):
            gone = (Outcome.RUNTIME_ERROR, "the process left before the function returned")
            raise _Failed(broken(self._ending, self._limits) or gone)
        found, value = value_of(self._ending, index)
        if found is not None:
            raise _Failed(found)
        return value

    def _has(self, index: int) -> bool:
        return index < sum(
            report[0] in ("value", "not a value") and len(report) == 2 for report in self._ending.reports
        )

    def seen(self, node: Node) -> str:
        """What the calls in a condition returned, for the message."""
        return ", ".join(f"got {show(self._returned(index))}" for index in _holes(node))


def _holes(node: Node) -> list[int]:
    if isinstance(node, Hole):
        return [node.index]
    return [index for operand in node.operands for index in _holes(operand)] if isinstance(node, Operation) else []


def _truth(value: Any) -> bool:
    return bool(value.items) if isinstance(value, Bag) else bool(value)


def python_equal(first: Any, second: Any) -> bool:
    """``first == second`` as Python says for the values that these stand for."""
    if isinstance(first, Bag) and isinstance(second, Bag):
        return _bags_equal(first, second)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        same = type(first) is type(second) and len(first) == len(second)
        return same and all(python_equal(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(first, (Bag, list, tuple)) or isinstance(second, (Bag, list, tuple)):
        return False
    return bool(first == second)


def _bags_equal(first: Bag, second: Bag) -> bool:
    if (first.kind == "dict") != (second.kind == "dict"):
        return False
    if first.kind != "dict":
        return {_key(item) for item in first.items} == {_key(item) for item in second.items}
    ours, theirs = ({_key(key): item for key, item in bag.items} for bag in (first, second))
    return ours.keys() == theirs.keys() and all(python_equal(item, theirs[key]) for key, item in ours.items())


def _key(value: Any) -> str:
    """Text that is the same for values that Python holds equal; its hash cannot be chosen by a solution."""
    if isinstance(value, complex) and value.imag == 0:
        value = value.real
    if isinstance(value, (bool, int)) or (isinstance(value, float) and value.is_integer()):
        return hex(int(value))
    if isinstance(value, tuple):
        return f"({','.join(map(_key, value))})"
    if isinstance(value, Bag) and value.kind != "dict":
        return f"{{{','.join(sorted(map(_key, value.items)))}}}"
    if isinstance(value, (list, Bag)):
        raise TypeError("unhashable type: 'list'")
    return f"{type(value).__name__}{value!r}"


def _contains(item: Any, container: Any) -> bool:
    if isinstance(container, Bag):
        keys = [pair[0] for pair in container.items] if container.kind == "dict" else container.items
        return _key(item) in {_key(key) for key in keys}
    if isinstance(container, str) and isinstance(item, str):
        return item in container
    if isinstance(container, (list, tuple)):
        return any(python_equal(item, other) for other in container)
    raise TypeError(f"{show(item)} in {show(container)}")


def _items(value: Any) -> list[Any]:
    """What iterating over the value gives."""
    if isinstance(value, Bag):
        return [pair[0] for pair in value.items] if value.kind == "dict" else list(value.items)
    return list(value)


def _make_set(value: Any) -> Bag:
    return Bag("set", list({_key(item): item for item in _items(value)}.values()))


def _ordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def function(first: Any, second: Any) -> bool:
        if isinstance(first, Bag) or isinstance(second, Bag):
            raise TypeError("sets and dictionaries are not ordered here")
        return bool(compare(first, second))

    return function


def _numeric(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def function(first: Any, second: Any) -> Any:
        if not all(isinstance(value, (int, float, complex)) for value in (first, second)):
            raise TypeError("arithmetic on other things than numbers")
        return compute(first, second)

    return function


def _item(value: Any, index: Any) -> Any:
    if isinstance(value, Bag) and value.kind == "dict":
        return {_key(key): item for key, item in value.items}[_key(index)]
    return value[index]


def _length(value: Any) -> int:
    return len(value.items) if isinstance(value, Bag) else len(value)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Eq": python_equal, "NotEq": lambda a, b: not python_equal(a, b), "Is": lambda a, b: a is b,
    "IsNot": lambda a, b: a is not b, "In": _contains, "NotIn": lambda a, b: not _contains(a, b),
    "Lt": _ordered(lambda a, b: a < b), "LtE": _ordered(lambda a, b: a <= b), "Gt": _ordered(lambda a, b: a > b),
    "GtE": _ordered(lambda a, b: a >= b), "not": lambda a: not _truth(a), "bool": _truth, "item": _item,
    "-": _numeric(lambda a, b: a - b), "+": _numeric(lambda a, b: a + b), "/": _numeric(lambda a, b: a / b),
    "set": _make_set, "frozenset": _make_set, "list": _items, "tuple": lambda value: tuple(_items(value)),
    "sorted": lambda value, reverse=False: sorted(_items(value), reverse=reverse), "len": _length, "abs": abs,
    "round": round, "sum": lambda value: sum(_items(value)), "min": lambda value: min(_items(value)),
    "max": lambda value: max(_items(value)), "isclose": math.isclose,
}  # fmt: skip
