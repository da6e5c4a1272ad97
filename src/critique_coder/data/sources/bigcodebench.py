"""BigCodeBench and its Hard subset: functions that call libraries, with unittest tests; for evaluation only.

Read as published (``bigcode/bigcodebench``), as the annotators' file and as the JSON of the Hard subset. The statement
is the instruction (BigCodeBench-Instruct). The tests need the libraries that ``metadata.libs`` names. Licence
Apache-2.0.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from critique_coder.data.sources.corpus import Lose, Place, Row, fields_of, reader
from critique_coder.records import BadInput, Json, Problem, TestCase, TestKind


def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of records of all three kinds; raises BadInput."""
    for row in rows:
        fields = fields_of(row)
        problem_id = fields.text("task_id", empty=False).replace("BigCodeBench/", "bigcodebench/", 1)
        check = fields.text("test")
        if "def test" not in check:
            lose(problem_id, "has no tests")
            continue
        published = "instruct_prompt" in row.value
        start = fields.text("code_prompt" if "code_prompt" in row.value else "prompt_wo_doc")
        yield Problem(
            id=problem_id,
            statement=fields.text("instruct_prompt" if published else "instruction", empty=False),
            tests=(TestCase(TestKind.UNITTEST, code=check),),
            entry_point=fields.text("entry_point", empty=False),
            reference=start + fields.text("canonical_solution"),
            source="bigcodebench",
            licence="Apache-2.0",
            released="2024-06-18",
            metadata={"split": "eval", "libs": _libs(row.value.get("libs"), row.where)},
        )


def _libs(value: Json, where: str) -> list[Json]:
    """The libraries' names, which the published set keeps as the text of a Python list."""
    try:
        found = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        found = value
    if found is not None and not isinstance(found, list):
        raise BadInput(f"{where}, key 'libs': must be a list of names")
    return found or []


PLACE = Place(
    "BigCodeBench",
    hub="bigcode/bigcodebench",
    patterns=("data/v0.1.4*.parquet",),
    folder="bigcodebench",
    names=("BigCodeBench.jsonl.gz",),
)
read = reader(PLACE, problems_of)
