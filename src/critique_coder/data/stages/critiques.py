"""Critique data: each solution with the truth about it, what is doubtful, and whether style gives the label away."""

from __future__ import annotations

from collections.abc import Iterator

from critique_coder.data.index import problem_index, solution_of, verdict_index
from critique_coder.data.label import LabelOf, balance, doubtful, each_critique_row, label_counts
from critique_coder.data.people import read_people
from critique_coder.data.skew import Skew
from critique_coder.data.stage import Counts, Stage, Work
from critique_coder.progress import bar
from critique_coder.records import CritiqueRow, Solution
from critique_coder.storage import count_lines, read_rows, write_jsonl


def run(work: Work) -> Counts:
    """Write ``critiques.jsonl`` and ``doubtful.jsonl``."""
    label = work.recipe.label
    problems, verdicts = problem_index(work.file("problems.jsonl")), verdict_index(work.file("verdicts.jsonl"))
    own = (solution for solution in _solutions(work) if solution.problem_id in problems)
    rows = each_critique_row(problems, own, verdicts, label, read_people(label.people))
    write_jsonl(work.file("critiques.jsonl"), (row.to_json() for row in rows))
    write_jsonl(work.file("doubtful.jsonl"), (doubt.to_json() for doubt in doubtful(critiques(work), label)))
    counts = label_counts(critiques(work), doubtful(critiques(work), label))
    return {"critiques": {**counts, "skew": _skew(work).to_json()}}


def _solutions(work: Work) -> Iterator[Solution]:
    file = work.file("solutions.jsonl")
    with bar("critique data", count_lines(file), "solutions") as shown:
        for where, row in read_rows(file):
            yield solution_of(row, where)
            shown.advance()


def _skew(work: Work) -> Skew:
    refs = balance(labels(work), work.recipe.seed)
    balanced = {ref.id for ref in refs}
    authors = {row["id"]: row.get("author") for row in work.rows("solutions.jsonl")}
    skew = Skew()
    for row in critiques(work):
        if row.id in balanced:
            skew.add(row, authors[row.solution_id])
    return skew


def critiques(work: Work) -> Iterator[CritiqueRow]:
    """The rows of ``critiques.jsonl``, one at a time."""
    return (CritiqueRow.from_json(row, where) for where, row in read_rows(work.file("critiques.jsonl")))


def labels(work: Work) -> list[LabelOf]:
    """The rows of ``critiques.jsonl`` without their texts."""
    return [LabelOf(row["id"], row["problem_id"], row["label"]) for row in work.rows("critiques.jsonl")]


STAGE = Stage(
    name="critiques",
    run=run,
    reads=("problems.jsonl", "solutions.jsonl", "verdicts.jsonl"),
    writes=("critiques.jsonl", "doubtful.jsonl"),
    settings=("seed", "label"),
)
