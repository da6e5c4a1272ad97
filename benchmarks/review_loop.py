"""The loop as a new user goes it, by the commands alone: build, judge 30 items, apply, build, train, report.

The solutions are recorded ones, by published models for MBPP, with MBPP's own three asserts as tests. **The reviewer is
simulated**: it answers over the page's own HTTP interface with the label by MBPP+ and its many more tests, blind, and
of a hidden gold item with its known answer. Both builds are trained on with the same small settings and the embedded
model; ``report`` holds the two runs beside each other.

    .venv/bin/python benchmarks/review_loop.py --data "$CRITIQUE_CODER_DATA" --output runs/review-loop
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from review_load import Client, Server

from critique_coder.data.sources import read_source
from critique_coder.records import Solution
from critique_coder.review.desk import ref_of
from critique_coder.review.doubts import queued, remembered
from critique_coder.storage import hash_fraction, read_json, read_rows, write_json, write_jsonl

ITEMS, PROBLEMS, EACH = 30, 60, 3
BUILD = ["judge.time_limit_s=2", "mix.heldout_share=0.4"]
TRAIN = [
    "method=crl", "warmup.rows=0", "warmup.solve_rows=0", "grpo.steps=1", "grpo.prompts=2", "grpo.group_size=2",
    "grpo.micro_batch_size=4", "grpo.max_tokens=24", "grpo.keep_pass_rate=[0.0,1.0]", "evaluation.samples=1",
    "evaluation.max_tokens=24", "evaluation.max_pairs=12",
]  # fmt: skip
_TYPING = "from typing import *\n\n"
"""Many of the programs name ``List`` and were recorded by a harness that had it imported."""


def run(*words: str | Path) -> Any:
    """A command of the product; gives back its summary, and raises when it fails."""
    command = [sys.executable, "-c", "from critique_coder.cli import main; main()", *map(str, words), "--json"]
    print("$ critique-coder", *words, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print("\n".join(done.stdout.splitlines()[:-1]), flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def take(data: Path, place: Path) -> dict[str, bool]:
    """Write problems and solutions; gives back whether each solution is correct by MBPP+."""
    recorded = [row for _, row in read_rows(data / "critique" / "mbpp_model_solutions.jsonl.gz") if row["plus"]]
    owners = {row["id"]: f"mbpp/{row['task_id'].partition('/')[2]}" for row in recorded}
    names = sorted(set(owners.values()), key=lambda name: hash_fraction("loop", name))[:PROBLEMS]
    problems = [problem for problem in read_source("mbpp", str(data / "mbpp")).problems if problem.id in names]
    write_jsonl(place / "problems.jsonl", ({**problem.to_json(), "metadata": {}} for problem in problems))
    solutions = []
    for name in names:
        own = [row for row in recorded if owners[row["id"]] == name]
        for row in sorted(own, key=lambda row: hash_fraction("loop", row["id"]))[:EACH]:
            solutions.append(Solution(row["id"], name, _TYPING + row["code"], author=row["model"]).to_json())
    write_jsonl(place / "solutions.jsonl", solutions)
    return {row["id"]: row["label"] == "correct" for row in recorded}


def judge(folder: Path, truth: dict[str, bool], count: int) -> dict[str, int]:
    """A simulated reviewer judges the first items over HTTP; counts what it judged."""
    cases = {ref_of(item.case.id): item.case for item in queued(folder, remembered(folder))}
    server = Server(folder, ["simulated"])
    client = Client(server.links["simulated"], server.port)
    client.enter()
    counts = {"judged": 0, "gold": 0, "against_the_tests": 0}
    after = ""
    for number in range(count):
        part = client.part(f"/part?after={after}")
        case, after = cases[part["ref"]], part["ref"]
        right = truth[case.solution_id] if case.gold is None else case.gold
        body = {"key": f"loop-{number}", "ref": after, "sha": part["sha"], "answers": {"correct": _word(right)}}
        status, text = client.ask("/verdict", {**body, "tags": [], "note": "", "marks": []})
        if status != 200:
            raise SystemExit(f"a verdict was refused: {text}")
        counts["judged"] += 1
        counts["gold"] += case.gold is not None
        counts["against_the_tests"] += case.gold is None and right is not case.tests
    server.kill()
    return counts


def _word(right: bool) -> str:
    return "yes" if right else "no"


def wrong_labels(folder: Path, truth: dict[str, bool]) -> list[int]:
    """How many labels of a build are not MBPP+'s, of how many."""
    rows = [row for _, row in read_rows(folder / "critiques.jsonl")]
    return [sum(row["label"] is not truth[row["solution_id"]] for row in rows), len(rows)]


def main() -> None:
    """Go the whole loop and write ``figures.json`` beside the runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/review-loop"))
    given = parser.parse_args()
    place = given.output
    truth = take(given.data, place)
    source = ["demo", "--problems", place / "problems.jsonl", f"candidates.path={place / 'solutions.jsonl'}", *BUILD]
    run("build", *source, "--output", place / "data")
    figures: dict[str, Any] = {"wrong_labels_before": wrong_labels(place / "data", truth)}
    figures["review"] = judge(place / "data", truth, ITEMS)
    run("review", "agreement", place / "data")
    figures["apply"] = run("review", "apply", place / "data", "--yes")
    run("build", *source, f"label.people={place / 'data' / 'feedback'}", "--output", place / "data-2")
    figures["wrong_labels_after"] = wrong_labels(place / "data-2", truth)
    write_json(place / "figures.json", figures)
    print(json.dumps(figures, indent=1), flush=True)
    for data, output in (("data", "before"), ("data-2", "after")):
        run("train", "demo", "--data", place / data, "--output", place / output, *TRAIN)
        figures[output] = read_json(place / output / "evaluation.json")
        write_json(place / "figures.json", figures)
    run("report", place / "before", place / "after", "--output", place / "change.html")


if __name__ == "__main__":
    main()
