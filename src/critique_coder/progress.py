"""Progress of long work: a bar with rate and time left on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_EVERY_S = 20.0
"""Seconds between two lines where there is no terminal."""


class Bar:
    """Counts finished items; ``note`` is shown behind the bar (a rate, a reward)."""

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Report ``count`` more finished items."""
        raise NotImplementedError

    def begin(self, note: str) -> None:
        """Say what is being done before the first item is finished, which may take minutes."""
        raise NotImplementedError


class _TerminalBar(Bar):
    def __init__(self, progress: Progress, task: int) -> None:
        self._progress, self._task = progress, task

    def advance(self, count: int = 1, note: str | None = None) -> None:
        from rich.progress import TaskID

        self._progress.advance(TaskID(self._task), count)
        if note is not None:
            self._progress.update(TaskID(self._task), note=note)

    def begin(self, note: str) -> None:
        self.advance(0, note)


class _LogBar(Bar):
    def __init__(self, title: str, total: int | None, done: int) -> None:
        self._title, self._total, self._done, self._before = title, total, done, done
        self._begun = self._last = time.monotonic()

    def advance(self, count: int = 1, note: str | None = None) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._last < LOG_EVERY_S and (self._total is None or self._done < self._total):
            return
        self._last = now
        rate = (self._done - self._before) / max(now - self._begun, 1e-9)
        told = f"{self._told()} · {_rate(rate)}/s"
        if self._total is not None:
            told += f" · {(self._total - self._done) / rate if rate else 0.0:.0f} s left"
        print(told + (f" · {note}" if note else ""), file=sys.stderr, flush=True)

    def begin(self, note: str) -> None:
        print(f"{self._told()} · {note}", file=sys.stderr, flush=True)

    def _told(self) -> str:
        return f"{self._title}: {self._done}" + (f"/{self._total}" if self._total is not None else "")


def _rate(rate: float) -> str:
    """Two digits of a small rate, all digits of a large one."""
    return f"{rate:.2g}" if rate < 100 else f"{rate:.0f}"


@contextmanager
def bar(title: str, total: int | None, unit: str = "", done: int = 0) -> Iterator[Bar]:
    """Show progress of ``total`` items (None: nobody knows how many) on standard error while the block runs.

    ``done`` items are there from an earlier time and say nothing about the rate.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _LogBar(title, total, done)
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield _TerminalBar(progress, progress.add_task(title, total=total, completed=done, note=""))
