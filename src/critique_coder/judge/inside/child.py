"""The process of one test: puts itself in the inner jail, runs the solution, reports, and is gone.

Everything it needs after the solution's code has started is bound to locals before, so that a solution that replaces
builtins or modules changes its own answers at most.
"""

# ruff: noqa: PTH103, PTH120 - raw paths are the matter here

from __future__ import annotations

import _sitebuiltins
import atexit
import base64
import builtins
import fcntl
import gc
import io
import json
import linecache
import os
import random
import resource
import signal
import sys
import threading
import types
from typing import Any, NoReturn

from . import jail, landlock, link, seccomp, values
from .check import CheckBroken, CheckFailed, check_of_remote, names_for_check, prepare, run_check
from .report import Channel
from .syscalls import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl

FILE_NAME = "solution.py"
_DENIALS = (1, 13, 30)  # EPERM, EACCES, EROFS
_STACK_BYTES = 120 << 20  # the gap that the kernel leaves below the stack of a process is 128 MiB
_VIRTUAL_EXTRA = 1 << 30  # room for stacks and mappings that are reserved and not used
_OPEN_FILES, _PROCESSES = 256, 128
_ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}


class Runner:
    """What can be prepared before the fork."""

    def __init__(self, level: str, scratch: str) -> None:
        self._level, self._scratch, self._zygote = level, scratch, os.getpid()
        self._readable = [] if level == "full" else [*jail.runtime_paths(), *jail.DEVICES]
        os.environ.clear()
        os.environ.update(_ENVIRONMENT)

    def run(self, limits: dict[str, Any], descriptors: list[int], complaint: int) -> NoReturn:
        """Run the test whose files are ``descriptors``: job, stdin, stdout, stderr, channel, and two pipes if it has a
        partner in another process. Never returns.

        ``complaint`` is a pipe to the zygote, closed before the solution starts: a word in it means that we failed.
        """
        exit_now = os._exit
        try:
            job_file, stdin, stdout, stderr, channel_file, *link_ends = descriptors
            channel = Channel(channel_file, limits["channel_bytes"])
            job = json.loads(os.pread(job_file, os.fstat(job_file).st_size, 0).decode("ascii"))
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, _OPEN_FILES) for end in link_ends]  # out of the way of the targets
            for target, descriptor in enumerate((stdin, stdout, stderr, complaint)):
                os.dup2(descriptor, target)
            complaint = 3
            for target, descriptor in zip((link.REQUESTS, link.ANSWERS), ends, strict=False):
                os.dup2(descriptor, target)
            os.closerange(4 + len(ends), 65536)
            self._confine(limits)
            os.close(complaint)
        except BaseException as error:  # our own failure, not the solution's
            try:
                os.write(complaint, f"{type(error).__name__}: {error}"[:1000].encode())
            finally:
                exit_now(1)
        try:
            run_job(job, channel)
            exit_now(0)
        finally:  # whatever comes out, this process must never go on as a second zygote
            exit_now(1)

    def _confine(self, limits: dict[str, Any]) -> None:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._zygote:  # it died before we asked to die with it
            raise OSError("the zygote is gone")
        prctl(PR_SET_DUMPABLE, 1)  # lets the zygote read how much memory we use; another solution never runs beside us
        _set_limits(limits, self._level)
        if self._level == "light":
            writable = [self._scratch, "/dev/null", "/dev/full", "/dev/zero"]
            landlock.restrict([*self._readable, f"/proc/{os.getpid()}"], writable)
        if self._level in ("full", "light"):
            seccomp.install(seccomp.test_filter(os.getpid(), namespaces=self._level == "full"))


def _set_limits(limits: dict[str, Any], level: str) -> None:
    """Hard limits of the kernel, each a backstop to what the zygote watches."""
    processor = int(limits["time_s"]) + 2
    virtual = int(limits["memory_bytes"]) + _VIRTUAL_EXTRA
    pairs = [
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_AS, virtual),
        (resource.RLIMIT_FSIZE, limits["output_bytes"] + 1),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_MEMLOCK, 0),
    ]
    if level == "full":  # elsewhere the limit would count the user's other processes too
        pairs.append((resource.RLIMIT_NPROC, _PROCESSES))
    for kind, value in pairs:
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    # the hard limit stays: programs raise their own stack to it
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES if hard == resource.RLIM_INFINITY else hard, hard))


def run_job(job: dict[str, Any], channel: Channel) -> None:
    """Compile and run as the job's mode says."""
    random.seed(0)
    if job["mode"] == "check":
        check_of_remote(job["check"], channel)
        return
    module = _new_module("__main__" if job["mode"] == "program" else "solution")
    code = _compile(job, channel)
    if code is None:
        return
    sys.argv[:] = [FILE_NAME]
    if job["mode"] == "program":
        _place_files(job["files"])
        _run_program(code, module, channel, job["fetch"])
        return
    prepare(job["mode"] == "unittest")
    if _guarded(channel, "import", exec, code, module.__dict__)[0]:
        _lend_names(job["imports"], module)
        _AFTER_IMPORT.get(job["mode"], _run_check)(job, module, channel)


def _new_module(name: str) -> types.ModuleType:
    """The module of the solution, as the interpreter would have set it up."""
    module = types.ModuleType(name)
    module.__dict__.update(__file__=FILE_NAME, __builtins__=builtins)
    sys.modules["__main__"] = sys.modules[name] = module
    for word in ("exit", "quit"):
        setattr(builtins, word, _sitebuiltins.Quitter(word, "Ctrl-D (i.e. EOF)"))
    return module


def _compile(job: dict[str, Any], channel: Channel) -> types.CodeType | None:
    """The first of the job's sources that is a program; None, and a report, when none is."""
    first_error: BaseException | None = None
    for source in job["sources"]:
        try:
            code = compile(source, FILE_NAME, "exec", dont_inherit=True)
        except BaseException as error:  # SyntaxError, ValueError (null bytes), RecursionError, MemoryError
            first_error = first_error or error
            continue
        linecache.cache[FILE_NAME] = (len(source), None, source.splitlines(keepends=True), FILE_NAME)
        return code
    channel.send("compile_error", _describe(first_error))
    return None


def _place_files(files: dict[str, str]) -> None:
    """What shall lie beside the program: relative path, base64. The jail says what can be written where."""
    for name, body in files.items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(base64.b64decode(body))


def _fetch_files(names: list[str], channel: Channel) -> None:
    for name in names:
        try:
            with open(name, "rb") as file:
                body = base64.b64encode(file.read()).decode()
        except OSError:
            continue
        if not channel.send("file", name, body):
            channel.send("too long")
            return


def _run_program(code: types.CodeType, module: types.ModuleType, channel: Channel, fetch: list[str]) -> None:
    """As ``python solution.py`` would: exit codes, uncaught exceptions, threads, atexit, flushing."""
    leave, bring_back, flush_forgotten = os._exit, _fetch_files, _flush_forgotten
    try:
        status = 0
        exec(code, module.__dict__)
    except SystemExit as error:
        status = _exit_status(error)
    except BaseException as error:
        status = 1
        channel.send("error", "run", *_anatomy(error))
        _show(error)
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads that are no daemons
        atexit._run_exitfuncs()
    except BaseException:
        status = status or 1
    for stream in (sys.stdout, sys.stderr):
        try:
            if not stream.closed:  # a program may close its output, with a `with`, say
                stream.flush()
        except BaseException:
            status = 120
    flush_forgotten()
    if fetch:
        bring_back(fetch, channel)
    leave(status)


def _flush_forgotten() -> None:
    """What the interpreter does to files, a program's own kinds too, that are open when it takes everything apart."""
    for found in (sys.__stdout__, sys.__stderr__, *gc.get_objects()):
        try:
            if isinstance(found, io.IOBase) and not found.closed:
                found.flush()
        except BaseException:
            continue


def _exit_status(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """Print the traceback without our own frames, through the hook that the solution may have set."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != FILE_NAME:
        trace = trace.tb_next
    try:
        sys.excepthook(type(error), error, trace)
    except BaseException:
        os._exit(1)


def _run_calls(job: dict[str, Any], module: types.ModuleType, channel: Channel) -> None:
    """Make the calls in order, one report each; the first that fails ends it."""
    encode, not_a_value = values.encode, values.NotAValue
    for call in job["calls"]:
        ok, function = _guarded(channel, "lookup", _find, module, call["function"])
        if not ok:
            return
        if function is None:
            channel.send("missing", call["function"])
            return
        arguments = [values.decode(item) for item in call["args"]]
        named = {key: values.decode(item) for key, item in call["kwargs"].items()}
        ok, value = _guarded(channel, "call", function, *arguments, **named)
        if ok and call.get("use") and type(value) not in values.PLAIN_TYPES:
            ok, value = _guarded(channel, "call", _USES[call["use"]], value)
        if not ok:
            return
        try:
            report: tuple[object, ...] = ("value", encode(value))
        except not_a_value as error:
            report = ("not a value", str(error))
        except BaseException as error:  # a set or dictionary changed by a thread of the solution while we read it
            report = ("not a value", f"a value that could not be read ({_describe(error)})")
        if not channel.send(*report):
            channel.send("too long")
            return


def _lend_names(imports: str, module: types.ModuleType) -> None:
    """Names that a check imports are there for the solution too, as when both are one program; its own come first."""
    if imports:
        names: dict[str, Any] = {}
        exec(imports, names)
        module.__dict__.update({name: value for name, value in names.items() if name not in module.__dict__})


def _run_check(job: dict[str, Any], module: types.ModuleType, channel: Channel) -> None:
    """A check that shares this process; only its coming to an end is reported as a pass."""
    nonce, failed, broken = job["check"]["nonce"], CheckFailed, CheckBroken
    try:
        names = names_for_check(module.__dict__, job["check"]["entry_point"])
        run_check(job["check"], names, job["mode"] == "unittest")
    except failed as error:
        channel.send("failed", str(error))
    except broken as error:
        channel.send("error", "check", str(error), *(_anatomy(error.cause)[1:] if error.cause else (False, False)))
    except BaseException as error:
        channel.send("error", "check", *_anatomy(error))
    else:
        channel.send("passed", nonce)


def _serve(job: dict[str, Any], module: types.ModuleType, channel: Channel) -> None:
    """Do what a check in another process asks for."""
    link.Server(module.__dict__, _anatomy).serve()


_AFTER_IMPORT = {"calls": _run_calls, "serve": _serve}
"""Mode of a job: what is done with the solution once it is imported; ``_run_check`` for the others."""

_USES = {"items": list, "truth": bool, "identity": lambda value: "an object"}
"""What a check script needs of a returned object that is no plain value: its items, its truth, or that it is itself."""


def _find(module: types.ModuleType, name: str) -> Any:
    """The function ``f`` or a bound ``Class.method`` of a new instance; None when the solution has none."""
    first, _, method = name.partition(".")
    found = module.__dict__.get(first)
    if found is None or not method:
        return found
    return getattr(found(), method, None)


def _guarded(channel: Channel, phase: str, function: Any, *args: Any, **kwargs: Any) -> tuple[bool, Any]:
    """Call into the solution; False, and a report, when an exception comes out."""
    try:
        return True, function(*args, **kwargs)
    except BaseException as error:
        channel.send("error", phase, *_anatomy(error))
        return False, None


def _anatomy(error: BaseException) -> tuple[str, bool, bool]:
    """Description; whether memory ran out; whether the sandbox had refused something."""
    denied, link, steps = False, error, 0
    while link is not None and steps < 5:
        denied = denied or (isinstance(link, OSError) and link.errno in _DENIALS)
        link = link.__cause__ or link.__context__  # type: ignore[assignment]
        steps += 1
    return _describe(error), isinstance(error, MemoryError), denied


def _describe(error: BaseException | None) -> str:
    """Type, text and the last line of the solution that was running."""
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == FILE_NAME else None
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE_NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)[:200]
    except BaseException:
        text = ""
    place = f" (line {line})" if line else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"
