"""What comes out of the jail is the solution's to forge: whatever it is, it is read as data and never as a pass."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from critique_coder.judge.inside.orders import Order, Told, pack_failure, pack_order, pack_told, read_order, read_told
from critique_coder.judge.inside.report import HEADER_BYTES
from critique_coder.judge.limits import Limits
from critique_coder.judge.scoring import score_call, score_program
from critique_coder.judge.script_reading import read_script
from critique_coder.judge.script_scoring import score_script
from critique_coder.judge.separate_checks import score_separate
from critique_coder.judge.shared_checks import score_shared
from critique_coder.judge.worker import Ending, _reports
from critique_coder.records import Outcome, TestCase, TestKind

LIMITS = Limits(1.0)
KINDS = ["value", "not a value", "error", "missing", "compile_error", "passed", "failed", "too long", "file", "import"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just({"$int": "0x4"}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)
REPORTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.lists(ANYTHING, max_size=4)).map(lambda report: [report[0], *report[1]])
    | st.lists(ANYTHING, min_size=1, max_size=3),
    max_size=4,
)


def ending(reports: list[list[Any]], status: int = 0) -> Ending:
    """A process that reported this, prints nothing and ends well."""
    return Ending(status, 0.01, 0.01, 1 << 20, None, b"", b"", tuple(reports))


@given(REPORTS, st.sampled_from([0, 1, -9]))
def test_a_call_passes_by_its_value_alone(reports: list[list[Any]], status: int) -> None:
    test = TestCase(TestKind.CALL, args=(1,), expected="the answer")
    result = score_call(test, ending(reports, status), LIMITS)
    assert result.outcome is not Outcome.PASSED and result.outcome is not Outcome.UNSCORED


def test_a_call_passes_by_its_value() -> None:
    test = TestCase(TestKind.CALL, args=(1,), expected="the answer")
    assert score_call(test, ending([["value", "the answer"]]), LIMITS).outcome is Outcome.PASSED


@given(REPORTS, st.sampled_from([0, 1, -9]))
def test_no_report_is_a_pass_of_a_program_or_a_check(reports: list[list[Any]], status: int) -> None:
    """The check's word is new in each run, so nobody can have reported it; a program passes by what it prints."""
    script = read_script("assert f(1) == 'the answer'", "f")
    assert script is not None
    seen = ending(reports, status)
    results = [
        score_program(TestCase(TestKind.STDIO, stdout="the answer"), seen, LIMITS),
        score_script(script, seen, LIMITS),
        score_shared("a new word", seen, LIMITS),
        score_separate("a new word", seen, ending([]), LIMITS),
    ]
    assert all(result.outcome is not Outcome.PASSED for result in results)


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=2**64 - 1))
def test_whatever_lies_in_the_channel_gives_lists(body: bytes, length: int) -> None:
    for header in (length, len(body)):
        reports = reports_in(header.to_bytes(HEADER_BYTES, "little") + body)
        assert isinstance(reports, tuple) and all(isinstance(report, list) and report for report in reports)


@given(REPORTS)
def test_what_was_reported_is_read_back(reports: list[list[Any]]) -> None:
    body = b"".join(json.dumps(report).encode() + b"\n" for report in reports)
    read = reports_in(len(body).to_bytes(HEADER_BYTES, "little") + body)
    assert json.dumps(read) == json.dumps(tuple(reports))


def reports_in(content: bytes) -> tuple[list[Any], ...]:
    """What the caller makes of a channel that holds ``content``."""
    descriptor = os.memfd_create("channel")
    try:
        os.pwrite(descriptor, content, 0)
        return _reports(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


COUNTS, SECONDS = st.integers(0, 2**64 - 1), st.floats(allow_nan=False)


@given(st.builds(Order, COUNTS, COUNTS, COUNTS, COUNTS, SECONDS, SECONDS, SECONDS, SECONDS))
def test_an_order_arrives_as_it_was_given(order: Order) -> None:
    assert read_order(pack_order(order)) == order


@given(
    st.builds(
        Told, st.integers(-64, 255), SECONDS, SECONDS, SECONDS, COUNTS, st.sampled_from(["", "time", "wall", "memory"]),
        st.booleans(),
    )
)  # fmt: skip
def test_an_ending_arrives_as_it_was_told(told: Told) -> None:
    assert read_told(pack_told(told)) == told


@given(st.text())
def test_a_failure_is_told_in_words(why: str) -> None:
    assert read_told(pack_failure(why)) == why.encode("utf-8", "replace").decode()


@given(st.binary(max_size=80))
def test_nonsense_is_no_ending(message: bytes) -> None:
    try:
        told = read_told(message)
    except struct.error:
        return
    assert isinstance(told, str) or len(message) == len(pack_told(told))
