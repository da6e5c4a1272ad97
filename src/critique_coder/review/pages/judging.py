"""The page on which a person judges one item after the other, and what its script asks for.

An item is made as a part of the page, which the script takes in without loading the page anew; the same template stands
in the first page. What the tests, the model or other people said is in a part only after the person's own verdict, or
after the person asked for it, which is noted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from critique_coder.records import Json, Outcome, TestKind
from critique_coder.review.adjudication import Answer
from critique_coder.review.cases import Case, Question
from critique_coder.review.prose import prose
from critique_coder.review.queue import Queued
from critique_coder.review.rerun import own_kind
from critique_coder.review.shown import MOST_ROWS, Found, Row, difference, lines, rows
from critique_coder.review.store import Given, item_sha256
from critique_coder.review.visit import Page, Visit
from critique_coder.web import Refused

TAGS = (
    ("wrong_test", "w", "Wrong test"),
    ("ambiguous_statement", "a", "Ambiguous statement"),
    ("inefficient", "i", "Inefficient"),
    ("format", "f", "Format"),
    ("flaky", "k", "Flaky"),
    ("other", "o", "Other"),
)
"""Reasons as they are stored, their keys and their names."""
QUESTIONS = {
    Question.CORRECT: ("Is this solution correct?", ("Correct", "Incorrect", "Can’t tell")),
    Question.JUDGEMENT: ("Is its judgement right?", ("Right", "Wrong", "Can’t tell")),
    Question.REASON: ("Is its reason right?", ("Right", "Wrong", "Can’t tell")),
}
_EXPECTED = "Expected output (optional; with it, it can be kept as a test)"
_OWN: dict[TestKind | None, dict[str, str] | None] = {
    TestKind.STDIO: {"asked": "Standard input", "example": "", "expected": _EXPECTED},
    TestKind.CALL: {
        "asked": "Arguments, as Python writes them", "example": "[1, 2], 3",
        "expected": _EXPECTED.replace("output", "value"),
    },
    TestKind.SCRIPT: {"asked": "A check that sees the solution's names", "example": "assert f(2) == 4", "expected": ""},
    None: None,
}  # fmt: skip
"""What is written on the page to run an input of one's own, by what the problem takes."""
_SAID = {
    Question.CORRECT: {Answer.YES: "correct", Answer.NO: "incorrect", Answer.CANT_TELL: "can’t tell"},
    Question.JUDGEMENT: {Answer.YES: "judgement right", Answer.NO: "judgement wrong", Answer.CANT_TELL: "can’t tell"},
    Question.REASON: {Answer.YES: "reason right", Answer.NO: "reason wrong", Answer.CANT_TELL: "can’t tell"},
}


def open_page(visit: Visit) -> Response:
    """The page, at the item at which this person goes on."""
    found = visit.desk.current(visit.person)
    return _shell(visit, found)


def open_item(visit: Visit) -> Response:
    """The page, at the item that the address names."""
    return _shell(visit, visit.item())


def _shell(visit: Visit, item: Queued | None) -> Response:
    part = part_of(visit, item) if item is not None else end_of(visit)
    return visit.page("judging.html.jinja", part=Markup(part), tags=TAGS)


def one_part(visit: Visit) -> Response:
    """An item as a part of the page."""
    return HTMLResponse(part_of(visit, visit.item()))


def next_part(visit: Visit) -> Response:
    """The next item to judge as a part of the page, or what stands at the end."""
    after = visit.desk.find(visit.query.get("after", ""))
    leaving = visit.query.get("leaving", "").split(",")
    found = visit.desk.next_open(visit.person, after, leaving)
    if found is not None:
        visit.desk.hold(visit.person, found)
    return HTMLResponse(part_of(visit, found) if found is not None else end_of(visit))


def part_of(visit: Visit, item: Queued) -> str:
    """An item's part."""
    case, person = item.case, visit.person
    given = visit.desk.given(item).get(person)
    seen = given is not None or visit.desk.store.saw_outcomes(case.id, person)
    return visit.filled(
        "item.html.jinja",
        case=case,
        facts=facts_of(case),
        statement=prose(case.problem.statement, case.problem.language),
        code=lines(case.code, case.problem.language),
        critique=None if case.completion is None else prose(case.completion, case.problem.language),
        questions=[(question, *QUESTIONS[question]) for question in case.questions],
        answers=tuple(Answer),
        tags=TAGS,
        tests=tests_table(visit, case, seen),
        own=_OWN[own_kind(case.problem)],
        reveal=None if given is None else reveal(visit, item, given),
        data=json.dumps(_data(visit, item, given)),
    )


def _data(visit: Visit, item: Queued, given: Given | None) -> dict[str, Json]:
    """What the script must know of a part."""
    desk, person = visit.desk, visit.person
    neighbours = {"before": desk.before(person, item), "behind": desk.behind(person, item)}
    refs: dict[str, Json] = {name: None if found is None else desk.ref(found) for name, found in neighbours.items()}
    return {
        "ref": desk.ref(item),
        "sha": item_sha256(item.case),
        "questions": [question.value for question in item.case.questions],
        **refs,
        "last": _last(visit),
        "given": None if given is None else _given(given),
        "draft": _draft(visit, item, given),
        "progress": progress_of(visit),
    }


def own_key(person: str, key: str) -> str:
    """A key that a person's script chose as it is stored: apart from those of other people."""
    return f"{person}/{key}"


def _last(visit: Visit) -> Json:
    """The verdict that an undo takes back; one from elsewhere cannot be undone here."""
    last, start = visit.desk.last_of(visit.person), own_key(visit.person, "")
    if last is None or not last.key.startswith(start):
        return None
    item = visit.desk.item(last.item)
    return None if item is None else {"key": last.key.removeprefix(start), "ref": visit.desk.ref(item)}


def _given(given: Given) -> dict[str, Json]:
    return {
        "key": given.key,
        "answers": {question.value: answer.value for question, answer in given.answers.items()},
        "tags": list(given.tags),
        "note": given.note,
        "marks": list(given.marks),
    }


def _draft(visit: Visit, item: Queued, given: Given | None) -> Json:
    """What the person had begun, unless a verdict came after it."""
    draft = visit.desk.store.draft(item.case.id, visit.person)
    return draft if isinstance(draft, dict) and (given is None or draft.get("at", 0) > given.at) else None


def progress_of(visit: Visit) -> dict[str, Json]:
    """How far the person is, for the script."""
    progress = visit.desk.progress(visit.person)
    pace = None if progress.per_hour is None else round(progress.per_hour)
    return {"judged": progress.judged, "total": progress.total, "per_hour": pace}


def facts_of(case: Case) -> list[str]:
    """What is said of a problem in a line: its name, language, difficulty and limits."""
    problem = case.problem
    limits = []
    if problem.time_limit_s:
        limits.append(f"{problem.time_limit_s:g} s")
    if problem.memory_limit_mb:
        limits.append(f"{problem.memory_limit_mb:g} MiB")
    found = [problem.id, problem.language, problem.difficulty and f"difficulty {problem.difficulty}", ", ".join(limits)]
    return [fact for fact in found if fact]


@dataclass(frozen=True, slots=True)
class Table:
    """The tests on the page. ``passed`` is None while what they found is hidden; ``more`` rows are left out."""

    rows: list[Row]
    total: int
    passed: int | None = None
    more: int = 0


def tests_table(visit: Visit, case: Case, seen: bool) -> Table:
    """The tests of a case; with what the build recorded of them when it was ``seen``."""
    return table(case, visit.desk.found(case) if seen else None)


def table(case: Case, found: Mapping[int, Found] | None) -> Table:
    """The tests of a case with what they ``found``, by place from 0."""
    made = rows(case.problem, found)
    passed = None if found is None else sum(one.outcome is Outcome.PASSED for one in found.values())
    return Table(made[:MOST_ROWS], len(made), passed, max(0, len(made) - MOST_ROWS))


@dataclass(frozen=True, slots=True)
class Reveal:
    """What stood against a verdict: what the person said, what the tests or the critique's label say, and others."""

    said: str
    truth: str
    agrees: bool | None
    author: str | None
    others: str
    blind: bool


def reveal(visit: Visit, item: Queued, given: Given) -> Reveal:
    """What is shown after a verdict."""
    case = item.case
    said = ", ".join(dict.fromkeys(_SAID[question][answer] for question, answer in given.answers.items()))
    others = Counter(
        _SAID[question][answer]
        for person, other in visit.desk.given(item).items()
        if person != visit.person
        for question, answer in other.answers.items()
    )
    counted = ", ".join(f"{count} {name}" for name, count in sorted(others.items()))
    return Reveal(said, _truth(visit, case), _agrees(case, given), visit.desk.author(case), counted, given.blind)


def _truth(visit: Visit, case: Case) -> str:
    if case.tests is None:
        return "the tests gave no label"
    if case.completion is not None:
        return f"by the tests the solution is {'correct' if case.tests else 'incorrect'}"
    found = visit.desk.found(case)
    if not found:
        return "the tests " + ("passed" if case.tests else "failed")
    passed = sum(one.outcome is Outcome.PASSED for one in found.values())
    counted = f"all {passed}" if passed == len(found) else f"{passed} of {len(found)} passed"
    return f"the tests {'passed' if case.tests else 'failed'} ({counted})"


def _agrees(case: Case, given: Given) -> bool | None:
    """Whether the person and the tests say the same; None when either cannot tell."""
    if case.tests is None:
        return None
    if case.completion is None:
        answer, truth = given.answers.get(Question.CORRECT), case.tests
    else:
        answer, truth = given.answers.get(Question.JUDGEMENT), case.judgement is case.tests
    return None if answer in (None, Answer.CANT_TELL) else (answer is Answer.YES) is truth


def end_of(visit: Visit) -> str:
    """What stands where no item is left: how the person judged, and what to do next."""
    last = {given.item: given for given in visit.desk.verdicts_of(visit.person)}
    said = Counter(_SAID[question][answer] for given in last.values() for question, answer in given.answers.items())
    progress = visit.desk.progress(visit.person)
    data = json.dumps({"ref": None, "last": _last(visit), "progress": progress_of(visit)})
    return visit.filled("end.html.jinja", progress=progress, said=sorted(said.items()), data=data)


def compare(visit: Visit) -> Response:
    """The solution beside the reference, or beside another solution of the problem."""
    case = visit.item().case
    others = _others(visit, case)
    chosen = visit.query.get("with", "")
    if not others:
        raise Refused(404, "there is nothing to compare with: no reference, and no other solution of this problem")
    name, code = others.get(chosen) or next(iter(others.values()))
    changes = difference(case.code, code, case.problem.language)
    picked = chosen if chosen in others else next(iter(others))
    choices = [(key, other) for key, (other, _) in others.items()]
    return HTMLResponse(visit.filled("compare.html.jinja", changes=changes, name=name, choices=choices, picked=picked))


def _others(visit: Visit, case: Case) -> dict[str, tuple[str, str]]:
    """What a solution can be compared with: a name and the code, by the value that the script sends."""
    found: dict[str, tuple[str, str]] = {}
    if case.problem.reference:
        found["reference"] = ("the reference", case.problem.reference)
    codes = {case.code: None} | dict.fromkeys(
        other.code for other in visit.desk.of_problem(case.problem.id) if other.completion is None
    )
    del codes[case.code]
    return found | {str(number): (f"another solution ({number})", code) for number, code in enumerate(codes, 1)}


PAGES = (
    Page("/", open_page),
    Page("/item/{ref}", open_item),
    Page("/part", next_part),
    Page("/part/{ref}", one_part),
    Page("/compare/{ref}", compare),
)
