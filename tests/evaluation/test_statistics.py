"""The bootstrap over problems: no difference is none, a large one is one, and intervals cover what they should."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critique_coder.evaluation.metrics import (
    Counts,
    Judged,
    critique_counts,
    critique_metrics,
    solve_counts,
    solve_metrics,
)
from critique_coder.evaluation.statistics import Finding, differences, estimates
from critique_coder.records import Judgement


def solved(rates: dict[str, list[float]]) -> Counts:
    return solve_counts((problem, rate) for problem, found in rates.items() for rate in found)


def drawn(generator: np.random.Generator, problems: int, samples: int, mean: float) -> dict[str, list[float]]:
    """Problems of different difficulty (a Beta with this mean), and samples that pass with that chance."""
    chances = generator.beta(2 * mean, 2 * (1 - mean), problems)
    return {f"p{n}": [float(generator.random() < chance) for _ in range(samples)] for n, chance in enumerate(chances)}


def judged(problems: int, right: int, malformed: int = 0) -> Counts:
    """Two critiques a problem, one of each label: both right in ``right`` problems, in the last ones both malformed."""
    rows = []
    for n in range(problems):
        for label in (True, False):
            hit, miss = (Judgement.CORRECT, Judgement.INCORRECT) if label else (Judgement.INCORRECT, Judgement.CORRECT)
            said = hit if n < right else Judgement.MALFORMED if n >= problems - malformed else miss
            rows.append(Judged(f"p{n}", label, said))
    return critique_counts(rows)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=4), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None, database=None)
def test_a_model_does_not_differ_from_itself(rates: list[list[float]]) -> None:
    counts = solved({f"p{n}": found for n, found in enumerate(rates)})
    for difference in differences(counts, counts, solve_metrics).values():
        change = difference.change
        assert (change.value, change.low, change.high) == (0, 0, 0)
        assert difference.finding is Finding.NOT_DECISIVE


def test_a_judge_does_not_differ_from_itself() -> None:
    for difference in differences(judged(30, 20, 5), judged(30, 20, 5), critique_metrics).values():
        assert (difference.change.value, difference.change.low, difference.change.high) == (0, 0, 0)
        assert difference.finding is Finding.NOT_DECISIVE


def test_a_large_paired_difference_is_better_and_the_reverse_is_worse() -> None:
    before = solved({f"p{n}": [float(n < 20)] for n in range(100)})
    after = solved({f"p{n}": [float(n < 50)] for n in range(100)})
    up, down = differences(before, after, solve_metrics), differences(after, before, solve_metrics)
    assert up["solve/pass@1"].finding is Finding.BETTER and down["solve/pass@1"].finding is Finding.WORSE
    assert up["solve/pass@1"].change.value == pytest.approx(0.3)
    assert 0.2 < up["solve/pass@1"].change.low < 0.3 < up["solve/pass@1"].change.high < 0.4


def test_two_more_of_two_hundred_are_not_decisive() -> None:
    before = solved({f"p{n}": [float(n < 53)] for n in range(225)})
    after = solved({f"p{n}": [float(3 <= n < 58)] for n in range(225)})
    assert differences(before, after, solve_metrics)["solve/pass@1"].finding is Finding.NOT_DECISIVE


def test_pairing_finds_what_separate_intervals_cannot() -> None:
    generator = np.random.default_rng(1)
    base = drawn(generator, 150, 1, 0.5)
    improved = {name: [1.0 if int(name[1:]) < 20 else rates[0]] for name, rates in base.items()}
    before, after = solved(base), solved(improved)
    old, new = (estimates(counts, solve_metrics)["solve/pass@1"] for counts in (before, after))
    assert new.low < old.high
    assert differences(before, after, solve_metrics)["solve/pass@1"].finding is Finding.BETTER


def test_fewer_malformed_critiques_are_better() -> None:
    found = differences(judged(80, 20, 50), judged(80, 20, 5), critique_metrics)["critique/malformed"]
    assert found.change.value < 0 and found.finding is Finding.BETTER


def test_problems_that_only_one_side_has_are_not_compared() -> None:
    before = solved({"a": [0.0], "b": [1.0], "only": [1.0]})
    after = solved({"b": [1.0], "a": [0.0], "other": [0.0]})
    assert differences(before, after, solve_metrics)["solve/pass@1"].change.value == 0


def test_an_estimate_lies_in_its_interval_and_is_the_metric() -> None:
    counts = solved({f"p{n}": [float(n % 3 == 0)] for n in range(60)})
    found = estimates(counts, solve_metrics)["solve/pass@1"]
    assert found.value == pytest.approx(1 / 3) and found.low < found.value < found.high
    assert estimates(counts, solve_metrics) == estimates(counts, solve_metrics)


def test_the_interval_is_as_wide_as_the_textbook_says() -> None:
    counts = solved({f"p{n}": [float(n < 120)] for n in range(400)})
    found = estimates(counts, solve_metrics)["solve/pass@1"]
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * math.sqrt(0.3 * 0.7 / 400), rel=0.1)


def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    generator = np.random.default_rng(7)
    hits = 0
    for _ in range(80):
        found = estimates(solved(drawn(generator, 60, 2, 0.4)), solve_metrics)["solve/pass@1"]
        hits += found.low <= 0.4 <= found.high
    assert 68 <= hits <= 79


def test_two_equal_models_are_seldom_told_apart() -> None:
    generator = np.random.default_rng(8)
    decisive = 0
    for _ in range(80):
        chances = generator.beta(1, 1, 60)
        one, other = (
            solved({f"p{n}": [float(generator.random() < chance)] for n, chance in enumerate(chances)})
            for _ in range(2)
        )
        decisive += differences(one, other, solve_metrics)["solve/pass@1"].finding is not Finding.NOT_DECISIVE
    assert decisive <= 10


def test_the_same_samples_again_do_not_narrow_the_interval() -> None:
    rates = drawn(np.random.default_rng(3), 50, 2, 0.4)
    once = estimates(solved(rates), solve_metrics)["solve/pass@1"]
    often = estimates(solved({name: found * 10 for name, found in rates.items()}), solve_metrics)["solve/pass@1"]
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high))


def test_more_problems_do_narrow_it() -> None:
    few, many = (
        estimates(solved({f"p{n}": [float(n % 2)] for n in range(count)}), solve_metrics)["solve/pass@1"]
        for count in (40, 640)
    )
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.15)


def test_what_is_not_defined_becomes_null_in_json() -> None:
    only_true = critique_counts([Judged("p", True, Judgement.CORRECT)])
    found = estimates(only_true, critique_metrics)["critique/recall_incorrect"].to_json()
    assert found == {"value": None, "low": None, "high": None}
    json.dumps(found, allow_nan=False)


def test_nothing_measured_gives_no_numbers_and_no_crash() -> None:
    assert all(math.isnan(found.value) for found in estimates(solve_counts([]), solve_metrics).values())
    for change in differences(solve_counts([]), solve_counts([]), solve_metrics).values():
        assert change.finding is Finding.NOT_DECISIVE
