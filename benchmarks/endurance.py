"""Does the judge stay as it was? Many verdicts, a tenth of them attacks, and what it holds on the way.

    python benchmarks/endurance.py [--verdicts 100000]

Prints a line every so often, and at the end whether the last line is as the first; exits 1 when something has grown,
when a right program failed, or when an attack was rewarded.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from critique_coder.judge import Judge
from critique_coder.judge.exploits import FUNCTIONS
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind

TESTS = tuple(TestCase(TestKind.CALL, args=(x,), expected=3 * x + 1) for x in (1, 3))
PROBLEM = Problem("p", "Compute 3 * x + 1.", TESTS, entry_point="f", time_limit_s=0.3, memory_limit_mb=128)
RIGHT = "def f(x): return 3 * x + 1"


@dataclass(frozen=True)
class State:
    """What must not grow: memory of the caller and of the workers, descriptors, processes, temporary files."""

    caller_mib: float
    workers_mib: float
    descriptors: int
    processes: int
    files: int

    def as_before(self, before: State) -> bool:
        """Whether nothing has grown by more than noise."""
        slack = (20.0, 20.0, 8, 2, 1)
        return all(now <= then + more for now, then, more in zip(astuple(self), astuple(before), slack, strict=True))


def look(judge: Judge) -> State:
    """The state of this process and its workers."""
    below = _descendants(os.getpid())
    files = sum(path.name.startswith("critique-coder") for path in Path(tempfile.gettempdir()).iterdir())
    return State(
        _mib(os.getpid()), sum(map(_mib, below)), len(list(Path("/proc/self/fd").iterdir())), len(below), files
    )


def _mib(pid: int) -> float:
    """Memory of its own (not shared with others) of a process."""
    try:
        text = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0.0
    return (int(text[1]) - int(text[2])) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _descendants(root: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        try:
            pids = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for pid in pids:
            found += [pid, *_descendants(pid)]
    return found


def work(count: int) -> Iterator[tuple[Problem, Solution]]:
    """Nine right programs, then an attack, over and over."""
    attacks = itertools.cycle(FUNCTIONS)
    for number in range(count):
        attack = next(attacks) if number % 10 == 9 else None
        code = RIGHT if attack is None else FUNCTIONS[attack][0]
        yield PROBLEM, Solution(f"{'right' if attack is None else attack}#{number}", "p", code=code)


def main() -> None:
    """Run, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    every = max(1000, options.verdicts // 20)
    wrong: Counter[str] = Counter()
    states: list[State] = []
    begun = time.monotonic()
    heads = ("verdicts", "a second", "caller MiB", "workers MiB", "descriptors", "processes", "files")
    print("".join(f"{head:>13}" for head in heads))
    with Judge(options.workers, output_limit_mb=2) as judge:
        for number, verdict in enumerate(judge.verify_many(work(options.verdicts)), 1):
            right = verdict.solution_id.startswith("right#")
            if right is not (verdict.outcome is Outcome.PASSED):
                wrong[f"{verdict.solution_id.partition('#')[0]}: {verdict.outcome.value}"] += 1
            if number == 1000 or number % every == 0:
                states.append(look(judge))
                rate = number / (time.monotonic() - begun)
                print("".join(f"{value:>13.6g}" for value in (number, rate, *astuple(states[-1]))), flush=True)
    left = _descendants(os.getpid())
    flat = states[-1].as_before(states[0])
    print(f"as it was at the beginning: {flat}; processes left: {len(left)}")
    print(f"wrongly judged: {dict(wrong) or 'none'}")
    sys.exit(0 if flat and not left and not wrong else 1)


if __name__ == "__main__":
    main()
