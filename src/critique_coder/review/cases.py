"""What was judged, and everything that people said about it: what agreement, apply and the exports work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from critique_coder.records import Problem, TestCase
from critique_coder.review.adjudication import Decision, Rating, Resolved, resolve


class Question(StrEnum):
    """What is asked about an item: of a solution whether it is correct, of a critique two things."""

    CORRECT = "correct"
    JUDGEMENT = "judgement"
    REASON = "reason"


def asked(item: str, question: Question) -> str:
    """The name of one question about one item, as ratings and decisions carry it."""
    return f"{item}?{question.value}"


@dataclass(frozen=True, slots=True)
class Case:
    """One item that people judge: a solution, or a critique of one (then ``completion`` and ``row_id`` are set).

    ``tests`` is the label by tests, ``failed_tests`` the places (from 0) of the tests that the solution failed, and
    ``judgement`` what the critique says (True: correct; None: no critique, or malformed). ``gold`` is the known answer
    of a hidden gold item. ``quarantine``: why the build took the problem out; None for one in use.
    """

    id: str
    problem: Problem
    solution_id: str
    code: str
    tests: bool | None = None
    failed_tests: tuple[int, ...] = ()
    row_id: str | None = None
    completion: str | None = None
    judgement: bool | None = None
    gold: bool | None = None
    in_random_slice: bool = False
    quarantine: str | None = None

    @property
    def questions(self) -> tuple[Question, ...]:
        """What is asked about it."""
        return (Question.CORRECT,) if self.completion is None else (Question.JUDGEMENT, Question.REASON)


@dataclass(frozen=True, slots=True)
class AddedTest:
    """A test that a person kept after running an input of their own.

    Its provenance: ``kept_by`` says who, ``item`` on which case it was run, ``at`` when (seconds since 1970).
    """

    problem_id: str
    test: TestCase
    kept_by: str
    item: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A review as a whole: the cases, the answers that stand, the decisions and the tests that were kept."""

    cases: tuple[Case, ...]
    ratings: tuple[Rating, ...] = ()
    decisions: tuple[Decision, ...] = ()
    added_tests: tuple[AddedTest, ...] = ()

    def resolved(self) -> dict[str, Resolved]:
        """The label of each question that somebody answered; hidden gold items are for checking, not for labels."""
        gold = {asked(case.id, question) for case in self.cases if case.gold is not None for question in case.questions}
        return resolve(
            [rating for rating in self.ratings if rating.item not in gold],
            [decision for decision in self.decisions if decision.item not in gold],
        )


def solutions_of(cases: Sequence[Case]) -> list[Case]:
    """The solution items."""
    return [case for case in cases if case.completion is None]


def critiques_of(cases: Sequence[Case]) -> list[Case]:
    """The critique items."""
    return [case for case in cases if case.completion is not None]
