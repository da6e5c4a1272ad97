"""kill -9 of each process of a judge in the middle of work, at each level: no orphan, no lost verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from critique_coder.judge import Isolation, Judge
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind

LEVELS = list(Isolation)
ECHO = Problem("p", "s", (TestCase(TestKind.STDIO, stdin="1", stdout="1"),))
BUSY = "import time\nend = time.time() + 0.3\nwhile time.time() < end: pass\nprint(input())"
CLINGING = """
import ctypes, os, signal, time
ctypes.CDLL(None).prctl(1, 0)
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
try:
    if os.fork() == 0: os.setsid()
except OSError: pass
while True: time.sleep(0.01)
"""
"""A program that wants to outlive whoever started it; the fork succeeds at level ``process`` only."""


def open_judge(level: Isolation, workers: int = 1) -> Judge:
    return Judge(workers=workers, isolation=level, allow_no_isolation=True)


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def family(pid: int) -> set[int]:
    """The process and all below it."""
    return {pid}.union(*(family(child) for child in children(pid)))


def alive(pids: set[int]) -> set[int]:
    """Those that run; one that is dead and not yet waited for does not."""
    found = set()
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.add(pid)
        except OSError:
            pass
    return found


def wait_for(what: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def worker_of(judge: Judge) -> int:
    """The process that the caller started."""
    return judge.worker_pids()[0]


def zygote_of(judge: Judge) -> int:
    """The process that forks tests: at level ``full`` the only child of the worker, else the worker itself."""
    (pid,) = judge.worker_pids()[:1]
    return children(pid)[0] if judge.isolation is Isolation.FULL else pid


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary files go to a folder of this test's own: other programs here may judge, too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def folders() -> list[str]:
    """What judges have left or still use; the probe of the isolation has a folder for a moment."""
    return sorted(path.name for path in Path(tempfile.gettempdir()).iterdir())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("victim", [worker_of, zygote_of])
def test_work_in_hand_is_done_again_and_told_once(victim: Callable[[Judge], int], level: Isolation) -> None:
    with open_judge(level) as judge:
        seen: set[int] = set()
        verdicts = judge.verify_many((ECHO, Solution(str(number), "p", BUSY)) for number in range(4))
        told = [next(verdicts).solution_id]
        for _ in range(2):
            seen |= family(worker_of(judge))
            os.kill(victim(judge), signal.SIGKILL)
            verdict = next(verdicts)
            told.append(verdict.solution_id)
            assert verdict.outcome is Outcome.PASSED
        told += [verdict.solution_id for verdict in verdicts]
        assert told == ["0", "1", "2", "3"]
    wait_for(lambda: not alive(seen))
    assert folders() == []


@pytest.mark.parametrize("level", LEVELS)
def test_a_program_does_not_outlive_its_killed_zygote(level: Isolation) -> None:
    """Also one that does all it can to stay; the verdict, after three tries, is none, and says why."""
    with open_judge(level) as judge:
        outcomes: list[tuple[Outcome, str | None]] = []

        def work() -> None:
            (test,) = judge.verify(ECHO, Solution("s", "p", CLINGING)).tests
            outcomes.append((test.outcome, test.message))

        thread = threading.Thread(target=work)
        thread.start()
        seen: set[int] = set()
        for _ in range(3):
            wait_for(lambda: set(judge.worker_pids()) - seen)  # noqa: B023 - called before the loop goes on
            zygote, at_work = zygote_of(judge), 2 if level is Isolation.PROCESS else 1
            wait_for(lambda: len(family(zygote)) > at_work)  # noqa: B023
            time.sleep(0.1)
            seen |= family(worker_of(judge))
            os.kill(zygote, signal.SIGKILL)
        thread.join(20)
        wait_for(lambda: not alive(seen))
        assert [(outcome, bool(message)) for outcome, message in outcomes] == [(Outcome.UNSCORED, True)]
        assert "zygote died" in str(outcomes[0][1])
        assert judge.verify(ECHO, Solution("s", "p", "print(input())")).outcome is Outcome.PASSED
    assert folders() == []


@pytest.mark.parametrize("level", LEVELS)
def test_a_killed_caller_leaves_nothing(level: Isolation) -> None:
    """Neither processes nor folders, in the middle of two tests that want to stay."""
    code = f"""
import sys
from critique_coder.judge import Isolation, Judge
from critique_coder.records import Problem, Solution, TestCase, TestKind
problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdin="1", stdout="1"),))
judge = Judge(workers=2, isolation=Isolation({level.value!r}), allow_no_isolation=True)
print("ready", flush=True)
list(judge.verify_many((problem, Solution(str(n), "p", {CLINGING!r})) for n in range(4)))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None and caller.stdout.readline() == "ready\n"
        each = {Isolation.FULL: 3, Isolation.LIGHT: 2, Isolation.PROCESS: 3}[level]

        def busy() -> bool:
            workers = [pid for task in Path(f"/proc/{caller.pid}/task").glob("*/children")
                       for pid in map(int, task.read_text().split())]  # fmt: skip
            seen.update(*map(family, workers))
            return len(workers) == 2 and all(len(family(pid)) >= each for pid in workers)

        seen: set[int] = set()
        wait_for(busy)
        time.sleep(0.2)
        busy()
        caller.kill()
        caller.wait()
    wait_for(lambda: not alive(seen))
    wait_for(lambda: folders() == [])
