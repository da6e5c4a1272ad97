"""Critique fine-tuning (arXiv 2501.17703): from a question and a solution to a teacher's critique of it.

Section 2.3: maximise log P(critique | question, solution) with the prompt masked. What departs: critiques whose
judgement is not the label are left out unless ``agree = false``; the paper keeps them, and finds errors in a fifth.
"""

from __future__ import annotations

from collections.abc import Iterator

from critique_coder.data.asking import Answer, Question
from critique_coder.data.rows.columns import extra_info, named, said, source_of
from critique_coder.data.rows.source import RowSource
from critique_coder.records import CritiqueRow, Judgement


def cft(source: RowSource) -> Iterator[dict[str, object]]:
    """A row for each critique that may be learned from."""
    for row, answer in teachers_critiques(source):
        judgement = source.usable(row, answer)
        if judgement is not None:
            yield critique_columns(source, row, answer, judgement, "cft")


def teachers_critiques(source: RowSource) -> Iterator[tuple[CritiqueRow, Answer]]:
    """Each labelled solution that has a critique, recorded or asked for."""
    questions = [Question(row.id, source.critique_prompt(row)) for row in source.critiques]
    answers = source.answers("critiques", source.settings.critiques, questions, "critiques")
    for row in source.critiques:
        if row.id in answers:
            yield row, answers[row.id]


def critique_columns(
    source: RowSource, row: CritiqueRow, answer: Answer, judgement: Judgement, kind: str
) -> dict[str, object]:
    """The columns of a row that teaches a critique."""
    prompt, completion = source.critique_prompt(row), said(answer.completion)
    return {
        "id": f"{kind}/{row.solution_id}",
        "problem_id": row.problem_id,
        "solution_id": row.solution_id,
        "data_source": source_of(kind),
        "prompt": prompt,
        "completion": completion,
        "messages": prompt + completion,
        "inference_prompt": prompt,
        "label": row.label,
        "label_source": row.label_source.value,
        "judgement": judgement.value,
        "author": answer.author,
        "extra_info": extra_info(f"{kind}/{row.solution_id}", row.problem_id, source.settings.split),
        **named(source.templates.critique),
    }
