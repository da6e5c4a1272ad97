"""Numbers about solutions and critiques, against enumeration and tables worked out by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critique_coder.evaluation.metrics import (
    Judged,
    critique_counts,
    critique_metrics,
    pass_at_k,
    solve_counts,
    solve_metrics,
)
from critique_coder.records import Judgement

settings.register_profile("rooms", database=None, deadline=None, max_examples=60)
settings.load_profile("rooms")

T, F, M = Judgement.CORRECT, Judgement.INCORRECT, Judgement.MALFORMED


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_all_draws_with_a_pass(case: tuple[int, int, int]) -> None:
    samples, passed, k = case
    draws = list(combinations([True] * passed + [False] * (samples - passed), k))
    assert pass_at_k(samples, passed, k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))


@pytest.mark.parametrize(("samples", "passed", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0), (0, 0, 1)])
def test_pass_at_k_of_impossible_numbers_is_refused(samples: int, passed: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(samples, passed, k)


def solve(results: list[tuple[str, float | None]]) -> dict[str, float]:
    counts = solve_counts(results)
    return {name: float(value[0]) for name, value in solve_metrics(counts, np.ones((1, len(counts.problems)))).items()}


def critique(results: list[tuple[str, bool, Judgement]]) -> dict[str, float]:
    counts = critique_counts(Judged(*result) for result in results)
    found = critique_metrics(counts, np.ones((1, len(counts.problems))))
    return {name.removeprefix("critique/"): float(value[0]) for name, value in found.items()}


def test_solve_metrics_are_means_over_problems_not_over_samples() -> None:
    found = solve([("a", 1.0), ("b", 0.5), ("b", 1.0), ("b", 0.0), ("b", 0.0)])
    assert found["solve/pass@1"] == pytest.approx((1 + 1 / 4) / 2)
    assert found["solve/pass_rate"] == pytest.approx((1 + 1.5 / 4) / 2)


def test_only_all_tests_passed_is_a_pass() -> None:
    assert solve([("a", 0.999999)])["solve/pass@1"] == 0


def test_unscored_samples_count_neither_way() -> None:
    assert solve([("a", 1.0), ("a", None), ("b", None), ("c", 0.0)]) == solve([("a", 1.0), ("c", 0.0)])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=20))
def test_pass_at_one_agrees_with_its_definition(results: list[tuple[str, float]]) -> None:
    groups: dict[str, list[float]] = {}
    for problem, rate in results:
        groups.setdefault(problem, []).append(rate)
    wanted = [pass_at_k(len(rates), rates.count(1.0), 1) for rates in groups.values()]
    assert solve(list(results))["solve/pass@1"] == pytest.approx(sum(wanted) / len(wanted))


def test_a_table_worked_out_by_hand() -> None:
    # 5 correct solutions: 3 judged T, 1 F, 1 malformed. 4 wrong ones: 1 T, 2 F, 1 malformed.
    table = [("p", True, T)] * 3 + [("q", True, F), ("p", True, M), ("q", False, T)]
    table += [("p", False, F), ("r", False, F), ("r", False, M)]
    found = critique(table)
    assert found["recall_correct"] == pytest.approx(3 / 5)
    assert found["recall_incorrect"] == pytest.approx(2 / 4)
    assert found["balanced_accuracy"] == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert found["precision_correct"] == pytest.approx(3 / 4)
    assert found["precision_incorrect"] == pytest.approx(2 / 3)
    assert found["malformed"] == pytest.approx(2 / 9)


def test_a_malformed_critique_is_wrong_and_is_not_a_vote() -> None:
    found = critique([("p", True, M), ("p", False, M)])
    assert found["balanced_accuracy"] == 0 and found["malformed"] == 1
    assert np.isnan(found["precision_correct"]) and np.isnan(found["precision_incorrect"])


@pytest.mark.parametrize("always", [T, F])
def test_always_the_same_answer_has_balanced_accuracy_one_half(always: Judgement) -> None:
    table = [("p", True, always)] * 90 + [("p", False, always)] * 10
    assert critique(table)["balanced_accuracy"] == pytest.approx(0.5)


def test_perfect_and_perfectly_wrong() -> None:
    assert critique([("p", True, T), ("p", False, F)])["balanced_accuracy"] == 1
    assert critique([("p", True, F), ("p", False, T)])["balanced_accuracy"] == 0


def test_without_one_class_its_recall_is_not_defined() -> None:
    found = critique([("p", True, T)])
    assert found["recall_correct"] == 1 and np.isnan(found["recall_incorrect"]) and np.isnan(found["balanced_accuracy"])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.sampled_from(Judgement)), min_size=1, max_size=25),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_a_problem_that_counts_twice_is_a_problem_that_is_there_twice(
    table: list[tuple[str, bool, Judgement]], times: list[int]
) -> None:
    counts = critique_counts(Judged(*row) for row in table)
    weight = dict(zip("abc", times, strict=True))
    weights = np.array([[weight[problem] for problem in counts.problems]], dtype=np.float64)
    found = critique_metrics(counts, weights)
    repeated = [row for row in table for _ in range(weight[row[0]])]
    if repeated:
        wanted = critique(repeated)
        for name, value in found.items():
            assert float(value[0]) == pytest.approx(wanted[name.removeprefix("critique/")], nan_ok=True)
