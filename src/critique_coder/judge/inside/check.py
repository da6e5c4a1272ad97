"""Runs a check beside the solution, in the solution's own process. See ``shared_checks`` for what that is worth."""

from __future__ import annotations

import builtins
import linecache
import sys
import types
from typing import Any

from . import link
from .report import Channel

CHECK_FILE = "check.py"


class CheckFailed(Exception):
    """The check ran and did not hold; the message says where."""


class CheckBroken(Exception):
    """Something raised under the check; the message says where, ``cause`` is what was raised."""

    def __init__(self, message: str, cause: BaseException | None) -> None:
        super().__init__(message)
        self.cause = cause


def run_check(check: dict[str, Any], names: dict[str, Any], as_unittest: bool) -> None:
    """Run the check, with these names of the solution, to its end; raises CheckFailed, or whatever came out of it."""
    # the name under which the solution is in sys.modules, for a check patches what it finds under its own
    namespace = {**names, "__builtins__": builtins, "__name__": "solution"}
    source = check["code"]
    code = compile(source, CHECK_FILE, "exec", dont_inherit=True)
    linecache.cache[CHECK_FILE] = (len(source), None, source.splitlines(keepends=True), CHECK_FILE)
    before = dict(namespace)
    try:
        exec(code, namespace)  # a check is a program too
        if as_unittest:
            own = {name: value for name, value in namespace.items() if before.get(name) is not value}
            _run_cases(own)
    except AssertionError as error:
        line = _line_in_check(error)
        if line is None:
            raise
        raise CheckFailed(f"line {line} of the check does not hold: {str(error)[:200]}") from None


def names_for_check(solution: dict[str, Any], entry_point: str | None) -> dict[str, Any]:
    """The solution's names, except those that would change what a builtin means to the check."""
    first = (entry_point or "").partition(".")[0]
    return {name: value for name, value in solution.items() if name == first or not hasattr(builtins, name)}


def _run_cases(own: dict[str, Any]) -> None:
    """The ``TestCase`` classes and the ``test_`` functions that the check defines: at least one, none skipped."""
    import unittest

    suite = unittest.TestSuite()
    loader = unittest.TestLoader()
    for value in own.values():
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and value is not unittest.TestCase:
            suite.addTests(loader.loadTestsFromTestCase(value))
    functions = [
        value for name, value in own.items() if name.startswith("test") and isinstance(value, types.FunctionType)
    ]
    count = suite.countTestCases()
    result = _remembering()
    suite.run(result)
    for function in functions:
        function()
    for name, text in (*result.failures, *result.skipped):
        raise CheckFailed(f"{name}: {_last_line(text)}")
    if isinstance(result.first_error, link.CannotCross):  # which a test case has caught, as it does everything
        raise result.first_error
    for name, text in result.errors:
        raise CheckBroken(f"{name}: {_last_line(text)}", result.first_error)
    if result.unexpectedSuccesses or result.testsRun != count or count + len(functions) == 0:
        raise CheckFailed(f"{result.testsRun} of {count} tests ran")


def _remembering() -> Any:
    """A ``unittest.TestResult`` that keeps the first exception itself, not only its text."""
    import unittest

    class Result(unittest.TestResult):
        first_error: BaseException | None = None

        def addError(self, test: unittest.TestCase, err: Any) -> None:
            self.first_error = self.first_error or err[1]
            super().addError(test, err)

    return Result()


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "skipped"


def _line_in_check(error: BaseException) -> int | None:
    """The line of the check that raised; None when the solution itself did."""
    trace, line = error.__traceback__, None
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == CHECK_FILE else None
        trace = trace.tb_next
    return line


def check_of_remote(check: dict[str, Any], channel: Channel) -> None:
    """Run a check whose solution is in another process, and report how it went."""
    client = link.Client(check["most_bytes"])
    try:
        prepare(check["unittest"])
        run_check(check, client.find(check["names"]), check["unittest"])
    except CheckFailed as error:
        report: tuple[object, ...] = ("failed", str(error))
    except CheckBroken as error:
        report = ("error", "check", str(error), *client.anatomy(error.cause)[1:])
    except link.CannotCross as error:
        report = ("unfit", str(error))
    except BaseException as error:
        report = ("error", "check", *client.anatomy(error))
    else:
        report = ("passed", check["nonce"])
    channel.send(*(("gone", client.broken) if client.broken else report))


def prepare(as_unittest: bool) -> None:
    """Import before the solution can stand in the way."""
    if as_unittest:
        sys.modules["unittest"] = __import__("unittest")
