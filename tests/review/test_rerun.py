"""Solutions are run again for people: what came out is shown, an own input is run, and it can be kept as a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critique_coder.judge import IsolationError, Judge
from critique_coder.judge.inside.values import decode
from critique_coder.records import Checker, CheckerName, Outcome, Problem, TestCase, TestKind
from critique_coder.review import store as store_module
from critique_coder.review.adjudication import Answer
from critique_coder.review.apply import plan, write_feedback
from critique_coder.review.cases import Case, Question
from critique_coder.review.rerun import Busy, Reruns, contradicting, keep, keepers, own_kind, own_test
from critique_coder.review.store import FILE, Given, ReviewStore, item_sha256
from critique_coder.storage import read_rows
from making import a_problem, complaint

DOUBLE = a_problem()
FLOAT = Checker(CheckerName.FLOAT, abs_tol=0.1)
ECHO = Problem("echo", "Say it twice.", (TestCase(TestKind.STDIO, stdin="a\n", stdout="a a\n"),))
CHECKED = Problem("check", "Write `f`.", (TestCase(TestKind.SCRIPT, code="assert f(1) == 2"),))
TOO_LONG = (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT)
BAD_INPUTS: list[tuple[Problem, str, str | None, str]] = [
    (DOUBLE, "1) + g(2", None, "write only values"),
    (DOUBLE, "*[1, 2]", None, "cannot be used"),
    (DOUBLE, "**{'n': 1}", None, "cannot be used"),
    (DOUBLE, "open('/etc/passwd')", None, "only plain values"),
    (DOUBLE, "[", None, "cannot be read"),
    (DOUBLE, "1", "2 +", "expected answer"),
    (DOUBLE, "(" * 5000, None, "cannot be read"),
    (DOUBLE, "-" * 50_000 + "1", None, "the arguments"),
    (DOUBLE, "'" + "x" * 200_000 + "'", None, "longer than"),
    (ECHO, "\ud800", None, "half of a character"),
    (CHECKED, "  ", None, "is empty"),
    (CHECKED, "assert f(", None, "no Python"),
]


def a_case(problem: Problem, code: str) -> Case:
    return Case("critique/s", problem, "s", code, tests=False)


@pytest.fixture(scope="module")
def reruns() -> Iterator[Reruns]:
    with Reruns(lambda: Judge(workers=1, time_limit_s=1)) as found:
        yield found


def test_the_tests_run_again_and_show_what_came_out(reruns: Reruns) -> None:
    found = reruns.tests(a_case(DOUBLE, "def double(n):\n    return n + 2 if n < 3 else [(n,)] * 2\n"))
    assert [found[place].outcome for place in range(4)] == [
        Outcome.WRONG_ANSWER, Outcome.WRONG_ANSWER, Outcome.PASSED, Outcome.WRONG_ANSWER,
    ]  # fmt: skip
    assert [found[place].got for place in range(4)] == ["2", "3", "4", "[(3,), (3,)]"]
    raised = reruns.tests(a_case(DOUBLE, "def double(n):\n    raise ValueError(n)\n"))[1]
    assert (raised.outcome, raised.got) == (Outcome.RUNTIME_ERROR, None) and "ValueError" in (raised.message or "")


def test_a_whole_program_shows_its_output_though_it_is_wrong(reruns: Reruns) -> None:
    found = reruns.tests(a_case(ECHO, "print(input())\nprint('\\ud800'.encode('utf-8', 'replace'))\n"))
    assert found[0].outcome is Outcome.WRONG_ANSWER and (found[0].got or "").startswith("a\n")


def test_a_long_value_is_shown_whole(reruns: Reruns) -> None:
    found = reruns.tests(a_case(DOUBLE, "def double(n):\n    return list(range(500))\n"))
    assert found[0].got == str(list(range(500)))


def test_an_input_of_ones_own_shows_what_comes_out(reruns: Reruns) -> None:
    case = a_case(DOUBLE, "def double(n, times=1):\n    return {'n': (n * 2,)}\n")
    tried = reruns.own(case, own_test(DOUBLE, "21, times=3", None), expects=False)
    assert (tried.outcome, tried.got, tried.message) == (None, "{'n': (42,)}", None)
    held = reruns.own(case, own_test(DOUBLE, "21", "42"), expects=True)
    assert held.outcome is Outcome.WRONG_ANSWER and held.got == "{'n': (42,)}"
    lost = reruns.own(a_case(DOUBLE, "def double(n):\n    return object()\n"), own_test(DOUBLE, "1", None), False)
    assert lost.outcome is Outcome.WRONG_ANSWER and "object" in (lost.message or "")
    said = reruns.own(a_case(ECHO, "w = input()\nprint(w, w)\n"), own_test(ECHO, "hi", None), expects=False)
    assert (said.outcome, said.got) == (None, "hi hi\n")
    checked = reruns.own(
        a_case(CHECKED, "def f(n):\n    return 3\n"), own_test(CHECKED, "assert f(1) == 2", None), False
    )
    assert checked.outcome is not None and checked.outcome is not Outcome.PASSED
    endless = reruns.own(a_case(DOUBLE, "def double(n):\n    while True: pass\n"), own_test(DOUBLE, "1", None), False)
    assert endless.outcome in TOO_LONG


def test_the_kind_of_input_follows_the_problem() -> None:
    assert [own_kind(problem) for problem in (DOUBLE, ECHO, CHECKED)] == [
        TestKind.CALL,
        TestKind.STDIO,
        TestKind.SCRIPT,
    ]
    completion = Problem("h", "s", CHECKED.tests, starter_code="def f(n):\n", entry_point="f")
    assert own_kind(completion) is TestKind.SCRIPT
    project = Problem("j", "s", (TestCase(TestKind.PROJECT, command="make"),), language="cpp")
    assert own_kind(project) is None and "project" in complaint(own_test, project, "x", None)


def test_an_own_test_is_compared_as_the_problems_are() -> None:
    near = Problem("n", "s", (TestCase(TestKind.CALL, args=(1,), expected=1.0, checker=FLOAT),), entry_point="f")
    assert own_test(near, "1", "1.0").checker == FLOAT


@pytest.mark.parametrize(("problem", "text", "expected", "told"), BAD_INPUTS)
def test_what_cannot_be_read_is_said_in_one_line(problem: Problem, text: str, expected: str | None, told: str) -> None:
    assert told in complaint(own_test, problem, text, expected)


plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=25)
@given(plain, plain)
def test_values_are_read_as_python_writes_them(argument: Any, expected: Any) -> None:
    try:
        repr(argument).encode(), repr(expected).encode()
    except UnicodeEncodeError:
        return
    test = own_test(DOUBLE, f"{argument!r}, k={argument!r}", repr(expected))
    assert decode(list(test.args)) == [argument] and decode(test.kwargs["k"]) == argument
    assert decode(test.expected) == expected
    assert TestCase.from_json(test.to_json(), "here") == test


def test_a_kept_test_reaches_the_feedback_with_who_wrote_it(tmp_path: Path) -> None:
    case = a_case(DOUBLE, "def double(n):\n    return n + 2\n")
    test = own_test(DOUBLE, "21", "42")
    with ReviewStore(tmp_path / FILE) as store:
        assert keep(store, case, "ann", test) and not keep(store, case, "ann", test)
        (kept,) = store.added_tests()
        assert (kept.kept_by, kept.item, kept.test) == ("ann", "critique/s", test) and abs(kept.at - time.time()) < 60
        assert "already" in complaint(keep, store, case, "ann", DOUBLE.tests[0])
        assert contradicting(store.added_tests(), case, own_test(DOUBLE, "21", "43")) == [kept]
        assert not contradicting(store.added_tests(), case, test)
        store.give(Given("k", case.id, "ann", {Question.CORRECT: Answer.NO}, item_sha256(case)))
        write_feedback(plan(store.evidence([case])), tmp_path / "feedback")
    ((_, review),) = read_rows(tmp_path / "feedback" / "problem_reviews.jsonl")
    assert review["action"] == "replace_tests" and review["reason"] == "1 test added by ann"
    assert review["tests"] == [one.to_json() for one in (*DOUBLE.tests, test)]


def test_two_people_can_stand_by_one_test(tmp_path: Path) -> None:
    case = a_case(DOUBLE, "def double(n):\n    return n + 2\n")
    test = own_test(DOUBLE, "21", "42")
    with ReviewStore(tmp_path / FILE) as store:
        assert keep(store, case, "ann", test) and plan(store.evidence([case]), min_people=2).problems == ()
        assert keep(store, case, "ben", test) and keepers(store.added_tests(), case, test) == {"ann", "ben"}
        assert keepers(store.added_tests(), case, own_test(DOUBLE, "22", "44")) == set()
        (review,) = plan(store.evidence([case]), min_people=2).problems
    assert review.reason == "1 test added by ann, ben" and review.tests == (*DOUBLE.tests, test)


@pytest.mark.parametrize("value", [2**62, -(2**64), [10**30], {"a": 2**70}, {2**63: (2**65,)}])
def test_long_integers_go_into_a_kept_test_and_come_back(tmp_path: Path, value: Any) -> None:
    test = own_test(DOUBLE, repr(value), repr(value))
    assert decode(test.expected) == value and decode(list(test.args)) == [value]
    with ReviewStore(tmp_path / FILE) as store:
        assert keep(store, a_case(DOUBLE, "x"), "ann", test)
        assert store.added_tests()[0].test == test


def test_a_store_of_before_takes_the_item_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE
    with monkeypatch.context() as older:
        older.setattr(store_module, "MIGRATIONS", store_module.MIGRATIONS[:2])
        ReviewStore(path).close()
    with ReviewStore(path) as store:
        assert keep(store, a_case(DOUBLE, "x"), "ann", own_test(DOUBLE, "9", "18"))
        assert store.added_tests()[0].item == "critique/s"


def test_the_time_for_one_solution_is_bounded() -> None:
    slow = "import time\ndef double(n):\n    time.sleep(0.2)\n    return 2 * n\n"
    with Reruns(lambda: Judge(workers=1), most_s=0.1) as reruns:
        assert 1 <= len(reruns.tests(a_case(DOUBLE, slow))) < 4


def test_a_machine_that_cannot_confine_says_so_and_the_rest_goes_on() -> None:
    def refuse() -> Judge:
        raise IsolationError("no namespaces. To fix: install bubblewrap")

    with Reruns(refuse) as reruns:
        for _ in range(12):  # more than may wait: each failure gives its turn back
            assert "install bubblewrap" in complaint(reruns.tests, a_case(DOUBLE, "x"))


def test_too_many_at_once_are_sent_away() -> None:
    go_on = threading.Event()

    def wait() -> Judge:
        go_on.wait()
        return Judge(workers=1)

    with Reruns(wait) as reruns:
        case = a_case(DOUBLE, "def double(n):\n    return 2 * n\n")
        answers: list[Any] = []
        threads = [threading.Thread(target=lambda: answers.append(reruns.tests(case))) for _ in range(8)]
        for thread in threads:
            thread.start()
        limit = time.monotonic() + 5
        while reruns._waiting._value and time.monotonic() < limit:
            time.sleep(0.01)
        with pytest.raises(Busy):
            reruns.tests(case)
        go_on.set()
        for thread in threads:
            thread.join()
        assert len(answers) == 8 and all(len(found) == 4 for found in answers)


def test_the_limits_are_the_builds(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"settings": {"judge": {"time_limit_s": 0.2, "memory_limit_mb": 300}}}')
    with Reruns.of_folder(tmp_path) as reruns:
        tried = reruns.own(
            a_case(DOUBLE, "def double(n):\n    while True: pass\n"), own_test(DOUBLE, "1", None), expects=False
        )
        assert tried.outcome in TOO_LONG and reruns._judge is not None and reruns._judge.limits.time_s == 0.2


def test_a_program_in_another_language_shows_its_output(reruns: Reruns) -> None:
    code = '#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n + 1 << "\\n"; }\n'
    tests = (TestCase(TestKind.STDIO, stdin="1", stdout="2\n"), TestCase(TestKind.STDIO, stdin="2", stdout="4\n"))
    found = reruns.tests(a_case(Problem("c", "s", tests, language="cpp"), code))
    assert [(one.outcome, one.got) for one in found.values()] == [
        (Outcome.PASSED, "2\n"), (Outcome.WRONG_ANSWER, "3\n"),
    ]  # fmt: skip
