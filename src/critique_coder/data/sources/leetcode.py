"""LeetCodeDataset: LeetCode problems with a passing solution and asserts. Licence MIT.

Read as it is published (``newfacade/LeetCodeDataset``) and as the folder ``leetcode_train_clean``. Its test file is
for evaluation. The problems' own asserts are few (two at the median) where only the statement's examples are there.
"""

from __future__ import annotations

import re

from critique_coder.data.sources.asserts import assert_tests, starter_for, stub_in
from critique_coder.data.sources.corpus import Place, Row, day, each, fields_of, reader, split_by_file
from critique_coder.records import BadInput, Problem

_ENTRY = re.compile(r"(\w+)\(\)\.(\w+)")
_ASKS = re.compile(r"\s*Please complete the following python code precisely:\s*```python.*?```\s*$", re.DOTALL)


def _name(row: Row) -> str:
    return f"leetcode/{fields_of(row).text('task_id', empty=False)}"


def _problem(row: Row, name: str) -> Problem:
    fields = fields_of(row)
    statement = fields.text("problem_description", default="") or fields.text("query", empty=False)
    stub = fields.text("starter_code", default="") or stub_in(fields.text("query", default=""))
    prompt, completion = fields.text("prompt"), fields.text_or_none("completion")
    entry_point = _entry_point(fields.text("entry_point"), row.where)
    tests = assert_tests(fields.text("test"), entry_point, prompt)
    return Problem(
        id=name,
        statement=without_request(statement),
        tests=tests,
        starter_code=starter_for(stub, tests, prompt),
        entry_point=entry_point,
        reference=f"{prompt}\n{completion}" if completion else None,
        source="leetcode",
        difficulty=fields.text_or_none("difficulty"),
        licence="MIT",
        released=day(row, "estimated_date") or "2025-04-20",
        metadata={"split": split_by_file(row.file), "question_id": row.value.get("question_id")},
    )


problems_of = each(_name, _problem)


def without_request(statement: str) -> str:
    """The statement without the closing request to complete a stub, which stands in the starter code."""
    return _ASKS.sub("", statement).strip() or statement


def _entry_point(text: str, where: str) -> str:
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{where}, key 'entry_point': must be of the form Solution().method, not {text!r}")
    return f"{found.group(1)}.{found.group(2)}"


PLACE = Place(
    "LeetCodeDataset",
    hub="newfacade/LeetCodeDataset",
    patterns=("*.parquet", "*.jsonl", "*.jsonl.gz"),
    folder="leetcode_train_clean",
)
read = reader(PLACE, problems_of)
