"""Does the judge stay as it was? Many verdicts, a tenth of them attacks, processes killed in between.

    python benchmarks/endurance.py [--verdicts 100000] [--kill-every 5000]

Prints what the judge holds after the first thousand verdicts and after every tenth of them. Every so often a worker's
process, or the one in it that forks the tests, is killed in the middle of its work (kill -9), and at the end a whole
program that judges. Exits 1 when something has grown, a verdict was lost or told twice, a right program failed, an
attack was rewarded, or a process or file is left.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
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


def kill_one(judge: Judge, number: int) -> str:
    """kill -9 of a worker, or of the process below it that forks the tests, in turn."""
    worker = judge.worker_pids()[0]
    below = _descendants(worker)
    victim, name = (below[0], "zygote") if below and number % 2 else (worker, "worker")
    os.kill(victim, signal.SIGKILL)
    return name


def kill_parent() -> list[str]:
    """kill -9 of a program that is judging with two workers; what is left of it after a while."""
    before = set(_folders())
    with subprocess.Popen([sys.executable, __file__, "--verdicts", "100000", "--kill-every", "0"],
                          stdout=subprocess.DEVNULL) as program:  # fmt: skip
        time.sleep(6)
        below = [(pid, _started(pid)) for pid in _descendants(program.pid)]
        program.kill()
    time.sleep(3)
    alive = [f"process {pid}" for pid, started in below if started and _started(pid) == started]
    if len(below) < 4:
        alive.append(f"only {len(below)} processes were at work")
    return alive + sorted(set(_folders()) - before)


def _started(pid: int) -> str | None:
    """When a process was started, in ticks: its number may be given again; None when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _folders() -> list[str]:
    return [str(path) for path in Path(tempfile.gettempdir()).glob("critique-coder-*")]


def main() -> None:
    """Run, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill-every", type=int, default=5_000, metavar="N", help="kill a process every N verdicts")
    options = parser.parse_args()
    if options.kill_every:  # what other programs leave does not count; the one that is killed shares our folder
        os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix="endurance-")
    report = run(options.verdicts, options.workers, options.kill_every)
    left = [f"process {pid}" for pid in _descendants(os.getpid())]
    if options.kill_every:
        left += kill_parent()
        left += [str(path) for path in Path(tempfile.gettempdir()).iterdir()]
    if options.kill_every and not left:
        Path(tempfile.gettempdir()).rmdir()
    print(f"left behind: {', '.join(left) or 'nothing'}")
    sys.exit(0 if report and not left else 1)


def run(count: int, workers: int, kill_every: int) -> bool:
    """Judge ``count`` solutions and print the table; whether all was as it should be."""
    wrong: Counter[str] = Counter()
    kills: Counter[str] = Counter()
    states: list[State] = []
    begun, told = time.monotonic(), 0
    heads = ("verdicts", "a second", "caller MiB", "workers MiB", "descriptors", "processes", "files")
    print("".join(f"{head:>13}" for head in heads))
    with Judge(workers, output_limit_mb=2) as judge:
        for number, verdict in enumerate(judge.verify_many(work(count)), 1):
            name, _, place = verdict.solution_id.partition("#")
            told += int(place) == number - 1
            if (name == "right") is not (verdict.outcome is Outcome.PASSED):
                wrong[f"{name}: {verdict.outcome.value}"] += 1
            if number == min(1000, count) or number % max(count // 10, 1) == 0:
                states.append(look(judge))
                rate = number / (time.monotonic() - begun)
                print("".join(f"{value:>13.6g}" for value in (number, rate, *astuple(states[-1]))), flush=True)
            if kill_every and number % kill_every == kill_every // 2:
                kills[kill_one(judge, sum(kills.values()))] += 1
    flat = states[-1].as_before(states[0])
    print(f"{time.monotonic() - begun:.0f} s; killed: {dict(kills)}; told once and in order: {told} of {count}")
    print(f"as it was at the beginning: {flat}; wrongly judged: {dict(wrong) or 'none'}")
    return flat and not wrong and told == count


if __name__ == "__main__":
    main()
