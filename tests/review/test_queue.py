"""The queue: doubtful items first, a fair sample, an overlap that is really judged twice, everyone's own order."""

from __future__ import annotations

import itertools

import pytest

from critique_coder.review.cases import Case
from critique_coder.review.queue import QueueSettings, doubt_of, is_open, order_for, queue
from making import a_problem

PROBLEM = a_problem()
CASES = [
    Case(f"c{n}", PROBLEM, f"s{n}", "x = 1", tests=n % 2 == 0, gold=True if n % 50 == 0 else None) for n in range(1000)
]
DOUBTS = {case.id: (n * 7919 % 1000) / 1000 for n, case in enumerate(CASES)}
ITEMS = queue(CASES, DOUBTS, QueueSettings())


def test_everybody_sees_each_item_once_in_an_order_that_stays_and_is_their_own() -> None:
    ann, ben = ([item.case.id for item in order_for(name, ITEMS)] for name in ("ann", "ben"))
    assert sorted(ann) == sorted(ben) == sorted(case.id for case in CASES)
    assert ann != ben and ann == [item.case.id for item in order_for("ann", ITEMS)]


def test_doubtful_items_come_first_and_the_random_slice_is_not_biased() -> None:
    order = order_for("ann", ITEMS)
    doubtful = [
        item.doubt for item in order if item.needed == 1 and not item.case.in_random_slice and not item.case.gold
    ]
    assert all(earlier >= later - 0.1 for earlier, later in itertools.pairwise(doubtful))
    sampled = [item.doubt for item in order if item.case.in_random_slice]
    assert 70 < len(sampled) < 130 and abs(sum(sampled) / len(sampled) - 0.5) < 0.1


def test_what_is_judged_of_the_random_slice_in_part_of_the_queue_is_fair_too() -> None:
    """Also of the items in it that several people see: doubt must not decide which of them come first."""
    drawn, again = [], []
    for person in map(str, range(40)):
        for item in order_for(person, ITEMS)[:150]:
            if item.case.in_random_slice and item.case.gold is None:
                drawn.append(item.doubt)
                again += [item.doubt] * (item.needed > 1)
    assert abs(sum(drawn) / len(drawn) - 0.5) < 0.1
    everything = [i.doubt for i in ITEMS if i.case.in_random_slice and i.needed > 1 and i.case.gold is None]
    assert abs(sum(again) / len(again) - sum(everything) / len(everything)) < 0.1


def test_the_overlap_is_a_share_and_two_people_meet_in_it() -> None:
    assert 0.12 < sum(item.needed == 2 for item in ITEMS) / len(ITEMS) < 0.18
    firsts = [{i.case.id for i in order_for(name, ITEMS)[:200] if i.needed == 2} for name in ("ann", "ben")]
    assert len(firsts[0] & firsts[1]) > 0.6 * len(firsts[0]) > 10


def test_gold_items_are_spread_over_the_whole_order() -> None:
    places = [place for place, item in enumerate(order_for("ann", ITEMS)) if item.case.gold]
    assert all(later - earlier < 80 for earlier, later in zip([0, *places], [*places, 1000], strict=True))


def test_an_item_is_open_until_enough_others_judged_it() -> None:
    single = next(item for item in ITEMS if item.needed == 1 and item.case.gold is None)
    double = next(item for item in ITEMS if item.needed == 2 and item.case.gold is None)
    gold = next(item for item in ITEMS if item.case.gold)
    assert is_open(single, "ann", ()) and not is_open(single, "ann", ("ben",))
    assert is_open(double, "ann", ("ben",)) and not is_open(double, "ann", ("ben", "cat"))
    assert is_open(gold, "ann", ("ben", "cat", "dan")) and not is_open(gold, "ann", ("ann",))


@pytest.mark.parametrize(
    ("rate", "label", "solvable", "critics", "wanted"),
    [
        (None, False, True, (), 1.0),
        (1.0, True, True, (), 0.0),
        (1.0, True, True, (False, False), 1.0),
        (0.8, False, True, (), 1.0),
        (0.0, False, False, (), 0.6),
        (0.0, False, True, (False,), 0.0),
    ],
)
def test_what_makes_an_item_doubtful(
    rate: float | None, label: bool, solvable: bool, critics: tuple[bool, ...], wanted: float
) -> None:
    assert doubt_of(Case("c", PROBLEM, "s", "", tests=label), rate, 0.8, solvable, critics) == pytest.approx(wanted)
