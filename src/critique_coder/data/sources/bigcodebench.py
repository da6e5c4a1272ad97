"""BigCodeBench and its Hard subset: functions that call libraries, with unittest tests; for evaluation only.

Read as published (``bigcode/bigcodebench``), as the annotators' file and as the JSON of the Hard subset. The statement
is the instruction (BigCodeBench-Instruct). The tests need the libraries that ``metadata.libs`` names. Licence
Apache-2.0.
"""

from __future__ import annotations

import ast

from critique_coder.data.sources.corpus import Place, Row, Unusable, each, fields_of, reader
from critique_coder.records import BadInput, Problem, TestCase, TestKind


def _name(row: Row) -> str:
    return fields_of(row).text("task_id", empty=False).replace("BigCodeBench/", "bigcodebench/", 1)


def _problem(row: Row, name: str) -> Problem:
    fields = fields_of(row)
    check = fields.text("test")
    if "def test" not in check:
        raise Unusable("has no tests")
    published = "instruct_prompt" in row.value
    start = fields.text("code_prompt" if "code_prompt" in row.value else "prompt_wo_doc")
    return Problem(
        id=name,
        statement=fields.text("instruct_prompt" if published else "instruction", empty=False),
        tests=(TestCase(TestKind.UNITTEST, code=check),),
        entry_point=fields.text("entry_point", empty=False),
        reference=start + fields.text("canonical_solution"),
        source="bigcodebench",
        licence="Apache-2.0",
        released="2024-06-18",
        metadata={"split": "eval", "libs": _libs(row)},
    )


problems_of = each(_name, _problem)


def _libs(row: Row) -> list[str]:
    """The libraries' names, which the published set keeps as the text of a Python list; raises BadInput."""
    value = row.value.get("libs")
    try:
        found = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        found = value
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise BadInput(f"{row.where}, key 'libs': must be a list of names")
    return found


PLACE = Place(
    "BigCodeBench",
    hub="bigcode/bigcodebench",
    patterns=("data/v0.1.4*.parquet",),
    folder="bigcodebench",
    names=("BigCodeBench.jsonl.gz",),
)
read = reader(PLACE, problems_of)
