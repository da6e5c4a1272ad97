"""Does a build's memory stay and its time grow with the corpus? A million synthetic tests through all but the judge.

    python benchmarks/data_scale.py [--problems 50000] [--output FILE]

The problems are made up, twenty tests each, some too long and some there twice. They go through reading, filter,
duplicates (MinHash), critique data, difficulty and mix in a process of their own; solutions and verdicts are made up
too, two a problem. All of them and, twice one after the other, half of them run side by side: other work on the machine
makes processor seconds longer, and must weigh on both alike. Printed: problems a second of each stage, the peak of
memory of each process, and how much longer twice the input takes.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from critique_coder.data.build import STAGES
from critique_coder.data.mix import Templates
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.sources import open_source
from critique_coder.data.stage import READ_PROBLEMS, SURVIVORS, Counts, FileHashes, Stage, Work, run_stages
from critique_coder.data.verify import JudgeOptions
from critique_coder.prompts import load_template
from critique_coder.settings import resolve
from critique_coder.storage import write_jsonl

TESTS = 20
USED = ("read", "duplicates", "keep", "critiques", "difficulty", "rows")


def problems(count: int) -> Iterator[dict[str, Any]]:
    """Made-up problems: every 25th repeats the one before, every 10th has tests that are too long."""
    for number in range(count):
        dice = random.Random(number - 1 if number % 25 == 24 else number)
        words = [f"w{dice.randrange(30_000)}" for _ in range(120)]
        tests = []
        for place in range(TESTS):
            length = 400 if number % 10 == 9 and place % 2 else 12
            given = " ".join(str(dice.randrange(10**6)) for _ in range(length))
            tests.append({"kind": "stdio", "stdin": given + "\n", "stdout": f"{dice.randrange(10**6)}\n"})
        yield {"id": f"made/{number}", "statement": " ".join(words), "tests": tests, "source": "made"}


def made_up(work: Work) -> Counts:
    """Two solutions a problem, and verdicts on them: of what the judge would take hours for, only the files."""
    names = [problem.id for problem in work.survivors()]

    def solutions() -> Iterator[dict[str, Any]]:
        for name in names:
            for k in range(2):
                code = f"# {name} {k}\n" + "print(sum(map(int, input().split())))\n" * 20
                yield {"id": f"{name}#{k}", "problem_id": name, "code": code, "author": "made"}

    def verdicts() -> Iterator[dict[str, Any]]:
        for name in names:
            for k in range(2):
                outcome = "passed" if k else "wrong_answer"
                tests = [{"outcome": outcome, "time_s": 0.01}] * TESTS
                yield {
                    "solution_id": f"{name}#{k}", "problem_id": name, "outcome": outcome, "passed": TESTS * k,
                    "total": TESTS, "pass_rate": float(k), "tests": tests, "isolation": "none",
                }  # fmt: skip

    write_jsonl(work.file("solutions.jsonl"), solutions())
    write_jsonl(work.file("verdicts.jsonl"), verdicts())
    return {}


def timed(stage: Stage, seconds: dict[str, float]) -> Stage:
    """The stage, which notes how long it ran."""

    def run(work: Work) -> Counts:
        begun = time.process_time()
        counts = stage.run(work)
        seconds[stage.name] = time.process_time() - begun
        return counts

    return replace(stage, run=run)


def once(count: int) -> dict[str, Any]:
    """One run in this process: processor seconds of each stage, and the peak of memory in MiB."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_jsonl(folder / "problems.jsonl", problems(count))
        values = {
            "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
            "duplicates": {"near": 0.7},
        }
        recipe = resolve(BuildRecipe, values, [], "scale")
        seconds: dict[str, float] = {}
        stages = [timed(stage, seconds) for stage in STAGES if stage.name in USED]
        files = ("solutions.jsonl", "verdicts.jsonl")
        stages.insert(2, Stage("made", made_up, (READ_PROBLEMS, SURVIVORS), files, ()))
        source = open_source("problems", str(folder / "problems.jsonl"))
        templates = Templates(load_template("solve"), load_template("critique"))
        work = Work(recipe, folder / "data", JudgeOptions(), templates, (("problems", source),), tuple(stages))
        begun = time.process_time()
        counts = run_stages(work, FileHashes(folder / "hashes.json"))
        return {
            "problems": count,
            "tests": count * TESTS,
            "kept": counts["problems"]["kept"],
            "rows": counts["rows"]["train"],
            "problems_per_s": {name: round(count / spent) for name, spent in seconds.items()},
            "cpu_s": round(time.process_time() - begun, 1),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


def measured(count: int) -> Any:
    """What ``once`` finds in a process of its own."""
    command = [sys.executable, __file__, "--once", "--problems", str(count)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])


def main() -> None:
    """Run half and all side by side, and print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=50_000)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        print(json.dumps(once(asked.problems)))
        return
    with ThreadPoolExecutor(2) as both:
        halves = both.submit(lambda: [measured(asked.problems // 2) for _ in range(2)])
        whole = both.submit(measured, asked.problems).result()
        first, second = halves.result()
    half_s = (first["cpu_s"] + second["cpu_s"]) / 2
    found = {"runs": [first, second, whole], "time_of_twice_the_input": round(whole["cpu_s"] / half_s, 2)}
    text = json.dumps(found, indent=2)
    print(text)
    if asked.output:
        asked.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
