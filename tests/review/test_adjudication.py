"""From answers to labels: rules, conflicts, decisions."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import making
from critique_coder.records import LabelSource
from critique_coder.review.adjudication import (
    Answer,
    Decision,
    Rating,
    Rule,
    conflicts,
    counts,
    latest_ratings,
    resolve,
)

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.CANT_TELL


def rated(item: str, *answers: Answer) -> list[Rating]:
    """Answers of persons 0, 1, ... to an item."""
    return [Rating(item, f"person{n}", answer, float(n)) for n, answer in enumerate(answers)]


answers = st.lists(
    st.builds(
        Rating,
        item=st.sampled_from(["i1", "i2", "i3"]),
        person=st.sampled_from(["ann", "bo", "cy", "di"]),
        answer=st.sampled_from(list(Answer)),
        at=st.integers(0, 10**6).map(float),
    ),
    unique_by=lambda rating: rating.at,
)


@pytest.mark.parametrize(
    ("given_answers", "majority", "unanimous"),
    [
        ((YES,), True, True),
        ((NO, NO), False, False),
        ((YES, NO), None, None),
        ((YES, YES, NO), True, None),
        ((NO, NO, YES, UNSURE), False, None),
        ((UNSURE,), None, None),
        ((UNSURE, UNSURE, YES), True, True),
        ((YES, NO, UNSURE), None, None),
    ],
)
def test_rules(given_answers: tuple[Answer, ...], majority: bool | None, unanimous: bool | None) -> None:
    assert resolve(rated("i", *given_answers))["i"].label is majority
    assert resolve(rated("i", *given_answers), rule=Rule.UNANIMOUS)["i"].label is unanimous


@given(answers)
def test_cant_tell_never_becomes_a_label_and_changes_none(ratings: list[Rating]) -> None:
    last = latest_ratings(ratings)
    told = [rating for rating in last if rating.answer is not UNSURE]
    found, without = resolve(last), resolve(told)
    assert {name: one.label for name, one in found.items() if one.yes + one.no} == {
        name: one.label for name, one in without.items()
    }
    assert all(one.label is None for one in found.values() if one.yes == one.no)


@given(answers, st.randoms(use_true_random=False))
def test_order_does_not_matter(ratings: list[Rating], dice: random.Random) -> None:
    mixed = list(ratings)
    dice.shuffle(mixed)
    assert resolve(latest_ratings(mixed)) == resolve(latest_ratings(ratings))
    assert conflicts(latest_ratings(mixed)) == conflicts(latest_ratings(ratings))


@given(answers)
def test_conflicts_are_where_people_differ_and_each_is_settled_by_a_decision(ratings: list[Rating]) -> None:
    last = latest_ratings(ratings)
    said: dict[str, set[Answer]] = {}
    for rating in last:
        said.setdefault(rating.item, set()).add(rating.answer)
    found = conflicts(last)
    assert {one.item for one in found} == {item for item, sides in said.items() if {YES, NO} <= sides}
    decisions = [Decision(one.item, True, "looked again", "judge") for one in found]
    assert conflicts(last, decisions) == []
    assert all(resolve(last, decisions)[one.item].source is LabelSource.ADJUDICATED for one in found)


def test_the_latest_decision_counts_and_its_reason_is_the_note() -> None:
    ratings = rated("i", YES, NO)
    decisions = [Decision("i", False, "second look", "d", 2.0), Decision("i", True, "first look", "d", 1.0)]
    found = resolve(ratings, decisions)["i"]
    assert (found.label, found.source, found.note) == (False, LabelSource.ADJUDICATED, "second look")
    assert (found.yes, found.no) == (1, 1)
    assert "must not be empty" in making.complaint(Decision, "i", True, "  ", "d")


def test_a_persons_later_answer_takes_the_place_of_the_earlier() -> None:
    ratings = [Rating("i", "ann", NO, 2.0), Rating("i", "ann", YES, 1.0)]
    assert resolve(latest_ratings(ratings))["i"].label is False


def test_a_conflict_has_no_names() -> None:
    ratings = [
        Rating("i", "ann-with-a-name", YES, 1.0, tags=("wrong_test",), note="the test is off by one"),
        Rating("i", "bo-with-a-name", NO, 2.0, note="fails on empty input"),
    ]
    (found,) = conflicts(ratings, person="cy")
    text = json.dumps(found.to_json())
    assert "name" not in text and not found.own
    assert [side["notes"] for side in found.to_json()["sides"]] == [
        ["the test is off by one"],
        ["fails on empty input"],
    ]


def test_what_one_judged_oneself_comes_last() -> None:
    ratings = [*rated("a", YES, NO), Rating("b", "x", YES), Rating("b", "y", NO)]
    assert [(one.item, one.own) for one in conflicts(ratings, person="person1")] == [("b", False), ("a", True)]
    assert [one.item for one in conflicts([*rated("a", YES, YES, NO), *rated("b", YES, NO)])] == ["b", "a"]


def test_tags_and_notes_come_from_the_side_that_prevailed() -> None:
    ratings = [
        Rating("i", "a", YES, tags=("wrong_test",), note="right"),
        Rating("i", "b", YES, tags=("other",)),
        Rating("i", "c", NO, tags=("format",), note="wrong"),
    ]
    found = resolve(ratings)["i"]
    assert (found.tags, found.note) == (("other", "wrong_test"), "right")


def test_counts() -> None:
    ratings = [*rated("a", YES), *rated("b", YES, NO), *rated("c", UNSURE), *rated("d", YES, NO)]
    found = resolve(ratings, [Decision("d", True, "because", "j")])
    assert counts(found) == {"human": 1, "adjudicated": 1, "conflict": 1, "cant_tell": 1}
