"""The page that shows how far people agree, with each other, with the tests and with gold items; and its JSON.

Which problems' tests look wrong is told of items that the person has judged or will not be asked about: else the page
would say beforehand what others and the tests found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from starlette.responses import JSONResponse, Response

from critique_coder.records import Json
from critique_coder.review.agreement import Agreement, Group, SuspectProblem, agreement_of
from critique_coder.review.bootstrap import Interval
from critique_coder.review.cases import Question
from critique_coder.review.visit import Page, Visit

_HEADINGS = {
    Question.CORRECT: "Is the solution correct?",
    Question.JUDGEMENT: "Is the critique’s judgement right?",
    Question.REASON: "Is the critique’s reason right?",
}
_MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Figure:
    """An interval as the page shows it; ``text`` is a dash where it is not defined. Positions in percent."""

    text: str
    range: str = ""
    items: int = 0
    low: float = 0.0
    width: float = 0.0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """The figures of one question, and how many problems are held back from this person."""

    heading: str
    found: Agreement
    held_back: int


def figure(found: Interval, lowest: float = 0.0, percent: bool = True) -> Figure:
    """A share in percent or a coefficient, with where it lies between ``lowest`` and 1."""
    if math.isnan(found.value):
        return Figure("–", items=found.items)

    def told(value: float) -> str:
        return f"{100 * value:.0f}" if percent else f"{value:.2f}".replace("-", "−")

    def place(value: float) -> float:
        return round(100 * (min(1.0, max(lowest, value)) - lowest) / (1 - lowest), 1)

    low, high = (found.low, found.high) if not math.isnan(found.low) else (found.value, found.value)
    sign = " %" if percent else ""
    return Figure(
        told(found.value) + sign, f"{told(low)} to {told(high)}{sign}", found.items,
        place(low), round(place(high) - place(low), 1), place(found.value),
    )  # fmt: skip


def _figures(visit: Visit) -> dict[Question, Shown]:
    """The figures for this person."""
    found = agreement_of(visit.desk.evidence())
    still_open = visit.desk.open_problems(visit.person)
    shown = {}
    for question, figures in found.items():
        told = tuple(one for one in figures.tests.problems if one.problem_id not in still_open)
        tests = replace(figures.tests, problems=told)
        held_back = len(figures.tests.problems) - len(told)
        shown[question] = Shown(_HEADINGS[question], replace(figures, tests=tests), held_back)
    return shown


def page(visit: Visit) -> Response:
    """The page."""
    shown = [one for one in _figures(visit).values() if one.found.overall.verdicts]
    return visit.page("agreement.html.jinja", shown=shown, figure=figure, groups=_groups, most=_MOST_PROBLEMS, why=_why)


def _groups(found: Agreement) -> list[tuple[str, list[tuple[str, Group]]]]:
    """The tables of groups; a single source is the overall figure again."""
    by_source = [(name or "no source", group) for name, group in found.by_source.items()]
    by_tag = [(name.replace("_", " "), group) for name, group in found.by_tag.items()]
    tables = (("source", by_source if len(by_source) > 1 else []), ("reason tag", by_tag))
    return [(name, rows) for name, rows in tables if rows]


def _why(problem: SuspectProblem) -> str:
    """What people found of a problem's tests, in words."""
    parts = []
    if problem.too_strict:
        tests = ", ".join(f"{place + 1} ({count})" for place, count in sorted(problem.tests.items()))
        by = f"; failed by test {tests}" if tests else ""
        parts.append(f"{problem.too_strict} called correct though the tests fail them{by}")
    if problem.too_weak:
        parts.append(f"{problem.too_weak} called incorrect though the tests pass them")
    return "; ".join(parts)


def as_json(visit: Visit) -> Response:
    """The same figures for a script."""
    told: dict[str, Json] = {
        question.value: {**one.found.to_json(), "problems_held_back": one.held_back}
        for question, one in _figures(visit).items()
    }
    return JSONResponse(told)


PAGES = (Page("/agreement", page, cost=5), Page("/agreement.json", as_json, cost=5))
