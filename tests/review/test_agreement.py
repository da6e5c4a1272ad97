"""The figures of the agreement page on data whose figures are known."""

from __future__ import annotations

import json
import math
import random

import pytest

import making
from critique_coder.review.adjudication import Answer, Decision, Rating, resolve
from critique_coder.review.agreement import JudgedItem, agreement, agreement_of
from critique_coder.review.bootstrap import wilson
from critique_coder.review.cases import Case, Evidence, Question, asked

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.CANT_TELL


def items(count: int, **fields: object) -> list[JudgedItem]:
    return [JudgedItem(f"i{n}", f"p{n // 2}", **fields) for n in range(count)]  # type: ignore[arg-type]


def test_two_people_and_the_tests() -> None:
    known = items(4, tests=True, source="mbpp")
    ratings = [Rating(f"i{n}", "ann", YES, n) for n in range(4)]
    ratings += [Rating("i0", "bo", YES), Rating("i1", "bo", NO, tags=("wrong_test",)), Rating("i2", "bo", UNSURE)]
    found = agreement(known, ratings, resolve(ratings))
    assert (found.overall.verdicts, found.overall.cant_tell) == (7, 1)
    assert found.overall.agreement.value == 0.5 and found.overall.agreement.items == 2
    assert found.by_source.keys() == {"mbpp"}
    assert found.by_tag["wrong_test"].agreement.value == 0 and found.by_tag["wrong_test"].verdicts == 2
    ann, bo = found.people
    assert (ann.name, ann.with_others.value, ann.with_tests.value) == ("ann", 0.5, 1.0)
    assert (bo.verdicts, bo.cant_tell, bo.with_tests.value) == (3, 1, 0.5)
    assert [pair.people for pair in found.pairs] == [("ann", "bo")] and found.pairs[0].agreement.items == 2


def test_answers_after_the_reveal_and_about_unknown_items_do_not_count() -> None:
    ratings = [Rating("i0", "ann", YES), Rating("i0", "bo", YES, blind=False), Rating("gone", "bo", YES)]
    found = agreement(items(1), ratings, resolve(ratings))
    assert found.overall.verdicts == 1 and found.overall.agreement.items == 0 and len(found.people) == 1


def test_which_tests_are_wrong() -> None:
    known = [
        JudgedItem("weak1", "loose", tests=True),
        JudgedItem("weak2", "loose", tests=True),
        JudgedItem("strict1", "tight", tests=False, failed_tests=(1, 3)),
        JudgedItem("strict2", "tight", tests=False, failed_tests=(3,)),
        JudgedItem("strict3", "tight", tests=False, failed_tests=(0,)),
        JudgedItem("fine", "good", tests=True, in_random_slice=True),
        JudgedItem("odd", "odd", tests=True, in_random_slice=True),
        JudgedItem("open", "open", tests=True),
    ]
    said = {"weak1": NO, "weak2": NO, "strict1": YES, "strict2": YES, "strict3": NO, "fine": YES, "odd": NO}
    ratings = [Rating(item, "ann", answer) for item, answer in said.items()]
    ratings += [Rating("open", "ann", YES), Rating("open", "bo", NO)]
    found = agreement(known, ratings, resolve(ratings)).tests
    assert [(one.problem_id, one.too_weak, one.too_strict) for one in found.problems] == [
        ("loose", 2, 0),
        ("tight", 0, 2),
        ("odd", 1, 0),
    ]
    assert found.problems[1].tests == {1: 1, 3: 2} and found.problems[1].judged == 3
    assert found.table == {
        "tests_correct_people_correct": 1,
        "tests_correct_people_incorrect": 3,
        "tests_incorrect_people_correct": 2,
        "tests_incorrect_people_incorrect": 1,
    }
    assert found.differing.value == pytest.approx(5 / 7)
    assert (found.differing_random.value, found.differing_random.items) == (0.5, 2)
    assert found.differing_random == wilson([True, False])
    assert found.to_json()["differing_random"] == {"value": 0.5, "low": 0.094531, "high": 0.905469, "items": 2}
    settled = agreement(known, ratings, resolve(ratings, [Decision("open", False, "why", "cy")])).tests
    assert settled.differing.items == 8


def test_what_the_audit_took_out_is_not_in_the_rate_of_wrong_labels() -> None:
    problem = making.a_problem("p")
    cases = [
        Case(name, problem, f"s{name}", "x", tests=False, in_random_slice=True, quarantine=reason)
        for name, reason in (("a", None), ("b", None), ("c", "reference_fails"))
    ]
    ratings = [Rating(asked(case.id, Question.CORRECT), "ann", YES) for case in cases[1:]]
    ratings.append(Rating(asked("a", Question.CORRECT), "ann", NO))
    found = agreement_of(Evidence(tuple(cases), tuple(ratings)))[Question.CORRECT].tests
    assert found.differing.items == 3
    assert (found.differing_random.value, found.differing_random.items) == (0.5, 2)


def test_drift_on_gold_items_is_seen_and_its_absence_too() -> None:
    """Ann answers 60 gold items right and then 60 like a coin; Bo is right in 90 % throughout."""
    dice = random.Random(3)
    known = [JudgedItem(f"i{n}", "p", gold=bool(n % 2)) for n in range(120)]
    ratings = []
    for n, item in enumerate(known):
        right = n < 60 or dice.random() < 0.5
        ratings.append(Rating(item.id, "ann", YES if item.gold is right else NO, float(n)))
        right = dice.random() < 0.9
        ratings.append(Rating(item.id, "bo", YES if item.gold is right else NO, float(n)))
    ann, bo = agreement(known, ratings, resolve(ratings)).people
    assert ann.drift.high < 0 and ann.gold.items == 120
    assert bo.drift.low < 0 < bo.drift.high and 0.8 < bo.gold.value < 1


def test_the_json_is_json_and_empty_data_are_no_error() -> None:
    empty = agreement([], [], {})
    assert math.isnan(empty.overall.alpha.value)
    text = json.dumps(empty.to_json(), allow_nan=False)
    assert json.loads(text)["overall"]["alpha"] == {"value": None, "low": None, "high": None, "items": 0}


def test_twenty_thousand_items_take_seconds() -> None:
    dice = random.Random(5)
    known = [JudgedItem(f"i{n}", f"p{n // 4}", source=f"s{n % 3}", tests=bool(n % 2)) for n in range(20_000)]
    ratings = [
        Rating(item.id, person, dice.choice((YES, NO)), float(n), tags=("other",) if n % 7 == 0 else ())
        for n, item in enumerate(known)
        for person in ("ann", "bo", "cy")
        if dice.random() < 0.6
    ]
    found = agreement(known, ratings, resolve(ratings))
    assert found.overall.alpha.low < 0.02 and found.overall.verdicts == len(ratings)
