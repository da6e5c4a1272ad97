"""From how a process ended to the outcome of a test. Here, outside the jail, is where expected values are looked at."""

from __future__ import annotations

import signal
from typing import Any

from critique_coder.records import BadInput, Outcome, TestCase, TestResult

from .compare_text import first_difference, shorten, texts_equal
from .compare_values import Malformed, read, show, values_equal
from .limits import Limits
from .worker import Ending

Found = tuple[Outcome, str | None]
"""An outcome and a message for people."""


def score_program(test: TestCase, ending: Ending, limits: Limits) -> TestResult:
    """The result of a ``stdio`` test."""
    outcome, message = broken(ending, limits) or _compare_output(test, ending)
    return TestResult(outcome, ending.cpu_s, message)


def score_call(test: TestCase, ending: Ending, limits: Limits) -> TestResult:
    """The result of a ``call`` test, whose values ``check_value`` has seen."""
    outcome, message = value_of(ending, 0)[0] or broken(ending, limits) or _compare_value(test, ending)
    return TestResult(outcome, ending.cpu_s, message)


def broken(ending: Ending, limits: Limits) -> Found | None:
    """What went wrong with the process itself; None when it ran to a normal end."""
    found = _broken_limit(ending, limits)
    if found:
        return found
    for report in ending.reports:
        if report[0] in ("compile_error", "error", "missing"):
            return reported(report)
    if ending.status < 0:
        return _killed_by(-ending.status)
    if ending.status > 0:
        return Outcome.RUNTIME_ERROR, f"exit code {ending.status}{_last_words(ending.stderr)}"
    return None


def _broken_limit(ending: Ending, limits: Limits) -> Found | None:
    if max(len(ending.stdout), len(ending.stderr)) > limits.output_bytes or ["too long"] in ending.reports:
        return Outcome.OUTPUT_LIMIT, f"more than {limits.output_mb:g} MiB of output"
    if ending.killed == "time" or ending.cpu_s > limits.time_s or ending.status == -signal.SIGXCPU:
        return Outcome.TIME_LIMIT, f"more than {limits.time_s:g} s of processor time"
    if ending.killed == "wall":
        return Outcome.WALL_LIMIT, f"no end after {limits.wall_s:g} s, of which {ending.cpu_s:.2g} s were computing"
    if ending.killed == "memory" or ending.memory > limits.memory_bytes:
        return Outcome.MEMORY_LIMIT, f"more than {limits.memory_mb:g} MiB of memory"
    return None


def reported(report: list[Any]) -> Found:
    """What a report of ``compile_error``, ``error`` or ``missing`` comes to."""
    kind, details = report[0], [*report[1:], None, None, None, None]
    if kind == "compile_error":
        return Outcome.COMPILE_ERROR, text(details[0])
    if kind == "missing":
        return Outcome.RUNTIME_ERROR, f"the solution does not define {text(details[0])!r}"
    description, out_of_memory, denied = text(details[1]), details[2], details[3]
    if out_of_memory is True:
        return Outcome.MEMORY_LIMIT, description
    return (Outcome.FORBIDDEN if denied is True else Outcome.RUNTIME_ERROR), description


def _killed_by(number: int) -> Found:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if number == signal.SIGSYS:
        return Outcome.FORBIDDEN, "a system call that the sandbox does not know"
    if number == signal.SIGKILL:
        return Outcome.MEMORY_LIMIT, "killed, by the machine for want of memory or by itself"
    return Outcome.RUNTIME_ERROR, f"killed by {name}"


def _last_words(stderr: bytes) -> str:
    lines = stderr[-2000:].decode(errors="replace").strip().splitlines()
    return f": {shorten(lines[-1])}" if lines else ""


def text(value: object) -> str:
    """Short, and without lone surrogates, which a solution could put in to spoil a file of verdicts."""
    return shorten(str(value), 300).encode("utf-8", "replace").decode()


def _compare_output(test: TestCase, ending: Ending) -> Found:
    got = ending.stdout.decode("utf-8", "surrogateescape")
    if texts_equal(test.stdout, got, test.checker):
        return Outcome.PASSED, None
    return Outcome.WRONG_ANSWER, first_difference(test.stdout, got).encode("utf-8", "replace").decode()


def value_of(ending: Ending, index: int) -> tuple[Found | None, Any]:
    """What call number ``index`` gave: a value, or why there is none. No report of it at all is no reason by itself."""
    reports = [report for report in ending.reports if report[0] in ("value", "not a value")]
    if index >= len(reports) or len(reports[index]) != 2:
        return None, None
    kind, body = reports[index]
    if kind == "not a value":
        return (Outcome.WRONG_ANSWER, f"returned {text(body)}"), None
    try:
        return None, read(body)
    except Malformed as error:
        return (Outcome.RUNTIME_ERROR, f"the returned value could not be read: {error}"), None


def check_value(tagged: Any, where: str) -> None:
    """Refuse a value of a test that cannot be decoded; raises BadInput."""
    try:
        read(tagged)
    except Malformed as error:
        raise BadInput(f"{where}: the value {shorten(str(tagged), 80)} of a test is malformed: {error}") from None


def _compare_value(test: TestCase, ending: Ending) -> Found:
    if not any(report[0] == "value" for report in ending.reports):
        return Outcome.RUNTIME_ERROR, "the process left before the function returned"
    expected, got = read(test.expected), value_of(ending, 0)[1]
    if values_equal(expected, got, test.checker):
        return Outcome.PASSED, None
    return Outcome.WRONG_ANSWER, f"expected {show(expected)}, got {show(got)}"
