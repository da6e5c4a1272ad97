"""The process of one job of another language: compile a program, run a compiled one, or run a project's command.

It confines itself, lays out the files, and then becomes the program (``execve``), so that nothing of us is left in the
memory that a solution can search. What a compiler makes comes out as one archive, and goes back in for each test.
"""

# ruff: noqa: PTH103, PTH109, PTH113, PTH114, PTH120, PTH202, PTH207 - raw paths and descriptors are the matter here

from __future__ import annotations

import base64
import glob
import json
import marshal
import mmap
import os
import resource
import signal
import struct
from typing import Any, NoReturn

from . import jail, landlock, seccomp
from .orders import Order
from .report import Channel
from .syscalls import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl

COMPLAINT, ARCHIVE = 3, 4
"""Descriptors while this file is in charge; a program sees neither."""

_STACK_BYTES = 120 << 20
_VIRTUAL_EXTRA = 1 << 30
_OPEN_FILES, _PROCESSES = 1024, 256
_LENGTH = struct.Struct("<Q")


class Runner:
    """What can be prepared before the fork."""

    processes = True

    def __init__(self, level: str, scratch: str, toolchain: list[str]) -> None:
        self._level, self._scratch = level, scratch
        self._readable = [] if level == "full" else [*jail.runtime_paths(), *toolchain, *jail.DEVICES]

    def keep(self, files: list[int]) -> None:
        """Take the files that stay: job, channel, and one that is for Python only."""
        self._job, self._channel, _ = files

    def before_fork(self, order: Order) -> None:
        """Nothing can be done yet: what is mapped here is gone when the process becomes a program."""

    def run(self, order: Order, descriptors: list[int], complaint: int) -> NoReturn:
        """Do the job whose files are ``descriptors``: stdin, stdout, stderr, archive. Never returns.

        ``complaint`` is a pipe to the zygote, closed before the program starts: a word in it means that we failed.
        """
        exit_now = os._exit
        try:
            stdin, stdout, stderr, archive = descriptors
            channel = Channel(mmap.mmap(self._channel, order.channel_bytes), order.channel_bytes)
            job = marshal.loads(os.pread(self._job, order.job_bytes, 0))
            for target, descriptor in enumerate((stdin, stdout, stderr, complaint, archive)):
                os.dup2(descriptor, target, inheritable=target < COMPLAINT)
            os.closerange(ARCHIVE + 1, 65536)
            self._confine(job["mode"] != "run", order, job["program"]["address_space"])
            _place(job["files"])
            _unpack()
            _limit(resource.RLIMIT_FSIZE, order.output_bytes + 1)
            environment = _environment(job["program"]["environment"])
        except BaseException as error:  # our own failure, not the solution's
            try:
                os.write(COMPLAINT, f"{type(error).__name__}: {error}"[:1000].encode())
            finally:
                exit_now(1)
        try:
            _DO[job["mode"]](job["program"], environment, channel)
            exit_now(0)
        finally:
            exit_now(127)

    def _confine(self, processes: bool, order: Order, address_space: bool) -> None:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(PR_SET_DUMPABLE, 1)  # lets the zygote read how much memory we use; another solution never runs beside us
        _limit(resource.RLIMIT_CPU, int(order.time_s) + 2)
        _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
        _limit(resource.RLIMIT_MEMLOCK, 0)
        if address_space:
            _limit(resource.RLIMIT_AS, order.memory_bytes + _VIRTUAL_EXTRA)
        if self._level == "full":  # elsewhere the limit would count the user's other processes too
            _limit(resource.RLIMIT_NPROC, _PROCESSES)
        _, hard = resource.getrlimit(resource.RLIMIT_STACK)
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES if hard == resource.RLIM_INFINITY else hard, hard))
        if self._level == "light":
            writable = [self._scratch, "/dev/null", "/dev/full", "/dev/zero"]
            landlock.restrict([*self._readable, f"/proc/{os.getpid()}"], writable, programs=True)
        if self._level in ("full", "light"):
            seccomp.install(seccomp.program_filter(os.getpid(), self._level == "full", processes))


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _environment(own: dict[str, str]) -> dict[str, str]:
    """``{home}`` in a value stands for the scratch folder."""
    home = os.getcwd()
    os.makedirs(".tmp", exist_ok=True)  # of its own: Go overlooks a project that lies in the folder for temporary files
    return {"HOME": home, "TMPDIR": f"{home}/.tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC"} | {
        name: value.replace("{home}", home) for name, value in own.items()
    }


def _place(files: dict[str, str]) -> None:
    """Relative path, base64; the caller has seen that no path is also a folder of another."""
    for name, body in files.items():
        _write(name, base64.b64decode(body), 0o644)


def _write(name: str, body: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)


def _pack(patterns: list[str]) -> None:
    """What a compiler made: an index of names and sizes, and then the bytes."""
    names = [name for pattern in patterns for name in sorted(glob.glob(pattern, recursive=True))]
    names = [name for name in names if os.path.isfile(name) and not os.path.islink(name)]
    index = json.dumps([[name, os.path.getsize(name)] for name in names]).encode()
    with os.fdopen(ARCHIVE, "wb", closefd=False) as archive:
        archive.write(_LENGTH.pack(len(index)) + index)
        for name in names:
            with open(name, "rb") as file:
                archive.write(file.read())


def _unpack() -> None:
    """Lay out what ``_pack`` put together; everything may be executed, for a sandbox may forbid to change modes."""
    with os.fdopen(ARCHIVE, "rb", closefd=False) as archive:
        head = archive.read(_LENGTH.size)
        if head:
            for name, size in json.loads(archive.read(*_LENGTH.unpack(head))):
                _write(name, archive.read(size), 0o755)


def _build(program: dict[str, Any], environment: dict[str, str], channel: Channel) -> None:
    """Run the compiler's steps; the first that fails ends it with its exit code."""
    for step in program["steps"]:
        if not _succeeded(step, environment):
            channel.send("compile_error", "")
            os._exit(1)
    _pack(program["outputs"])


def _run(program: dict[str, Any], environment: dict[str, str], channel: Channel) -> None:
    command = program["command"]
    os.execve(command[0], command, environment)


def _project(program: dict[str, Any], environment: dict[str, str], channel: Channel) -> None:
    """The project's build, whose failure is a compile error, and then its test command; lines for the shell both."""
    if program["build"] and not _succeeded(["/bin/sh", "-c", program["build"]], environment):
        channel.send("compile_error", "")
        os._exit(1)
    if program["command_s"]:
        _limit(resource.RLIMIT_CPU, program["command_s"])
    os.execve("/bin/sh", ["/bin/sh", "-c", program["command"]], environment)


def _succeeded(command: list[str], environment: dict[str, str]) -> bool:
    """Run to its end; what it prints goes to stderr, and its stdin is empty."""
    null = os.open("/dev/null", os.O_RDONLY)
    moves = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, 2, 1)]
    pid = os.posix_spawn(command[0], command, environment, file_actions=moves)
    os.close(null)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


_DO = {"build": _build, "run": _run, "project": _project}
