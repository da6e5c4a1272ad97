"""What a person runs from the page, in the judge: the tests again, or an input of the person's own.

To run the tests shows what they find, so it is noted as seen. An input of one's own is part of making up one's mind:
what comes out of it is no verdict of the tests. With an expected answer it can be kept as a test for the next build.
"""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from critique_coder.records import BadInput, Outcome, TestCase, TestKind
from critique_coder.review.cases import Case
from critique_coder.review.pages.judging import table
from critique_coder.review.rerun import Busy, contradicting, keep, keepers, own_kind, own_test
from critique_coder.review.shown import value
from critique_coder.review.visit import Page, Visit
from critique_coder.web import Refused

_COST = 5.0
"""A run takes this much of a person's pace: programs of models run for it."""
_AGAIN_S = 3


def run_again(visit: Visit) -> Response:
    """Run the tests of an item again and show what they find, which is noted as seen."""
    case = visit.item().case
    visit.desk.store.show_outcomes(case.id, visit.person)
    try:
        found = visit.desk.reruns.tests(case)
    except Busy as busy:
        raise _later(busy) from None
    return JSONResponse({"html": visit.filled("tests.html.jinja", tests=table(case, found), now=True)})


def run_own(visit: Visit) -> Response:
    """Run an input of the person's own and show what comes out."""
    case, test, expects = _own(visit)
    try:
        tried = visit.desk.reruns.own(case, test, expects)
    except Busy as busy:
        raise _later(busy) from None
    may_keep = (expects or test.kind is TestKind.SCRIPT) and tried.outcome is not Outcome.UNSCORED
    got = None if tried.got is None else value(tried.got)
    return JSONResponse({"html": visit.filled("tried.html.jinja", tried=tried, got=got, may_keep=may_keep)})


def keep_own(visit: Visit) -> Response:
    """Keep an input of the person's own, with the answer that it expects, as a test for the next build."""
    case, test, expects = _own(visit)
    if not expects and test.kind is not TestKind.SCRIPT:
        raise BadInput("a test needs an expected answer; write it and run again")
    others = contradicting(visit.desk.store.added_tests(), case, test)
    new = keep(visit.desk.store, case, visit.person, test)
    told = "Kept as a test of this problem, with your name." if new else "You keep this test already."
    people = len(keepers(visit.desk.store.added_tests(), case, test))
    if people > 1:
        told += f" {people} people keep it."
    if others:
        names = ", ".join(sorted({one.kept_by for one in others}))
        told += f" Another kept test asks the same and expects something else (by {names}); settle it together."
    return JSONResponse({"told": told})


def _own(visit: Visit) -> tuple[Case, TestCase, bool]:
    """The item, the person's test, and whether it expects an answer."""
    fields = visit.fields("input", "expected")
    case = visit.item().case
    expected = fields.text_or_none("expected")
    expects = expected is not None and own_kind(case.problem) is not TestKind.SCRIPT
    return case, own_test(case.problem, fields.text("input"), expected if expects else None), expects


def _later(busy: Busy) -> Refused:
    return Refused(503, str(busy), {"retry-after": str(_AGAIN_S)})


PAGES = (
    Page("/run/{ref}", run_again, "POST", cost=_COST),
    Page("/try/{ref}", run_own, "POST", cost=_COST),
    Page("/keep/{ref}", keep_own, "POST"),
)
