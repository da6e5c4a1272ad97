"""Each limit, and that going over it says so."""

# ruff: noqa: E501 - programs on one line each

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from enum import IntEnum
from textwrap import indent

import pytest

from critique_coder.judge import Isolation, Judge, Limits, Way, way_of
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind, Verdict

Verify = Callable[..., Verdict]

PROGRAMS = {
    "endless loop": ("while True: pass", Outcome.TIME_LIMIT),
    "endless loop that catches everything": (
        (
            "import signal\nfor s in (signal.SIGTERM, signal.SIGXCPU, signal.SIGALRM, signal.SIGINT):\n    signal.signal(s, lambda *a: None)\n"
            "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
        ),
        Outcome.TIME_LIMIT,
    ),
    "endless threads": (
        "import threading\nfor _ in range(3): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()",
        Outcome.TIME_LIMIT,
    ),
    "in C": ("sum(range(10**12))", Outcome.TIME_LIMIT),
    "memory in one piece": (
        "x = bytearray(300 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1",
        Outcome.MEMORY_LIMIT,
    ),
    "memory in pieces": ("x = []\nwhile True: x.append(b'x' * 100_000)", Outcome.MEMORY_LIMIT),
    "more than there is": ("x = [0] * 10**12", Outcome.MEMORY_LIMIT),
    "memory shared": (
        "import mmap\nm = mmap.mmap(-1, 300 << 20)\nfor i in range(0, len(m), 4096): m[i] = 1",
        Outcome.MEMORY_LIMIT,
    ),
    "memory in files": (
        (
            "d = b'x' * (1 << 20)\nfor i in range(250):\n    with open(f'{i}', 'wb') as f: f.write(d)\n"
            "import time\ntime.sleep(0.1)"
        ),
        Outcome.MEMORY_LIMIT,
    ),
    "output": ("while True: print('x' * 1000)", Outcome.OUTPUT_LIMIT),
    "output that catches": (
        "while True:\n    try: print('x' * 1000)\n    except Exception: pass",
        Outcome.OUTPUT_LIMIT,
    ),
    "errors": ("import sys\nwhile True: sys.stderr.write('x' * 1000)", Outcome.OUTPUT_LIMIT),
    "files": ("f = [open(f'{i}', 'w') for i in range(5000)]", Outcome.RUNTIME_ERROR),
    "crash": ("import ctypes\nctypes.string_at(0)", Outcome.RUNTIME_ERROR),
    "network": ("import socket\nsocket.create_connection(('127.0.0.1', 80))", Outcome.FORBIDDEN),
    "fork": ("import os\nos.fork()", Outcome.FORBIDDEN),
    "subprocess": ("import subprocess\nsubprocess.run(['/bin/true'])", Outcome.FORBIDDEN),
    "memfd": ("import os\nos.memfd_create('x')", Outcome.FORBIDDEN),
    "no syntax": ("def f(:", Outcome.COMPILE_ERROR),
    "null byte": ("x = '\0'", Outcome.COMPILE_ERROR),
    "nested too deep": ("(" * 500 + ")" * 500, Outcome.COMPILE_ERROR),
    "no code": ("  \n", Outcome.NO_CODE),
    "recursion": ("def f(): f()\nf()", Outcome.RUNTIME_ERROR),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_outcome(name: str, program: Verify) -> None:
    code, outcome = PROGRAMS[name]
    time_limit_s = 0.3 if outcome is Outcome.TIME_LIMIT else 5  # a slow machine takes its time to fill the memory
    verdict = program(code, "", "something", time_limit_s=time_limit_s, memory_limit_mb=200)
    assert verdict.outcome is outcome, verdict.tests


def test_time_is_processor_time(program: Verify) -> None:
    verdict = program("import time\ntime.sleep(0.6)\nprint(1)", "", "1", time_limit_s=0.3)
    assert verdict.outcome is Outcome.PASSED
    assert verdict.tests[0].time_s < 0.3


def test_waiting_is_another_limit_and_is_confirmed(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "wall_s", property(lambda self: 0.5))
    problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdout="1"),))
    started = time.monotonic()
    verdict = judge.verify(problem, Solution("s", "p", "import time\ntime.sleep(60)"))
    assert verdict.outcome is Outcome.WALL_LIMIT
    assert 1.0 <= time.monotonic() - started < 5  # twice: once beside others, once alone


@pytest.fixture
def oversubscribed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Four other programs for each processor, all computing."""
    monkeypatch.setattr(Limits, "longest_s", property(lambda self: 60.0))
    busy = (
        "import time\nend = time.monotonic() + 200\nwhile time.monotonic() < end: pass"  # not for ever, should we die
    )
    command = [sys.executable, "-I", "-S", "-c", busy]
    count = 4 * len(os.sched_getaffinity(0))
    # kernels share the processor between sessions first; in one of their own all would count as one
    programs = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    time.sleep(1)  # until all have started
    yield
    for program in programs:
        program.kill()
        program.wait()


@pytest.mark.usefixtures("oversubscribed")
def test_a_busy_machine_is_not_the_programs_fault(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Computing takes several times the limit on the clock and passes; who sleeps as long does not."""
    monkeypatch.setattr(Limits, "wall_s", property(lambda self: 0.8))
    code = "import time\nwhile time.process_time() < 0.6: pass\nprint(1)"
    started = time.monotonic()
    verdict = judge.verify(Problem("p", "s", (TestCase(TestKind.STDIO, stdout="1"),)), Solution("s", "p", code))
    assert verdict.outcome is Outcome.PASSED, verdict.tests
    assert time.monotonic() - started > 1.5, "the machine was not busy"
    problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdout="1"),))
    sleeper = judge.verify(problem, Solution("s", "p", "import time\ntime.sleep(60)"))
    assert sleeper.outcome is Outcome.WALL_LIMIT


MIXED = {
    "right": ("print(sum(range(2_000_000)))", Outcome.PASSED),
    "wrong": ("print(sum(range(2_000_001)))", Outcome.WRONG_ANSWER),
    "an error": ("sum(range(1_000_000))\n1 / 0", Outcome.RUNTIME_ERROR),
    "no end": ("while True: pass", Outcome.TIME_LIMIT),
    "memory": ("x = []\nwhile True: x.append(b'x' * 100_000)", Outcome.MEMORY_LIMIT),
    "output": ("while True: print('x' * 1000)", Outcome.OUTPUT_LIMIT),
    "a fork": ("import os\nos.fork()", Outcome.FORBIDDEN),
    "sleeps a little": ("import time\ntime.sleep(0.2)\nprint(sum(range(2_000_000)))", Outcome.PASSED),
}


def test_four_times_as_many_at_once_as_processors_get_the_same_verdicts() -> None:
    test = TestCase(TestKind.STDIO, stdout=str(sum(range(2_000_000))))
    problem = Problem("p", "s", (test,), time_limit_s=1, memory_limit_mb=64)
    pairs = [(problem, Solution(f"{name}#{n}", "p", code)) for n in range(6) for name, (code, _) in MIXED.items()]
    with Judge(workers=4 * len(os.sched_getaffinity(0)), output_limit_mb=2) as judge:
        found = {verdict.solution_id: verdict.outcome for verdict in judge.verify_many(pairs)}
    assert found == {solution.id: MIXED[solution.id.partition("#")[0]][1] for _, solution in pairs}


COMPUTE = "import time\nstart = time.process_time()\nwhile time.process_time() - start < 0.5: pass\n"
CHECKS = {
    "the solution": (
        "def f(x):\n" + indent(COMPUTE, "    ") + "    return x",
        "for x in range(1):\n    assert f(x) == x",
    ),
    "the check": (
        "def f(x): return x",
        "for x in range(1):\n    assert f(x) == x and sum(i * i for i in range(6_000_000))",
    ),
}


@pytest.mark.usefixtures("oversubscribed")
@pytest.mark.parametrize("who", CHECKS)
def test_nor_is_it_the_fault_of_who_waits_for_one_that_computes(
    who: str, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Solution and check in a process each: while one gets no processor the other one sleeps and is not stuck."""
    monkeypatch.setattr(Limits, "wall_s", property(lambda self: 0.8))
    code, check = CHECKS[who]
    problem = Problem("p", "s", (TestCase(TestKind.SCRIPT, code=check),), entry_point="f")
    assert way_of(problem, problem.tests[0]) is Way.SEPARATE
    started = time.monotonic()
    verdict = judge.verify(problem, Solution("s", "p", code))
    assert verdict.outcome is Outcome.PASSED, verdict.tests
    assert time.monotonic() - started > 1.5, "the machine was not busy"
    started = time.monotonic()
    verdict = judge.verify(problem, Solution("s", "p", "import time\ndef f(x): time.sleep(60)"))
    assert verdict.outcome is Outcome.WALL_LIMIT and time.monotonic() - started < 30, verdict.tests


@pytest.mark.usefixtures("oversubscribed")
def test_nor_is_it_the_fault_of_the_children_of_a_command(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that is watched only waits here; those that compute are its children, one after the other."""
    monkeypatch.setattr(Limits, "wall_s", property(lambda self: 1.0))
    loop = {"loop.sh": "while :; do :; done"}
    busy = "timeout 0.8 sh loop.sh"
    compute = TestCase(TestKind.PROJECT, command=f"{busy}; {busy}; true", files=loop)
    sleep = TestCase(TestKind.PROJECT, command=f"{busy}; sleep 60 && true", files=loop)
    started = time.monotonic()
    verdict = judge.verify(Problem("p", "s", (compute,), language="javascript"), Solution("s", "p", "1"))
    assert verdict.outcome is Outcome.PASSED, verdict.tests
    assert time.monotonic() - started > 1.5, "the machine was not busy"
    verdict = judge.verify(Problem("p", "s", (sleep,), language="javascript"), Solution("s", "p", "1"))
    assert verdict.outcome is Outcome.WALL_LIMIT, verdict.tests


def test_there_is_an_end_to_waiting_for_the_processor(
    judge: Judge, oversubscribed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limits, "wall_s", property(lambda self: 0.2))
    monkeypatch.setattr(Limits, "longest_s", property(lambda self: 1.0))
    problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdout="1"),))
    started = time.monotonic()
    verdict = judge.verify(problem, Solution("s", "p", "while True: pass"))
    assert verdict.outcome is Outcome.WALL_LIMIT, verdict.tests  # its two seconds of processor are never reached
    assert 2.0 <= time.monotonic() - started < 6


LOOKING_STARVED = {
    "threads that compute in C": (
        "import hashlib, threading\nd = bytes(1 << 20)\ndef work():\n    while True: hashlib.sha256(d)\n"
        "for _ in range(40): threading.Thread(target=work).start()",
        {Outcome.TIME_LIMIT},
    ),
    "threads that fight for the interpreter": (
        "import sys, threading\nsys.setswitchinterval(1e-6)\ndef work():\n    while True: pass\n"
        "for _ in range(40): threading.Thread(target=work).start()",
        {Outcome.TIME_LIMIT},
    ),
    "threads that start all at once, and sleep": (
        "import hashlib, threading, time\nd = bytes(1 << 20)\nb = threading.Barrier(20)\ndef work():\n"
        "    while True:\n        b.wait()\n        hashlib.sha256(d)\n        time.sleep(0.1)\n"
        "for _ in range(20): threading.Thread(target=work).start()",
        {Outcome.TIME_LIMIT, Outcome.WALL_LIMIT},
    ),
    "a thread that wakes up all the time": (
        "import threading, time\ndef work():\n    while True: time.sleep(1e-5)\n"
        "for _ in range(20): threading.Thread(target=work).start()",
        {Outcome.TIME_LIMIT, Outcome.WALL_LIMIT},
    ),
    "stops itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", {Outcome.WALL_LIMIT}),
    "steps back behind all others": (
        "import os, time\nfor go in (lambda: os.nice(19), lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)),\n"
        "           lambda: open('/proc/self/autogroup', 'w').write('19'), lambda: os.sched_setaffinity(0, {0})):\n"
        "    try: go()\n    except OSError: continue\n    print(1)\n    break\n"
        "else:\n    while True: time.sleep(1)",
        {Outcome.WALL_LIMIT},
    ),
}
"""Programs that would have the time of others not counted against them."""


@pytest.mark.parametrize("name", LOOKING_STARVED)
def test_who_only_looks_starved_gains_nothing(name: str, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a thread waits for its own kind, these have used: both ends, by one limit or the other, are near."""
    monkeypatch.setattr(Limits, "wall_s", property(lambda self: 0.7))
    monkeypatch.setattr(Limits, "longest_s", property(lambda self: 300.0))
    code, allowed = LOOKING_STARVED[name]
    problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdout="1"),), time_limit_s=0.7)
    started = time.monotonic()
    verdict = judge.verify(problem, Solution("s", "p", code))
    assert verdict.outcome in allowed, verdict.tests
    assert time.monotonic() - started < 20


def test_threads_are_limited_where_they_can_be_counted(judge: Judge) -> None:
    code = (
        "import threading, time\nthreading.stack_size(1 << 18)\nstarted = 0\ntry:\n    for _ in range(300):\n"
        "        threading.Thread(target=time.sleep, args=(2,), daemon=True).start()\n        started += 1\n"
        "except RuntimeError: pass\nprint(started)"
    )
    assert judge.isolation is Isolation.FULL
    assert 100 < int(judge.run_program(code).stdout) < 128


def test_returned_value_over_the_output_limit(call: Verify) -> None:
    assert call("def f(): return 'x' * 6_000_000", expected=1).outcome is Outcome.OUTPUT_LIMIT


def test_swallowed_memory_error_within_limits_passes(program: Verify) -> None:
    code = "try:\n    x = bytearray(1 << 40)\nexcept MemoryError:\n    print('small')"
    assert program(code, "", "small").outcome is Outcome.PASSED


def test_compile_error_holds_for_all_tests(judge: Judge) -> None:
    problem = Problem("p", "s", (TestCase(TestKind.STDIO),) * 3)
    verdict = judge.verify(problem, Solution("s", "p", "x ="))
    assert [result.outcome for result in verdict.tests] == [Outcome.COMPILE_ERROR] * 3
    assert "line 1" in (verdict.tests[0].message or "")


def test_first_failure_stops() -> None:
    tests = tuple(TestCase(TestKind.STDIO, stdin=f"{n}", stdout="1") for n in (1, 2, 1))
    problem, solution = Problem("p", "s", tests), Solution("s", "p", "print(input())")
    with Judge(workers=1, first_failure=True) as judge:
        verdict = judge.verify(problem, solution)
    assert (verdict.passed, verdict.total, len(verdict.tests)) == (1, 3, 2)
    assert verdict.outcome is Outcome.WRONG_ANSWER


def test_no_entry_point(call: Verify) -> None:
    verdict = call("def g(): return 1", expected=1)
    assert verdict.outcome is Outcome.RUNTIME_ERROR
    assert verdict.tests[0].message == "the solution does not define 'f'"


def test_methods_get_a_new_instance_and_arguments_keep_their_types(call: Verify) -> None:
    code = "class S:\n    def __init__(self): self.seen = []\n    def f(self, x, y=0):\n        self.seen.append(x)\n        return self.seen, type(x).__name__, y"
    verdict = call(
        code, {"$tuple": [1]}, kwargs={"y": {"$set": [2]}}, expected=[[[1]], "tuple", {"$set": [2]}], entry_point="S.f"
    )
    assert verdict.outcome is Outcome.PASSED, verdict.tests


def test_run_program_for_people(judge: Judge) -> None:
    result = judge.run_program("import sys\nprint(input())\nprint('oh', file=sys.stderr)", "hello\n")
    assert (result.stdout, result.stderr, result.outcome) == ("hello\n", "oh\n", Outcome.PASSED)
    result = judge.run_program("while True: pass", limits=Limits(time_s=0.1))
    assert result.outcome is Outcome.TIME_LIMIT


def test_a_traceback_shows_the_program_alone(judge: Judge) -> None:
    result = judge.run_program("def f(x):\n    return 1 / x\n\nf(0)\n")
    assert result.stderr.splitlines() == [
        "Traceback (most recent call last):",
        '  File "solution.py", line 4, in <module>',
        '  File "solution.py", line 2, in f',
        "ZeroDivisionError: division by zero",
    ]


def test_a_program_can_read_its_own_source(judge: Judge) -> None:
    code = "import inspect, linecache\ndef f(x):\n    return x\nprint(inspect.getsource(f), end='')\nlinecache.checkcache()\nprint(linecache.getline('solution.py', 1), end='')\n"
    result = judge.run_program(code)
    assert (result.stdout, result.stderr) == ("def f(x):\n    return x\nimport inspect, linecache\n", "")


def test_a_program_starts_with_no_signal_blocked(judge: Judge) -> None:
    result = judge.run_program(
        "import signal\nprint(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending())"
    )
    assert result.stdout == "set() set()\n", result.stderr


def test_arguments_of_a_callers_own_classes_arrive_as_plain_data(judge: Judge) -> None:
    class Size(IntEnum):
        TWO = 2

    class Name(str):
        __slots__ = ()

    test = TestCase(TestKind.CALL, args=(Size.TWO, Name("x"), OrderedDict({"$tuple": [1]})), expected=[2, "x", 1])
    problem = Problem("p", "s", (test,), entry_point="f")
    verdict = judge.verify(problem, Solution("s", "p", code="def f(a, b, c):\n    return [a, b, c[0]]"))
    assert verdict.outcome is Outcome.PASSED, verdict.tests
