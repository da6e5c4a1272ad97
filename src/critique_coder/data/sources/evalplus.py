"""HumanEval+ and MBPP+: HumanEval's and MBPP's problems with many more tests. Licence Apache-2.0.

Found at ``path`` (``HumanEvalPlus-OriginFmt.jsonl.gz``, ``MbppPlus-OriginFmt.jsonl.gz``), in the folder that
``CRITIQUE_CODER_DATA`` names, or on the hub. Their check programs need numpy for one comparison of numbers; it is put
into plain Python here, so that they run where numpy is not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from critique_coder.data.sources import humaneval
from critique_coder.data.sources.corpus import Place, Row, each, fields_of, reader, task_number
from critique_coder.records import BadInput, Problem, TestCase, TestKind

_ALL_CLOSE = """
def _all_close(out, exp, rtol=1e-05, atol=1e-08):
    if isinstance(out, (list, tuple)) or isinstance(exp, (list, tuple)):
        outs = out if isinstance(out, (list, tuple)) else [out] * len(exp)
        exps = exp if isinstance(exp, (list, tuple)) else [exp] * len(outs)
        return len(outs) == len(exps) and all(_all_close(a, b, rtol, atol) for a, b in zip(outs, exps))
    return out == exp or bool(abs(out - exp) <= atol + rtol * abs(exp))
"""
"""What ``numpy.allclose`` says of numbers and (nested) sequences of them."""


_LONG_S = {599: 60.0}
"""An MBPP+ task whose inputs are so large that the reference itself goes over the usual limit."""


def _humaneval(row: Row, name: str) -> Problem:
    plain = humaneval.problem(row._replace(value={**row.value, "test": _check(row)}), name)
    return replace(plain, source="humanevalplus", licence="Apache-2.0", released="2023-05-02")


def _mbpp(row: Row, name: str) -> Problem:
    fields, check = fields_of(row), _check(row)
    statement = fields.text("prompt", empty=False).strip()
    return Problem(
        id=name,
        statement=f"{statement}\n\nThe function must pass this check: `{_first_assert(row)}`",
        tests=(TestCase(TestKind.SCRIPT, code=check),),
        entry_point=_tested(check, row),
        reference=fields.text("code", empty=False).replace("\r\n", "\n"),
        source="mbppplus",
        licence="Apache-2.0",
        released="2023-05-02",
        metadata={"split": "eval"},
        time_limit_s=_LONG_S.get(task_number(row)),
    )


@contextmanager
def _must_be_python(row: Row) -> Iterator[None]:
    """A ``test`` that cannot be parsed is refused by line: raises BadInput."""
    try:
        yield
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadInput(f"{row.where}, key 'test': is not Python ({error})") from None


def _check(row: Row) -> str:
    """The check program in plain Python; raises BadInput."""
    with _must_be_python(row):
        return without_numpy(fields_of(row).text("test", empty=False))


def _first_assert(row: Row) -> str:
    """The first assert of a list, which some copies hold as the text of a Python list; raises BadInput."""
    given = row.value.get("test_list")
    try:
        found = ast.literal_eval(given) if isinstance(given, str) else given
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        found = None
    if not isinstance(found, list) or not found or not isinstance(found[0], str):
        raise BadInput(f"{row.where}, key 'test_list': must be a list of asserts, or the text of one")
    return found[0]


def _tested(check: str, row: Row) -> str:
    """The function that the check's last loop calls with its inputs, and does not define itself; raises BadInput."""
    with _must_be_python(row):
        body = ast.parse(check).body
    own = {statement.name for statement in body if isinstance(statement, ast.FunctionDef)}
    called = [
        node.func for last in body[-1:] for node in ast.walk(last) if isinstance(node, ast.Call) and _takes_inputs(node)
    ]
    names = [function.id for function in called if isinstance(function, ast.Name) and function.id not in own]
    if not names:
        raise BadInput(f"{row.where}, key 'test': calls no function with its inputs")
    return names[0]


def _takes_inputs(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args)


def without_numpy(code: str) -> str:
    """A check program of these benchmarks with numpy's part in plain Python; raises SyntaxError.

    Only the statements that name numpy are put together anew: the others may be long.
    """
    if "numpy" not in code:
        return code
    lines, kept = code.splitlines(), [_ALL_CLOSE]
    for statement in ast.parse(code).body:
        text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
        if _NUMPY.search(text):
            changed = _WithoutNumpy().visit(statement)
            text = "" if changed is None else ast.unparse(ast.fix_missing_locations(changed))
        kept.append(text)
    return "\n".join(kept) + "\n"


_NUMPY = re.compile(r"\b(np\.|numpy\b)")


class _WithoutNumpy(ast.NodeTransformer):
    def visit_Import(self, node: ast.Import) -> Any:
        """numpy is not imported."""
        node.names = [alias for alias in node.names if alias.name != "numpy"]
        return node if node.names else None

    def visit_Call(self, node: ast.Call) -> Any:
        """``np.allclose`` is ours; nothing is an array."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr="allclose")):
                node.func = ast.Name("_all_close", ast.Load())
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.Attribute(value=ast.Name(id="np"))]):
                return ast.Constant(False)
        return node

    def visit_If(self, node: ast.If) -> Any:
        """A branch for arrays is dropped whole: what it says of them needs numpy."""
        self.generic_visit(node)
        return None if isinstance(node.test, ast.Constant) and node.test.value is False else node


_HUMANEVAL_PLACE = Place(
    "HumanEval+",
    hub="evalplus/humanevalplus",
    folder="humanevalplus",
    names=("HumanEvalPlus-OriginFmt.jsonl.gz",),
    only=True,
)
_MBPP_PLACE = Place(
    "MBPP+", hub="evalplus/mbppplus", folder="mbppplus", names=("MbppPlus-OriginFmt.jsonl.gz",), only=True
)

read_humanevalplus = reader(_HUMANEVAL_PLACE, each(lambda row: f"humanevalplus/{task_number(row)}", _humaneval))
read_mbppplus = reader(_MBPP_PLACE, each(lambda row: f"mbppplus/{task_number(row)}", _mbpp))
