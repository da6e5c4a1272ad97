"""The workers of one judge: handed out, replaced when lost, and kept quiet while a slow test is confirmed alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import FileIO

from .isolation import IsolationError
from .limits import Limits
from .worker import Ending, Job, Worker, WorkerLost

_ATTEMPTS = 3


class Pool:
    """At most ``size`` tests at a time, on workers started when first needed. Safe for use by many threads.

    ``beside``: another pool of the same judge; the two count as one.
    """

    def __init__(self, size: int, first: Worker, beside: Pool | None = None) -> None:
        self._level, self._toolchain, self._packages = first.level, first.toolchain, first.packages
        self._slots: threading.BoundedSemaphore = beside._slots if beside else threading.BoundedSemaphore(size)
        self._idle = [first]
        self._all = {first}
        self._lock = threading.Lock()
        self._gate: _Gate = beside._gate if beside else _Gate()
        self._closed = False

    def run(self, job: Job, limits: Limits, confirm: bool = True) -> Ending:
        """Run one test; raises WorkerLost when three workers in a row were lost over it.

        A test that waited too long is run once more with nothing beside it, and that second ending counts; without
        ``confirm`` the first one does.
        """

        def attempt(before: list[Ending]) -> list[Ending]:
            with self._worker(job) as worker:
                return [worker.run(job, limits)]

        return self._confirmed(attempt, confirm)[0]

    def run_linked(
        self, jobs: tuple[Job, Job], limits: tuple[Limits, Limits], confirm: bool = True
    ) -> tuple[Ending, Ending]:
        """Run a solution that serves and the check that asks it, each in a worker of its own; raises as ``run`` does.

        The two count as one test. While one of them is kept from running by a busy machine the other one waits for it,
        which its own watcher cannot see: when they are run again each has that much more time.
        """

        def attempt(before: list[Ending]) -> list[Ending]:
            serves, checks = limits
            if before:
                serves, checks = serves.beside(before[1].starved_s), checks.beside(before[0].starved_s)
            with self._worker(jobs[0]) as first, self._worker(jobs[1]) as second, ThreadPoolExecutor(1) as beside:
                ends = _pipes()
                checking = beside.submit(second.run, jobs[1], checks, ends[1])
                try:
                    return [first.run(jobs[0], serves, ends[0]), checking.result()]
                finally:
                    for end in ends[0]:  # or the check would wait for an answer for ever
                        end.close()

        serving, checking = self._confirmed(attempt, confirm)
        return serving, checking

    def _confirmed(self, attempt: Callable[[list[Ending]], list[Ending]], confirm: bool) -> list[Ending]:
        """``attempt`` is told how the processes ended before, if they waited too long then."""
        with self._gate.together():
            endings = self._with_retries(lambda: attempt([]))
        if any(ending.killed == "wall" for ending in endings) and confirm:
            with self._gate.alone():
                endings = self._with_retries(lambda: attempt(endings))
        return endings

    def _with_retries(self, attempt: Callable[[], list[Ending]]) -> list[Ending]:
        for number in range(1, _ATTEMPTS + 1):
            try:
                with self._slots:
                    return attempt()
            except WorkerLost:
                if number == _ATTEMPTS or self._closed:
                    raise
        raise AssertionError("unreachable")

    @contextmanager
    def _worker(self, job: Job) -> Iterator[Worker]:
        worker = self._take(job)
        try:
            yield worker
        finally:
            self._put(worker)

    def _take(self, job: Job) -> Worker:
        with self._lock:
            if self._closed:
                raise WorkerLost("the judge is closed")
            for place, worker in enumerate(self._idle):
                if worker.holds(job):
                    return self._idle.pop(place)
            if self._idle:
                return self._idle.pop()
        try:
            worker = Worker(self._level, self._toolchain, self._packages)
        except (OSError, ValueError, IsolationError) as error:  # it went well before, so this is the machine's state
            raise WorkerLost(f"no new worker can be started: {error}") from error
        with self._lock:
            self._all.add(worker)
        return worker

    def _put(self, worker: Worker) -> None:
        with self._lock:
            if worker.usable and not self._closed:
                self._idle.append(worker)
                return
            self._all.discard(worker)
        worker.close()

    def pids(self) -> list[int]:
        """The processes started by this pool that are still in use."""
        with self._lock:
            return [worker.pid for worker in self._all]

    def close(self) -> None:
        """Kill all workers; those at work raise WorkerLost to whoever waits for them. May be called twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
            busy = list(self._all)
        for worker in idle:
            worker.close()
        for worker in busy:
            worker.kill()


def _pipes() -> tuple[list[FileIO], list[FileIO]]:
    """Two pipes: the ends of the one who reads requests and writes answers, and those of the other."""
    (requests_in, requests_out), (answers_in, answers_out) = os.pipe(), os.pipe()
    return (
        [FileIO(requests_in, "r"), FileIO(answers_out, "w")],
        [FileIO(requests_out, "w"), FileIO(answers_in, "r")],
    )


class _Gate:
    """Many may pass together, or one alone; whoever asks to be alone keeps newcomers waiting."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._wishes = 0
        self._alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._wishes and not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._wishes += 1
            self._changed.wait_for(lambda: not self._inside and not self._alone)
            self._wishes -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()
