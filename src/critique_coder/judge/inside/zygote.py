"""A warm interpreter that forks one process per test, watches it from outside and says how it ended.

It never reads a program, an input or an output: those travel in files whose descriptors it hands on unread. So a
solution that searches the memory it inherited finds no other solution, no test and no expected value.
"""

# ruff: noqa: PTH106, PTH116 - descriptors and raw paths are the matter here

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the functions below signal's, which make enums of everything
import _socket
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import NamedTuple, NoReturn, Protocol

from . import child, family, jail
from .orders import Order, Told, pack_failure, pack_told, read_order
from .scratch import empty_folder

_PRELOADED = [
    "abc", "bisect", "collections.abc", "contextlib", "copy", "datetime", "enum", "functools", "heapq", "itertools",
    "json", "linecache", "math", "operator", "random", "re", "string", "threading", "time", "types", "typing",
]  # fmt: skip
"""What most solutions import. Each module makes every fork dearer; the others are imported by those who need them."""

_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.008, 0.02
_CHILD_ENDS = [int(signal.SIGCHLD)]
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TARGETS, _STREAMS = 16, 3
"""Descriptors below are given to tests; what the zygote uses itself lies above."""
_MOST_FILES = _socket.CMSG_SPACE(8 * 4)


class Runner(Protocol):
    """Runs one test in a process that was forked for it; ``processes``: such a test may start others."""

    processes: bool

    def keep(self, files: list[int]) -> None:
        """Take the files that stay with the zygote."""

    def before_fork(self, order: Order) -> None:
        """Do what need not be done after the fork."""

    def run(self, order: Order, descriptors: list[int], complaint: int) -> NoReturn:
        """Be the process of the test."""


class Room(NamedTuple):
    """What tests find beside Python: ``toolchain``, the paths that programs of another language need, when they are
    such; ``modules`` and ``paths``, installed packages that they may import, and all that must be readable for it.
    """

    toolchain: list[str] | None
    modules: dict[str, str]
    paths: list[str]


def room_of(settings: str) -> Room:
    """From JSON."""
    return Room(**json.loads(settings))


def prepare(room: Room) -> Callable[..., Runner]:
    """Import what tests need, and give what makes their runner; the modules of this folder can still be found."""
    if room.toolchain is not None:
        return importlib.import_module(".programs", __package__).Runner  # type: ignore[no-any-return]
    for name in _PRELOADED:
        importlib.import_module(name)
    if room.modules:
        finder = importlib.import_module(".packages", __package__).Finder(room.modules)
        sys.meta_path.append(finder)
    return child.Runner


def main(make_runner: Callable[..., Runner], room: Room, control_descriptor: int, level: str, scratch: str) -> None:
    """Enter the jail, say that we are ready or why not, and serve until the caller hangs up."""
    control = _socket.socket(fileno=_above_targets(control_descriptor))
    try:
        jail.enter(level, scratch, control, room.toolchain, room.paths)
        runner = make_runner(level, scratch, room.paths if room.toolchain is None else room.toolchain)
        if room.toolchain is None:
            child.warm_up()
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
        self._empty = [_left_in(space) for space in _spaces(level)]

    def serve(self) -> None:
        """Take the files that stay, then tests, until the caller closes the socket."""
        _signal.pthread_sigmask(signal.SIG_BLOCK, _CHILD_ENDS)  # so that it can be waited for; a test undoes it
        self._runner.keep(self._receive()[1])
        while True:
            message, descriptors = self._receive()
            if not message:
                return
            try:
                answer = self._one_test(read_order(message), descriptors)
            except OSError as error:
                answer = pack_failure(str(error))
            except _HungUp:
                _kill_everything_else(self._level)
                self._clean(_spaces(self._level))
                return
            self._control.send(answer)

    def _receive(self) -> tuple[bytes, list[int]]:
        """A message and the files that came with it; no message when the caller is gone."""
        try:
            message, extra, _, _ = self._control.recvmsg(4096, _MOST_FILES)
        except OSError:
            return b"", []
        return message, memoryview(extra[0][2]).cast("i").tolist() if extra else []

    def _one_test(self, order: Order, descriptors: list[int]) -> bytes:
        """Fork, watch, clean up, answer; raises OSError when the machine has no process or descriptor left."""
        runner = self._runner
        runner.before_fork(order)
        before = family.processor_time() if runner.processes else 0.0
        watch = (_WatchFamily if runner.processes else _Watch)(order, self._poll, self._level)
        pipes, files = descriptors[_STREAMS:], descriptors[:_STREAMS]
        # from here until the test is dead, each page that is touched must be copied by the kernel
        pid = os.fork()
        if pid == 0:
            _signal.pthread_sigmask(signal.SIG_UNBLOCK, _CHILD_ENDS)
            runner.run(order, descriptors, self._complain)
        for descriptor in pipes:  # whoever reads from them waits for the last writer to let go
            os.close(descriptor)
        told = watch.until_dead(pid)
        for descriptor in files:
            os.close(descriptor)
        _kill_everything_else(self._level)
        if runner.processes:
            told = told._replace(cpu_s=family.processor_time() - before)
        if told.status and (failure := self._complaint()):
            return pack_failure(failure)
        spaces = _spaces(self._level)
        status, cpu_s, wall_s, starved_s, memory, killed, _ = told
        memory += _bytes_in(spaces)
        return pack_told(Told(status, cpu_s, wall_s, starved_s, memory, killed, self._clean(spaces)))

    def _complaint(self) -> str:
        """What the process said that could not set itself up, and that then left with a bad exit code."""
        if not select.select([self._complaints], [], [], 0)[0]:
            return ""
        return os.read(self._complaints, 4096).decode(errors="replace")

    def _clean(self, spaces: list[Space]) -> bool:
        """Remove what the test left; False when something would not go, and then the caller throws us away."""
        if self._level == "full" and list(map(_left_in, spaces)) == self._empty:
            return True
        folders = ["/tmp", "/dev/shm"] if self._level == "full" else ["."]
        return sum(map(empty_folder, folders)) == len(folders)  # each of them, also after one has failed


Space = tuple[os.statvfs_result, int]
"""A private file system in memory, and the mode of its root."""


def _spaces(level: str) -> list[Space]:
    if level != "full":
        return []
    return [(os.statvfs(folder), os.stat(folder).st_mode) for folder in ("/tmp", "/dev/shm")]


def _left_in(space: Space) -> tuple[int, int]:
    """How many more files it can hold, and its mode: whoever leaves something there changes one of these."""
    return space[0].f_ffree, space[1]


def _bytes_in(spaces: list[Space]) -> int:
    return sum((usage.f_blocks - usage.f_bfree) * usage.f_frsize for usage, _ in spaces)


class _Watch:
    """Waits for one process and kills it when it goes over a limit."""

    def __init__(self, order: Order, poll: select.poll, level: str) -> None:
        self._order, self._level, self._poll = order, level, poll
        self._killed = ""
        self._started = time.monotonic()
        self._pid = self._handle = -1

    def until_dead(self, pid: int) -> Told:
        """How it ended, without what it left in its folders."""
        self._pid = pid
        _signal.sigtimedwait(_CHILD_ENDS, _FIRST_LOOK_S)  # most are quick, and until then nothing of ours is touched
        starved = 0.0
        if self._passed() > 2 * _FIRST_LOOK_S or (ended := os.wait4(pid, os.WNOHANG))[0] == 0:
            self._watch()
            if self._passed() > self._order.wall_s / 4:
                starved = self._starved()  # it is dead, and still has its numbers
            ended = os.wait4(pid, 0)
        _, status, usage = ended
        cpu_s, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        return Told(
            os.waitstatus_to_exitcode(status), cpu_s, self._passed(), starved, memory, self._killed, clean=False
        )

    def _passed(self) -> float:
        return time.monotonic() - self._started

    def _watch(self) -> None:
        """Look after it until it is dead, but leave it to be waited for."""
        self._handle = os.pidfd_open(self._pid)
        self._poll.register(self._handle, select.POLLIN)
        look = _FIRST_LOOK_S
        while not self._ended(look):
            look = min(look * 1.5, _LONGEST_LOOK_S)
            broken = self._broken_limit()
            if broken and not self._killed:
                self._killed = broken
                os.kill(self._pid, signal.SIGKILL)

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
            if self._cpu_s() > self._order.time_s:
                return "time"
        except OSError:
            return None  # it has just died
        if self._waited_too_long():
            return "wall"
        if self._memory() > self._order.memory_bytes:
            return "memory"
        return None

    def _waited_too_long(self) -> bool:
        """A busy machine is not the program's fault: what it was kept from running does not count, up to a limit, and
        it is stopped when it sleeps. One that computes all the time ends by its processor time.
        """
        passed = self._passed()
        if passed <= self._order.wall_s or passed > self._order.longest_s:
            return bool(passed > self._order.longest_s)
        return bool(passed - self._starved() > self._order.wall_s) and not self._runnable()

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
        return resident * _PAGE + _bytes_in(_spaces(self._level))


class _WatchFamily(_Watch):
    """Waits for a program of another language: what its children use counts too.

    ``command_s`` limits what a project's command uses once its build is done and our process has become the command.
    """

    _before_command: float | None = None

    def __init__(self, order: Order, poll: select.poll, level: str) -> None:
        super().__init__(order, poll, level)
        self._starvation = family.Starvation()

    def _starved(self) -> float:
        return self._starvation.seconds

    def _runnable(self) -> bool:
        return any(map(family.runnable, family.members(self._pid, self._level)))

    def _broken_limit(self) -> str | None:
        self._starvation.look(self._pid, self._level)
        broken = super()._broken_limit()
        if broken or not self._order.command_s:
            return broken
        try:
            seconds = self._cpu_s()
            if self._before_command is None and os.readlink(f"/proc/{self._pid}/exe") != os.readlink("/proc/self/exe"):  # noqa: PTH115
                self._before_command = seconds
        except OSError:
            return None  # it has just died, or there is no view of the processes
        over = self._before_command is not None and seconds - self._before_command > self._order.command_s
        return "time" if over else None

    def _cpu_s(self) -> float:
        return max(super()._cpu_s(), family.used(self._pid, self._level)[0])

    def _memory(self) -> int:
        return family.used(self._pid, self._level)[1] + _bytes_in(_spaces(self._level))


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
