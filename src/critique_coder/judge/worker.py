"""One worker: a zygote process that the caller starts by exec, and the files that go to and come from each test.

A worker is used by one thread at a time. Anything that goes wrong with the machinery raises ``WorkerLost``; what the
solution does never does.
"""

from __future__ import annotations

import json
import marshal
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from .inside.orders import Order, pack_order, read_told
from .inside.report import HEADER_BYTES
from .inside.scratch import empty_folder
from .isolation import Isolation, IsolationError
from .limits import Limits
from .packages import NO_PACKAGES, Packages

_START_S, _GRACE_S = 30.0, 30.0
_INSIDE = Path(__file__).with_name("inside") / "__main__.py"
_MARSHAL = 2
"""The format of what goes into the jail, which takes less to read than JSON. The interpreter there is our own, and what
comes out of the jail is never read in this way."""
_ENVIRONMENT = {"LD_BIND_NOW": "1", "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"}


class WorkerLost(Exception):
    """The machinery failed: the zygote died, the protocol broke, or the machine ran out of something."""


@dataclass(frozen=True, slots=True)
class Job:
    """One test as the jail sees it: programs and inputs, never what is expected.

    ``mode`` is ``program``, ``calls``, ``serve``, ``check``, ``script`` or ``unittest``; ``sources`` are tried in order
    until one compiles. ``serve`` holds a solution for a ``check`` in another process, which holds none; in the last two
    both are in one. ``imports`` are statements whose names the solution gets where it has none of its own. ``files``
    (path below the scratch folder, base64) lie there when a ``program`` starts; ``fetch`` names those to bring back.
    Jobs of other languages (``build``, ``run``, ``project``) say in ``program`` what is executed; ``archive`` is what a
    ``build`` made. ``again``: other tests of the same sources will follow.
    """

    mode: str
    sources: tuple[str, ...]
    stdin: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    check: dict[str, Any] | None = None
    imports: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    fetch: tuple[str, ...] = ()
    program: dict[str, Any] | None = None
    archive: bytes = b""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process of a test ended. Times in seconds, memory in bytes; ``status`` is an exit code or minus a signal.

    ``reports`` are the lines that the process left in its channel; ``killed`` names the limit for which it was killed.
    ``starved_s``: how long it was ready to run and got no processor, told of processes that took long.
    """

    status: int
    cpu_s: float
    wall_s: float
    memory: int
    killed: str | None
    stdout: bytes
    stderr: bytes
    reports: tuple[list[Any], ...]
    archive: bytes = b""
    starved_s: float = 0.0


class Worker:
    """Starts the zygote at construction; raises IsolationError when it cannot have the level, WorkerLost otherwise.

    ``toolchain``: paths that programs of another language need; such a worker runs these instead of Python.
    ``packages``: what Python programs may import beside the standard library.
    """

    def __init__(
        self, level: Isolation, toolchain: tuple[str, ...] | None = None, packages: Packages = NO_PACKAGES
    ) -> None:
        self.level = level
        self.toolchain, self.packages = toolchain, packages
        self._scratch = None if level is Isolation.FULL else tempfile.mkdtemp(prefix="critique-coder-")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [
            _interpreter(),
            "-s",
            "-S",
            "-P",
            str(_INSIDE),
            str(theirs.fileno()),
            level.value,
            self._scratch or "-",
            json.dumps({"toolchain": toolchain, "modules": dict(packages.modules), "paths": packages.paths}),
        ]
        null = subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                command, env=_ENVIRONMENT, cwd="/", pass_fds=[theirs.fileno()], stdin=null, stdout=null, stderr=null,
                start_new_session=True,  # an interrupt from the terminal is for the caller, who then closes us
            )  # fmt: skip
        except OSError as error:
            self._control.close()
            self._remove_scratch()
            raise WorkerLost(f"cannot start the interpreter: {error}") from error
        finally:
            theirs.close()
        self.usable = True
        self._files = ExitStack()
        self._sources: tuple[str, ...] = ()
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process that the caller started."""
        return self._process.pid

    def _greet(self) -> None:
        self._control.settimeout(_START_S)
        answer = json.loads(self._receive())
        if "error" in answer:
            raise IsolationError(f"isolation {self.level.value!r} cannot be had here: {answer['error']}")
        try:
            self._job, self._channel, self._compiled = kept = [_memory_file(b"", self._files) for _ in range(3)]
            socket.send_fds(self._control, [b"files"], kept)
        except OSError as error:
            raise WorkerLost(f"{type(error).__name__}: {error}") from error

    def _receive(self) -> bytes:
        try:
            message = self._control.recv(65536)
        except OSError as error:
            raise WorkerLost(f"no word from the zygote: {error}") from error
        if not message:
            raise WorkerLost("the zygote died")
        return message

    def run(self, job: Job, limits: Limits, link: Sequence[FileIO] = ()) -> Ending:
        """Run one test; raises WorkerLost, after which this worker is not usable.

        ``link``: the ends of the pipes for requests and answers, closed here once the process has them.
        """
        try:
            with ExitStack() as stack:
                for end in link:
                    stack.callback(end.close)
                return self._run(job, limits, link, stack)
        except (OSError, ValueError, struct.error) as error:
            self.usable = False
            raise WorkerLost(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.usable = False
            raise

    def _run(self, job: Job, limits: Limits, link: Sequence[FileIO], stack: ExitStack) -> Ending:
        job_bytes = self._write_job(job)
        channel_bytes = limits.output_bytes + (1 << 16)
        os.ftruncate(self._channel, 0)
        os.ftruncate(self._channel, channel_bytes)
        _, stdout, stderr = files = [
            _memory_file(content, stack) for content in (job.stdin.encode("utf-8", "surrogateescape"), b"", b"")
        ]
        self._control.settimeout(limits.longest_s + _GRACE_S)
        ends, command_s = [end.fileno() for end in link], 0
        if job.program is not None:
            ends.append(archive := _memory_file(job.archive, stack))
            command_s = job.program.get("command_s", 0)
        order = Order(
            job_bytes, channel_bytes, limits.memory_bytes, limits.output_bytes, limits.time_s, limits.patience_s,
            limits.longest_s, command_s,
        )  # fmt: skip
        socket.send_fds(self._control, [pack_order(order)], [*files, *ends])
        for end in link:
            end.close()
        told = read_told(self._receive())
        if isinstance(told, str):
            self.usable = False
            raise WorkerLost(f"the test could not be started: {told}")
        if not told.clean:
            self.usable = False
        return Ending(
            status=told.status, cpu_s=told.cpu_s, wall_s=told.wall_s, memory=told.memory, killed=told.killed or None,
            starved_s=told.starved_s, stdout=_content(stdout), stderr=_content(stderr),
            reports=_reports(self._channel, channel_bytes), archive=_content(archive) if job.mode == "build" else b"",
        )  # fmt: skip

    def _write_job(self, job: Job) -> int:
        """For the next process; what is there of another solution goes before. Gives the number of bytes."""
        body = {
            "mode": job.mode,
            "sources": job.sources,
            "calls": job.calls,
            "check": job.check,
            "imports": job.imports,
            "files": dict(job.files),
            "fetch": job.fetch,
            "program": job.program,
            "again": job.again,
        }
        try:
            written = marshal.dumps(body, _MARSHAL)
        except ValueError:  # numbers, texts or lists of a caller's own classes
            written = marshal.dumps(json.loads(json.dumps(body)), _MARSHAL)
        os.ftruncate(self._job, 0)
        _write(self._job, written)
        if job.sources != self._sources:
            os.ftruncate(self._compiled, 0)
            self._sources = job.sources
        return len(written)

    def holds(self, job: Job) -> bool:
        """Whether the compiled form of the job's solution may be here from an earlier test."""
        return job.sources == self._sources

    def kill(self) -> None:
        """End a test that another thread is waiting for; that thread sees WorkerLost and closes the worker."""
        self.usable = False
        self._process.kill()

    def close(self) -> None:
        """Kill the zygote and all it started, and remove the scratch folder. May be called twice."""
        self.usable = False
        self._control.close()
        self._files.close()
        self._process.kill()
        self._process.wait()
        if self.level is Isolation.PROCESS and self._scratch is not None:
            _end_those_in(self._scratch)
        self._remove_scratch()

    def _remove_scratch(self) -> None:
        if self._scratch is not None:
            if empty_folder(self._scratch):
                Path(self._scratch).rmdir()
            self._scratch = None


def _end_those_in(folder: str) -> None:
    """Kill the processes that work in ``folder``: descendants of a zygote that was killed before it could do so."""
    for _ in range(100):  # one that forks while we look is found the next time
        found = [process for process in Path("/proc").glob("[0-9]*") if _works_in(process, folder)]
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(process.name), signal.SIGKILL)
        if not found:
            return


def _works_in(process: Path, folder: str) -> bool:
    try:
        return str((process / "cwd").readlink()) == folder
    except OSError:
        return False


def _interpreter() -> str:
    """The interpreter below a virtual environment, for nothing of the environment shall be visible."""
    found = getattr(sys, "_base_executable", None) or sys.executable
    if not found:
        raise IsolationError("sys.executable is empty, so there is no interpreter to start; run under a normal Python")
    return str(found)


def _memory_file(content: bytes, stack: ExitStack) -> int:
    """A file in memory, positioned at its start, closed with ``stack``."""
    descriptor = os.memfd_create("judge")
    stack.callback(os.close, descriptor)
    _write(descriptor, content)
    return descriptor


def _write(descriptor: int, content: bytes) -> None:
    """From the start; the position stays where it is."""
    at = 0
    while at < len(content):
        at += os.pwrite(descriptor, memoryview(content)[at:], at)


def _content(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0) if size else b""


def _reports(descriptor: int, channel_bytes: int) -> tuple[list[Any], ...]:
    """What the process reported. The bytes are the solution's to forge: nonsense counts as no report."""
    length = int.from_bytes(os.pread(descriptor, HEADER_BYTES, 0), "little")
    raw = os.pread(descriptor, min(length, channel_bytes), HEADER_BYTES)
    try:
        reports = [json.loads(line) for line in raw.splitlines()]
    except (ValueError, RecursionError):
        return ()
    return tuple(report for report in reports if isinstance(report, list) and report)
