"""Unpaired preferences (KTO, arXiv 2402.01306) from people's verdicts on critiques.

A critique is wanted when its judgement is right and nobody called its reasons wrong: a right judgement for a wrong
reason is what people are asked for, since no test can see it.
"""

from __future__ import annotations

from collections.abc import Iterator

from critique_coder.data.people import read_critique_reviews
from critique_coder.data.rows.columns import extra_info, named, said, source_of
from critique_coder.data.rows.source import RowSource
from critique_coder.feedback import CritiqueReview
from critique_coder.records import BadInput, CritiqueRow
from critique_coder.storage import read_rows


def kto(source: RowSource) -> Iterator[dict[str, object]]:
    """A row for each critique that people have judged, in the order of the file; a critique counts once."""
    if source.settings.feedback is None:
        raise BadInput("kto rows come from people's verdicts: name the folder of the review tool with feedback=FOLDER")
    own = {problem.id for problem in source.problems()}
    rows = (CritiqueRow.from_json(row, where) for where, row in read_rows(source.data.folder / "critiques.jsonl"))
    known = {row.id: row for row in rows if row.problem_id in own}
    seen: set[tuple[str, str]] = set()
    for review in read_critique_reviews(source.settings.feedback):
        row = known.get(review.row_id)
        if row is None:
            source.lost["not_in_this_build_or_split"] += 1
        elif (review.row_id, review.completion) in seen:
            source.lost["reviewed_twice"] += 1
        else:
            seen.add((review.row_id, review.completion))
            yield _columns(source, row, review, len(seen))


def _columns(source: RowSource, row: CritiqueRow, review: CritiqueReview, number: int) -> dict[str, object]:
    name = f"kto/{row.solution_id}#{number}"
    return {
        "id": name,
        "problem_id": row.problem_id,
        "solution_id": row.solution_id,
        "data_source": source_of("kto"),
        "prompt": source.critique_prompt(row),
        "completion": said(review.completion),
        "label": review.judgement_right and review.reason_right is not False,
        "judgement_right": review.judgement_right,
        "reason_right": review.reason_right,
        "label_source": review.label_source.value,
        "extra_info": extra_info(name, row.problem_id, source.settings.split),
        **named(source.templates.critique),
    }
