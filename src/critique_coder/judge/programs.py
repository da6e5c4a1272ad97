"""Solutions in other languages than Python: compiled once per solution, each test in a process of its own.

The compiler runs in the sandbox too, for a source may be as hostile as a program. What it makes comes out as bytes that
nobody here reads, and goes into every test.
"""

from __future__ import annotations

import base64
import secrets
import signal
import threading
from collections.abc import Callable, Mapping
from math import ceil

from critique_coder.records import BadInput, Outcome, Problem, Solution, TestCase, TestKind, TestResult, project_files

from .compare_text import shorten
from .isolation import Isolation, IsolationError
from .languages import Language, Toolchain, toolchain_of
from .limits import Limits
from .pool import Pool
from .scoring import broken, score_program, text
from .worker import Ending, Job, Worker, WorkerLost

NONCE = "@@NONCE@@"
"""Stands in a project's test files for the word that its tests must print as a line of its own once all have passed."""

PROJECT_LIMITS = Limits(time_s=60, memory_mb=2048, output_mb=128)
"""What a project may use at least, for it compiles too; the output limit is about files. After a ``build``, every
process of the command has the problem's own time."""

_LONGEST_MESSAGE = 600
_OUT_OF_TIME = (-signal.SIGXCPU, 128 + signal.SIGXCPU, -signal.SIGKILL, 128 + signal.SIGKILL)


class Programs:
    """The pools of one judge for other languages, each begun when it is first needed. Safe for use by many threads."""

    def __init__(self, level: Isolation, workers: int, beside: Pool) -> None:
        self._level, self._workers, self._beside = level, workers, beside
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End all processes. May be called twice."""
        for pool in list(self._pools.values()):
            pool.close()

    def pids(self) -> list[int]:
        """The processes that were started and are still used."""
        return [pid for pool in list(self._pools.values()) for pid in pool.pids()]

    def tester(
        self, problem: Problem, solution: Solution, limits: Limits, see: Callable[[Ending], None]
    ) -> Callable[[TestCase, bool], TestResult]:
        """What runs one test of ``problem`` on ``solution``; raises BadInput when this machine cannot run it at all.

        ``see`` is told how each ``stdio`` test ended.
        """
        toolchain = toolchain_of(problem.language, f"problem {problem.id!r}")
        for test in problem.tests:
            if test.kind not in (TestKind.STDIO, TestKind.PROJECT):
                raise BadInput(
                    f"problem {problem.id!r}: tests of kind {test.kind.value!r} are for Python; a problem in "
                    f"{problem.language!r} has tests of kind 'stdio' or 'project'"
                )
            if test.kind is TestKind.PROJECT and self._level is Isolation.LIGHT:
                raise BadInput(
                    f"problem {problem.id!r}: tests of kind 'project' start processes of their own, which isolation "
                    "'light' cannot hold; `critique-coder doctor` says how to reach 'full'"
                )
        return _Tester(lambda: self._pool(toolchain), toolchain, solution, limits, see)

    def _pool(self, toolchain: Toolchain) -> Pool:
        with self._lock:
            name = toolchain.language.name
            if name not in self._pools:
                try:
                    first = Worker(self._level, toolchain.paths)
                except IsolationError as error:
                    raise WorkerLost(str(error)) from error
                self._pools[name] = Pool(self._workers, first, self._beside)
            return self._pools[name]


class _Tester:
    """Runs the tests of one solution; it is compiled when the first ``stdio`` test comes."""

    def __init__(
        self,
        pool: Callable[[], Pool],
        toolchain: Toolchain,
        solution: Solution,
        limits: Limits,
        see: Callable[[Ending], None],
    ) -> None:
        self._see = see
        self._pool, self._toolchain, self._language = pool, toolchain, toolchain.language
        self._code, self._solution, self._limits = solution.code or "", solution, limits
        self._compiled: Ending | None = None

    def __call__(self, test: TestCase, confirm: bool) -> TestResult:
        try:
            return self._project(test, confirm) if test.kind is TestKind.PROJECT else self._program(test, confirm)
        except WorkerLost as error:
            return TestResult(Outcome.UNSCORED, 0.0, str(error))

    def _program(self, test: TestCase, confirm: bool) -> TestResult:
        self._compiled = compiled = self._compiled or self._compile()
        if message := _compile_error(compiled, self._language.compile_limits):
            return TestResult(Outcome.COMPILE_ERROR, 0.0, message)
        command = self._toolchain.command(self._language.run(self._code, self._limits.memory_mb))
        job = Job("run", (), stdin=test.stdin, program=self._plan(command=command), archive=compiled.archive)
        limits = self._with_runtime(self._limits)
        ending = self._pool().run(job, limits, confirm)
        self._see(ending)
        return _memory_first(score_program(test, ending, limits), ending, self._language)

    def _compile(self) -> Ending:
        file = self._language.source(self._code)
        steps = [self._toolchain.command(step) for step in self._language.compile(file)]
        plan = self._plan(steps=steps, outputs=self._language.outputs) | {"address_space": False}
        job = Job("build", (), files=_encoded({file: self._code}), program=plan)
        return self._pool().run(job, self._language.compile_limits)

    def _project(self, test: TestCase, confirm: bool) -> TestResult:
        own = self._limits
        most = PROJECT_LIMITS
        limits = Limits(max(own.time_s, most.time_s), max(own.memory_mb, most.memory_mb), most.output_mb)
        nonce = secrets.token_hex(16)
        files = solution_files(self._solution, test, self._language)
        files |= {path: body.replace(NONCE, nonce) for path, body in test.files.items()}
        command_s = ceil(own.time_s) if test.build else 0
        plan = self._plan(build=test.build, command=test.command, command_s=command_s) | {"address_space": False}
        ending = self._pool().run(Job("project", (), files=_encoded(files), program=plan), limits, confirm)
        proof = nonce if any(NONCE in body for body in test.files.values()) else None
        return _memory_first(score_project(ending, limits, proof, command_s), ending, self._language)

    def _plan(self, **what: object) -> dict[str, object]:
        environment = {"PATH": self._toolchain.search, **self._language.environment}
        return {"environment": environment, "address_space": self._language.address_space, **what}

    def _with_runtime(self, limits: Limits) -> Limits:
        return Limits(limits.time_s, limits.memory_mb + self._language.runtime_mb, limits.output_mb)


def solution_files(solution: Solution, test: TestCase, language: Language) -> dict[str, str]:
    """What the solution puts into the folder of a project: its code, and the files of its ``metadata.files``.

    None that would stand in the place of a test's file, or of a folder of one. Raises BadInput.
    """
    more = solution.metadata.get("files") or {}
    if not isinstance(more, Mapping):
        raise BadInput(f"solution {solution.id!r}, key 'metadata.files': must be an object of texts by path")
    code = solution.code or ""
    files = {**more, (test.solution_file or language.source(code)): code}
    files = project_files(files, f"solution {solution.id!r}, key 'metadata.files'")
    return {
        path: body
        for path, body in files.items()
        if not any(
            other == path or other.startswith(path + "/") or path.startswith(other + "/") for other in test.files
        )
    }


def score_project(ending: Ending, limits: Limits, proof: str | None, command_s: int = 0) -> TestResult:
    """Passed when the command succeeded and, where the tests print a proof, the proof is a line of its output."""
    if ["compile_error", ""] in ending.reports and ending.status == 1:
        return TestResult(Outcome.COMPILE_ERROR, ending.cpu_s, _compile_error(ending, limits))
    found = broken(ending, limits)
    if found is None and proof is not None and proof.encode() not in ending.stdout.split():
        found = Outcome.RUNTIME_ERROR, "the process left before the tests had ended"
    if found is None:
        return TestResult(Outcome.PASSED, ending.cpu_s)
    outcome, message = found
    if command_s and ending.killed == "time" and ending.cpu_s <= limits.time_s:
        return TestResult(Outcome.TIME_LIMIT, ending.cpu_s, f"more than {command_s} s of processor time")
    if command_s and ending.status in _OUT_OF_TIME and ending.cpu_s > 0.9 * command_s:
        return TestResult(Outcome.TIME_LIMIT, ending.cpu_s, f"more than {command_s} s of processor time")
    if outcome is Outcome.RUNTIME_ERROR and ending.status > 0:
        outcome, message = Outcome.WRONG_ANSWER, f"exit code {ending.status}: {_end_of(ending)}"
    return TestResult(outcome, ending.cpu_s, message)


def _compile_error(ending: Ending, limits: Limits) -> str | None:
    """What the compiler said, or which limit it went over; None when it made a program."""
    found = broken(ending, limits)
    if found is None:
        return None
    outcome, message = found
    if outcome in (Outcome.COMPILE_ERROR, Outcome.RUNTIME_ERROR):
        return _start_of(ending.stderr) or message or "the compiler failed"
    return f"the compiler used {message}"


def _start_of(raw: bytes) -> str:
    """The first lines, where compilers say what matters."""
    lines = [line.rstrip() for line in raw[:20_000].decode(errors="replace").splitlines() if line.strip()]
    return _cut("\n".join(lines))


def _end_of(ending: Ending) -> str:
    """The last lines of what a test command printed."""
    raw = ending.stdout[-2000:] + b"\n" + ending.stderr[-2000:]
    lines = [line.strip() for line in raw.decode(errors="replace").splitlines() if line.strip()]
    return _cut(" | ".join(map(shorten, lines[-4:])))


def _cut(told: str) -> str:
    told = told.encode("utf-8", "replace").decode()
    return told if len(told) <= _LONGEST_MESSAGE else told[: _LONGEST_MESSAGE - 1] + "…"


def _memory_first(result: TestResult, ending: Ending, language: Language) -> TestResult:
    """A program that failed and said that memory ran out is told by that."""
    if result.outcome in (Outcome.RUNTIME_ERROR, Outcome.WRONG_ANSWER) and ending.status != 0:
        last = ending.stderr[-20_000:].decode(errors="replace")
        for words in language.out_of_memory:
            if words in last:
                return TestResult(Outcome.MEMORY_LIMIT, result.time_s, text(words))
    return result


def _encoded(files: Mapping[str, str]) -> dict[str, str]:
    return {path: base64.b64encode(body.encode("utf-8", "replace")).decode() for path, body in files.items()}
