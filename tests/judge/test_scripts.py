"""Check scripts: which are rewritten into calls, and what the verdicts are."""

# ruff: noqa: E501 - programs on one line each

from __future__ import annotations

from collections.abc import Callable

import pytest

from critique_coder.judge.script_reading import read_script
from critique_coder.records import Outcome, TestKind, Verdict

Verify = Callable[..., Verdict]

HUMANEVAL = """
METADATA = {'author': 'jt', 'dataset': 'test'}

def check(candidate):
    assert candidate([1.0, 2.0], 0.5) == False
    assert candidate([1.0, 1.1], 0.3) == True, "close"
    assert True, "This prints if this assert fails 1 (good for debugging!)"
"""

REWRITTEN = {
    "equal": ("assert f(3) == 4", "def f(x): return x + 1"),
    "reversed": ("assert 4 == f(3)", "def f(x): return x + 1"),
    "truth": ("assert f(3)", "def f(x): return x"),
    "not": ("assert not f(3)", "def f(x): return []"),
    "is True": ("assert f(3) is True", "def f(x): return x == 3"),
    "is None": ("assert f(3) is None", "def f(x): pass"),
    "is not": ("assert f(3) is not None", "def f(x): return 0"),
    "True == 1 in scripts": ("assert f(3) == True", "def f(x): return 1"),
    "unequal": ("assert f(3) != 4", "def f(x): return 5"),
    "in": ("assert f(3) in [4, 5]", "def f(x): return 5"),
    "not in": ("assert 9 not in f(3)", "def f(x): return {1: 2}"),
    "abs": ("assert abs(f(3) - 4.5) < 1e-6", "def f(x): return x + 1.5000001"),
    "chain": ("assert 1 < f(3) <= 4", "def f(x): return 4"),
    "isclose": ("import math\nassert math.isclose(f(3), math.pi, rel_tol=1e-6)", "def f(x): return 3.14159265"),
    "truth of an object": ("assert f('ab')", "import re\ndef f(s): return re.match('a', s)"),
    "untruth of an object": ("assert not f('ab')", "class A:\n    def __len__(self): return 0\ndef f(s): return A()"),
    "an object is not None": ("assert f(1) is not None", "def f(s): return object()"),
    "import of the check serves the solution": ("import math\nassert f(3) == 1", "def f(x): return math.floor(1.5)"),
    "own name before the check's import": ("import math\nassert f(3) == 5", "math = 5\ndef f(x): return math"),
    "set": ("assert set(f(3)) == set([2, 1])", "def f(x): return [1, 2, 2]"),
    "set of a generator": ("assert set(f(3)) == {1, 2}", "def f(x): yield from (2, 1)"),
    "sorted": ("assert sorted(f(3)) == [1, 2]", "def f(x): return {2, 1}"),
    "list of tuples": ("assert list(f(3)) == [(1, 2)]", "def f(x): return zip([1], [2])"),
    "tuple": ("assert tuple(f(3)) == (1, 2)", "def f(x): return [1, 2]"),
    "length": ("assert len(f(3)) == 2", "def f(x): return {1: 1, 2: 2}"),
    "item": ("assert f(3)[1] == 'b' and f(3)[0] == 'a'", "def f(x): return ['a', 'b']"),
    "arithmetic on literals": ("assert f(10**5, -1, [0] * 5, 'a' * 3) == 10**5 + 2**3", "def f(*a): return a[0] + 8"),
    "locals": ("x = [3, 4]\ny = 7\nassert f(x) == y", "def f(x): return sum(x)"),
    "result in a local": ("r = f(3)\nassert r == 4\nassert r > 3", "def f(x): return 4"),
    "check": (HUMANEVAL, "def f(a, d): return d < 0.4"),
    "check called": (HUMANEVAL + "\ncheck(f)\n", "def f(a, d): return d < 0.4"),
    "keywords": ("assert f(a=1, b={'x': (1, 2)}) == [1]", "def f(a, b): return [a]"),
    "method": ("assert Solution().g(2) == 4\n", "class Solution:\n    def g(self, x): return 2 * x"),
    "other names of the solution": (
        "assert helper(1) == 2 and f(1) == 1",
        "def helper(x): return 2\ndef f(x): return 1",
    ),
    "dict with int keys": ("assert f(1) == {1: {2}, (3, 4): None}", "def f(x): return {(3, 4): None, 1: {2}}"),
    "state between calls": (
        "assert f(1) == 1\nassert f(1) == 2",
        "n = 0\ndef f(x):\n    global n\n    n += x\n    return n",
    ),
    "counter": ("assert f('aab') == {'a': 2, 'b': 1}", "import collections\ndef f(s): return collections.Counter(s)"),
    "empty set": ("assert f(1) == set()", "def f(x): return set()"),
    "nan": ("assert f(1) != float('nan')", "def f(x): return float('nan')"),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_rewritten_and_right(name: str, script: Verify) -> None:
    check, code = REWRITTEN[name]
    assert read_script(check, "f") is not None
    verdict = script(check, code)
    assert (verdict.outcome, verdict.shared_process) == (Outcome.PASSED, False), verdict.tests


WRONG = {
    "other value": ("assert f(3) == 4", "def f(x): return 5"),
    "list is not tuple": ("assert f(3) == (1, 2)", "def f(x): return [1, 2]"),
    "second assert": ("assert f(3) == 4\nassert f(4) == 5", "def f(x): return 4"),
    "False assert": ("assert f(3) == 4\nassert False", "def f(x): return 4"),
    "1 is not True": ("assert f(3) is True", "def f(x): return 1"),
    "equal int": ("assert f(3) == 4", "class A(int):\n    def __eq__(self, o): return True\ndef f(x): return A(3)"),
    "equal object in a set": ("assert set(f(3)) == {1}", ("class A:\n    def __eq__(self, o): return True\n    def __hash__(self): return 1\n"
                              "def f(x): return [A()]")),
    "an object is not True": ("assert f(3) is True", "class A:\n    def __eq__(self, o): return True\ndef f(x): return A()"),
    "missing item": ("assert 3 in f(1)", "def f(x): return [1, 2]"),
    "wrong first, then endless": ("assert f(1) == 2\nassert f(2) == 2", "def f(x):\n    while x > 1: pass\n    return 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_rewritten_and_wrong(name: str, script: Verify) -> None:
    check, code = WRONG[name]
    verdict = script(check, code, time_limit_s=0.3)
    assert (verdict.outcome, verdict.shared_process) == (Outcome.WRONG_ANSWER, False), verdict.tests


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("def f(x): return 1 / 0", Outcome.RUNTIME_ERROR),
        ("import os\ndef f(x): os._exit(0)", Outcome.RUNTIME_ERROR),
        ("import sys\nsys.exit(0)", Outcome.RUNTIME_ERROR),
        ("def g(x): return 4", Outcome.RUNTIME_ERROR),
        ("def f(x):\n    while True: pass", Outcome.TIME_LIMIT),
        ("def f(x) return 4", Outcome.COMPILE_ERROR),
    ],
)
@pytest.mark.parametrize("check", ["assert f(3) == 4", "import re\nassert re.match('4', str(f(3)))"])
def test_bad_endings(check: str, code: str, outcome: Outcome, script: Verify) -> None:
    assert script(check, code, time_limit_s=0.3).outcome is outcome


NOT_REWRITTEN = [
    "for x in (1, 2): assert f(x) == x",
    "import re\nassert re.match('a', f(1))",
    "assert f(f(1)) == 1",
    "x = [1]\nassert f(x) == 1\nassert x == [2]",
    "x = [1]\ny = x\nassert f(x) == 1",
    "assert f(1) == other",
    "assert f(lambda: 1) == 1",
    "try:\n    f(1)\nexcept ValueError:\n    pass",
    "assert f(1) * 3 == 3",
    "assert f(1) is f(1)",
    "assert any(f(x) for x in (1, 2))",
    "assert f(1) == 10**10**10",
    "assert len([1]) == 1",
    "def len(x): return 1\nassert len(f(1)) == 1",
    "import random\nrandom.seed(1)\nassert f(1) == 1",
    "",
]


@pytest.mark.parametrize("check", NOT_REWRITTEN)
def test_not_rewritten(check: str) -> None:
    assert read_script(check, "f") is None


@pytest.mark.parametrize(
    ("check", "code", "outcome"),
    [
        ("import re\nassert re.match('a', f(1))", "def f(x): return 'abc'", Outcome.PASSED),
        ("import re\nassert re.match('b', f(1))", "def f(x): return 'abc'", Outcome.WRONG_ANSWER),
        ("def check(candidate):\n    for x in range(3): assert candidate(x) == x", "def f(x): return x", Outcome.PASSED),
        ("def check(candidate):\n    for x in range(3): assert candidate(x) == x", "def f(x): return 0", Outcome.WRONG_ANSWER),
        ("for x in (1, 2): assert len(f(x)) == x", "def len(x): return 1\ndef f(x): return [0] * x", Outcome.PASSED),
        ("import math\nfor x in (1, 2): assert f(x) == math.floor(x)", "math = None\ndef f(x): return x", Outcome.PASSED),
        ("for x in (1, 2): assert f(x) == x", "def f(x): assert x < 2\n", Outcome.WRONG_ANSWER),
        ("for x in (1, 2): assert f(x) == x", "def f(x): assert False\n", Outcome.RUNTIME_ERROR),
        ("for x in (1, 2): assert f(x) == x\nif __name__ == '__main__': 1/0", "def f(x): return x\nif __name__ == '__main__': 1/0", Outcome.PASSED),
    ],
)  # fmt: skip
def test_in_a_process_of_its_own(check: str, code: str, outcome: Outcome, script: Verify) -> None:
    verdict = script(check, code)
    assert (verdict.outcome, verdict.shared_process) == (outcome, False), verdict.tests


@pytest.mark.parametrize(
    ("check", "code", "outcome"),
    [
        ("import random\nrandom.seed(5)\nx = random.random()\nrandom.seed(5)\nassert f(1) == x", "import random\ndef f(_): return random.random()",
         Outcome.PASSED),
        ("import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as out: f(1)\nassert out.getvalue() == '1\\n'", "def f(x): print(x)",
         Outcome.PASSED),
        ("open('a', 'w').write('1')\nassert f('a') == 1", "def f(name): return int(open(name).read())", Outcome.PASSED),
        ("open('a', 'w').write('2')\nassert f('a') == 1", "def f(name): return int(open(name).read())", Outcome.WRONG_ANSWER),
        ("assert f(lambda x: x) == 1", "def f(g): return g(1)", Outcome.PASSED),
    ],
)  # fmt: skip
def test_shared(check: str, code: str, outcome: Outcome, script: Verify) -> None:
    verdict = script(check, code)
    assert (verdict.outcome, verdict.shared_process) == (outcome, True), verdict.tests


UNITTEST = """
import unittest
from unittest import mock
class TestF(unittest.TestCase):
    def test_value(self):
        self.assertEqual(f(2), 4)
    def test_mock(self):
        with mock.patch('builtins.abs', return_value=9):
            self.assertEqual(abs(-1), 9)
"""


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("def f(x): return 2 * x", Outcome.PASSED),
        ("def f(x): return x", Outcome.WRONG_ANSWER),
        ("import unittest\ndef f(x): raise unittest.SkipTest()", Outcome.WRONG_ANSWER),
        ("import sys\ndef f(x): sys.exit(0)", Outcome.RUNTIME_ERROR),
        ("import os\ndef f(x): os._exit(0)", Outcome.RUNTIME_ERROR),
        (
            "import unittest\nunittest.TestLoader.loadTestsFromTestCase = lambda *a: unittest.TestSuite()\ndef f(x): return 0",
            Outcome.WRONG_ANSWER,
        ),
    ],
)
def test_unittest(code: str, outcome: Outcome, script: Verify) -> None:
    verdict = script(UNITTEST, code, kind=TestKind.UNITTEST)
    assert (verdict.outcome, verdict.shared_process) == (outcome, True), verdict.tests


def test_missing_modules_are_not_the_solutions_fault(script: Verify) -> None:
    verdict = script("import numpy as np\nassert np.allclose(f(1), 1)", "def f(x): return 1")
    assert verdict.outcome is Outcome.UNSCORED and "numpy" in (verdict.tests[0].message or "")


@pytest.mark.parametrize(
    ("starter", "code"),
    [
        ('from typing import List\ndef f(x: List[int]) -> int:\n    """Doc."""\n', "    return len(x)\n"),
        (
            'from typing import List\ndef f(x: List[int]) -> int:\n    """Doc."""\n',
            "def f(x: List[int]):\n    return len(x)\n",
        ),
        ("class Solution:\n    def f(self, x):\n        ", "def f(x): return len(x)"),
        ("", "def f(x): return len(x)"),
    ],
)
def test_starter_code_goes_before_a_completion(starter: str, code: str, script: Verify) -> None:
    assert script("assert f([1, 2]) == 2", code, starter_code=starter).outcome is Outcome.PASSED


STARTER = '''
import math

SHIFT = 3

def stub():
    """Write this one too."""

def helper(values, x):
    """What the check is made with."""
    return math.fsum(SHIFT * value * x for value in values)

def f(x):
'''
"""A starter that breaks off would be no program; this one ends in the docstring of ``f``."""


@pytest.mark.parametrize("cheat", ["def helper(*a): return 0", "import math\nmath.fsum = lambda a: 0", "SHIFT = 0"])
def test_a_helper_of_the_starter_code_cannot_be_replaced(cheat: str, script: Callable[..., Verdict]) -> None:
    starter = STARTER + '    """Return 0."""\n'
    check = "def check(candidate):\n    for x in (1, 2):\n        assert helper([1, 2], candidate(x)) == 0"
    right = starter + "    return 0"
    assert script(check, right, starter_code=starter).outcome is Outcome.PASSED
    wrong = script(check, f"{starter}    return x\n{cheat}\n", starter_code=starter)
    assert wrong.outcome is Outcome.WRONG_ANSWER and not wrong.shared_process


def test_a_stub_of_the_starter_code_is_the_solutions_to_write(script: Callable[..., Verdict]) -> None:
    starter = STARTER + '    """Return 0."""\n'
    code = starter + "    return 0\ndef stub(): return 5"
    assert script("assert stub() == 5\nassert f(1) == 0", code, starter_code=starter).outcome is Outcome.PASSED


def test_spelled_out_arguments_are_rewritten() -> None:
    found = read_script("assert f(*[1, [2]]) == 3\nassert f(*(4,), x=5) == 6", "f")
    assert found is not None
    assert [(call["args"], call["kwargs"]) for call in found.calls] == [([1, [2]], {}), ([4], {"x": 5})]
    assert read_script("x = [1]\nassert f(*x) == 3", "f") is None
