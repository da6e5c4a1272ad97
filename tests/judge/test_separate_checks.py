"""Checks that run in a process of their own: what they may be, what they find, and that they cannot be bribed."""

# ruff: noqa: E501, PTH208 - programs on one line each, and descriptors

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.judge import Judge
from critique_coder.judge.inside import link, values
from critique_coder.judge.separate_checks import _telling_nodes, separate_check
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind, Verdict

LOOP = "for x in (1, 3, 10):\n    assert f(x) == 3 * x + 1"
RIGHT = "def f(x): return 3 * x + 1"
CASES = (
    "import unittest\nclass T(unittest.TestCase):\n"
    "    def test_one(self):\n        self.assertEqual(f(1), 4)\n"
    "    def test_two(self):\n        for x in range(5): self.assertEqual(f(x), 3 * x + 1)\n"
)


def verify(judge: Judge, code: str, check: str = LOOP, kind: TestKind = TestKind.SCRIPT, time_s: float = 1) -> Verdict:
    problem = Problem(
        "p", "s", (TestCase(kind, code=check),), entry_point="f", time_limit_s=time_s, memory_limit_mb=128
    )
    return judge.verify(problem, Solution("s", "p", code))


def outcome(judge: Judge, code: str, check: str = LOOP, kind: TestKind = TestKind.SCRIPT) -> Outcome:
    verdict = verify(judge, code, check, kind)
    assert not verdict.shared_process
    return verdict.outcome


@pytest.mark.parametrize(
    ("check", "names"),
    [
        (LOOP, ("f",)),
        ("def check(candidate):\n    for i in range(9): assert candidate(i) == i", ("f",)),
        (
            "import random\nfor _ in range(9):\n    x = random.randint(0, 9)\n    assert f(x) == other(x)",
            ("f", "other"),
        ),
        ("try:\n    f(-1)\nexcept ValueError: pass\nelse: assert False", ("f",)),
        ("s = Stack()\ns.push(1)\nassert s.pop() == 1", ("Stack",)),
        ("def check(g):\n    assert g([2, 1]) == [1, 2]\ncheck(Solution().sort)", ("Solution",)),
        ("x = [3, 1]\nf(x)\nassert x == [1, 3]", ("f",)),
        (CASES, ("f",)),
        ("assert list(map(f, [1, 2])) == [4, 7]", ("f",)),
        ("for x in [[2, 1]]: assert sorted(f(x), key=lambda y: -y) == x", ("f",)),
        ("import math\nfor x in (1,): assert f(x, math.pi) == x", ("f",)),
        ("import random\nr = random.Random(1)\nfor _ in range(3): assert f(r.random()) == 1", ("f",)),
    ],
)
def test_texts_that_do_without_the_solution_beside_them(check: str, names: tuple[str, ...]) -> None:
    read = separate_check(check, "f")
    assert read is not None and read.names == names


@pytest.mark.parametrize(
    "check",
    [
        "import random\nrandom.seed(0)\nassert f(1) == 4",
        "from unittest.mock import patch\nwith patch('builtins.print'): f(1)",
        "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()): f(1)",
        "open('a', 'w').write('1')\nassert f('a') == 1",
        "assert isinstance(f(1), Number)",
        "class Mine: pass\nassert f(Mine()) == 1",
        "assert f(lambda x: x) == 1",
        "def g(x): return x\nassert f(g) == 1",
        "assert f(iter([1])) == 1",
        "assert isinstance(f(1), type(x for x in [1]))",
        "assert Vector(1) + Vector(2) == Vector(3)",
        "a = Vector(1)\nassert a == a",
        "f.cache = {}\nassert f(1) == 1",
        "assert f.__name__ == 'f'",
        "try: f(1)\nexcept MyError: pass",
        "assert f(1) is f(1)",
        "import sys\nassert f(1) == 4",
        "g = lambda x: x\nassert f(g) == 1",
        "assert f([lambda x: x]) == 1",
        "import operator\nassert f(operator.add) == 1",
        "it = iter([1])\nassert f(it) == 1",
        "it = (x for x in [1])\nassert f(it) == 1",
        "assert f(memoryview(b'')) == 1",
        "from collections import Counter\nassert f(Counter('a')) == 1",
        "from collections import namedtuple\nP = namedtuple('P', 'x')\nassert f(P(1)) == 1",
        "from decimal import getcontext\ngetcontext().prec = 5\nassert f(1) == 1",
        "f = 3\nassert f == 3",
        "assert True",
        "def f(:",
    ],
)
def test_texts_that_need_the_solution_beside_them(check: str) -> None:
    assert separate_check(check, "f") is None


@pytest.mark.parametrize(
    ("code", "check"),
    [
        (RIGHT, LOOP),
        ("def f(x): x.sort()", "for x in ([3, 1], [2, 2, 1]):\n    y = sorted(x)\n    f(x)\n    assert x == y"),
        ("def f(x): x['a'].append(1)", "x = {'a': []}\nkept = x['a']\nfor _ in range(2): f(x)\nassert kept == [1, 1]"),
        ("def f(n):\n    while True: yield n", "g = f(3)\nfor _ in range(3): assert next(g) == 3"),
        ("def f(n): return iter(range(n))", "for n in range(3): assert list(f(n)) == list(range(n))"),
        ("def f(n): return (i for i in range(n))", "for n in range(3): assert sum(f(n)) == sum(range(n))"),
        ("class S:\n    def __init__(self): self.items = []\n    def push(self, x): self.items.append(x)\n"
         "    def __len__(self): return len(self.items)",
         "s = S()\nfor i in range(3): s.push(i)\nassert s.items == [0, 1, 2] and s.items[-1] == 2"),
        ("class S:\n    def twice(self, x): return 2 * x\ndef f(): pass",
         "def check(g):\n    for i in range(4): assert g(i) == 2 * i\ncheck(S().twice)"),
        ("def f(x):\n    if x < 0: raise ValueError('negative')\n    return x",
         "for x in (-1, -2):\n    try: f(x)\n    except ValueError as e: assert 'negative' in str(e)\n    else: assert False"),
        ("class E(KeyError): pass\ndef f(x): raise E(x)", "for x in (1,):\n    try: f(x)\n    except KeyError: pass"),
        ("from collections import deque\ndef f(x): return deque([x], 3)",
         "from collections import deque\nfor x in (1, 2): assert f(x) == deque([x])"),
        ("from datetime import date\ndef f(x): return date(2000, 1, x)",
         "import datetime\nfor x in (1, 2): assert f(x) == datetime.date(2000, 1, x)"),
        ("def f(x): return {1: (x, {x}), None: [float('inf'), b'a', 1j]}",
         "for x in (1,): assert f(x) == {1: (x, {x}), None: [float('inf'), b'a', 1j]}"),
        ("def f(x): return math.floor(x)", "import math\nfor x in (1.5,): assert f(x) == math.floor(x)"),
        ("LIMIT = 3\ndef f(): return LIMIT", "for _ in range(2): assert f() == LIMIT"),
        ("def f(x): return x", "for _ in range(3):\n    big = list(range(50_000))\n    assert f(big) == big"),
    ],
)  # fmt: skip
def test_honest_programs_pass(code: str, check: str, judge: Judge) -> None:
    verdict = verify(judge, code, check, time_s=5)
    assert (verdict.outcome, verdict.shared_process) == (Outcome.PASSED, False), verdict.tests


def test_unittest_cases(judge: Judge) -> None:
    assert outcome(judge, RIGHT, CASES, TestKind.UNITTEST) is Outcome.PASSED
    assert outcome(judge, "def f(x): return 4", CASES, TestKind.UNITTEST) is Outcome.WRONG_ANSWER
    raises = (
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertRaises(ValueError, f, 1)\n"
        "        with self.assertRaises(ValueError): f(2)\n"
    )
    assert outcome(judge, "def f(x): raise ValueError", raises, TestKind.UNITTEST) is Outcome.PASSED
    assert outcome(judge, "def f(x): return x", raises, TestKind.UNITTEST) is Outcome.WRONG_ANSWER
    assert outcome(judge, "def f(x): 1 / 0", raises, TestKind.UNITTEST) is Outcome.RUNTIME_ERROR


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(x): return 7", Outcome.WRONG_ANSWER),
        ("class A(int):\n    def __eq__(s, o): return True\n    __hash__ = None\ndef f(x): return A(7)", Outcome.WRONG_ANSWER),
        ("class A:\n    def __eq__(s, o): return True\n    def __getattr__(s, n): return s\ndef f(x): return A()", Outcome.WRONG_ANSWER),
        ("from unittest import mock\ndef f(x): return mock.ANY", Outcome.WRONG_ANSWER),
        ("import sys\ndef f(x): sys.exit(0)", Outcome.RUNTIME_ERROR),
        ("import os\ndef f(x): os._exit(0)", Outcome.RUNTIME_ERROR),
        ("import os\nos._exit(0)", Outcome.RUNTIME_ERROR),
        ("import unittest\ndef f(x): raise unittest.SkipTest", Outcome.RUNTIME_ERROR),
        ("def f(x): 1 / 0", Outcome.RUNTIME_ERROR),
        ("def g(x): pass", Outcome.RUNTIME_ERROR),
        ("def f(:", Outcome.COMPILE_ERROR),
        ("def f(x):\n    while True: pass", Outcome.TIME_LIMIT),
        ("def f(x): return 'x' * (17 << 20)", Outcome.OUTPUT_LIMIT),
        ("x = bytearray(300 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1", Outcome.MEMORY_LIMIT),
        ("import socket\ndef f(x): socket.socket()", Outcome.FORBIDDEN),
        ("import os\nfor n in range(3, 99):\n    try: os.write(n, b'[\"passed\", \"\"]\\n' * 9)\n    except OSError: pass\ndef f(x): return 7", Outcome.RUNTIME_ERROR),
        ("import os\nos.closerange(3, 99)\ndef f(x): return 3 * x + 1", Outcome.RUNTIME_ERROR),
        ("import os\ndef f(x):\n    os.write(5, b'[\"value\", ' + b'[' * 10**5 + b'\\n')\n    return 3 * x + 1", Outcome.RUNTIME_ERROR),
        ("import os\ndef f(x):\n    os.write(5, b'[\"value\", {\"$kept\": \"x\"}, null]\\n')\n    return 3 * x + 1", Outcome.RUNTIME_ERROR),
        ("import gc, sys\ndef f(x):\n    for o in gc.get_objects():\n        if type(o) is dict and 'nonce' in o: return 3 * x + 1\n    return 7", Outcome.WRONG_ANSWER),
    ],
)  # fmt: skip
def test_wrong_programs_are_what_they_are(code: str, expected: Outcome, judge: Judge) -> None:
    for check, kind in ((LOOP, TestKind.SCRIPT), (CASES, TestKind.UNITTEST)):
        assert outcome(judge, code, check, kind) is expected, code
    assert outcome(judge, RIGHT) is Outcome.PASSED


def test_an_assertion_of_the_solution_is_no_pass(judge: Judge) -> None:
    assert outcome(judge, "def f(x): raise AssertionError") is Outcome.RUNTIME_ERROR
    assert outcome(judge, "def f(x): raise AssertionError", CASES, TestKind.UNITTEST) is Outcome.WRONG_ANSWER


def test_a_check_that_catches_everything_does_not_pass_a_dead_solution(judge: Judge) -> None:
    check = "for x in (1,):\n    try: f(x)\n    except BaseException: pass"
    assert outcome(judge, "import os\ndef f(x): os._exit(0)", check) is Outcome.RUNTIME_ERROR
    assert outcome(judge, "def f(x): 1 / 0", check) is Outcome.PASSED


def test_the_text_of_the_check_is_not_in_the_solutions_process(judge: Judge) -> None:
    check = "for x in (1, 2):\n    assert f(x) != 'token-0123'\n    assert f(x) is None"
    scan = (
        "import re\ngoal = b'[t]oken-0123'\ndef f(x):\n    for line in open('/proc/self/maps'):\n"
        "        m = re.match('([0-9a-f]+)-([0-9a-f]+) r', line)\n        if not m: continue\n"
        "        a, b = (int(p, 16) for p in m.groups())\n        try:\n            with open('/proc/self/mem', 'rb', 0) as mem:\n"
        "                mem.seek(a)\n                if re.search(goal, mem.read(b - a)): return 1\n"
        "        except (OSError, ValueError, OverflowError): pass\n"
    )
    assert outcome(judge, scan, check) is Outcome.PASSED


def test_what_cannot_cross_is_unscored_and_says_so(judge: Judge) -> None:
    verdict = verify(judge, RIGHT, "import string\nfor x in (string.Template('a'),):\n    assert f(x) == 1")
    assert verdict.outcome is Outcome.UNSCORED and "string.Template" in (verdict.tests[0].message or "")


def test_a_part_of_what_is_returned_is_taken_by_a_slice(judge: Judge) -> None:
    code = "class Row:\n    def __getitem__(self, key): return list(range(9))[key]\ndef f(x):\n    return Row()"
    check = "for n in (2, 3):\n    assert f(1)[:n] == list(range(9))[:n] and f(1)[::-n] == list(range(9))[::-n]"
    assert outcome(judge, code, check) is Outcome.PASSED


def test_what_cannot_cross_is_unscored_in_a_test_case_too(judge: Judge) -> None:
    check = (
        "import string, unittest\nclass TestCases(unittest.TestCase):\n    def test_it(self):\n"
        "        for x in (string.Template('a'),):\n            self.assertEqual(f(x), 1)\n"
    )
    verdict = verify(judge, RIGHT, check, TestKind.UNITTEST)
    assert verdict.outcome is Outcome.UNSCORED and "string.Template" in (verdict.tests[0].message or "")


def test_no_descriptor_is_left_behind(judge: Judge) -> None:
    verify(judge, RIGHT)
    before = len(os.listdir("/proc/self/fd"))
    for code in (RIGHT, "import os\nos._exit(1)", "def f(:", "def f(x):\n    while True: pass"):
        verify(judge, code)
    assert len(os.listdir("/proc/self/fd")) == before


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.dates()
    | st.decimals(allow_nan=False) | st.fractions() | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(PLAIN)
def test_values_of_the_standard_library_cross_unchanged(value: object) -> None:
    tagged = values.encode(value, 0, link._pack_stdlib)
    back = values.decode(tagged, link._unpack_stdlib)
    assert back == value and type(back) is type(value)


def test_a_solution_by_the_name_of_a_builtin(judge: Judge) -> None:
    problem = Problem(
        "p", "s", (TestCase(TestKind.SCRIPT, code="for x in (1, 2): assert sum(x, 1) == x + 1"),), entry_point="sum"
    )
    verdict = judge.verify(problem, Solution("s", "p", "def sum(a, b): return a + b"))
    assert (verdict.outcome, verdict.shared_process) == (Outcome.PASSED, False), verdict.tests


def test_a_long_literal_is_passed_over() -> None:
    check = f"rows = {[list(range(1000))] * 300}\nfor row in rows: assert f(row) == row"
    assert separate_check(check, "f") is not None
    assert len(_telling_nodes(ast.parse(check))) < 30


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["$kept", "$tuple", "$set", "$dict", "$range", "$collections.deque", "$x", "a"]), inner, max_size=2),
    max_leaves=8,
)  # fmt: skip
ANSWERS = st.binary(max_size=60) | st.tuples(st.sampled_from(["value", "end", "raised", "x"]), JSON, JSON).map(
    lambda answer: json.dumps(answer).encode()
)


@given(ANSWERS)
def test_whatever_the_solutions_process_sends_is_a_value_an_error_or_the_end(answer: bytes) -> None:
    (_, asked), (answers, told) = requests, replies = os.pipe(), os.pipe()
    os.write(told, answer + b"\n")
    os.close(told)
    old = link.REQUESTS, link.ANSWERS
    link.REQUESTS, link.ANSWERS = asked, answers
    client = link.Client(1 << 16)
    try:
        client.ask("len", [])
    except link.Gone as gone:
        assert str(gone) == client.broken
    except BaseException as error:  # one that the answer asked for, with what it said of it
        assert b"raised" in answer and hasattr(error, "told_by_the_solutions_process")
    finally:
        link.REQUESTS, link.ANSWERS = old
        for end in (*requests, replies[0]):
            os.close(end)


@pytest.mark.parametrize("shared", [False, True])
def test_a_unittest_lends_its_imports_and_a_patch_finds_its_own_name(
    shared: bool, script: Callable[..., Verdict]
) -> None:
    """As when both are one file, which is how BigCodeBench's tasks were tried."""
    patched = (
        "    @patch(__name__ + '.helper', return_value=1)\n    def test_patch(self, _): self.assertEqual(f(), 1)\n"
    )
    check = (
        "import os\nimport unittest\n" + ("from unittest.mock import patch\n" if shared else "import json\n")
        + "class T(unittest.TestCase):\n    def test(self): self.assertTrue(f())\n" + (patched if shared else "")
    )  # fmt: skip
    name = "os.sep" if shared else "json.dumps(5)"
    code = f"def helper(): return {name}\ndef f(): return helper()"
    check = check if shared else check.replace("import os\n", "")
    verdict = script(check, code, kind=TestKind.UNITTEST)
    assert (verdict.outcome, verdict.shared_process) == (Outcome.PASSED, shared), verdict.tests
