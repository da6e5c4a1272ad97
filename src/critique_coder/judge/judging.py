"""The judge: solutions in, verdicts out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache, partial
from types import TracebackType
from typing import Self

from critique_coder.records import (
    BadInput,
    Outcome,
    Problem,
    Solution,
    TestCase,
    TestKind,
    TestResult,
    Verdict,
)

from .isolation import REMEDIES, Isolation, IsolationError
from .limits import Limits
from .observing import Observed, See, observed
from .packages import Packages, installed
from .pool import Pool
from .probe import open_worker
from .programs import Programs
from .scoring import broken, check_value, score_call, score_program
from .script_literals import parse
from .script_reading import Script, read_script
from .script_scoring import score_script
from .separate_checks import check_limits, score_separate, separate_check, separate_jobs
from .shared_checks import missing_module, score_shared, shared_job
from .starter_helpers import with_helpers
from .worker import Ending, Job, Worker, WorkerLost

_LOOK_AHEAD = 16


class Way(StrEnum):
    """How a test is run; the text of the test alone decides.

    ``PROJECT``: a test command beside the solution's files; its tests share processes with the solution too.

    ``REWRITTEN``: a script as calls whose results are compared outside. ``SEPARATE``: the check in a process of its
    own. ``SHARED``: solution and check in one process, the weaker way; its verdicts carry ``shared_process``.
    """

    PROGRAM = "stdio"
    CALL = "call"
    REWRITTEN = "script, rewritten"
    SEPARATE = "check in its own process"
    SHARED = "check in the solution's process"
    PROJECT = "project"


_SHARING = (Way.SHARED, Way.PROJECT)


def way_of(problem: Problem, test: TestCase) -> Way:
    """The way in which ``test`` is run."""
    if test.kind is TestKind.STDIO:
        return Way.PROGRAM
    if test.kind is TestKind.PROJECT:
        return Way.PROJECT
    if test.kind is TestKind.CALL:
        return Way.CALL
    test = _with_helpers(problem, test)
    if _rewritten(problem, test) is not None:
        return Way.REWRITTEN
    return Way.SHARED if separate_check(test.code, problem.entry_point) is None else Way.SEPARATE


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What a program did with an input. ``outcome`` is PASSED when it ended normally.

    ``time_s``: processor seconds; ``wall_s``: seconds on the clock; ``status``: exit code, or minus a signal;
    ``files``: what it left under the names that were asked for, as base64.
    """

    stdout: str
    stderr: str
    outcome: Outcome
    time_s: float
    message: str | None
    wall_s: float = 0.0
    status: int = 0
    files: Mapping[str, str] = field(default_factory=dict)


class Judge:
    """Runs untrusted solutions against tests. Safe for use by several threads; use it as a context manager.

    ``workers``: programs run at a time (None: as many as processors). The limits hold where a problem sets none.
    ``isolation``: None takes the best level that this machine gives. Raises IsolationError when that is ``process``,
    unless ``allow_no_isolation``. ``first_failure``: stop at a solution's first failing test. ``packages``: import
    names of packages installed here that Python programs may use (None of what lies beside them can be read); raises
    BadInput for one that is not.
    """

    def __init__(
        self,
        workers: int | None = None,
        time_limit_s: float = 10,
        memory_limit_mb: float = 1024,
        output_limit_mb: float = 16,
        isolation: Isolation | None = None,
        allow_no_isolation: bool = False,
        first_failure: bool = False,
        packages: Sequence[str] = (),
    ) -> None:
        if workers is not None and workers < 1:
            raise BadInput(f"workers: must be at least 1, not {workers}")
        self._workers = workers or len(os.sched_getaffinity(0))
        self._limits = Limits(time_limit_s, memory_limit_mb, output_limit_mb)
        self._first_failure = first_failure
        self._packages = installed(packages)
        first = _open(Isolation(isolation) if isolation else None, allow_no_isolation, self._packages)
        self._isolation = first.level
        self._pool = Pool(self._workers, first)
        self._programs = Programs(first.level, self._workers, self._pool)

    @property
    def isolation(self) -> Isolation:
        """The level under which programs run."""
        return self._isolation

    def worker_pids(self) -> list[int]:
        """The processes that this judge has started and still uses; for monitoring."""
        return [*self._pool.pids(), *self._programs.pids()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes. May be called twice."""
        self._programs.close()
        self._pool.close()

    def verify(self, problem: Problem, solution: Solution) -> Verdict:
        """Run every test of ``problem`` on ``solution``; raises BadInput when the problem cannot be judged at all."""
        if not problem.tests:
            raise BadInput(f"problem {problem.id!r}, key 'tests': there are none; nothing could fail it")
        run_test = self._tester(problem, solution, _unseen)
        if solution.code is None or not solution.code.strip():
            return self._verdict(problem, solution, [TestResult(Outcome.NO_CODE, 0.0)] * len(problem.tests))
        results: list[TestResult] = []
        for test in problem.tests:
            confirm = not any(
                result.outcome is Outcome.WALL_LIMIT for result in results
            )  # once is enough, for it is slow
            result = run_test(test, confirm)
            if result.outcome is Outcome.COMPILE_ERROR:
                results = [result] * len(problem.tests)
                break
            results.append(result)
            if self._first_failure and result.outcome is not Outcome.PASSED:
                break
        return self._verdict(problem, solution, results)

    def observe(self, problem: Problem, solution: Solution) -> Iterator[Observed]:
        """Run the tests one after the other, as ``verify`` does, and show what the solution gave; raises as it does.

        Every test is run, and each when it is asked for.
        """
        endings: list[Ending] = []
        run_test = self._tester(problem, solution, endings.append)
        for test in problem.tests:
            endings.clear()
            result = run_test(test, True)
            yield observed(test, result, endings[-1] if endings else None)

    def verify_many(self, pairs: Iterable[tuple[Problem, Solution]]) -> Iterator[Verdict]:
        """Verdicts in the order of ``pairs``, which is read a little ahead only; raises as ``verify`` does."""
        waiting: deque[Future[Verdict]] = deque()
        threads = ThreadPoolExecutor(self._workers, thread_name_prefix="judge")
        try:
            for problem, solution in pairs:
                waiting.append(threads.submit(self.verify, problem, solution))
                if len(waiting) >= _LOOK_AHEAD * self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # also when the caller stops early: what runs then ends by its limits, or when the judge is closed
            threads.shutdown(wait=False, cancel_futures=True)

    def run_program(
        self,
        code: str,
        stdin: str = "",
        limits: Limits | None = None,
        files: Mapping[str, str] | None = None,
        fetch: Sequence[str] = (),
    ) -> ProgramResult:
        """Run a whole program on one input, to see what it does; raises WorkerLost when the machinery failed.

        ``files`` (relative path, base64) lie beside it; those named in ``fetch`` are brought back at its end.
        """
        limits = limits or self._limits
        job = Job("program", (code,), stdin=stdin, files=files or {}, fetch=tuple(fetch))
        ending = self._pool.run(job, limits)
        outcome, message = broken(ending, limits) or (Outcome.PASSED, None)
        stdout, stderr = (raw.decode("utf-8", "replace") for raw in (ending.stdout, ending.stderr))
        found = {
            str(report[1]): str(report[2]) for report in ending.reports if report[0] == "file" and len(report) == 3
        }
        return ProgramResult(
            stdout, stderr, outcome, ending.cpu_s, message, ending.wall_s, ending.status,
            {name: body for name, body in found.items() if name in fetch},
        )  # fmt: skip

    @property
    def workers(self) -> int:
        """Programs run at a time."""
        return self._workers

    @property
    def limits(self) -> Limits:
        """The limits that hold where a problem or a caller sets none."""
        return self._limits

    def _limits_of(self, problem: Problem) -> Limits:
        own = self._limits
        return Limits(problem.time_limit_s or own.time_s, problem.memory_limit_mb or own.memory_mb, own.output_mb)

    def _tester(self, problem: Problem, solution: Solution, see: See) -> Callable[[TestCase, bool], TestResult]:
        """What runs one test; raises BadInput when none of the problem's can be run here."""
        if problem.language != "python":
            return self._programs.tester(problem, solution, self._limits_of(problem), see)
        if any(test.kind is TestKind.PROJECT for test in problem.tests):
            raise BadInput(f"problem {problem.id!r}: tests of kind 'project' are for other languages than Python")
        return partial(self._run_test, problem, solution.code or "", see)

    def _run_test(self, problem: Problem, code: str, see: See, test: TestCase, confirm: bool) -> TestResult:
        limits = self._limits_of(problem)
        try:
            if test.kind in (TestKind.STDIO, TestKind.CALL):
                program = test.kind is TestKind.STDIO
                job = _program_job(problem, code, test) if program else _call_job(problem, code, test)
                ending = self._pool.run(job, limits, confirm)
                see(ending)
                return (score_program if program else score_call)(test, ending, limits)
            return self._run_check(problem, code, test, limits, confirm)
        except WorkerLost as error:
            return TestResult(Outcome.UNSCORED, 0.0, str(error))

    def _run_check(self, problem: Problem, code: str, test: TestCase, limits: Limits, confirm: bool) -> TestResult:
        """A ``script`` or ``unittest`` test: rewritten into calls, or in a process of its own, as its text allows."""
        sources = _sources(problem, code, test)
        test = _with_helpers(problem, test)
        script = _rewritten(problem, test)
        if script is not None:
            job = Job("calls", sources, calls=tuple(script.calls), imports=script.imports, again=_several(problem))
            return score_script(script, self._pool.run(job, limits, confirm), limits)
        if module := missing_module(test.code, {name for name, _ in self._packages.modules}):
            why = f"the test needs the module {module!r}, which is not among the packages that programs may import"
            return TestResult(Outcome.UNSCORED, 0.0, why)
        if (check := separate_check(test.code, problem.entry_point)) is not None:
            serving, checking, nonce = separate_jobs(check, sources, test, limits.output_bytes)
            endings = self._pool.run_linked((serving, checking), (limits, check_limits(limits)), confirm)
            return score_separate(nonce, *endings, limits)
        job, nonce = shared_job(problem, sources, test)
        return score_shared(nonce, self._pool.run(job, limits, confirm), limits)

    def _verdict(self, problem: Problem, solution: Solution, results: list[TestResult]) -> Verdict:
        passed = sum(result.outcome is Outcome.PASSED for result in results)
        failed = [result.outcome for result in results if result.outcome is not Outcome.PASSED]
        outcome = Outcome.UNSCORED if Outcome.UNSCORED in failed else failed[0] if failed else Outcome.PASSED
        total = len(problem.tests)
        return Verdict(
            solution_id=solution.id,
            problem_id=problem.id,
            outcome=outcome,
            passed=passed,
            total=total,
            pass_rate=None if outcome is Outcome.UNSCORED else passed / total,
            tests=tuple(results),
            isolation=self._isolation.value,
            shared_process=any(way_of(problem, test) in _SHARING for test in problem.tests),
        )


def _unseen(ending: Ending) -> None:
    """What ``verify`` does with an ending beyond its score."""


def _program_job(problem: Problem, code: str, test: TestCase) -> Job:
    return Job("program", (code,), stdin=test.stdin, again=_several(problem))


def _call_job(problem: Problem, code: str, test: TestCase) -> Job:
    if problem.entry_point is None:
        raise BadInput(
            f"problem {problem.id!r}, key 'entry_point': missing; call tests need the name of the function they call"
        )
    for tagged in (test.expected, *test.args, *test.kwargs.values()):
        check_value(tagged, f"problem {problem.id!r}")
    call = {"function": problem.entry_point, "args": list(test.args), "kwargs": dict(test.kwargs)}
    return Job("calls", (code,), calls=(call,), again=_several(problem))


def _several(problem: Problem) -> bool:
    return len(problem.tests) > 1


def _with_helpers(problem: Problem, test: TestCase) -> TestCase:
    if not problem.starter_code:
        return test
    return replace(test, code=with_helpers(test.code, problem.starter_code, problem.entry_point))


def _rewritten(problem: Problem, test: TestCase) -> Script | None:
    return read_script(test.code, problem.entry_point) if test.kind is TestKind.SCRIPT else None


def _sources(problem: Problem, code: str, test: TestCase) -> tuple[str, ...]:
    """The program, for scripts with the starter code before it. The first that compiles is run.

    A starter that is a program by itself (imports, a function with a docstring) goes before whole solutions too, which
    may need what it defines. One that breaks off in the middle makes sense before a completion only.
    """
    starter = problem.starter_code
    if test.kind is not TestKind.SCRIPT or not starter.strip():
        return (code,)
    joined = tuple(dict.fromkeys((starter + code, f"{starter.rstrip(' ')}\n{code}")))
    return (*joined, code) if _is_program(starter) else (code, *joined)


@lru_cache(maxsize=4096)
def _is_program(code: str) -> bool:
    try:
        parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _open(wanted: Isolation | None, allow_none: bool, packages: Packages) -> Worker:
    """A first worker at the best level allowed; raises IsolationError, which names the fix."""
    if wanted is Isolation.PROCESS and not allow_none:
        raise IsolationError(
            "isolation 'process' protects nothing; pass allow_no_isolation=True if you trust every program"
        )
    reasons = []
    for level in [wanted] if wanted else [Isolation.FULL, Isolation.LIGHT]:
        try:
            return open_worker(level, packages)
        except (IsolationError, WorkerLost, OSError) as error:
            reasons.append(f"{error}. To fix: {REMEDIES.get(level, 'see the reason')}")
    if wanted is None and allow_none:
        return open_worker(Isolation.PROCESS, packages)
    raise IsolationError("; ".join(reasons) + "; or pass allow_no_isolation=True if you trust every program")
