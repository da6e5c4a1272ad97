"""Verdicts out to other tools and back: CSV, and Label Studio's JSON (tasks with annotations).

Both keep who said what and when, so that an import of an export gives the same verdicts.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from critique_coder.records import BadInput, Json
from critique_coder.review.adjudication import Answer, Rating
from critique_coder.review.cases import Case, Question, asked
from critique_coder.storage import read_json

COLUMNS = (
    "item",
    "question",
    "problem_id",
    "solution_id",
    "person",
    "answer",
    "tags",
    "note",
    "at",
    "blind",
)
"""The columns of the CSV file; an import needs the first two, ``person`` and ``answer``."""
_NEEDED = ("item", "question", "person", "answer")
_TAGS, _NOTE = "tags", "note"

LABELLING = """<View>
  <Header value="$problem_id"/>
  <Text name="statement" value="$statement"/>
  <Text name="solution" value="$solution"/>
  <Text name="critique" value="$critique"/>
  <Choices name="correct" toName="solution" choice="single">
    <Choice value="yes"/><Choice value="no"/><Choice value="cant_tell"/>
  </Choices>
  <Choices name="judgement" toName="critique" choice="single">
    <Choice value="yes"/><Choice value="no"/><Choice value="cant_tell"/>
  </Choices>
  <Choices name="reason" toName="critique" choice="single">
    <Choice value="yes"/><Choice value="no"/><Choice value="cant_tell"/>
  </Choices>
  <Choices name="tags" toName="solution" choice="multiple">
    <Choice value="wrong_test"/><Choice value="ambiguous_statement"/><Choice value="inefficient"/>
    <Choice value="format"/><Choice value="flaky"/><Choice value="other"/>
  </Choices>
  <TextArea name="note" toName="solution"/>
</View>
"""
"""The labelling interface that goes with the exported tasks; pasted into a Label Studio project's settings."""


def to_csv(cases: Iterable[Case], ratings: Iterable[Rating]) -> str:
    """One line a verdict, in an order that follows from the verdicts; tags are parted by ``|``."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for case, question, rating in _told(cases, ratings):
        writer.writerow(
            {
                "item": case.id,
                "question": question.value,
                "problem_id": case.problem.id,
                "solution_id": case.solution_id,
                "person": rating.person,
                "answer": rating.answer.value,
                "tags": "|".join(rating.tags),
                "note": rating.note,
                "at": repr(rating.at),
                "blind": str(rating.blind).lower(),
            }
        )
    return out.getvalue()


def from_csv(path: Path, cases: Mapping[str, Case]) -> list[Rating]:
    """The verdicts of a CSV file on known items; raises BadInput naming line and column."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(f"{path}, line 1: column {missing[0]!r} is missing; an import needs {', '.join(_NEEDED)}")
    found = []
    try:
        for row in reader:
            found.append(_rating(row, f"{path}, line {reader.line_num}", cases))
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: not CSV: {error}") from None
    return found


def _rating(row: Mapping[str, str | None], where: str, cases: Mapping[str, Case]) -> Rating:
    tags = tuple(tag for tag in (row.get("tags") or "").split("|") if tag)
    try:
        at = float(row.get("at") or 0)
    except ValueError:
        at = math.nan
    if not math.isfinite(at):
        raise BadInput(f"{where}, column 'at': {row.get('at')!r} is not a number of seconds")
    blind = (row.get("blind") or "true").strip().lower()
    if blind not in ("true", "false"):
        raise BadInput(f"{where}, column 'blind': {blind!r} is neither true nor false")
    return Rating(
        item=_item(row.get("item"), row.get("question"), where, cases),
        person=_person(row.get("person"), where),
        answer=_answer(row.get("answer"), where),
        at=at,
        blind=blind == "true",
        tags=tags,
        note=row.get("note") or "",
    )


def _item(item: Json, question: Json, where: str, cases: Mapping[str, Case]) -> str:
    case = cases.get(item) if isinstance(item, str) else None
    if case is None:
        raise BadInput(
            f"{where}: item {item!r} is not in this review; import into the review that it was exported from"
        )
    names = [known.value for known in case.questions]
    if question not in names:
        raise BadInput(f"{where}: question {question!r} is not asked about {item!r}; known: {', '.join(names)}")
    return asked(case.id, Question(question))


def _answer(value: Json, where: str) -> Answer:
    if value not in [answer.value for answer in Answer]:
        raise BadInput(f"{where}: answer {value!r} is not known; one of: {', '.join(Answer)}")
    return Answer(value)


def _person(value: Json, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{where}: says not who gave the verdict")
    return value


def _told(cases: Iterable[Case], ratings: Iterable[Rating]) -> Iterator[tuple[Case, Question, Rating]]:
    """Each verdict with its case and question, sorted."""
    places = {asked(case.id, question): (case, question) for case in cases for question in case.questions}
    for rating in sorted(ratings, key=lambda rating: (rating.item, rating.at, rating.person)):
        if rating.item in places:
            yield (*places[rating.item], rating)


def to_label_studio(cases: Iterable[Case], ratings: Iterable[Rating]) -> list[dict[str, Json]]:
    """A task for each case, with an annotation for each verdict; ``LABELLING`` is the interface that shows them.

    Label Studio gives tasks numbers of its own on import, so the item stands in ``data``.
    """
    cases = list(cases)
    given: dict[str, list[tuple[Question, Rating]]] = {}
    for case, question, rating in _told(cases, ratings):
        given.setdefault(case.id, []).append((question, rating))
    return [_task(number, case, given.get(case.id, [])) for number, case in enumerate(cases, 1)]


def _task(number: int, case: Case, given: Sequence[tuple[Question, Rating]]) -> dict[str, Json]:
    return {
        "id": number,
        "data": {
            "item": case.id,
            "problem_id": case.problem.id,
            "solution_id": case.solution_id,
            "statement": case.problem.statement,
            "solution": case.code,
            "critique": case.completion or "",
        },
        "annotations": [_annotation(question, rating) for question, rating in given],
    }


def _annotation(question: Question, rating: Rating) -> dict[str, Json]:
    target = "solution" if question is Question.CORRECT else "critique"
    choice = {"choices": [rating.answer.value]}
    results: list[Json] = [{"from_name": question.value, "to_name": target, "type": "choices", "value": choice}]
    if rating.tags:
        tags = {"choices": list(rating.tags)}
        results.append({"from_name": _TAGS, "to_name": "solution", "type": "choices", "value": tags})
    if rating.note:
        text = {"text": [rating.note]}
        results.append({"from_name": _NOTE, "to_name": "solution", "type": "textarea", "value": text})
    return {
        "completed_by": {"email": rating.person},
        "created_at": datetime.fromtimestamp(rating.at, UTC).isoformat(timespec="microseconds"),
        "was_cancelled": False,
        "ground_truth": False,
        "blind": rating.blind,
        "result": results,
    }


def from_label_studio(path: Path, cases: Mapping[str, Case]) -> list[Rating]:
    """The verdicts of a Label Studio export on known items; skipped annotations are left out. Raises BadInput.

    A person is an e-mail address, or a number where the export says no more. Who annotates there sees neither the
    tests' verdict nor other people's, so an answer counts as blind unless the file says otherwise.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise BadInput(f"{path}: expected a list of tasks, as Label Studio exports with the type JSON")
    found: list[Rating] = []
    for number, task in enumerate(tasks, 1):
        where = f"{path}, task {number}"
        annotations = _part(task, "annotations", where)
        for annotation in annotations if isinstance(annotations, list) else []:
            if not _part(annotation, "was_cancelled", where):
                found += _ratings_of(annotation, _part(_part(task, "data", where), "item", where), where, cases)
    return found


def _ratings_of(annotation: Json, item: Json, where: str, cases: Mapping[str, Case]) -> Iterator[Rating]:
    said: dict[str, list[str]] = {}
    for result in _part(annotation, "result", where) or []:
        value = _part(result, "value", where)
        texts = _part(value, "choices", where) or _part(value, "text", where) or []
        said[str(_part(result, "from_name", where))] = [texts] if isinstance(texts, str) else [str(t) for t in texts]
    who = _part(annotation, "completed_by", where)
    person = who.get("email") or who.get("id") if isinstance(who, dict) else who
    for question in Question:
        if question.value in said:
            yield Rating(
                item=_item(item, question.value, where, cases),
                person=_person(None if person is None else str(person), where),
                answer=_answer(next(iter(said[question.value]), None), where),
                at=_seconds(_part(annotation, "created_at", where), where),
                blind=_part(annotation, "blind", where) is not False,
                tags=tuple(said.get(_TAGS, ())),
                note="\n".join(said.get(_NOTE, ())),
            )


def _part(value: Json, key: str, where: str) -> Json:
    if not isinstance(value, dict):
        raise BadInput(f"{where}: expected an object where {key!r} should be; this is not Label Studio's JSON export")
    return value.get(key)


def _seconds(value: Json, where: str) -> float:
    try:
        return 0.0 if value is None else datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError):
        raise BadInput(f"{where}, key 'created_at': {value!r} is not a time") from None


def dump_label_studio(tasks: Sequence[Json]) -> str:
    """The text of the file."""
    return json.dumps(tasks, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def read_verdicts(path: Path, cases: Mapping[str, Case]) -> list[Rating]:
    """The verdicts of a ``.csv`` or Label Studio ``.json`` file on known items; raises BadInput."""
    if path.suffix == ".csv":
        return from_csv(path, cases)
    if path.suffix == ".json":
        return from_label_studio(path, cases)
    raise BadInput(f"{path}: is neither .csv nor .json; export the verdicts in one of these forms")
