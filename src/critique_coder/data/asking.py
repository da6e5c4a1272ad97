"""Asking a model many things: one answer for each question, written down as it comes, or read from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from critique_coder.data.candidates import Meter
from critique_coder.fields import Fields
from critique_coder.models import Messages, Sampling, TextModel
from critique_coder.progress import bar
from critique_coder.records import BadInput, Json
from critique_coder.storage import AppendLog, read_rows

_KNOWN = ("row_id", "completion", "judgement", "author", "tokens", "finished", "metadata")


@dataclass(frozen=True, slots=True)
class Question:
    """A chat to be answered, and the name under which its answer is written down."""

    row_id: str
    messages: Messages


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. ``tokens`` counts what the model wrote; ``finished`` is False when it was cut."""

    row_id: str
    completion: str
    author: str | None = None
    tokens: int = 0
    finished: bool = True

    def to_json(self) -> dict[str, Json]:
        """A line of an answers file."""
        return {
            "row_id": self.row_id,
            "completion": self.completion,
            "author": self.author,
            "tokens": self.tokens,
            "finished": self.finished,
        }

    @classmethod
    def from_json(cls, value: Json, where: str) -> Answer:
        """Read a line of an answers file: ``row_id`` and ``completion``; the rest may be missing. Raises BadInput."""
        fields = Fields(value, where, _KNOWN)
        return cls(
            row_id=fields.text("row_id", empty=False),
            completion=fields.text("completion"),
            author=fields.text_or_none("author"),
            tokens=int(fields.number("tokens", default=0, minimum=0) or 0),
            finished=value.get("finished") is not False,
        )


def read_answers(path: str | Path) -> dict[str, Answer]:
    """The answers of a file by ``row_id``; raises BadInput when two are for the same row."""
    found: dict[str, Answer] = {}
    for where, row in read_rows(path):
        answer = Answer.from_json(row, where)
        if answer.row_id in found:
            raise BadInput(f"{where}, key 'row_id': {answer.row_id!r} is answered twice; keep one of them")
        found[answer.row_id] = answer
    return found


def ask(
    open_model: Callable[[], TextModel],
    questions: Sequence[Question],
    sampling: Sampling,
    batch_size: int,
    output: Path,
    title: str,
) -> dict[str, Answer]:
    """An answer for each question, by ``row_id``, and in ``output`` (JSON Lines).

    Questions are asked in chunks of ``batch_size``; the seed of a chunk follows from the names in it, so that a run
    that was killed goes on to the same result. The model is only opened when something is left to ask.
    """
    with AppendLog(output) as log:
        found = [Answer.from_json(row, f"{output}, line {n}") for n, row in enumerate(log.done, 1)]
        if [answer.row_id for answer in found] != [question.row_id for question in questions[: len(found)]]:
            raise BadInput(f"{output}: holds answers to other questions; delete it, or choose another output folder")
        if len(found) == len(questions):
            return {answer.row_id: answer for answer in found}
        model, meter = open_model(), Meter()
        with bar(title, len(questions), "answers", len(found)) as shown:
            shown.begin(f"asking {model.name}")
            for start in range(len(found) - len(found) % batch_size, len(questions), batch_size):
                chunk = questions[start : start + batch_size]
                answers = model.sample([q.messages for q in chunk], 1, _seeded(sampling, chunk), meter.show_on(shown))
                for place, (question, (answer,)) in enumerate(zip(chunk, answers, strict=True), start):
                    if place >= len(found):
                        kept = Answer(question.row_id, answer.text, model.name, answer.tokens, answer.finished)
                        log.append(kept.to_json())
                        found.append(kept)
    return {answer.row_id: answer for answer in found}


def _seeded(sampling: Sampling, chunk: Sequence[Question]) -> Sampling:
    names = "\x1f".join((str(sampling.seed), *(question.row_id for question in chunk)))
    return replace(sampling, seed=int.from_bytes(hashlib.sha256(names.encode()).digest()[:4], "big"))
