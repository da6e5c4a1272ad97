"""What a process and all its descendants use, for programs that may start others."""

from __future__ import annotations

import os
import resource
import time

_TICK = os.sysconf("SC_CLK_TCK")
_COUNTED = (b"RssAnon:", b"RssShmem:")


def processor_time() -> float:
    """Seconds used by everything that this process has ever waited for, and by what those waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used(pid: int, level: str) -> tuple[float, int]:
    """Processor seconds, and bytes in memory without what is only mapped from files, of ``pid`` and what came of it."""
    seconds, memory = 0.0, 0
    for member in members(pid, level):
        try:
            with open(f"/proc/{member}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            seconds += sum(map(int, fields[11:15])) / _TICK  # own time and that of children it waited for
            with open(f"/proc/{member}/status", "rb") as file:
                memory += sum(int(line.split()[1]) * 1024 for line in file if line.startswith(_COUNTED))
        except OSError:  # it has just died; whoever waits for it inherits its time
            continue
    return seconds, memory


def starved(pid: int) -> dict[int, float]:
    """Seconds for which each thread of ``pid`` was ready to run and others had the processor, by the thread's number.

    Empty where the kernel does not tell.
    """
    found = {}
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:
                found[int(thread)] = int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):  # it has just died, or there is no such file
        pass
    return found


def runnable(pid: int) -> bool:
    """Whether a thread of ``pid`` is running, or waits for nothing but a processor."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] == b"R":
                    return True
    except (OSError, IndexError):  # it has just died
        pass
    return False


class Starvation:
    """How long a tree of processes has been kept from running: looked at often, for its processes come and go.

    Between two looks the one that waited most counts; all together never more than has passed.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._before: dict[int, float] = {}
        self._started = time.monotonic()

    def look(self, pid: int, level: str) -> None:
        """Add what has come since the last look. The kernel tells of a wait when it is over, however long it was."""
        waits: dict[int, float] = {}
        for member in members(pid, level):
            waits.update(starved(member))
        most = max((wait - self._before.get(thread, 0.0) for thread, wait in waits.items()), default=0.0)
        self.seconds = min(self.seconds + most, time.monotonic() - self._started)
        self._before = waits


def members(pid: int, level: str) -> list[int]:
    """``pid`` and what came of it: in a process namespace of our own everything but ourselves, elsewhere by descent."""
    return _everyone_else() if level == "full" else _descendants(pid)


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
