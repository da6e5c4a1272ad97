"""A warm interpreter that forks one process per test, watches it from outside and says how it ended.

It never reads a program, an input or an output: those travel in files whose descriptors it hands on unread. So a
solution that searches the memory it inherited finds no other solution, no test and no expected value.
"""

# ruff: noqa: PTH106 - descriptors and raw paths are the matter here

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import time
from typing import Any

from . import child, family, jail, programs
from .scratch import empty_folder

_PRELOADED = [
    "abc", "ast", "base64", "bisect", "calendar", "cmath", "collections.abc", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "enum", "fileinput", "fractions", "functools", "hashlib", "heapq", "inspect", "itertools",
    "json", "linecache", "math", "numbers", "operator", "queue", "random", "re", "statistics", "string", "struct",
    "textwrap", "threading", "time", "traceback", "types", "typing",
]  # fmt: skip
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.004, 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(control_descriptor: int, level: str, scratch: str, toolchain: str | None = None) -> None:
    """Enter the jail, say that we are ready or why not, and serve until the caller hangs up.

    ``toolchain``: as JSON, the paths that programs of another language need; then the tests are such programs.
    """
    control = socket.socket(fileno=control_descriptor)
    try:
        paths = None if toolchain is None else json.loads(toolchain)
        jail.enter(level, scratch, control, paths)
        for name in _PRELOADED:
            importlib.import_module(name)
        runner = child.Runner(level, scratch) if paths is None else programs.Runner(level, scratch, paths)
    except Exception as error:  # whatever it was, the caller must hear of it and decide
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        os._exit(1)
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": level}).encode())
    try:
        _serve(control, runner, level)
    finally:
        if level != "full":  # a caller that was killed does not tidy up
            with contextlib.suppress(OSError):
                os.rmdir(scratch)
        os._exit(0)


Runner = child.Runner | programs.Runner


class _HungUp(Exception):
    """The caller is gone."""


def _serve(control: socket.socket, runner: Runner, level: str) -> None:
    """One test after the other, until the caller closes the socket."""
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, 65536, 8)
        except OSError:
            return
        if not message:
            return
        try:
            report = _one_test(json.loads(message), descriptors, control, runner, level)
        except OSError as error:
            report = {"failed": str(error)}
        except _HungUp:
            _kill_everything_else(level)
            _empty_scratch(level)
            return
        control.send(json.dumps(report).encode())


def _one_test(
    limits: dict[str, Any], descriptors: list[int], control: socket.socket, runner: Runner, level: str
) -> dict[str, Any]:
    """Fork, watch, clean up; raises OSError when the machine has no process or descriptor left."""
    complaint, complain = os.pipe()
    pid = os.fork()
    if pid == 0:
        runner.run(limits, descriptors, complain)
    for descriptor in (*descriptors, complain):
        os.close(descriptor)
    processes = isinstance(runner, programs.Runner)
    before = family.processor_time()
    report = (_WatchFamily if processes else _Watch)(pid, limits, control, level).until_dead()
    _kill_everything_else(level)
    if processes:
        report["cpu_s"] = family.processor_time() - before
    failure = os.read(complaint, 1000)
    os.close(complaint)
    if failure:
        report["failed"] = failure.decode(errors="replace")
    report["clean"] = _empty_scratch(level)
    return report


class _Watch:
    """Waits for one process and kills it when it goes over a limit."""

    def __init__(self, pid: int, limits: dict[str, Any], control: socket.socket, level: str) -> None:
        self._pid, self._limits, self._level = pid, limits, level
        self._clock = (~pid << 3) | 2  # the kernel's name for the processor clock of another process
        self._started = time.monotonic()
        self._handle = os.pidfd_open(pid)
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLIN)
        self._poll.register(control, select.POLLIN)
        self._killed: str | None = None

    def until_dead(self) -> dict[str, Any]:
        """How it ended: wait status, processor seconds, peak memory, and which limit it broke if we had to kill it."""
        look = _FIRST_LOOK_S
        while True:
            events = self._poll.poll(look * 1000)
            if any(descriptor == self._handle for descriptor, _ in events):
                break
            if events:  # the caller hung up
                raise _HungUp
            look = min(look * 1.5, _LONGEST_LOOK_S)
            broken = self._broken_limit()
            if broken and not self._killed:
                self._killed = broken
                os.kill(self._pid, signal.SIGKILL)
        scratch_bytes = _scratch_bytes(self._level)
        _, status, usage = os.wait4(self._pid, 0)
        os.close(self._handle)
        return {
            "status": os.waitstatus_to_exitcode(status),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "wall_s": time.monotonic() - self._started,
            "memory": usage.ru_maxrss * 1024 + scratch_bytes,
            "killed": self._killed,
        }

    def _broken_limit(self) -> str | None:
        try:
            if self._cpu_s() > self._limits["time_s"]:
                return "time"
        except OSError:
            return None  # it has just died
        if time.monotonic() - self._started > self._limits["wall_s"]:
            return "wall"
        if self._memory() > self._limits["memory_bytes"]:
            return "memory"
        return None

    def _cpu_s(self) -> float:
        return time.clock_gettime(self._clock)

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

    def _broken_limit(self) -> str | None:
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
    usages = [os.statvfs(path) for path in ("/tmp", "/dev/shm")]
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


def _empty_scratch(level: str) -> bool:
    """Remove what the test left; False when something would not go, and then the caller throws this worker away."""
    folders = ["/tmp", "/dev/shm"] if level == "full" else ["."]
    return sum(map(empty_folder, folders)) == len(folders)  # each of them, also after one has failed
