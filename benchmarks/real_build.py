"""Build from real problems: MBPP, LeetCodeDataset and CodeContests, with what published models wrote for MBPP.

    CRITIQUE_CODER_DATA=/data python benchmarks/real_build.py --output runs/real

MBPP's own splits hold: tasks 601 to 974 train, the others are held out. The same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from critique_coder.storage import write_jsonl, write_text

RECIPE = """
seed = 0

[[source]]
name = "mbpp"
[[source]]
name = "leetcode"
[[source]]
name = "codecontests"

[duplicates]
near = 0.7

[contamination]
against = ["humaneval", "humanevalplus", "mbpp", "mbppplus", "bigcodebench", "livecodebench", "cruxeval", "bbeh"]

[audit]
repeats = 2
mutants = 3
min_mutants_fail = 0.34

[candidates]
path = PATH
"""


def recorded() -> Iterator[dict[str, Any]]:
    """The models' solutions in the project's format."""
    place = Path(os.environ["CRITIQUE_CODER_DATA"]) / "critique" / "mbpp_model_solutions.jsonl.gz"
    with gzip.open(place, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            name = row["task_id"].replace("MBPP/", "mbpp/")
            yield {"id": row["id"], "problem_id": name, "code": row["code"], "author": row["model"] or "unknown"}


def main() -> None:
    """Write solutions and recipe beside the output, and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output
    solutions = output.with_name(f"{output.name}-solutions.jsonl")
    recipe = output.with_name(f"{output.name}.toml")
    write_jsonl(solutions, recorded())
    write_text(recipe, RECIPE.replace("PATH", json.dumps(str(solutions))))
    command = [sys.executable, "-c", "from critique_coder.cli import main; main()", "build"]
    raise SystemExit(subprocess.run([*command, str(recipe), "--output", str(output)]).returncode)


if __name__ == "__main__":
    main()
