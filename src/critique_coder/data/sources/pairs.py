"""Tests from pairs of input and output, the form that APPS began and most collections have taken over.

A pair is text for a whole program, or arguments and a result for a function. A function that stands alone is tested
by a ``call`` test. A method of LeetCode's ``class Solution`` is tested by a ``script``, because its solutions lean on
imports that LeetCode makes for them, and a script has the starter code put before the solution.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence

from critique_coder.data.sources.corpus import Unusable, from_json_text
from critique_coder.fields import type_name
from critique_coder.records import BadInput, Json, TestCase, TestKind

IMPORTS = """from typing import *
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from builtins import pow
import bisect, collections, functools, heapq, itertools, math, random, re, string
inf = float("inf")
"""
"""What LeetCode has imported before a solution."""


def stdio_test(stdin: Json, stdout: Json) -> TestCase:
    """A test of a whole program; some sets keep a text as the list of its lines. Raises Unusable."""
    return TestCase(TestKind.STDIO, stdin=_text(stdin), stdout=_text(stdout))


def _text(value: Json) -> str:
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    if value is None or isinstance(value, (bool, dict)):
        raise Unusable(f"gives a program {type_name(value)} in place of a text")
    return value if isinstance(value, str) else json.dumps(value)


def function_test(entry_point: str, args: Sequence[Json], expected: Json) -> TestCase:
    """A test of a function or of ``Class.method``; values are plain JSON."""
    if "." not in entry_point:
        return TestCase(TestKind.CALL, args=tuple(map(tagged, args)), expected=tagged(expected))
    call = f"{entry_point.replace('.', '().', 1)}({', '.join(map(literal, args))})"
    check = f"abs({call} - {literal(expected)}) <= 1e-5" if _is_real(expected) else f"{call} == {literal(expected)}"
    return TestCase(TestKind.SCRIPT, code=f"assert {check}\n")


def _is_real(value: Json) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def tagged(value: Json) -> Json:
    """A JSON value in the contract's tagged form."""
    if isinstance(value, list):
        return [tagged(item) for item in value]
    if isinstance(value, dict):
        plain = {key: tagged(item) for key, item in value.items()}
        return {"$dict": [list(pair) for pair in plain.items()]} if any(key[:1] == "$" for key in plain) else plain
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def literal(value: Json) -> str:
    """A JSON value as a Python expression."""
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def paired_tests(inputs: Json, outputs: Json, entry_point: str | None, where: str, key: str) -> tuple[TestCase, ...]:
    """One test for each pair.

    Raises BadInput when the two are not lists, and Unusable when there are none or their numbers differ.
    """
    for side, value in (("inputs", inputs), ("outputs", outputs)):
        if not isinstance(value, list):
            raise BadInput(f"{where}, key {key!r}: its {side} must be a list, not {type_name(value)}")
    if not inputs and not outputs:
        raise Unusable("has no tests")
    if len(inputs) != len(outputs):
        raise Unusable(f"has {len(inputs)} inputs and {len(outputs)} outputs")
    if entry_point is None:
        return tuple(stdio_test(stdin, stdout) for stdin, stdout in zip(inputs, outputs, strict=True))
    results = unwrapped(outputs)
    pairs = zip(inputs, results, strict=True)
    return tuple(function_test(entry_point, arguments(given), result) for given, result in pairs)


def listed_tests(value: Json, where: str, key: str) -> list[dict[str, Json]]:
    """The tests of a list of objects with ``input`` and ``output``; raises BadInput."""
    if not isinstance(value, list):
        raise BadInput(f"{where}, key {key!r}: must be a list of tests, not {type_name(value)}")
    for number, test in enumerate(value, 1):
        if not isinstance(test, dict) or not {"input", "output"} <= test.keys():
            raise BadInput(f"{where}, key {key!r}, test {number}: must be an object with 'input' and 'output'")
    return value


def function_name(value: Json, where: str, key: str) -> str | None:
    """The name of a function under test; None where a record has none. Raises BadInput."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.split(".")):
        raise BadInput(f"{where}, key {key!r}: must be the name of a function, not {value!r}")
    return value


def arguments(given: Json) -> list[Json]:
    """The arguments of a call: a list of them, or text with one JSON value a line. Raises Unusable."""
    if isinstance(given, list):
        return given
    if not isinstance(given, str):
        raise Unusable(f"gives a function {type_name(given)} in place of a list of arguments")
    try:
        return [json.loads(line) for line in given.splitlines() if line.strip()]
    except ValueError:
        raise Unusable("gives a function arguments that are not JSON, one a line") from None


def unwrapped(outputs: Sequence[Json]) -> list[Json]:
    """Results of a function as the sets keep them: as text of JSON, or each in a list of its own, or as they are.

    They are taken out of their lists when every one of them is a list of one: APPS's form. A function that really
    returns a list of one each time cannot be told from that; where there is a reference, ``validate`` tells.
    """
    results = [_parsed(output) for output in outputs]
    if results and all(isinstance(result, list) and len(result) == 1 for result in results):
        return [result[0] for result in results]
    return results


def _parsed(output: Json) -> Json:
    if not isinstance(output, str):
        return output
    try:
        return json.loads(output)
    except ValueError:
        return output


def method_of(starter: str, name: str) -> str:
    """``Solution.name`` when the starter code defines that method in that class, else ``name``."""
    return f"Solution.{name}" if re.search(r"^class Solution\b", starter, re.MULTILINE) else name


def starter_program(starter: str, imports: str = IMPORTS) -> str:
    """Starter code that breaks off after a method's first line, as a program that can stand before a solution."""
    stub = starter.rstrip()
    if not stub or not stub.endswith(":"):
        return f"{imports}\n{stub}\n" if stub else imports
    depth = len(stub.splitlines()[-1]) - len(stub.splitlines()[-1].lstrip())
    return f"{imports}\n{stub}\n{' ' * (depth + 4)}...\n"


def only_name(starter: str) -> str | None:
    """The one public method or function that starter code begins, or None."""
    names = [name for name in re.findall(r"^\s*def\s+(\w+)\s*\(", starter, re.MULTILINE) if not name.startswith("__")]
    return names[0] if len(names) == 1 else None


def python_solution(solutions: Json, where: str, key: str = "solutions") -> str | None:
    """The first solution that is Python of today, out of its code fence, or None.

    ``solutions`` is a list of them, the text of a JSON list of them, or the text of one. Raises BadInput, and Unusable.
    """
    for solution in _listed(solutions, where, key):
        if solution.strip():
            fenced = re.search(r"```(?:python)?\n(.*?)```", solution, re.DOTALL)
            code = fenced.group(1) if fenced else solution
            try:
                ast.parse(code)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            return code
    return None


_JSON_LIST = re.compile(r"\s*\[\s*[\"\]]")
"""How the text of a JSON list of texts begins, and a program hardly does."""


def _listed(solutions: Json, where: str, key: str) -> list[str]:
    if isinstance(solutions, str):
        solutions = from_json_text(solutions, where, key) if _JSON_LIST.match(solutions) else [solutions]
    if solutions is None:
        return []
    if not isinstance(solutions, list) or not all(isinstance(solution, str) for solution in solutions):
        raise BadInput(f"{where}, key {key!r}: must be a program or a list of programs, each a text")
    return solutions
