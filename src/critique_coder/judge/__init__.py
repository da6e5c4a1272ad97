"""Runs untrusted programs and says what execution found.

The judge has two rooms. In the trusted one, the caller's process, are the tests, what they expect, and the comparison.
In the other one a solution runs, and it holds nothing but its code and the input of one test.

    caller ── Judge (judging) ── Pool ── Worker ═ socket ═▶ launcher ── zygote (inside/zygote) ── one child per test
      │ scoring, compare_text, compare_values                      entered a jail (inside/jail)      (inside/child)
      └── files in memory: job, stdin ─────────────────────────────── handed on, unread ───────────────▶ read
          files in memory: stdout, stderr, reports ◀────────────────────────────────────────────────── written

A worker's zygote is started by exec, so a caller with threads or a GPU is never forked. It enters namespaces with an
empty root once, imports the standard library, and then forks a fresh process for every test, which adds resource
limits and a system-call filter before it reads the solution. Values come back as tagged JSON by exact type
(inside/values) through shared memory that no descriptor leads to. The zygote watches processor time, memory and the
clock from outside, kills, and empties the scratch folder. If it dies, the test is run again elsewhere; after three
times the test is ``unscored``, never wrong.
"""

from .isolation import Isolation, IsolationError
from .judging import Judge, ProgramResult, Way, way_of
from .limits import Limits
from .observing import Observed
from .probe import Finding, probe
from .worker import WorkerLost

__all__ = [
    "Finding", "Isolation", "IsolationError", "Judge", "Limits", "Observed", "ProgramResult", "Way", "WorkerLost",
    "probe", "way_of",
]  # fmt: skip
