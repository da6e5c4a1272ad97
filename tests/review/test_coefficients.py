"""Agreement coefficients against published examples and against what must hold for any data."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import making
from critique_coder.review import bootstrap
from critique_coder.review.coefficients import Unit, cohens_kappa, krippendorffs_alpha, percent_agreement

assert making  # the profile of the property tests

KRIPPENDORFF = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""Section C of "Computing Krippendorff's Alpha-Reliability" (2011): four observers, twelve units, a dot for nothing."""


def columns(*observers: str) -> list[Unit]:
    """Units from one line of values an observer."""
    rows = [line.split() for line in observers]
    return [
        {str(person): value for person, value in enumerate(column) if value != "."}
        for column in zip(*rows, strict=True)
    ]


units = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["correct", "incorrect", "other"]), max_size=4),
    max_size=30,
)


def varied(data: list[Unit]) -> bool:
    """Whether alpha is defined: two values or more among the units that two or more judged."""
    return len({value for unit in data if len(unit) > 1 for value in unit.values()}) > 1


def test_alpha_of_krippendorffs_four_observers() -> None:
    assert krippendorffs_alpha(columns(*KRIPPENDORFF)).value == pytest.approx(0.743, abs=0.0005)


def test_alpha_of_krippendorffs_two_observers_with_two_values() -> None:
    found = krippendorffs_alpha(columns("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"))
    assert found.value == pytest.approx(0.095, abs=0.0005)


def test_alpha_of_krippendorffs_two_observers_with_five_values() -> None:
    found = krippendorffs_alpha(columns("a a b b d c c c e d d a", "b a b b b c c c e d d d"))
    assert found.value == pytest.approx(0.692, abs=0.0005)


def test_kappa_of_a_table_with_known_result() -> None:
    """20 and 15 agreements, 5 and 10 disagreements: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5."""
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    assert cohens_kappa(pairs).value == pytest.approx(0.4)
    assert percent_agreement([{"a": one, "b": other} for one, other in pairs]).value == pytest.approx(0.7)


def plain_alpha(data: list[Unit]) -> float:
    """Alpha by the definition, pair by pair: 1 - observed over expected disagreement."""
    pairable = [list(unit.values()) for unit in data if len(unit) > 1]
    everything = [value for values in pairable for value in values]
    n = len(everything)
    observed = sum(sum(one != other for one in values for other in values) / (len(values) - 1) for values in pairable)
    expected = sum(one != other for one in everything for other in everything) / (n - 1)
    return 1 - observed / expected


@given(units)
def test_alpha_is_what_its_definition_says(data: list[Unit]) -> None:
    assume(varied(data))
    assert krippendorffs_alpha(data).value == pytest.approx(plain_alpha(data))


@given(units, st.randoms(use_true_random=False))
def test_neither_order_nor_names_matter(data: list[Unit], dice: random.Random) -> None:
    names = dict(zip("abcd", dice.sample("wxyz", 4), strict=True))
    values = dict(zip(["correct", "incorrect", "other"], dice.sample("123", 3), strict=True))
    other = [{names[person]: values[value] for person, value in unit.items()} for unit in data]
    dice.shuffle(other)
    for measure in (krippendorffs_alpha, percent_agreement):
        assert measure(other).value == pytest.approx(measure(data).value, nan_ok=True)


@given(st.lists(st.tuples(st.sampled_from("xy"), st.integers(2, 5)), min_size=2, max_size=30))
def test_perfect_agreement_is_one(data: list[tuple[str, int]]) -> None:
    agreed: list[Unit] = [{str(person): value for person in range(people)} for value, people in data]
    assert percent_agreement(agreed).value == 1
    if varied(agreed):
        assert krippendorffs_alpha(agreed).value == pytest.approx(1)
        assert cohens_kappa([(value, value) for value, _ in data]).value == pytest.approx(1)


@given(units)
def test_units_that_one_person_judged_change_nothing(data: list[Unit]) -> None:
    alone = [*data, {"a": "correct"}, {}]
    assert krippendorffs_alpha(alone) == krippendorffs_alpha(data) or not varied(data)
    assert percent_agreement(alone).value == pytest.approx(percent_agreement(data).value, nan_ok=True)


@given(units)
def test_an_interval_holds_its_value_and_the_same_data_give_the_same(data: list[Unit]) -> None:
    found = percent_agreement(data)
    assert found == percent_agreement(data) or math.isnan(found.value)
    if not math.isnan(found.value):
        assert 0 <= found.low <= found.high <= 1


def test_guessing_gives_about_zero_and_an_interval_that_holds_it() -> None:
    dice = random.Random(1)
    guessed: list[Unit] = [{"a": dice.choice("xy"), "b": dice.choice("xy")} for _ in range(400)]
    found = krippendorffs_alpha(guessed)
    assert found.low < 0 < found.high and abs(found.value) < 0.15


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """The share of agreeing items is 0.7; of 200 samples of 80 items about 95 % of the intervals must hold it."""
    dice = random.Random(7)
    hits = 0
    for seed in range(200):
        sample: list[Unit] = [{"a": "x", "b": "x" if dice.random() < 0.7 else "y"} for _ in range(80)]
        found = percent_agreement(sample, seed)
        hits += found.low <= 0.7 <= found.high
    assert 180 <= hits <= 199


def test_what_is_not_defined_is_said_so() -> None:
    assert krippendorffs_alpha([]) == bootstrap.NOTHING
    same = krippendorffs_alpha([{"a": "x", "b": "x"}])
    assert math.isnan(same.value) and same.to_json() == {"value": None, "low": None, "high": None, "items": 1}
    assert math.isnan(cohens_kappa([("x", "x")] * 3).value)


@pytest.mark.parametrize(
    ("hits", "items", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_as_published(hits: int, items: int, low: float, high: float) -> None:
    """Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3."""
    found = bootstrap.wilson([place < hits for place in range(items)])
    assert (found.value, found.items) == (hits / items, items)
    assert found.low == pytest.approx(low, abs=5e-5) and found.high == pytest.approx(high, abs=5e-5)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_wilsons_bounds_are_where_the_score_test_just_rejects(found: list[bool]) -> None:
    made = bootstrap.wilson(found)
    for bound in (made.low, made.high):
        if 0 < bound < 1:
            error = math.sqrt(bound * (1 - bound) / len(found))
            assert abs(made.value - bound) / error == pytest.approx(1.959964, abs=1e-4)


def test_wilsons_interval_of_nothing_is_not_defined() -> None:
    assert math.isnan(bootstrap.wilson([]).value) and bootstrap.wilson([]).items == 0
