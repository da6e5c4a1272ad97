"""The paper's Table 2: how hard each problem is for each author, and which are never solved."""

from __future__ import annotations

from critique_coder.data.difficulty import Difficulty
from critique_coder.data.index import solution_of
from critique_coder.data.stage import Counts, Stage, Work
from critique_coder.records import Verdict
from critique_coder.storage import read_rows, write_jsonl


def run(work: Work) -> Counts:
    """Write ``difficulty.jsonl`` and ``never_solved.jsonl``, from solutions and verdicts, which stand in one order."""
    table, kept = Difficulty(), {row["id"] for row in work.rows("problems.jsonl")}
    verdicts = read_rows(work.file("verdicts.jsonl"))
    for (where, row), (place, found) in zip(read_rows(work.file("solutions.jsonl")), verdicts, strict=True):
        if row["problem_id"] in kept:
            table.add(solution_of(row, where), Verdict.from_json(found, place))
    write_jsonl(work.file("difficulty.jsonl"), (level.to_json() for level in table.levels()))
    write_jsonl(work.file("never_solved.jsonl"), table.never_solved())
    return {"difficulty": table.summary()}


STAGE = Stage(
    name="difficulty",
    run=run,
    reads=("problems.jsonl", "solutions.jsonl", "verdicts.jsonl"),
    writes=("difficulty.jsonl", "never_solved.jsonl"),
    settings=(),
)
