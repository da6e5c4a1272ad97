"""Checks that are not rewritten: solution and check in one jailed process, the weaker way.

A pass is never taken from an exit code: the part of our runner that runs after the check reports it together with a
nonce that it has kept. A determined solution can find both in its own memory, hence ``shared_process`` in the verdict.
"""

from __future__ import annotations

import ast
import secrets
import sys
from collections.abc import Collection

from critique_coder.records import Outcome, Problem, TestCase, TestKind, TestResult

from .limits import Limits
from .scoring import broken, text
from .script_literals import parse
from .script_reading import calls_of_check, imports_of
from .worker import Ending, Job


def shared_job(problem: Problem, sources: tuple[str, ...], test: TestCase) -> tuple[Job, str]:
    """The job and the nonce that its report of success must carry."""
    nonce = secrets.token_hex(16)
    code = test.code
    tree = _parsed(code)
    if test.kind is TestKind.UNITTEST:
        mode = "unittest"
    else:
        mode = "script"
        statements = calls_of_check(tree, problem.entry_point)
        if statements is not tree.body:
            code = f"{code}\n{ast.unparse(statements[-1])}\n"
    check = {"code": code, "nonce": nonce, "entry_point": problem.entry_point}
    return Job(mode, sources, check=check, imports=imports_of(tree)), nonce


def _parsed(code: str) -> ast.Module:
    """The check's tree; an empty one when it is no program, which running it will tell."""
    try:
        return parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])


def missing_module(code: str, packages: Collection[str]) -> str | None:
    """A module that the check imports and the jail does not have; decided by the text alone."""
    for node in ast.walk(_parsed(code)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            first = name.split(".")[0]
            if first not in sys.stdlib_module_names and first not in packages:
                return first
    return None


def score_shared(nonce: str, ending: Ending, limits: Limits) -> TestResult:
    """Passed only if the report of success came, with the nonce, and the process then ended normally."""
    outcome, message = broken(ending, limits) or (Outcome.RUNTIME_ERROR, "the process left before the check had ended")
    for report in ending.reports:
        if report[0] == "failed" and len(report) == 2:
            outcome, message = Outcome.WRONG_ANSWER, text(report[1])
    if broken(ending, limits) is None and ending.reports and ending.reports[-1] == ["passed", nonce]:
        outcome, message = Outcome.PASSED, None
    return TestResult(outcome, ending.cpu_s, message)
