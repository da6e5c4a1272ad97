"""Difficulty: pass@k as counted by hand, the band, what is never solved, and the same share of each stratum."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.data.difficulty import Difficulty, outside, pass_at, solved_shares, strata
from critique_coder.data.mix import convert
from critique_coder.data.recipe import BuildRecipe
from critique_coder.records import Outcome, Solution
from critique_coder.settings import resolve
from making import a_problem, a_row, a_verdict, complaint


def table(*results: tuple[str, str, int]) -> Difficulty:
    """Results are (problem, model, tests passed of 10)."""
    found = Difficulty()
    for n, (problem, model, passed) in enumerate(results):
        solution = Solution(f"s{n}", problem, "x = 1", author=model, metadata={"tokens": 10 * (n + 1)})
        found.add(solution, a_verdict(f"s{n}", problem, passed))
    return found


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_passing_one(drawn: tuple[int, int, int]) -> None:
    samples, passed, k = drawn
    draws = list(combinations(range(samples), k))
    assert pass_at(samples, passed, k) == pytest.approx(sum(min(draw) < passed for draw in draws) / len(draws))


def test_the_table_has_a_line_for_each_problem_and_model() -> None:
    found = table(("p", "a", 10), ("p", "a", 5), ("p", "b", 0), ("q", "a", 10), ("q", "a", 10))
    lines = [level.to_json() for level in found.levels()]
    assert [(line["problem_id"], line["model"], line["samples"], line["passed"]) for line in lines] == [
        ("p", "a", 2, 1), ("p", "b", 1, 0), ("q", "a", 2, 2),
    ]  # fmt: skip
    assert (lines[0]["mean_pass_rate"], lines[0]["mean_tokens"]) == (0.75, 15)
    summary = found.summary()
    assert summary["models"]["a"] == {
        "problems": 2, "samples": 4, "pass@1": 0.75, "pass@2": 1.0, "pass@4": None, "tokens_per_solution": 30.0,
    }  # fmt: skip
    assert summary["models"]["b"]["pass@2"] is None
    levels = [level.to_json() for level in found.levels()]
    assert solved_shares(levels) == {"p": pytest.approx(1 / 3), "q": 1.0} and solved_shares(levels, "b") == {"p": 0.0}


def test_what_no_model_solves_is_listed_with_the_tests_that_all_fail() -> None:
    found = table(("p", "a", 0), ("q", "a", 9), ("q", "b", 8), ("r", "a", 3), ("r", "b", 10))
    near, far = found.never_solved()
    assert (near["problem_id"], near["best_pass_rate"], near["failed_by_all"]) == ("q", 0.9, [10])
    assert far["problem_id"] == "p" and far["failed_by_all"] == list(range(1, 11))
    assert near["outcomes"] == {"wrong_answer": 2} and found.summary()["never_solved"] == 2


def test_unscored_solutions_count_for_nothing() -> None:
    found = Difficulty()
    found.add(Solution("s", "p", "x"), a_verdict("s", "p", 0, outcome=Outcome.UNSCORED))
    assert list(found.levels()) == [] and list(found.never_solved()) == []


def test_the_band_holds_its_bounds() -> None:
    shares = {"never": 0.0, "hard": 0.05, "easy": 0.95, "always": 1.0}
    assert set(outside(shares, (0.05, 0.95))) == {"never", "always"}
    assert outside(shares, (0.0, 1.0)) == {}


def test_a_band_that_is_none_is_refused() -> None:
    recipe = {"source": [{"name": "starter"}], "difficulty": {"keep": [0.9, 0.1]}}
    assert "difficulty.keep" in complaint(resolve, BuildRecipe, recipe, [], "recipe")


PROBLEMS = [a_problem(f"p{n}") for n in range(90)]
ROWS = [a_row(f"p{n}#{k}", f"p{n}", k == 0) for n in range(90) for k in range(2)]
STRATA = {f"p{n}": 0 if n < 60 else 1 if n < 80 else 4 for n in range(90)}


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_a_smaller_share_is_a_part_of_a_larger_one_in_every_stratum(one: float, other: float, seed: int) -> None:
    small, large = sorted((one, other))
    few, many = (convert(PROBLEMS, ROWS, share, seed, STRATA) for share in (small, large))
    assert few.keys() <= many.keys() and len(few) == round(small * 90)
    taken = Counter(STRATA[name] for name in few)
    for stratum, size in Counter(STRATA.values()).items():
        assert abs(taken[stratum] - small * size) <= 1.5


def test_without_strata_the_choice_is_as_before() -> None:
    plain = convert(PROBLEMS, ROWS, 0.2, 0)
    assert plain == convert(PROBLEMS, ROWS, 0.2, 0, None)
    assert plain.keys() != convert(PROBLEMS, ROWS, 0.2, 0, STRATA).keys()


def test_strata_are_ranges_of_the_share() -> None:
    shares = {"a": 0.0, "b": 0.19, "c": 0.2, "d": 1.0}
    assert strata(shares, ["a", "b", "c", "d", "e"]) == {"a": 0, "b": 0, "c": 1, "d": 4, "e": -1}
