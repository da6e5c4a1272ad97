"""The paper's choices: which tests stay, when a label is True, which problems become critique rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.data.filter import count_tokens, drawn, filtered, token_counter
from critique_coder.data.label import balance, critique_rows
from critique_coder.data.losses import Loss
from critique_coder.data.mix import RowKind, Split, Templates, convert, critique_row, heldout_pairs, solve_row, split_of
from critique_coder.data.recipe import FilterSettings, LabelSettings
from critique_coder.prompts import load_template
from critique_coder.records import BadInput, CritiqueRow, Outcome, Problem, TestCase, TestKind
from critique_coder.storage import dumps
from making import a_problem, a_row, a_solution, a_verdict
from tiny_model import tiny_tokenizer

TEMPLATES = Templates(load_template("solve"), load_template("critique"))


def stdio(words: int) -> TestCase:
    return TestCase(TestKind.STDIO, stdin=" ".join(["w"] * words), stdout="")


def test_tests_longer_than_the_limit_go_and_shorter_ones_stay() -> None:
    limit = count_tokens(stdio(50))
    problem = Problem("p", "s", (stdio(49), stdio(50), stdio(51)))
    kept = filtered(problem, FilterSettings(max_test_tokens=limit), 0)
    assert isinstance(kept, Problem) and kept.tests == problem.tests[:2]


def test_a_test_of_one_word_more_has_one_token_more() -> None:
    assert count_tokens(stdio(51)) == count_tokens(stdio(50)) + 1


def test_a_problem_left_without_tests_is_lost_with_its_reason() -> None:
    lost = filtered(Problem("p", "s", (stdio(300), stdio(400))), FilterSettings(), 0)
    assert (
        isinstance(lost, Loss)
        and lost.problem_id == "p"
        and lost.reason == "tests_too_long"
        and "2 tests" in lost.detail
    )


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 5))
def test_at_most_so_many_tests_stay_in_their_order(count: int, most: int, seed: int) -> None:
    problem = a_problem(tests=count)
    kept = filtered(problem, FilterSettings(max_tests=most), seed)
    assert isinstance(kept, Problem)
    assert len(kept.tests) == min(count, most)
    places = [problem.tests.index(test) for test in kept.tests]
    assert places == sorted(set(places))
    assert filtered(problem, FilterSettings(max_tests=most), seed) == kept


def test_the_tests_that_stay_are_drawn_not_the_first() -> None:
    problems = [a_problem(f"p{n}", tests=60) for n in range(40)]
    kept, other = ([filtered(problem, FilterSettings(max_tests=30), seed) for problem in problems] for seed in (0, 1))
    times = Counter(test.args[0] for problem in kept if isinstance(problem, Problem) for test in problem.tests)
    assert min(times[n] for n in range(60)) >= 5 and max(times.values()) <= 35
    assert other != kept


def test_a_smaller_number_of_problems_is_a_part_of_a_larger_one() -> None:
    ids = [f"p{n}" for n in range(50)]
    few, more = drawn(ids, 10, 0), drawn(ids, 20, 0)
    assert (len(few), len(more)) == (10, 20) and few < more < set(ids)
    assert drawn(reversed(ids), 20, 0) == more != drawn(ids, 20, 1)


def label_of(passed: int, total: int, threshold: float = 0.8) -> bool:
    (row,) = critique_rows(
        {"p": a_problem()},
        [a_solution("s", "p")],
        {"s": a_verdict("s", "p", passed, total)},
        LabelSettings(threshold=threshold),
    )
    return row.label


@pytest.mark.parametrize(
    ("passed", "total", "label"),
    [
        (10, 10, True),
        (9, 10, True),
        (8, 10, False),
        (4, 5, False),
        (24, 30, False),
        (25, 30, True),
        (0, 10, False),
        (81, 100, True),
    ],
)
def test_a_label_is_true_only_above_four_fifths(passed: int, total: int, label: bool) -> None:
    assert label_of(passed, total) is label


@given(st.integers(1, 100))
def test_exactly_the_threshold_is_not_above_it(fifths: int) -> None:
    assert label_of(4 * fifths, 5 * fifths) is False
    assert label_of(4 * fifths + 1, 5 * fifths) is True


def test_unscored_solutions_and_those_without_code_are_no_critique_data() -> None:
    solutions = [a_solution("a", "p", "x = 1"), a_solution("b", "p", None), a_solution("c", "p", "x = 3")]
    verdicts = {
        "a": a_verdict("a", "p", 10),
        "b": a_verdict("b", "p", 0, outcome=Outcome.NO_CODE),
        "c": a_verdict("c", "p", 3, outcome=Outcome.UNSCORED),
    }
    rows = list(critique_rows({"p": a_problem()}, solutions, verdicts, LabelSettings()))
    assert [row.solution_id for row in rows] == ["a"]
    assert rows[0].statement == a_problem().statement and rows[0].pass_rate == 1.0


def test_the_same_code_counts_once_a_problem() -> None:
    solutions = [a_solution("a", "p", "x = 1"), a_solution("b", "p", "\nx = 1\n"), a_solution("c", "q", "x = 1")]
    verdicts = {s.id: a_verdict(s.id, s.problem_id, 10) for s in solutions}
    rows = list(critique_rows({"p": a_problem("p"), "q": a_problem("q")}, solutions, verdicts, LabelSettings()))
    assert [row.solution_id for row in rows] == ["a", "c"]


labels_of_problems = st.lists(st.lists(st.booleans(), max_size=8), max_size=8)


def rows_of(groups: list[list[bool]]) -> list[CritiqueRow]:
    return [a_row(f"p{p}#{n}", f"p{p}", label) for p, group in enumerate(groups) for n, label in enumerate(group)]


@given(labels_of_problems, st.integers(0, 3))
def test_balance_leaves_equal_sides_in_every_problem_that_has_both(groups: list[list[bool]], seed: int) -> None:
    rows = rows_of(groups)
    kept = balance(rows, seed)
    assert kept == [row for row in rows if row in kept]
    for p, group in enumerate(groups):
        left = Counter(row.label for row in kept if row.problem_id == f"p{p}")
        if any(group) and not all(group):
            assert left[True] == left[False] == min(group.count(True), group.count(False))
        else:
            assert sum(left.values()) == len(group)


@given(labels_of_problems, st.integers(0, 3))
def test_heldout_pairs_are_half_true_and_as_many_as_there_are(groups: list[list[bool]], seed: int) -> None:
    rows = rows_of(groups)
    pairs = heldout_pairs(rows, seed)
    sides = Counter(row.label for row in rows)
    left = Counter(row.label for row in pairs)
    assert left[True] == left[False] == min(sides[True], sides[False])
    assert pairs == [row for row in rows if row in pairs]


def test_heldout_pairs_come_from_many_problems() -> None:
    rows = rows_of([[True] * 6 + [False] * 1] * 10)
    pairs = heldout_pairs(rows, 0)
    assert {row.problem_id for row in pairs if row.label} == {f"p{n}" for n in range(10)}


def made(count: int = 200, eligible: int = 150) -> tuple[list[Problem], list[CritiqueRow]]:
    problems = [a_problem(f"p{n}") for n in range(count)]
    rows = [a_row(f"p{n}#{k}", f"p{n}", label) for n in range(eligible) for k, label in enumerate((True, False, False))]
    return problems, rows


@pytest.mark.parametrize(("share", "converted"), [(0.0, 0), (0.2, 40), (0.5, 100), (0.749, 150), (1.0, 150)])
def test_the_share_is_of_all_problems_as_far_as_there_are_rows(share: float, converted: int) -> None:
    problems, rows = made()
    chosen = convert(problems, rows, share, 0)
    assert len(chosen) == converted
    assert all(row.problem_id == name for name, row in chosen.items())


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 4))
def test_a_smaller_share_is_a_part_of_a_larger_one(one: float, other: float, seed: int) -> None:
    problems, rows = made(60, 50)
    few, more = (convert(problems, rows, share, seed) for share in sorted((one, other)))
    assert few.items() <= more.items()


@given(labels_of_problems.filter(len), st.floats(0, 1), st.integers(0, 4))
def test_converted_labels_are_balanced_where_both_are_there(groups: list[list[bool]], share: float, seed: int) -> None:
    problems = [a_problem(f"p{p}") for p in range(len(groups))]
    chosen = convert(problems, rows_of(groups), share, seed)
    sides = Counter(row.label for row in chosen.values())
    forced = sum(len(set(groups[int(name[1:])])) == 1 for name in chosen)
    assert abs(sides[True] - sides[False]) <= 1 + forced


def test_another_seed_chooses_other_problems() -> None:
    problems, rows = made()
    assert set(convert(problems, rows, 0.2, 0)) != set(convert(problems, rows, 0.2, 1))


def test_the_chosen_problems_do_not_depend_on_the_order_of_the_input() -> None:
    problems, rows = made()
    assert convert(problems, rows, 0.2, 0) == convert(problems[::-1], rows[::-1], 0.2, 0)


def test_a_split_that_is_given_counts_and_else_the_family_decides() -> None:
    assert split_of(a_problem(metadata={"split": "train"}), 0.99) is Split.TRAIN
    for name in ("heldout", "test", "eval"):
        assert split_of(a_problem(metadata={"split": name}), 0.0) is Split.HELDOUT
    for n in range(50):
        family = {"family": f"f{n}"}
        assert len({split_of(a_problem(f"p{n}/{k}", metadata=family), 0.3) for k in range(4)}) == 1


def test_the_share_of_families_held_out_is_about_what_was_asked() -> None:
    held = sum(split_of(a_problem(f"p{n}"), 0.3) is Split.HELDOUT for n in range(2000))
    assert 520 < held < 680
    assert all(split_of(a_problem(f"p{n}"), 0.0) is Split.TRAIN for n in range(50))


def test_more_held_out_keeps_what_was_held_out() -> None:
    for n in range(300):
        if split_of(a_problem(f"p{n}"), 0.2) is Split.HELDOUT:
            assert split_of(a_problem(f"p{n}"), 0.4) is Split.HELDOUT


def test_rows_carry_what_training_needs() -> None:
    solve = solve_row(a_problem(), TEMPLATES, Split.TRAIN)
    critique = critique_row(a_row("s", "p", False, solution="x = 'WRONG'"), a_problem(), TEMPLATES, Split.HELDOUT)
    names = "id kind problem_id solution_id prompt label label_source template template_hash split"
    assert set(solve) == set(critique) == set(names.split())
    assert (solve["kind"], solve["label"], solve["solution_id"], solve["split"]) == (RowKind.SOLVE, None, None, "train")
    assert (critique["kind"], critique["label"], critique["solution_id"]) == (RowKind.CRITIQUE, False, "s")
    assert (critique["label_source"], critique["split"]) == ("tests", "heldout")
    assert "x = 'WRONG'" in critique["prompt"][0]["content"]
    assert solve["template_hash"] == TEMPLATES.solve.sha256 != critique["template_hash"]


def test_tokens_are_a_tokenizers_or_words_numbers_and_signs(tmp_path: Path) -> None:
    tiny_tokenizer().save_pretrained(tmp_path / "tokens")
    test = TestCase(TestKind.STDIO, stdin="w1 w2 w3", stdout="w4")
    assert token_counter(None)(test) == token_counter("")(test) == count_tokens(test)
    counted = token_counter(str(tmp_path / "tokens"))(test)
    assert counted == len(tiny_tokenizer().encode(dumps(test.to_json()), add_special_tokens=False))


def test_a_tokenizer_that_is_nowhere_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BadInput, match=r'filter.tokenizer = .*filter.tokenizer="" to count words'):
        token_counter(str(tmp_path / "none"))
