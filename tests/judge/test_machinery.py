"""The judge's own processes: lost ones, many at a time, none left over."""


# ruff: noqa: PTH208 - programs on one line each, and descriptors

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from critique_coder.judge import Isolation, IsolationError, Judge, probe
from critique_coder.records import BadInput, Outcome, Problem, Solution, TestCase, TestKind

ECHO = Problem("p", "s", (TestCase(TestKind.STDIO, stdin="1", stdout="1"),) * 2)
SLOW = "import time\ntime.sleep(0.4)\nprint(input())"


def solution(code: str = "print(input())", name: str = "s") -> Solution:
    return Solution(name, "p", code)


@contextmanager
def killing(judge: Judge, times: int) -> Iterator[None]:
    """Kill the judge's worker processes ``times`` times while the block runs."""
    stop = threading.Event()

    def kill() -> None:
        killed: set[int] = set()
        while not stop.wait(0.05) and len(killed) < times:
            for pid in set(judge.worker_pids()) - killed:
                time.sleep(0.15)
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_lost_worker_is_replaced() -> None:
    with Judge(workers=1) as judge, killing(judge, times=1):
        assert judge.verify(ECHO, solution(SLOW)).outcome is Outcome.PASSED


def test_three_lost_workers_make_it_unscored() -> None:
    with Judge(workers=1) as judge:
        with killing(judge, times=100):
            verdict = judge.verify(ECHO, solution(SLOW))
        assert (verdict.outcome, verdict.pass_rate) == (Outcome.UNSCORED, None)
        assert verdict.tests[0].message
        assert judge.verify(ECHO, solution()).outcome is Outcome.PASSED


def test_a_caller_with_torch_and_threads_at_work_starts_and_replaces_workers() -> None:
    """A worker is started by exec, so that neither the locks that other threads hold nor the caller's memory matter."""
    code = """
import os, signal, threading
import torch
from critique_coder.judge import Judge
from critique_coder.records import Problem, Solution, TestCase, TestKind
kept = torch.ones(100_000_000)  # 400 MB
stop = threading.Event()
def compute():
    while not stop.wait(0.002):  # at work, and not all the time: the judge needs the interpreter's lock too
        torch.ones(200, 200) @ torch.ones(200, 200)
for _ in range(4):
    threading.Thread(target=compute, daemon=True).start()
problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdin="1", stdout="1"),))
with Judge(workers=2) as judge:
    for turn in range(3):
        print(judge.verify(problem, Solution("s", "p", "print(input())")).outcome.value)
        os.kill(judge.worker_pids()[0], signal.SIGKILL)
stop.set()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["passed"] * 3, done


def test_threads_may_ask_at_once(judge: Judge) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(5):
            text = f"{number}-{turn}"
            problem = Problem("p", "s", (TestCase(TestKind.STDIO, stdin=text, stdout=text),))
            verdict = judge.verify(problem, solution())
            if verdict.outcome is not Outcome.PASSED:
                wrong.append(verdict)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_verify_many_keeps_order_and_reads_little_ahead(judge: Judge) -> None:
    read = 0

    def pairs() -> Iterator[tuple[Problem, Solution]]:
        nonlocal read
        for number in range(300):
            read += 1
            yield ECHO, solution("print(input())" if number % 3 else "print(0)", str(number))

    verdicts = judge.verify_many(pairs())
    first = next(verdicts)
    assert first.solution_id == "0" and read < 100
    rest = list(verdicts)
    assert [verdict.solution_id for verdict in rest] == [str(number) for number in range(1, 300)]
    assert all((verdict.outcome is Outcome.PASSED) == (int(verdict.solution_id) % 3 != 0) for verdict in rest)


def test_nothing_leaks_over_many_verdicts(judge: Judge) -> None:
    list(judge.verify_many([(ECHO, solution())] * 20))
    descriptors, pids = len(os.listdir("/proc/self/fd")), set(judge.worker_pids())
    inner = {pid: zygote_descriptors(pid) for pid in pids}
    list(judge.verify_many([(ECHO, solution())] * 200))
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1
    assert set(judge.worker_pids()) == pids
    assert {pid: zygote_descriptors(pid) for pid in pids} == inner


def zygote_descriptors(pid: int) -> int:
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    try:
        return len(os.listdir(f"/proc/{below[0] if below else pid}/fd"))
    except PermissionError:  # a zygote shows nothing to a caller that is not root
        return 0


def test_close_ends_everything() -> None:
    judge = Judge(workers=2)
    list(judge.verify_many([(ECHO, solution())] * 4))
    pids = judge.worker_pids()
    assert pids
    judge.close()
    judge.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert judge.verify(ECHO, solution()).outcome is Outcome.UNSCORED


def test_close_while_at_work() -> None:
    judge = Judge(workers=1)
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(judge.verify(ECHO, solution("import time\ntime.sleep(30)")).outcome)
    )
    thread.start()
    time.sleep(0.3)
    judge.close()
    thread.join(5)
    assert outcomes == [Outcome.UNSCORED]
    assert judge.worker_pids() == []


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("level", [Isolation.FULL, Isolation.LIGHT])
def test_the_death_of_the_caller_ends_everything(
    level: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker and its folder must go when its caller dies without saying goodbye."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # tests beside this one have folders of their own
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        judge = Judge(workers=1, isolation=level)
        judge.verify(ECHO, solution())
        os.write(write, f"{judge.worker_pids()[0]} {len(list(tmp_path.iterdir()))}".encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    worker, folders = map(int, os.read(read, 100).split())
    assert folders == (level is Isolation.LIGHT)  # in full isolation it lives in a mount that goes with the worker
    os.close(read)
    os.close(write)
    deadline = time.monotonic() + 5
    while is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.monotonic() < deadline
    assert not list(tmp_path.iterdir())


def test_a_machine_that_is_out_of_room_gives_unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> int:
        raise OSError(28, "No space left on device")

    with Judge(workers=1) as judge:
        monkeypatch.setattr(os, "memfd_create", refuse)
        verdict = judge.verify(ECHO, solution())
        assert (verdict.outcome, verdict.pass_rate) == (Outcome.UNSCORED, None)
        assert "No space left" in (verdict.tests[0].message or "")
        monkeypatch.undo()
        assert judge.verify(ECHO, solution()).outcome is Outcome.PASSED


def test_isolation_is_reported_and_fails_closed() -> None:
    with pytest.raises(IsolationError, match="allow_no_isolation"):
        Judge(isolation=Isolation.PROCESS)
    with Judge(workers=1, isolation=Isolation.PROCESS, allow_no_isolation=True) as judge:
        verdict = judge.verify(ECHO, solution())
        assert (verdict.outcome, verdict.isolation) == (Outcome.PASSED, "process")


@pytest.mark.parametrize(("refused", "ends"), [("unshare", "light"), ("unshare landlock", "IsolationError")])
def test_machines_that_grant_less(refused: str, ends: str) -> None:
    """As in a container: the system calls are refused to a process, which then starts a judge."""
    code = f"""
import sys
import tempfile
from critique_coder.judge import IsolationError, Judge
from critique_coder.judge.inside import seccomp, syscalls
column = seccomp._ARCHITECTURES[__import__("os").uname().machine][0]
numbers = {{"unshare": (272, 97), "landlock": (444, 444)}}
calls = {{name: numbers[name] for name in {refused.split()!r}}}
syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
seccomp.install(b"".join([seccomp._step(0x20, 0), *seccomp._refuse_all(calls, column), seccomp._PERMIT]))
try:
    with Judge(workers=1) as judge:
        print(judge.isolation, judge.run_program("print(5)").stdout.strip())
except IsolationError as error:
    print("IsolationError", "allow_no_isolation" in str(error) and "user namespaces" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.split() == [ends, "5" if ends == "light" else "True"], done


def test_no_survivor_even_without_isolation() -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(30)\nprint(input(), flush=True)"
    with Judge(workers=1, isolation=Isolation.PROCESS, allow_no_isolation=True) as judge:
        assert judge.verify(ECHO, solution(code)).outcome is Outcome.PASSED
        (pid,) = judge.worker_pids()
        assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""


def test_probe_finds_a_level_and_every_attack_blocked() -> None:
    findings = probe()
    assert findings[0].name.startswith("isolation")
    attacks = [finding for finding in findings if finding.detail == "blocked"]
    assert len(attacks) == 7 and all(finding.ok and finding.remedy is None for finding in attacks)


@pytest.mark.parametrize(
    ("problem", "word"),
    [
        (Problem("p", "s", ECHO.tests, language="cobol"), "language"),
        (Problem("p", "s", ()), "tests"),
        (Problem("p", "s", (TestCase(TestKind.CALL, expected=1),)), "entry_point"),
        (Problem("p", "s", (TestCase(TestKind.CALL, expected={"$bytes": "?"}),), entry_point="f"), "malformed"),
    ],
)
def test_bad_problems_are_refused(problem: Problem, word: str, judge: Judge) -> None:
    with pytest.raises(BadInput, match=word):
        judge.verify(problem, solution())


def test_workers_must_be_positive() -> None:
    with pytest.raises(BadInput, match="workers"):
        Judge(workers=0)
