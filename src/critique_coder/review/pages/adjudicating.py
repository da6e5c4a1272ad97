"""The page on which one person settles what others answered differently: conflicts only, both sides without names.

Whoever looks at a conflict has seen what others said, so a verdict of theirs on this item is not blind any more.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response

from critique_coder.records import BadInput, Json
from critique_coder.review.adjudication import Answer, Conflict, Decision, Rating, conflicts
from critique_coder.review.cases import Question, asked
from critique_coder.review.pages.judging import QUESTIONS, TAGS, facts_of, own_key, table
from critique_coder.review.prose import prose
from critique_coder.review.queue import Queued
from critique_coder.review.shown import lines
from critique_coder.review.store import item_sha256
from critique_coder.review.visit import Page, Visit
from critique_coder.web import Refused

LONGEST_REASON = 10_000
_LONGEST_KEY = 100
_LATEST = 20
_TAG_NAMES = {name: title for name, _, title in TAGS}


@dataclass(frozen=True, slots=True)
class Open:
    """A conflict with the item and the question that it is about."""

    conflict: Conflict
    item: Queued
    question: Question


@dataclass(frozen=True, slots=True)
class SideShown:
    """One side of a conflict for the page: what it says in words, how many people, why."""

    answer: Answer
    says: str
    people: int
    tags: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """A decision for the page, with the address at which it can be decided anew."""

    says: str
    problem: str
    reason: str
    address: str


def open_conflicts(visit: Visit) -> list[Open]:
    """What is to be settled, in the order for this person; questions of gold items and of items gone are none."""
    found = (
        _opened(visit, conflict)
        for conflict in conflicts(visit.desk.store.ratings(), visit.desk.store.decisions(), visit.person)
    )
    return [one for one in found if one is not None]


def _opened(visit: Visit, conflict: Conflict) -> Open | None:
    name, _, question = conflict.item.rpartition("?")
    item = visit.desk.item(name)
    return None if item is None or item.case.gold is not None else Open(conflict, item, Question(question))


def first(visit: Visit) -> Response:
    """The conflict to settle first, or what stands where there is none."""
    waiting = open_conflicts(visit)
    if not waiting:
        return visit.page("adjudicated.html.jinja", settled=_latest(visit), data=json.dumps({"ref": None}))
    return _page(visit, waiting[0], waiting)


def one(visit: Visit) -> Response:
    """The conflict that the address names, also one that was settled, to decide it anew."""
    item, question = visit.item(), _question(visit.path.get("question", ""))
    name = asked(item.case.id, question)
    ratings = [rating for rating in visit.desk.store.ratings() if rating.item == name]
    found = conflicts(ratings, (), visit.person)
    if not found or item.case.gold is not None:
        raise Refused(404, "there is nothing to settle here: nobody differs on this item")
    return _page(visit, Open(found[0], item, question), open_conflicts(visit))


def _question(text: str) -> Question:
    try:
        return Question(text)
    except ValueError:
        raise Refused(404, "there is no such question") from None


def _page(visit: Visit, shown: Open, waiting: list[Open]) -> Response:
    case = shown.item.case
    visit.desk.store.show_outcomes(case.id, visit.person)
    names = [one.conflict.item for one in waiting]
    place = names.index(shown.conflict.item) if shown.conflict.item in names else -1
    behind = waiting[(place + 1) % len(waiting)] if len(waiting) > (place >= 0) else None
    decision = next((one for one in reversed(visit.desk.store.decisions()) if one.item == shown.conflict.item), None)
    question, answers = QUESTIONS[shown.question]
    data: dict[str, Json] = {
        "ref": visit.desk.ref(shown.item),
        "question": shown.question.value,
        "sha": item_sha256(case),
        "next": None if behind is None else _address(visit, behind.item, behind.question),
    }
    return visit.page(
        "adjudicate.html.jinja",
        case=case,
        facts=facts_of(case),
        statement=prose(case.problem.statement, case.problem.language),
        code=lines(case.code, case.problem.language),
        critique=None if case.completion is None else prose(case.completion, case.problem.language),
        tests=table(case, visit.desk.found(case)),
        asked=question,
        sides=[_side(shown, place) for place in (0, 1)],
        answers=answers,
        conflict=shown.conflict,
        waiting=len(waiting),
        decision=decision,
        settled=_latest(visit),
        data=json.dumps(data),
    )


def _address(visit: Visit, item: Queued, question: Question) -> str:
    return f"/adjudicate/{visit.desk.ref(item)}/{question.value}"


def _side(shown: Open, place: int) -> SideShown:
    side = shown.conflict.sides[place]
    says = QUESTIONS[shown.question][1][place]
    return SideShown(side.answer, says, side.people, tuple(_TAG_NAMES.get(tag, tag) for tag in side.tags), side.notes)


def _latest(visit: Visit) -> list[Settled]:
    """The last decisions that count, newest first."""
    last = {decision.item: decision for decision in visit.desk.store.decisions()}
    found = sorted(last.values(), key=lambda decision: decision.at, reverse=True)
    return [shown for decision in found[:_LATEST] if (shown := _settled(visit, decision)) is not None]


def _settled(visit: Visit, decision: Decision) -> Settled | None:
    name, _, question = decision.item.rpartition("?")
    item = visit.desk.item(name)
    if item is None:
        return None
    says = QUESTIONS[Question(question)][1][0 if decision.label else 1]
    return Settled(says, item.case.problem.id, decision.reason, _address(visit, item, Question(question)))


def decide(visit: Visit) -> Response:
    """Append a decision with its reason; only where people differ. The same key again changes nothing."""
    fields = visit.fields("key", "ref", "question", "sha", "answer", "reason")
    item = visit.item(fields.text("ref"))
    question = fields.choice("question", Question)
    if fields.text("sha") != item_sha256(item.case):
        raise Refused(409, "the item has changed since it was shown; look at it again")
    reason = fields.text("reason").strip()
    if not reason:
        raise BadInput("a decision needs its reason; write a sentence that the two sides can understand")
    if len(reason) > LONGEST_REASON:
        raise BadInput(f"the request, key 'reason': longer than {LONGEST_REASON:,} characters; shorten it")
    answer = fields.choice("answer", Answer)
    name = asked(item.case.id, question)
    if answer is Answer.CANT_TELL or item.case.gold is not None or not _differ(visit.desk.store.ratings(), name):
        raise Refused(409, "there is nothing to settle here: people do not differ, or no side was chosen")
    key = fields.text("key", empty=False)
    if len(key) > _LONGEST_KEY:
        raise BadInput(f"the request, key 'key': longer than {_LONGEST_KEY} characters")
    decision = Decision(name, answer is Answer.YES, reason, visit.person, time.time())
    new = visit.desk.store.decide(own_key(visit.person, key), decision)
    return JSONResponse({"new": new, "left": len(open_conflicts(visit))})


def _differ(ratings: list[Rating], name: str) -> bool:
    said = {rating.answer for rating in ratings if rating.item == name}
    return {Answer.YES, Answer.NO} <= said


PAGES = (
    Page("/adjudicate", first),
    Page("/adjudicate/{ref}/{question}", one),
    Page("/decision", decide, "POST"),
)
