"""Critique data: each solution with the truth about it, what is doubtful, and whether style gives the label away."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from sys import intern

from critique_coder.data.index import problem_index, solution_of, verdict_index
from critique_coder.data.label import LabelCounts, LabelOf, balance, critique_rows, doubtful
from critique_coder.data.people import read_people
from critique_coder.data.skew import Skew
from critique_coder.data.stage import Counts, Stage, Work
from critique_coder.progress import bar
from critique_coder.records import CritiqueRow, Json, Solution
from critique_coder.storage import count_lines, read_rows, write_jsonl


def run(work: Work) -> Counts:
    """Write ``critiques.jsonl`` and ``doubtful.jsonl``."""
    label = work.recipe.label
    problems, verdicts = problem_index(work.file("problems.jsonl")), verdict_index(work.file("verdicts.jsonl"))
    authors: dict[str, str | None] = {}
    own = _solutions(work, problems, authors)
    rows = critique_rows(problems, own, verdicts, label, read_people(label.people))
    write_jsonl(work.file("critiques.jsonl"), (row.to_json() for row in rows))
    counts, skew = LabelCounts(), Skew()
    write_jsonl(work.file("doubtful.jsonl"), _doubtful(work, authors, counts, skew))
    return {"critiques": {**counts.to_json(), "skew": skew.to_json()}}


def _solutions(work: Work, problems: Container[str], authors: dict[str, str | None]) -> Iterator[Solution]:
    """The solutions of problems that are left; notes who wrote them."""
    file = work.file("solutions.jsonl")
    with bar("critique data", count_lines(file), "solutions") as shown:
        for where, row in read_rows(file):
            if row["problem_id"] in problems:
                solution = solution_of(row, where)
                authors[solution.id] = solution.author and intern(solution.author)
                yield solution
            shown.advance()


def _doubtful(
    work: Work, authors: Mapping[str, str | None], counts: LabelCounts, skew: Skew
) -> Iterator[dict[str, Json]]:
    """The lines of ``doubtful.jsonl``; every critique row goes by here once, and is counted."""
    balanced = {ref.id for ref in balance(labels(work), work.recipe.seed)}

    def counted() -> Iterator[CritiqueRow]:
        for row in critiques(work):
            counts.add(row)
            if row.id in balanced:
                skew.add(row, authors[row.solution_id])
            yield row

    for found in doubtful(counted(), work.recipe.label):
        counts.doubt(found)
        yield found.to_json()


def critiques(work: Work) -> Iterator[CritiqueRow]:
    """The rows of ``critiques.jsonl``, one at a time."""
    return (CritiqueRow.from_json(row, where) for where, row in read_rows(work.file("critiques.jsonl")))


def labels(work: Work) -> list[LabelOf]:
    """The rows of ``critiques.jsonl`` without their texts."""
    return [LabelOf(row["id"], row["problem_id"], row["label"]) for row in work.rows("critiques.jsonl")]


def labels_before_people(work: Work) -> list[LabelOf]:
    """The same with the tests' labels where people gave others: what does not change when people judge."""
    return [
        LabelOf(row["id"], row["problem_id"], row["label"] if row.get("test_label") is None else row["test_label"])
        for row in work.rows("critiques.jsonl")
    ]


STAGE = Stage(
    name="critiques",
    run=run,
    reads=("problems.jsonl", "solutions.jsonl", "verdicts.jsonl"),
    writes=("critiques.jsonl", "doubtful.jsonl"),
    settings=("seed", "label"),
)
