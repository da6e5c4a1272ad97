"""The process of one test: puts itself in the inner jail, runs the solution, reports, and is gone.

Everything it needs after the solution's code has started is bound to locals before, so that a solution that replaces
builtins or modules changes its own answers at most.
"""

# ruff: noqa: PTH103, PTH108, PTH120 - raw paths are the matter here

from __future__ import annotations

import _sitebuiltins
import atexit
import binascii
import builtins
import gc
import io
import linecache
import marshal
import mmap
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
from .orders import Order
from .report import HEADER_BYTES, Channel
from .syscalls import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prepared_prctl

FILE_NAME = "solution.py"
COMPLAINT = 3
"""Descriptor of the pipe to the zygote until the solution starts."""
_DENIALS = (1, 13, 30)  # EPERM, EACCES, EROFS
_STACK_BYTES = 120 << 20  # the gap that the kernel leaves below the stack of a process is 128 MiB
_VIRTUAL_EXTRA = 1 << 30  # room for stacks and mappings that are reserved and not used
_OPEN_FILES, _PROCESSES = 256, 128
_LIMITS_OF_TEST = (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE)
_ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Runner:
    """What is done before the fork, so that little memory is touched, and thus copied, after it.

    Three files stay with the zygote, and the caller empties them when it must: the job, the channel, and the compiled
    solution, which the process of its first test leaves there before any of its code has run.
    """

    processes = False

    def __init__(self, level: str, scratch: str, packages: list[str]) -> None:
        self._level, self._scratch, self._zygote = level, scratch, os.getpid()
        self._readable = [] if level == "full" else [*jail.runtime_paths(), *packages, *jail.DEVICES]
        # as first process of a namespace the zygote takes all others with it
        self._die_with_zygote = None if level == "full" else prepared_prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # lets the zygote read how much memory we use; another solution never runs beside us
        self._be_seen = prepared_prctl(PR_SET_DUMPABLE, 1)
        self._filter: seccomp.Prepared | None = None
        if level != "process":
            self._filter = seccomp.Prepared(lambda own_pid: seccomp.test_filter(own_pid, namespaces=level == "full"))
        self._limits = _ResourceLimits(level)
        self._mapping: mmap.mmap | None = None
        self._mapped = 0
        os.environ.clear()
        os.environ.update(_ENVIRONMENT)
        if packages:  # numerical ones would start a thread for each processor
            os.environ.update(dict.fromkeys(_THREADS, "1"))
        for word in ("exit", "quit"):
            setattr(builtins, word, _sitebuiltins.Quitter(word, "Ctrl-D (i.e. EOF)"))
        sys.argv[:] = [FILE_NAME]
        random.seed(0)

    def keep(self, files: list[int]) -> None:
        """Take the files that stay: job, channel, compiled solution."""
        self._job, self._channel, self._compiled = files

    def before_fork(self, order: Order) -> None:
        """Map the channel, and write out the limits; what is forked inherits both."""
        self._limits.prepare(order.time_s, order.memory_bytes, order.output_bytes)
        if order.channel_bytes != self._mapped:
            self._mapped = order.channel_bytes
            self._mapping = mmap.mmap(self._channel, self._mapped)

    def run(self, order: Order, descriptors: list[int], complaint: int) -> NoReturn:
        """Run the test with the files ``descriptors``: stdin, stdout, stderr, and two pipes if it has a partner in
        another process. All are above the targets that they are moved to. Never returns.

        ``complaint`` is a pipe to the zygote, closed before the solution starts: a word in it means that we failed.
        """
        exit_now = os._exit
        try:
            assert self._mapping is not None
            channel = Channel(self._mapping, self._mapped)
            job = _read_job(self._job, order.job_bytes)
            moved = [*descriptors[:COMPLAINT], complaint, *descriptors[COMPLAINT:], self._compiled]
            for target, descriptor in enumerate(moved):
                os.dup2(descriptor, target)
            complaint, compiled = COMPLAINT, len(moved) - 1
            os.closerange(len(moved), 65536)
            self._confine()
            os.close(complaint)
        except BaseException as error:  # our own failure, not the solution's
            try:
                os.write(complaint, f"{type(error).__name__}: {error}"[:1000].encode())
            finally:
                exit_now(1)
        try:
            code = _compile(job["sources"], channel, compiled, job["again"])
            os.close(compiled)
            run_job(job, code, channel)
            exit_now(0)
        finally:  # whatever comes out, this process must never go on as a second zygote
            exit_now(1)

    def _confine(self) -> None:
        os.setsid()
        if self._die_with_zygote is not None:
            self._die_with_zygote()
            if os.getppid() != self._zygote:  # it died before we asked to die with it
                raise OSError("the zygote is gone")
        self._be_seen()
        _put_limits(self._limits.of_test)
        if self._level == "light":
            writable = [self._scratch, "/dev/null", "/dev/full", "/dev/zero"]
            landlock.restrict([*self._readable, f"/proc/{os.getpid()}"], writable)
        if self._filter is not None:
            self._filter.install(os.getpid())


class _ResourceLimits:
    """Hard limits of the kernel, each a backstop to what the zygote watches.

    Those that are the same for all tests are put on the zygote itself, and inherited.
    """

    def __init__(self, level: str) -> None:
        fixed = [(resource.RLIMIT_NOFILE, _OPEN_FILES), (resource.RLIMIT_MEMLOCK, 0)]
        if level == "full":  # elsewhere the limit would count the user's other processes too
            fixed.append((resource.RLIMIT_NPROC, _PROCESSES))
        for kind, value in fixed:
            resource.setrlimit(kind, _at_most(_hard(kind), value))
        stack = _hard(resource.RLIMIT_STACK)  # the hard limit stays: programs raise their own stack to it
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES if stack == resource.RLIM_INFINITY else stack, stack))
        self._hard = [(kind, _hard(kind)) for kind in _LIMITS_OF_TEST]
        self.of_test: list[tuple[int, tuple[int, int]]] = []
        """What the process of a test puts on itself: kind, soft and hard limit."""
        self._prepared: tuple[float, int, int] | None = None

    def prepare(self, time_s: float, memory_bytes: int, output_bytes: int) -> None:
        """Write out ``of_test``."""
        if self._prepared == (time_s, memory_bytes, output_bytes):
            return
        self._prepared = time_s, memory_bytes, output_bytes
        values_of_test = (int(time_s) + 2, memory_bytes + _VIRTUAL_EXTRA, output_bytes + 1)
        self.of_test = [
            (kind, _at_most(hard, value)) for (kind, hard), value in zip(self._hard, values_of_test, strict=True)
        ]


def _put_limits(limits: list[tuple[int, tuple[int, int]]]) -> None:
    for kind, pair in limits:
        resource.setrlimit(kind, pair)


def _hard(kind: int) -> int:
    return resource.getrlimit(kind)[1]


def _at_most(hard: int, value: int) -> tuple[int, int]:
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return value, value


def warm_up() -> None:
    """Do in the zygote what every test does: what an interpreter learns of its code is then learnt once, before the
    fork, and the pages in which it writes it down need not be copied for each test.
    """
    call = {"function": "f", "args": [[1, 2], {"$tuple": [0.5, "x"]}], "kwargs": {}}
    kept = os.open(".warm-up", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.unlink(".warm-up")
    be_unseen = prepared_prctl(PR_SET_DUMPABLE, 0)
    limits = [(kind, resource.getrlimit(kind)) for kind in _LIMITS_OF_TEST]
    for source in [_EXAMPLE, "def f(): 1 / 0"] * _REPEATS:
        written = marshal.dumps(
            {"mode": "calls", "sources": [source], "calls": [call], "imports": "", "again": True}, 2
        )
        os.pwrite(kept, written, 0)
        job = _read_job(kept, len(written))
        be_unseen()
        _put_limits(limits)
        channel = Channel(bytearray(1 << 16), 1 << 16)
        os.ftruncate(kept, 0)
        _place_module()
        _compile(job["sources"], channel, kept, job["again"])
        run_job(job, _compile(job["sources"], channel, kept, job["again"]), channel)
        os.ftruncate(kept, 0)
    os.close(kept)
    _place_module()
    linecache.cache.clear()
    random.seed(0)


_REPEATS = 30
_EXAMPLE = """
import math, re, sys
from collections import Counter, defaultdict
from typing import List
class A:
    def __init__(self, x: int) -> None:
        self.x = x
def f(xs: List[int], y: tuple):
    seen = defaultdict(list)
    for i, x in enumerate(sorted(xs)):
        seen[A(x).x].append(i)
    return [sum(xs), {"a": 1.5, 2: None}, "".join(str(x) for x in y), Counter(xs), (True, set(xs))]
"""


def run_job(job: dict[str, Any], code: types.CodeType | None, channel: Channel) -> None:
    """Do what the job's mode says, with the compiled solution, if it has one that compiles."""
    module, mode = sys.modules["__main__"], job["mode"]
    if mode in ("program", "check"):
        module.__name__ = "__main__"
        del sys.modules["solution"]
    if mode == "check":
        check_of_remote(job["check"], channel)
        return
    if code is None:
        return
    if mode == "program":
        _place_files(job["files"])
        _run_program(code, module, channel, job["fetch"])
        return
    prepare(mode == "unittest")
    if _guarded(channel, "import", exec, code, module.__dict__)[0]:
        _lend_names(job["imports"], module)
        _AFTER_IMPORT.get(mode, _run_check)(job, module, channel)


def _place_module() -> None:
    """A new module for a solution, as the interpreter would have set it up; each test gets a copy by the fork."""
    module = types.ModuleType("solution")
    module.__dict__.update(__file__=FILE_NAME, __builtins__=builtins)
    sys.modules["__main__"] = sys.modules["solution"] = module


def _read_job(kept: int, size: int) -> dict[str, Any]:
    return marshal.loads(os.pread(kept, size, 0))  # type: ignore[no-any-return]


def _compile(sources: list[str], channel: Channel, kept: int, again: bool) -> types.CodeType | None:
    """The first of the sources that is a program, from the file ``kept`` where an earlier test of the same solution has
    left it; None, and a report, when none is. ``again``: leave it there for the tests that come.
    """
    if length := int.from_bytes(os.pread(kept, HEADER_BYTES, 0), "little"):
        number, code = marshal.loads(os.pread(kept, length, HEADER_BYTES))
        _remember_lines(sources[number])
        return code  # type: ignore[no-any-return]
    first_error: BaseException | None = None
    for number, source in enumerate(sources):
        try:
            code = compile(source, FILE_NAME, "exec", dont_inherit=True)
        except BaseException as error:  # SyntaxError, ValueError (null bytes), RecursionError, MemoryError
            first_error = first_error or error
            continue
        if again:
            _keep_compiled(number, code, kept)
        _remember_lines(source)
        return code
    if sources:
        channel.send("compile_error", _describe(first_error))
    return None


def _keep_compiled(number: int, code: types.CodeType, kept: int) -> None:
    """The length comes last: whoever is killed in the middle has left nothing."""
    try:
        body = marshal.dumps((number, code))
    except (ValueError, MemoryError):  # nested too deep for this form
        return
    os.pwrite(kept, body, HEADER_BYTES)
    os.pwrite(kept, len(body).to_bytes(HEADER_BYTES, "little"), 0)


def _remember_lines(source: str) -> None:
    """For tracebacks, and whoever asks for the source; taken apart into lines when it is first asked for."""
    linecache.cache[FILE_NAME] = (lambda: source,)


def _place_files(files: dict[str, str]) -> None:
    """What shall lie beside the program: relative path, base64. The jail says what can be written where."""
    for name, body in files.items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(binascii.a2b_base64(body))


def _fetch_files(names: list[str], channel: Channel) -> None:
    for name in names:
        try:
            with open(name, "rb") as file:
                body = binascii.b2a_base64(file.read(), newline=False).decode()
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
        sys.excepthook(type(error), error.with_traceback(trace), trace)
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
