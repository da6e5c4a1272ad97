"""Kill a build at random moments until it is through; is the result that of a build that nobody killed?

    python benchmarks/kill_build.py [--kills 20] [--problems 40] [--seed 0]

Both builds are of the starter set with recorded solutions. Every file that the manifest lists as an output must have
the same bytes, and the same solutions the same outcomes. Exits 1 when they differ.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from critique_coder.data.sources import read_source
from critique_coder.storage import read_json, read_rows, sha256_file, write_jsonl

BUILD = [sys.executable, "-c", "from critique_coder.cli import main; main()", "build"]


def recorded(place: Path, count: int) -> list[str]:
    """Write problems with solutions; returns the command that builds from them, without its output."""
    corpus = read_source("starter", None)
    kept = corpus.problems[:count]
    write_jsonl(place / "problems.jsonl", (problem.to_json() for problem in kept))
    names = {problem.id for problem in kept}
    wrong = [solution for solution in corpus.wrong_solutions if solution.problem_id in names]
    rows: list[dict[str, Any]] = [{"id": f"{p.id}#0", "problem_id": p.id, "code": p.reference} for p in kept]
    rows += [{"id": f"{s.problem_id}#w{n}", "problem_id": s.problem_id, "code": s.code} for n, s in enumerate(wrong)]
    write_jsonl(place / "solutions.jsonl", rows)
    settings = [f"candidates.path={place / 'solutions.jsonl'}", "audit.min_wrong=0", "duplicates.near=0.9"]
    return [*BUILD, "demo", "--problems", str(place / "problems.jsonl"), *settings, "judge.workers=2"]


def run_and_kill(command: list[str], seconds: float) -> bool:
    """Whether the command ended before it was killed after ``seconds``."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return False
    if process.returncode != 0:
        raise SystemExit(f"the build failed with exit code {process.returncode}")
    return True


def result(folder: Path) -> dict[str, Any]:
    """What must be the same: hashes of the outputs as they lie there, and the outcomes."""
    outputs = read_json(folder / "manifest.json")["outputs"]
    rows = read_rows(folder / "verdicts.jsonl")
    return {
        **{name: sha256_file(folder / name) for name in outputs},
        "outcomes": [(row["solution_id"], row["outcome"], row["passed"]) for _, row in rows],
    }


def main() -> None:
    """Build undisturbed, then with kills, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        command = recorded(place, asked.problems)
        begun = time.monotonic()
        subprocess.run([*command, "--output", str(place / "whole")], check=True, stdout=subprocess.DEVNULL)
        whole = time.monotonic() - begun
        killed: list[float] = []
        again, folder = [*command, "--output", str(place / "killed")], place / "killed"
        start = 0.3 * whole / asked.kills  # no kill is spent on the imports alone
        while len(killed) < asked.kills:
            seconds = start + dice.random() * whole
            if run_and_kill(again, seconds):
                (folder / "manifest.json").unlink()  # through too early: its last stages are taken away again
                for mark in sorted((folder / "stages").glob("[!h]*.json"))[: 1 + dice.randrange(6)]:
                    mark.unlink()
            else:
                killed.append(round(seconds, 2))
        subprocess.run(again, check=True, stdout=subprocess.DEVNULL)
        same = result(place / "whole") == result(folder)
        left = [str(file.relative_to(folder)) for file in folder.rglob(".*") if file.is_file()]
    print(json.dumps({"kills_after_s": killed, "undisturbed_s": round(whole, 1), "same": same, "left_over": left}))
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
