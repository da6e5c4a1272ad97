"""Runs solutions for people who ask: their tests again, or an input of the person's own, which may become a test.

The judge starts with the first request, with the limits of the build. What a person runs shows what tests found, so the
pages note it as seen.
"""

from __future__ import annotations

import ast
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from critique_coder.judge import IsolationError, Judge, Observed
from critique_coder.judge.inside.values import NotAValue, encode
from critique_coder.records import BadInput, Checker, Json, Outcome, Problem, Solution, TestCase, TestKind
from critique_coder.review.cases import AddedTest, Case
from critique_coder.review.from_build import build_of, build_settings
from critique_coder.review.shown import Found
from critique_coder.review.store import ReviewStore
from critique_coder.storage import dumps

LONGEST_INPUT = 100_000
MOST_S = 60.0
"""Seconds that the tests of one solution may take together; what was not run by then is left out."""
_AT_ONCE = 2
_MOST_WAITING = 8
_NO_EXPECTATION: Json = {"$tuple": ["no expectation", "5d0f6e"]}


class Busy(BadInput):
    """Too many people run something at this moment; the same request may be sent again."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a person's input. ``outcome`` is PASSED or WRONG_ANSWER only where an answer was expected; None
    says that the program ended normally and ``got`` is what it gave."""

    outcome: Outcome | None
    got: str | None
    message: str | None


def judge_opener(folder: Path, allow_no_isolation: bool = False) -> Callable[[], Judge]:
    """Opens a judge with the limits under which the build of a reviewed folder ran."""
    settings = build_settings(build_of(folder)).get("judge", {})
    limits = {name: settings[name] for name in ("time_limit_s", "memory_limit_mb", "packages") if name in settings}
    return lambda: Judge(workers=_AT_ONCE, allow_no_isolation=allow_no_isolation, **limits)


class Reruns:
    """Runs solutions in a judge of its own, a few at a time. Safe for several threads; close it, or use ``with``."""

    def __init__(self, open_judge: Callable[[], Judge], most_s: float = MOST_S) -> None:
        self._open, self._most_s = open_judge, most_s
        self._judge: Judge | None = None
        self._opening = threading.Lock()
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)
        self._running = threading.BoundedSemaphore(_AT_ONCE)

    @classmethod
    def of_folder(cls, folder: Path, allow_no_isolation: bool = False) -> Self:
        """With the limits under which the build of a reviewed folder ran."""
        return cls(judge_opener(folder, allow_no_isolation))

    def tests(self, case: Case) -> dict[int, Found]:
        """Run the tests of a case's problem; what each found, by place from 0.

        Tests beyond the time for one solution are missing. Raises BadInput when nothing can be run here, and Busy.
        """
        found: dict[int, Found] = {}
        start = time.monotonic()
        with self._turn() as judge:
            for place, one in enumerate(judge.observe(case.problem, _solution(case))):
                found[place] = Found(one.result.outcome, one.got, one.result.message)
                if time.monotonic() - start > self._most_s:
                    break
        return found

    def own(self, case: Case, test: TestCase, expects: bool) -> Tried:
        """Run one test that a person wrote; ``expects`` says whether it holds an answer. Raises BadInput, and Busy."""
        problem = replace(case.problem, tests=(test,))
        with self._turn() as judge:
            (one,) = judge.observe(problem, _solution(case))
        return _tried(one, expects or test.kind is TestKind.SCRIPT)

    def _turn(self) -> _Turn:
        return _Turn(self._opened, self._waiting, self._running)

    def _opened(self) -> Judge:
        with self._opening:
            if self._judge is None:
                try:
                    self._judge = self._open()
                except IsolationError as error:
                    raise BadInput(f"nothing can be run here: {error}") from None
            return self._judge

    def close(self) -> None:
        """End the judge's processes. May be called twice."""
        with self._opening:
            if self._judge is not None:
                self._judge.close()
                self._judge = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Turn:
    """One request's turn at the judge."""

    def __init__(
        self, opened: Callable[[], Judge], waiting: threading.BoundedSemaphore, running: threading.BoundedSemaphore
    ) -> None:
        self._opened, self._waiting, self._running = opened, waiting, running

    def __enter__(self) -> Judge:
        if not self._waiting.acquire(blocking=False):
            raise Busy("others are running solutions at this moment; try again in a few seconds")
        self._running.acquire()
        try:
            return self._opened()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._running.release()
        self._waiting.release()


def _solution(case: Case) -> Solution:
    return Solution(case.solution_id, case.problem.id, case.code)


def _tried(one: Observed, expects: bool) -> Tried:
    result = one.result
    normal = result.outcome is Outcome.PASSED or (result.outcome is Outcome.WRONG_ANSWER and one.got is not None)
    return Tried(None, one.got, None) if normal and not expects else Tried(result.outcome, one.got, result.message)


def own_kind(problem: Problem) -> TestKind | None:
    """What a person writes to try a solution: a program's input, a call's arguments, or a check; None for a project."""
    kinds = {test.kind for test in problem.tests}
    if TestKind.PROJECT in kinds:
        return None
    if TestKind.STDIO in kinds:
        return TestKind.STDIO
    whole = not problem.starter_code.strip() or TestKind.CALL in kinds
    return TestKind.CALL if problem.entry_point and whole else TestKind.SCRIPT


def own_test(problem: Problem, given: str, expected: str | None) -> TestCase:
    """A person's input as a test, compared as the problem's own tests are; raises BadInput for what cannot be read.

    ``given``: the text on standard input, the arguments as Python writes them (``[1, 2], key="x"``), or a check
    program. ``expected``: the output, or the value as Python writes it; None to see what comes out. A check has none.
    """
    kind = own_kind(problem)
    for name, text in (("input", given), ("answer", expected or "")):
        if len(text) > LONGEST_INPUT:
            raise BadInput(f"the {name} is longer than {LONGEST_INPUT:,} characters; shorten it")
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise BadInput(f"the {name} holds half of a character; write it anew")
    if kind is TestKind.STDIO:
        return TestCase(kind, stdin=given, stdout=expected or "", checker=_checker(problem, kind))
    if kind is TestKind.CALL:
        args, kwargs = _arguments(given)
        wanted = _NO_EXPECTATION if expected is None else _value(expected, "the expected answer")
        return TestCase(kind, args=args, kwargs=kwargs, expected=wanted, checker=_checker(problem, kind))
    if kind is TestKind.SCRIPT:
        if not given.strip():
            raise BadInput("the check is empty; write assertions, such as assert f(2) == 4")
        return TestCase(kind, code=_checked(given))
    raise BadInput("the tests of this problem are a project; an input of your own cannot be run against it")


def _checker(problem: Problem, kind: TestKind) -> Checker | None:
    return next((test.checker for test in problem.tests if test.kind is kind), None)


def _arguments(text: str) -> tuple[tuple[Json, ...], dict[str, Json]]:
    call = _parsed(f"f({text}\n)", "the arguments")
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise BadInput("the arguments: write only values, parted by commas, such as [1, 2], 3")
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        raise BadInput("the arguments: * and ** cannot be used; write each argument out")
    args = tuple(_plain(one, "the arguments") for one in call.args)
    return args, {str(one.arg): _plain(one.value, "the arguments") for one in call.keywords}


def _value(text: str, what: str) -> Json:
    return _plain(_parsed(f"(\n{text.strip()}\n)", what), what)


def _parsed(text: str, what: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadInput(f"{what}: cannot be read; write values as Python does, such as [1, 2] or 'text'") from None


def _plain(node: ast.expr, what: str) -> Json:
    try:
        return _whole_numbers(encode(ast.literal_eval(node)))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, NotAValue):
        raise BadInput(f"{what}: only plain values can be used, such as 1, 'text', [1, 2] or {{'a': 1}}") from None


def _whole_numbers(tagged: Json) -> Json:
    """Long integers as JSON writes them: a test that is kept goes into files, whose tags do not know them."""
    if isinstance(tagged, list):
        return [_whole_numbers(item) for item in tagged]
    if isinstance(tagged, dict):
        return int(tagged["$int"], 16) if "$int" in tagged else {tag: _whole_numbers(i) for tag, i in tagged.items()}
    return tagged


def _checked(code: str) -> str:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadInput(f"the check is no Python: {str(error)[:200]}") from None
    return code


def keep(store: ReviewStore, case: Case, person: str, test: TestCase) -> bool:
    """Keep a person's test for the next build, with who wrote it and on which item; False when that person keeps it
    already. Another's word for the same test counts beside it.

    Raises BadInput when the problem has it, and StoreTrouble.
    """
    if test in case.problem.tests:
        raise BadInput("the problem has this test already")
    what = dumps([case.problem.id, test.to_json(), person])
    key = "test/" + hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
    return store.keep_test(key, AddedTest(case.problem.id, test, person, case.id))


def keepers(tests: Sequence[AddedTest], case: Case, test: TestCase) -> set[str]:
    """Who keeps this very test."""
    return {one.kept_by for one in tests if one.problem_id == case.problem.id and one.test == test}


def contradicting(tests: Sequence[AddedTest], case: Case, test: TestCase) -> list[AddedTest]:
    """Kept tests that ask the same and expect something else; people should settle that first."""

    def question(one: TestCase) -> Json:
        return {**one.to_json(), "expected": None, "stdout": None}

    own = [one for one in tests if one.problem_id == case.problem.id and one.test != test]
    return [one for one in own if question(one.test) == question(test)]
