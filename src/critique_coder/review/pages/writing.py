"""What a person sends from the page: verdicts, their undoing, what is begun, and where the person is.

Everything may be sent twice: a verdict and an undo carry a key, and the rest says how things are and not what changed.
"""

from __future__ import annotations

import time

from starlette.responses import JSONResponse, Response

from critique_coder.fields import Fields
from critique_coder.records import BadInput, Json
from critique_coder.review.adjudication import Answer
from critique_coder.review.cases import Case, Question
from critique_coder.review.pages.judging import TAGS, own_key, progress_of, reveal, table
from critique_coder.review.store import Given, item_sha256
from critique_coder.review.visit import Page, Visit
from critique_coder.web import Refused

LONGEST_NOTE = 10_000
_LONGEST_KEY = 100


def give(visit: Visit) -> Response:
    """Append a verdict; answers with what stood against it, which is shown from now on."""
    fields = visit.fields("key", "ref", "sha", "answers", "tags", "note", "marks")
    item = visit.item(fields.text("ref"))
    if fields.text("sha") != item_sha256(item.case):
        raise Refused(409, "the item has changed since it was shown; look at it again")
    given = Given(
        key=_key(visit, fields),
        item=item.case.id,
        person=visit.person,
        answers=_answers(fields, item.case),
        item_sha256=fields.text("sha"),
        blind=not visit.desk.store.saw_outcomes(item.case.id, visit.person),
        tags=_tags(fields),
        note=_note(fields),
        marks=_marks(fields),
    )
    new = visit.desk.give(given)
    standing = visit.desk.verdict(given.key) or given
    message = visit.filled("reveal.html.jinja", reveal=reveal(visit, item, standing), ref=visit.desk.ref(item))
    return JSONResponse({"new": new, "reveal": message, "progress": progress_of(visit)})


def _key(visit: Visit, fields: Fields, name: str = "key") -> str:
    """A key that the script chose, kept apart from those of other people."""
    key = fields.text(name, empty=False)
    if len(key) > _LONGEST_KEY:
        raise BadInput(f"the request, key {name!r}: longer than {_LONGEST_KEY} characters")
    return own_key(visit.person, key)


def _answers(fields: Fields, case: Case) -> dict[Question, Answer]:
    given = Fields(
        fields.mapping("answers"), "the request, key 'answers'", [question.value for question in case.questions]
    )
    return {question: given.choice(question.value, Answer) for question in case.questions}


def _tags(fields: Fields) -> tuple[str, ...]:
    known = [name for name, _, _ in TAGS]
    tags = fields.items("tags")
    for tag in tags:
        if tag not in known:
            raise BadInput(f"the request, key 'tags': {tag!r} is not known; known: {', '.join(known)}")
    return tuple(dict.fromkeys(tags))


def _note(fields: Fields) -> str:
    note = fields.text("note", "")
    if len(note) > LONGEST_NOTE:
        raise BadInput(f"the request, key 'note': longer than {LONGEST_NOTE:,} characters; shorten it")
    return note


def _marks(fields: Fields) -> tuple[int, ...]:
    marks = fields.items("marks")
    if len(marks) > 1000 or not all(type(mark) is int and 0 < mark < 1_000_000 for mark in marks):
        raise BadInput("the request, key 'marks': must be line numbers from 1")
    return tuple(sorted(set(marks)))


def undo(visit: Visit) -> Response:
    """Take a verdict of one's own back; answers where it stood."""
    fields = visit.fields("key", "verdict")
    target = _key(visit, fields, "verdict")
    standing = visit.desk.verdict(target)
    visit.desk.retract(_key(visit, fields), target, visit.person)
    item = visit.desk.item(standing.item) if standing is not None else None
    ref = None if item is None else visit.desk.ref(item)
    return JSONResponse({"ref": ref, "progress": progress_of(visit)})


def draft(visit: Visit) -> Response:
    """Keep what a person has begun on an item."""
    fields = visit.fields("ref", "answers", "tags", "note", "marks")
    item = visit.item(fields.text("ref"))
    questions = [question.value for question in item.case.questions]
    begun = Fields(fields.mapping("answers"), "the request, key 'answers'", questions)
    answers = {name: begun.choice(name, Answer).value for name in fields.mapping("answers")}
    body: dict[str, Json] = {
        "at": time.time(), "answers": answers, "tags": list(_tags(fields)), "note": _note(fields),
        "marks": list(_marks(fields)),
    }  # fmt: skip
    visit.desk.store.save_draft(item.case.id, visit.person, body)
    return JSONResponse({"saved": True})


def outcomes(visit: Visit) -> Response:
    """Show what the tests found, and note that it was shown."""
    case = visit.item().case
    visit.desk.store.show_outcomes(case.id, visit.person)
    return JSONResponse(
        {"html": visit.filled("tests.html.jinja", tests=table(case, visit.desk.found(case)), now=False)}
    )


def place(visit: Visit) -> Response:
    """Keep at which item a person is."""
    visit.desk.be_at(visit.person, visit.item(visit.fields("ref").text("ref")))
    return JSONResponse({"saved": True})


PAGES = (
    Page("/verdict", give, "POST"),
    Page("/undo", undo, "POST"),
    Page("/draft", draft, "POST"),
    Page("/place", place, "POST"),
    Page("/outcomes/{ref}", outcomes, "POST"),
)
