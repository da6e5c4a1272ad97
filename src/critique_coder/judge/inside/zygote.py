"""A warm interpreter that forks one process per test, watches it from outside and says how it ended.

It never reads a program, an input or an output: those travel in files whose descriptors it hands on unread. So a
solution that searches the memory it inherited finds no other solution, no test and no expected value.
"""

# ruff: noqa: PTH106, PTH116 - descriptors and raw paths are the matter here

from __future__ import annotations

import _socket
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from . import child, family, jail
from .report import from_text, to_chunks
from .scratch import empty_folder

_PRELOADED = [
    "abc", "bisect", "collections.abc", "contextlib", "copy", "datetime", "enum", "functools", "heapq", "itertools",
    "json", "linecache", "math", "operator", "random", "re", "string", "threading", "time", "types", "typing",
]  # fmt: skip
"""What most solutions import. Each module makes every fork dearer; the others are imported by those who need them."""

_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.004, 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TARGETS, _STREAMS = 16, 3
"""Descriptors below are given to tests; what the zygote uses itself lies above."""
_MOST_FILES = _socket.CMSG_SPACE(8 * 4)


class Runner(Protocol):
    """Runs one test in a process that was forked for it; ``processes``: such a test may start others."""

    processes: bool

    def keep(self, files: list[int]) -> None:
        """Take the files that stay with the zygote."""

    def before_fork(self, limits: dict[str, Any]) -> None:
        """Do what need not be done after the fork."""

    def run(self, limits: dict[str, Any], descriptors: list[int], complaint: int) -> NoReturn:
        """Be the process of the test."""


def prepare(for_python: bool) -> Callable[..., Runner]:
    """Import what tests need, and give what makes their runner; the modules of this folder can still be found."""
    if not for_python:
        return importlib.import_module(".programs", __package__).Runner  # type: ignore[no-any-return]
    for name in _PRELOADED:
        importlib.import_module(name)
    return child.Runner


def main(
    make_runner: Callable[..., Runner], control_descriptor: int, level: str, scratch: str, toolchain: str | None = None
) -> None:
    """Enter the jail, say that we are ready or why not, and serve until the caller hangs up.

    ``toolchain``: as JSON, the paths that programs of another language need; then the tests are such programs.
    """
    control = _socket.socket(fileno=_above_targets(control_descriptor))
    try:
        paths = None if toolchain is None else json.loads(toolchain)
        jail.enter(level, scratch, control, paths)
        if paths is None:
            runner = make_runner(level, scratch)
            child.warm_up()
        else:
            runner = make_runner(level, scratch, paths)
    except Exception as error:  # whatever it was, the caller must hear of it and decide
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        os._exit(1)
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": level}).encode())
    try:
        _Server(control, runner, level).serve()
    finally:
        if level != "full":  # a caller that was killed does not tidy up
            with contextlib.suppress(OSError):
                os.rmdir(scratch)
        os._exit(0)


def _above_targets(descriptor: int) -> int:
    """Fill the low descriptors, so that those of a test can be put there in any order; gives the new ``descriptor``."""
    null = os.open("/dev/null", os.O_RDWR)
    while os.dup(null) < _TARGETS:
        pass
    moved = os.dup(descriptor)
    os.dup2(null, descriptor)
    return moved


class _HungUp(Exception):
    """The caller is gone."""


class _Server:
    """One test after the other."""

    def __init__(self, control: _socket.socket, runner: Runner, level: str) -> None:
        self._control, self._runner, self._level = control, runner, level
        self._poll = select.poll()
        self._poll.register(control.fileno(), select.POLLIN)
        self._complaints, self._complain = os.pipe()
        self._empty = _free_files(level)

    def serve(self) -> None:
        """Take the files that stay, then tests, until the caller closes the socket."""
        self._runner.keep(self._receive()[1])
        while True:
            message, descriptors = self._receive()
            if not message:
                return
            try:
                report = self._one_test(from_text(message.decode("ascii"), 0)[0], descriptors)
            except OSError as error:
                report = {"failed": str(error)}
            except _HungUp:
                _kill_everything_else(self._level)
                self._clean()
                return
            self._control.send("".join(to_chunks(report, 0)).encode("ascii"))

    def _receive(self) -> tuple[bytes, list[int]]:
        """A message and the files that came with it; no message when the caller is gone."""
        try:
            message, extra, _, _ = self._control.recvmsg(4096, _MOST_FILES)
        except OSError:
            return b"", []
        return message, memoryview(extra[0][2]).cast("i").tolist() if extra else []

    def _one_test(self, limits: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Fork, watch, clean up; raises OSError when the machine has no process or descriptor left."""
        runner = self._runner
        runner.before_fork(limits)
        before = family.processor_time() if runner.processes else 0.0
        watch = (_WatchFamily if runner.processes else _Watch)(limits, self._poll, self._level)
        pipes, files = descriptors[_STREAMS:], descriptors[:_STREAMS]
        # from here until the test is dead, each page that is touched must be copied by the kernel
        pid = os.fork()
        if pid == 0:
            runner.run(limits, descriptors, self._complain)
        for descriptor in pipes:  # whoever reads from them waits for the last writer to let go
            os.close(descriptor)
        report = watch.until_dead(pid)
        for descriptor in files:
            os.close(descriptor)
        _kill_everything_else(self._level)
        if runner.processes:
            report["cpu_s"] = family.processor_time() - before
        if report["status"] and (failure := self._complaint()):
            report["failed"] = failure
        report["clean"] = self._clean()
        return report

    def _complaint(self) -> str:
        """What the process said that could not set itself up, and that then left with a bad exit code."""
        if not select.select([self._complaints], [], [], 0)[0]:
            return ""
        return os.read(self._complaints, 4096).decode(errors="replace")

    def _clean(self) -> bool:
        """Remove what the test left; False when something would not go, and then the caller throws us away."""
        if self._level == "full" and _free_files(self._level) == self._empty:
            return True
        folders = ["/tmp", "/dev/shm"] if self._level == "full" else ["."]
        return sum(map(empty_folder, folders)) == len(folders)  # each of them, also after one has failed


def _free_files(level: str) -> list[tuple[int, int]]:
    """How many more files the private file systems can hold, and the modes of their roots: whoever leaves something
    there changes one of these.
    """
    if level != "full":
        return []
    return [(os.statvfs(folder).f_ffree, os.stat(folder).st_mode) for folder in ("/tmp", "/dev/shm")]


class _Watch:
    """Waits for one process and kills it when it goes over a limit."""

    def __init__(self, limits: dict[str, Any], poll: select.poll, level: str) -> None:
        self._limits, self._level, self._poll = limits, level, poll
        self._killed: str | None = None
        self._started = time.monotonic()
        self._pid = self._handle = -1

    def until_dead(self, pid: int) -> dict[str, Any]:
        """How it ended: wait status, processor seconds, peak memory, and which limit it broke if we had to kill it."""
        self._pid, self._handle = pid, os.pidfd_open(pid)
        self._poll.register(self._handle, select.POLLIN)
        look = _FIRST_LOOK_S
        while not self._ended(look):
            look = min(look * 1.5, _LONGEST_LOOK_S)
            broken = self._broken_limit()
            if broken and not self._killed:
                self._killed = broken
                os.kill(self._pid, signal.SIGKILL)
        scratch_bytes = _scratch_bytes(self._level)
        wall = time.monotonic() - self._started
        starved = self._starved() if wall > self._limits["wall_s"] / 4 else 0.0  # it is dead, and still has its numbers
        _, status, usage = os.wait4(self._pid, 0)
        return {
            "status": os.waitstatus_to_exitcode(status),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "wall_s": wall,
            "starved_s": starved,
            "memory": usage.ru_maxrss * 1024 + scratch_bytes,
            "killed": self._killed,
        }

    def _ended(self, seconds: float) -> bool:
        """Whether the process has ended within ``seconds``; raises _HungUp when the caller has hung up instead."""
        events = self._poll.poll(seconds * 1000)
        if not events:
            return False
        if all(descriptor != self._handle for descriptor, _ in events):
            raise _HungUp
        self._poll.unregister(self._handle)
        os.close(self._handle)
        return True

    def _broken_limit(self) -> str | None:
        try:
            if self._cpu_s() > self._limits["time_s"]:
                return "time"
        except OSError:
            return None  # it has just died
        if self._waited_too_long():
            return "wall"
        if self._memory() > self._limits["memory_bytes"]:
            return "memory"
        return None

    def _waited_too_long(self) -> bool:
        """A busy machine is not the program's fault: what it was kept from running does not count, up to a limit, and
        it is stopped when it sleeps. One that computes all the time ends by its processor time.
        """
        passed = time.monotonic() - self._started
        if passed <= self._limits["wall_s"] or passed > self._limits["longest_s"]:
            return bool(passed > self._limits["longest_s"])
        return bool(passed - self._starved() > self._limits["wall_s"]) and not self._runnable()

    def _starved(self) -> float:
        """Of its threads the one that waited most: while it did others worked, so who wants to look starved pays."""
        return max(family.starved(self._pid).values(), default=0.0)

    def _runnable(self) -> bool:
        return family.runnable(self._pid)

    def _cpu_s(self) -> float:
        return time.clock_gettime((~self._pid << 3) | 2)  # the kernel's name for the clock of another process

    def _memory(self) -> int:
        """Bytes of the process that are in memory, shared mappings too, and what its scratch folder holds."""
        try:
            with open(f"/proc/{self._pid}/statm", "rb") as file:
                resident = int(file.read().split()[1])
        except OSError:
            return 0
        return resident * _PAGE + _scratch_bytes(self._level)


class _WatchFamily(_Watch):
    """Waits for a program of another language: what its children use counts too.

    ``command_s`` limits what a project's command uses once its build is done and our process has become the command.
    """

    _before_command: float | None = None

    def __init__(self, limits: dict[str, Any], poll: select.poll, level: str) -> None:
        super().__init__(limits, poll, level)
        self._starvation = family.Starvation()

    def _starved(self) -> float:
        return self._starvation.seconds

    def _runnable(self) -> bool:
        return any(map(family.runnable, family.members(self._pid, self._level)))

    def _broken_limit(self) -> str | None:
        self._starvation.look(self._pid, self._level)
        broken = super()._broken_limit()
        if broken or not self._limits["command_s"]:
            return broken
        try:
            seconds = self._cpu_s()
            if self._before_command is None and os.readlink(f"/proc/{self._pid}/exe") != os.readlink("/proc/self/exe"):  # noqa: PTH115
                self._before_command = seconds
        except OSError:
            return None  # it has just died, or there is no view of the processes
        over = self._before_command is not None and seconds - self._before_command > self._limits["command_s"]
        return "time" if over else None

    def _cpu_s(self) -> float:
        return max(super()._cpu_s(), family.used(self._pid, self._level)[0])

    def _memory(self) -> int:
        return family.used(self._pid, self._level)[1] + _scratch_bytes(self._level)


def _scratch_bytes(level: str) -> int:
    """What lies in the private file systems in memory."""
    if level != "full":
        return 0
    usages = map(os.statvfs, ("/tmp", "/dev/shm"))
    return sum((usage.f_blocks - usage.f_bfree) * usage.f_frsize for usage in usages)


def _kill_everything_else(level: str) -> None:
    """After this no process of the test is alive. As first process of a namespace one call does; else go by descent."""
    if level == "full":
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return
    else:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
        for pid in _children() if level != "full" else ():
            os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []
