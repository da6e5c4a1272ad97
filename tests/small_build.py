"""A small finished build: six problems, four of them to train on, with right and wrong recorded solutions."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from critique_coder.data.build import build
from critique_coder.data.built import BuiltData
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.verify import JudgeOptions
from critique_coder.settings import resolve
from critique_coder.storage import write_jsonl
from making import a_problem

RIGHT = ("def double(n):\n    return n + n\n", "def double(n):\n    return 2 * n\n")
WRONG = ("def double(n):\n    return n\n", "def double(n):\n    return n * n\n", "def double(n):\n    return 2 * n +\n")


def small_build(
    folder: Path, *overrides: str, options: JudgeOptions = JudgeOptions(), statement_bytes: int = 0
) -> BuiltData:
    """Build in ``folder/data``, with overrides such as ``mix.critique_share=0.2``.

    With ``statement_bytes`` every statement says that much more, which no file can make small.
    """
    problems = [
        a_problem(
            f"p{n}",
            statement=f"Write `double(n)`. (p{n}) {random.Random(n).randbytes(statement_bytes // 2).hex()}".strip(),
            metadata={"split": "train" if n < 4 else "heldout"},
            licence="MIT",
        )
        for n in range(6)
    ]
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    rows: list[dict[str, Any]] = [
        {"id": f"{problem.id}#{k}", "problem_id": problem.id, "code": code, "author": f"author {k % 2}"}
        for problem in problems
        for k, code in enumerate((*RIGHT, *WRONG))
    ]
    write_jsonl(folder / "solutions.jsonl", rows)
    recipe = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "judge": {"workers": 2},
        "mix": {"critique_share": 0.5},
    }
    build(resolve(BuildRecipe, recipe, overrides, "recipe"), folder / "data", options)
    return BuiltData.open(folder / "data")
