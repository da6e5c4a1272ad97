"""Programs import the packages that the judge was told of, at every level, and reach nothing that lies beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from critique_coder.judge import Isolation, Judge
from critique_coder.judge.packages import installed
from critique_coder.records import BadInput, Outcome, Problem, Solution, TestCase, TestKind

ALLOWED = ("numpy", "sortedcontainers")


@pytest.fixture(scope="module", params=list(Isolation))
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    with Judge(1, isolation=request.param, allow_no_isolation=True, packages=ALLOWED) as judge:
        yield judge


def test_a_package_is_imported_with_its_libraries(judge: Judge) -> None:
    code = "import numpy as np, sortedcontainers as s\nprint(np.linalg.inv(np.eye(2))[0, 0], s.SortedList([2, 1])[0])"
    result = judge.run_program(code)
    assert (result.stdout, result.outcome) == ("1.0 1\n", Outcome.PASSED), result.stderr


def test_numpy_values_are_returned_and_compared(judge: Judge) -> None:
    test = TestCase(TestKind.CALL, args=([1, 2, 3],), expected=6)
    code = "import numpy as np\ndef f(xs):\n    return np.sum(np.array(xs))"
    verdict = judge.verify(Problem("p", "s", (test,), entry_point="f"), Solution("s", "p", code=code))
    assert verdict.outcome is Outcome.PASSED, verdict.tests


def test_what_lies_beside_is_not_found(judge: Judge) -> None:
    tries = "\n".join(
        f"try:\n    import {name}\n    print('{name}')\nexcept ImportError:\n    pass"
        for name in ("hypothesis", "pytest", "torch", "critique_coder")
    )
    assert judge.run_program(tries).stdout == ""


@pytest.mark.parametrize("judge", [Isolation.FULL, Isolation.LIGHT], indirect=True)
def test_what_lies_beside_cannot_be_read_nor_the_package_written(judge: Judge) -> None:
    code = f"""
import os, numpy
for path in ({str(Path(pytest.__file__).resolve())!r}, {str(Path(__file__).resolve())!r}):
    try:
        print(open(path).read()[:9])
    except OSError:
        pass
for act in (lambda p: open(p + '/x', 'w'), lambda p: os.remove(p + '/__init__.py'), lambda p: os.rename(p, p + '2')):
    try:
        print(act(os.path.dirname(numpy.__file__)))
    except OSError:
        pass
"""
    result = judge.run_program(code)
    assert (result.stdout, result.outcome) == ("", Outcome.PASSED), result.stderr


def test_a_check_in_its_own_process_gets_numpy_numbers_as_numbers(judge: Judge) -> None:
    text = (
        "import unittest\nclass TestCases(unittest.TestCase):\n"
        "    def test_it(self):\n        self.assertAlmostEqual(f([1, 2]), 1.5)"
    )
    problem = Problem("p", "s", (TestCase(TestKind.UNITTEST, code=text),), entry_point="f")
    for body, wanted in (("np.mean(xs)", Outcome.PASSED), ("np.max(xs)", Outcome.WRONG_ANSWER)):
        verdict = judge.verify(problem, Solution("s", "p", code=f"import numpy as np\ndef f(xs):\n    return {body}"))
        assert verdict.outcome is wanted and not verdict.shared_process, verdict.tests


def test_a_check_may_import_it_too(judge: Judge) -> None:
    check = TestCase(TestKind.SCRIPT, code="import numpy as np\nxs = f(3)\nassert float(np.mean(xs)) == 1.0")
    problem = Problem("p", "s", (check,), entry_point="f")
    verdict = judge.verify(problem, Solution("s", "p", code="import numpy as np\ndef f(n):\n    return np.arange(n)"))
    assert verdict.outcome is Outcome.PASSED and verdict.shared_process, verdict.tests


def test_without_them_there_is_the_standard_library_alone() -> None:
    with Judge(1) as judge:
        assert "ModuleNotFoundError" in judge.run_program("import numpy").stderr
        check = TestCase(TestKind.SCRIPT, code="import numpy\nfor i in range(2): assert f(i) == numpy.int64(i)")
        problem = Problem("p", "s", (check,), entry_point="f")
        verdict = judge.verify(problem, Solution("s", "p", code="def f(x): return x"))
        assert verdict.outcome is Outcome.UNSCORED and "'numpy'" in str(verdict.tests[0].message)


@pytest.mark.parametrize("name", ["nonesuch", "os", "critique_coder", "../numpy", "numpy.linalg", ""])
def test_what_is_no_installed_package_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadInput, match="package"):
        installed([name])


def test_a_distribution_brings_its_libraries_and_nothing_else() -> None:
    found = installed(["numpy"])
    assert [name for name, _ in found.modules] == ["numpy"]
    assert {Path(path).name for path in found.paths} == {"numpy", "numpy.libs"}
