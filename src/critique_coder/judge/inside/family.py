"""What a process and all its descendants use, for programs that may start others."""

from __future__ import annotations

import os
import resource

_TICK = os.sysconf("SC_CLK_TCK")
_COUNTED = (b"RssAnon:", b"RssShmem:")


def processor_time() -> float:
    """Seconds used by everything that this process has ever waited for, and by what those waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used(pid: int, level: str) -> tuple[float, int]:
    """Processor seconds, and bytes in memory without what is only mapped from files, of ``pid`` and what came of it.

    In a process namespace of our own that is everything but ourselves; elsewhere it is found by descent.
    """
    seconds, memory = 0.0, 0
    for member in _everyone_else() if level == "full" else _descendants(pid):
        try:
            with open(f"/proc/{member}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            seconds += sum(map(int, fields[11:15])) / _TICK  # own time and that of children it waited for
            with open(f"/proc/{member}/status", "rb") as file:
                memory += sum(int(line.split()[1]) * 1024 for line in file if line.startswith(_COUNTED))
        except OSError:  # it has just died; whoever waits for it inherits its time
            continue
    return seconds, memory


def starved(pid: int) -> float:
    """Seconds for which ``pid`` was ready to run and others had the processor: of its threads, the one that waited most.

    0 where the kernel does not tell.
    """
    most = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:
                most = max(most, int(file.read().split()[1]))
    except (OSError, IndexError):  # it has just died, or there is no such file
        pass
    return most / 1e9


def _everyone_else() -> list[int]:
    own = os.getpid()
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != own]  # noqa: PTH208
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        try:
            with open(f"/proc/{member}/task/{member}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
        except OSError:
            continue
    return found
