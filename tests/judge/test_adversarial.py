"""Wrong programs are scored as the wrong programs they are, leave nothing behind and learn nothing."""

# ruff: noqa: E501, PTH208 - programs on one line each, and descriptors

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from critique_coder.judge import Isolation, Judge, Way, way_of
from critique_coder.judge.exploit_suite import SAFE_WAYS, attempts, count, survivors
from critique_coder.judge.exploit_suite import TESTS as TESTS_BY_WAY
from critique_coder.judge.exploits import FUNCTIONS, PROGRAMS, WRONG_F
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind, Verdict

sys.path.insert(0, str(Path(__file__).parent))
from system_calls import SYSTEM_CALLS

TESTS = tuple(TestCase(TestKind.CALL, args=(x,), expected=3 * x + 1) for x in (1, 3))
PROBLEM = Problem("p", "statement", TESTS, entry_point="f", time_limit_s=0.4, memory_limit_mb=128)
RIGHT = "def f(x): return 3 * x + 1"

SCAN = """
import re
def f(x):
    found = []
    for line in open('/proc/self/maps'):
        match = re.match('([0-9a-f]+)-([0-9a-f]+) r', line)
        if not match: continue
        start, end = (int(part, 16) for part in match.groups())
        with open('/proc/self/mem', 'rb', 0) as memory:
            try:
                memory.seek(start)
                found += re.findall(b'to' + b'ken-[0-9a-f]{32}', memory.read(end - start))
            except (OSError, ValueError, OverflowError): pass
    return found[0].decode() if found else 'nothing'
"""


@pytest.fixture(scope="module", params=[Isolation.FULL, Isolation.LIGHT])
def confined(request: pytest.FixtureRequest) -> Iterator[Judge]:
    with Judge(workers=1, isolation=request.param, output_limit_mb=2) as judge:
        yield judge


def verify(judge: Judge, code: str, problem: Problem = PROBLEM) -> Verdict:
    return judge.verify(problem, Solution("s", "p", code))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_adversary(name: str, confined: Judge) -> None:
    code, allowed = FUNCTIONS[name]
    traces = set(os.listdir(tempfile.gettempdir()))
    verdict = verify(confined, code)
    assert {result.outcome for result in verdict.tests[:1]} <= set(allowed), verdict.tests
    assert verdict.outcome is not Outcome.PASSED and verdict.pass_rate in (0.0, 0.5), verdict.tests
    assert processes_below(os.getpid()) <= {"python", "python3", Path(sys.executable).name, "python3.11", *WORKER_NAMES}
    assert survivors(confined) == 0
    assert not {name for name in os.listdir(tempfile.gettempdir()) if "evil" in name or name in ("a", "d")} - traces
    after = verify(confined, RIGHT)
    assert after.outcome is Outcome.PASSED, after.tests


@pytest.mark.parametrize("name", PROGRAMS)
def test_adversary_on_standard_input(name: str, confined: Judge) -> None:
    code, allowed = PROGRAMS[name]
    tests = tuple(TestCase(TestKind.STDIO, stdin=f"{x}\n", stdout=f"{3 * x + 1}\n") for x in (1, 3))
    verdict = verify(confined, code, Problem("p", "s", tests, time_limit_s=0.4, memory_limit_mb=128))
    assert {result.outcome for result in verdict.tests} <= set(allowed), verdict.tests


def test_no_exploit_is_rewarded_survives_or_disturbs() -> None:
    """Each under one of its ways or two, with others beside it; `critique-coder verify --attack` runs them under all."""
    judge = Judge(workers=2, output_limit_mb=2)
    with judge:
        made = list(attempts(judge, every=4))
    safe = [attempt for attempt in made if attempt.way in SAFE_WAYS]
    assert len(made) == -(-count() // 4) and len(safe) >= 190
    assert {attempt.way for attempt in made} == set(TESTS_BY_WAY)
    assert [attempt for attempt in safe if not attempt.harmless] == []
    shared = [attempt for attempt in made if attempt.way not in SAFE_WAYS]
    assert [a for a in shared if a.survivors or a.strays or a.neighbours] == []  # some are rewarded: the weaker way


WORKER_NAMES = {f"python3.{minor}" for minor in range(11, 20)}


def test_refused_system_calls(confined: Judge) -> None:
    numbers = SYSTEM_CALLS[os.uname().machine]
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, number in {numbers!r}.items():\n"
        "    ctypes.set_errno(0)\n"
        "    result = libc.syscall(number, 0, 0, 0, 0, 0, 0)\n"
        "    if result != -1 or ctypes.get_errno() != 1: print(name, result, ctypes.get_errno())\n"
    )
    assert confined.run_program(code).stdout == ""


def test_no_expected_value_in_memory(confined: Judge) -> None:
    token = f"token-{secrets.token_hex(16)}"
    test = TestCase(TestKind.CALL, args=(1,), expected=token)
    problem = Problem("p", f"statement {token}", (test, test), entry_point="f", reference=f"def f(x): return '{token}'")
    os.environ["CRITIQUE_CODER_TEST_TOKEN"] = token
    try:
        with Judge(workers=1, isolation=confined.isolation) as judge:
            verdict = judge.verify(problem, Solution("s", "p", SCAN))
    finally:
        del os.environ["CRITIQUE_CODER_TEST_TOKEN"]
    assert "got 'nothing'" in (verdict.tests[1].message or "")


LOOK_AROUND = f"""
import os, sys
{SCAN}
def f(x):
    for name in ('cmdline', 'environ', 'maps', 'mountinfo'):
        try:
            with open('/proc/self/' + name, errors='replace') as file: text = file.read()
        except OSError: continue
        if found := re.search('to' + 'ken-[0-9a-f]{{32}}', text): return found[0]
    for folder in ('/tmp', '/dev/shm', '/home', '/root', os.getcwd()):
        for here, _, names in os.walk(folder):
            for name in names:
                if 'to' + 'ken-' in name: return name
                try:
                    with open(os.path.join(here, name), errors='replace') as file: text = file.read(1 << 20)
                except OSError: continue
                if found := re.search('to' + 'ken-[0-9a-f]{{32}}', text): return found[0]
    return scan(x)
""".replace("def f(x):", "def scan(x):", 1)


def secret_tests(token: str) -> dict[Way, TestCase]:
    """A test that only who knows ``token`` passes, for each way that keeps it from the solution's process."""
    unittest = "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), "
    return {
        Way.PROGRAM: TestCase(TestKind.STDIO, stdin="1", stdout=token),
        Way.REWRITTEN: TestCase(TestKind.SCRIPT, code=f"assert f(1) == {token!r}"),
        Way.SEPARATE: TestCase(TestKind.UNITTEST, code=f"{unittest}{token!r})"),
    }


@pytest.mark.parametrize("way", [Way.PROGRAM, Way.REWRITTEN, Way.SEPARATE])
def test_nothing_of_a_test_but_its_input_is_where_a_solution_runs(way: Way, confined: Judge) -> None:
    """Neither its text nor what it expects: not in memory, arguments, environment or files. Who is told it passes."""
    token = f"token-{secrets.token_hex(16)}"
    test = secret_tests(token)[way]
    problem = Problem("p", f"statement {token}", (test, test), entry_point="f", reference=f"# {token}")
    assert way_of(problem, test) is way
    code = LOOK_AROUND + ("print(f(1))" if way is Way.PROGRAM else "")
    verdict = verify(confined, code, problem)
    assert (verdict.outcome, verdict.passed) == (Outcome.WRONG_ANSWER, 0), verdict.tests
    assert verify(confined, f"kept = {token!r}\n{code}", problem).outcome is Outcome.PASSED


def test_the_scan_does_find_what_is_there(confined: Judge) -> None:
    token = f"token-{secrets.token_hex(16)}"
    problem = Problem("p", "s", (TestCase(TestKind.CALL, args=(1,), expected=token),), entry_point="f")
    assert verify(confined, f"kept = {token!r}\n{SCAN}", problem).outcome is Outcome.PASSED


def test_no_other_solution_nor_input_in_memory(confined: Judge) -> None:
    token = f"token-{secrets.token_hex(16)}"
    other = Problem("q", "s", (TestCase(TestKind.STDIO, stdin=token, stdout=token),))
    assert verify(confined, f"# {token}\nprint(input())", other).outcome is Outcome.PASSED
    problem = Problem("p", "s", (TestCase(TestKind.CALL, args=(1,), expected=token),), entry_point="f")
    assert "got 'nothing'" in (verify(confined, SCAN, problem).tests[0].message or "")


def test_view_of_the_machine(confined: Judge) -> None:
    code = (
        "import json, os, sys\nseen = {}\n"
        "def look(path):\n    try: return sorted(os.listdir(path))\n    except OSError: return None\n"
        "print(json.dumps({'cwd': look('.'), 'home': look('/home'), 'env': dict(os.environ), 'argv': sys.argv, 'fds': look('/proc/self/fd'),\n"
        "  'others': [p for p in look('/proc') or () if p.isdigit() and int(p) != os.getpid()], 'site': [p for p in sys.path if 'packages' in p]}))"
    )
    seen = json.loads(confined.run_program(code).stdout)
    assert seen["cwd"] == [] and seen["home"] in (None, []) and seen["others"] == [] and seen["site"] == []
    assert seen["env"] == {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
    assert seen["argv"] == ["solution.py"]
    assert seen["fds"] is None or set(seen["fds"]) <= {"0", "1", "2", "3"}  # 3 is the listing itself


def test_same_randomness_everywhere() -> None:
    code = "import random\nprint(random.random(), hash('text'), list({'a', 'b', 'c'}))"
    outputs = set()
    for _ in range(2):
        with Judge(workers=1) as judge:
            outputs |= {judge.run_program(code).stdout for _ in range(2)}
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("code", "stdout"),
    [
        ("print('first line')", "first line\nsecond line"),
        ("print('1\\n2\\nand more')", "1\n2"),
        ("print('anything')", ""),
        ("import sys\nsys.exit(0)", "1"),
        ("import os\nos._exit(0)", "1"),
        ("import os\nfor n in range(1, 100):\n    try: os.write(n, b'[\"passed\"]')\n    except OSError: pass", "1"),
    ],
)
def test_programs_that_print_too_little_or_too_much(code: str, stdout: str, confined: Judge) -> None:
    problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdout=stdout),))
    assert verify(confined, code, problem).outcome is Outcome.WRONG_ANSWER


def test_there_are_enough_exploits_and_of_every_class() -> None:
    classes = {name[0] for name in (*FUNCTIONS, *PROGRAMS)}
    assert classes == set("ABCDEFG") and len(FUNCTIONS) + len(PROGRAMS) >= 240


def test_wrong_f_is_right_once() -> None:
    """The base of many adversaries is right for x = 2, so that test must not be among those used here."""
    assert all(test.args != (2,) for test in TESTS) and re.search("return 7", WRONG_F)


def processes_below(root: int) -> set[str]:
    """Names of all processes that descend from ``root``."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        head, _, tail = text.rpartition(")")
        pid = int(head.split(" ", 1)[0])
        names[pid], parents[pid] = head.split("(", 1)[1], int(tail.split()[1])
    found: set[int] = set()
    while True:
        more = {pid for pid, parent in parents.items() if (parent == root or parent in found) and pid not in found}
        if not more:
            return {names[pid] for pid in found}
        found |= more
