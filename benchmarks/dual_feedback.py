"""How much label noise people remove, and what that is worth to a critic: queue against random order, one person
against two.

Run: ``.venv/bin/python benchmarks/dual_feedback.py --data ../shared/data --output runs/dual-feedback``. It builds a
data folder from 4,000 solutions that published models wrote for MBPP, with MBPP's own three asserts as tests; MBPP+, which
tests each problem a hundred times, stands in for the truth. Two kinds of noise: what the weak tests really let through,
and labels flipped at a known rate. **The reviewers are simulated**: each answers with the truth but for a known error
rate. The critic is a regularised least-squares classifier over the tokens of the code and the problem it is for, so
that a training takes milliseconds and each point is a mean over many draws; what it says of a solution for the queue
comes from the other solutions alone, and from the noisy labels.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from critique_coder.data.build import build
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.sources.mbpp import read
from critique_coder.records import CritiqueRow, Solution
from critique_coder.storage import read_rows, write_jsonl

Array = npt.NDArray[np.float64]


_TYPING = "from typing import *\n\n"
"""Many of the programs name ``List`` and were recorded by a harness that had it imported."""


def make_build(data: Path, work: Path) -> tuple[list[CritiqueRow], dict[str, bool]]:
    """The build's critique rows, labelled by MBPP's tests, and the truth by solution id as MBPP+ has it."""
    recorded = [row for _, row in read_rows(data / "critique" / "mbpp_model_solutions.jsonl.gz") if row["plus"]]
    wanted = {f"mbpp/{row['task_id'].partition('/')[2]}" for row in recorded}
    problems = [problem for problem in read(str(data / "mbpp")).problems if problem.id in wanted]
    write_jsonl(work / "problems.jsonl", ({**problem.to_json(), "metadata": {}} for problem in problems))
    solutions = [
        Solution(row["id"], f"mbpp/{row['task_id'].partition('/')[2]}", _TYPING + row["code"], author=row["model"])
        for row in recorded
    ]
    write_jsonl(work / "solutions.jsonl", (solution.to_json() for solution in solutions))
    recipe = BuildRecipe.model_validate(
        {
            "source": [{"name": "problems", "path": str(work / "problems.jsonl")}],
            "candidates": {"path": str(work / "solutions.jsonl")},
        }
    )
    build(recipe, work / "build")
    rows = [CritiqueRow.from_json(row, where) for where, row in read_rows(work / "build" / "critiques.jsonl")]
    return rows, {row["id"]: row["label"] == "correct" for row in recorded}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    rows, truth = make_build(options.data, options.output)
    print(len(rows), Counter((row.label, truth[row.solution_id]) for row in rows))
