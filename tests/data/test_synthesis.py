"""Critiques made from execution: each says one true thing about one test, and its verdict line is the row's label."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from critique_coder.data.label import critique_rows
from critique_coder.data.recipe import LabelSettings
from critique_coder.data.synthesis import Synthesised, synthesise
from critique_coder.judge import Judge
from critique_coder.prompts import parse_judgement
from critique_coder.records import Judgement, Outcome, Problem, Solution, TestCase, TestKind
from making import a_problem, a_row, a_solution, a_verdict

CODES = {
    "right": "def double(n):\n    return n + n\n",
    "plus_one": "def double(n):\n    return 2 * n + 1\n",
    "square": "def double(n):\n    return n * n\n",
    "nothing": "def double(n):\n    2 * n\n",
    "raises": "def double(n):\n    raise ValueError('no')\n",
    "syntax": "def double(n)\n    return 2 * n\n",
    "text": "def double(n):\n    return str(2 * n)\n",
    "endless": "def double(n):\n    while True:\n        pass\n",
    "name": "def dubble(n):\n    return 2 * n\n",
}


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1, time_limit_s=0.5) as judge:
        yield judge


@pytest.fixture(scope="module")
def made(judge: Judge) -> dict[str, str]:
    """The critique of each of CODES."""
    return texts(critiques_of(judge, a_problem(tests=4), CODES))


def critiques_of(judge: Judge, problem: Problem, codes: dict[str, str], seed: int = 0) -> list[Synthesised]:
    solutions = [Solution(name, problem.id, code) for name, code in codes.items()]
    verdicts = {s.id: judge.verify(problem, s) for s in solutions}
    rows = list(critique_rows({problem.id: problem}, solutions, verdicts, LabelSettings()))
    return synthesise(rows, {problem.id: problem}, verdicts, seed)


def texts(items: list[Synthesised]) -> dict[str, str]:
    return {item.row.solution_id: item.text for item in items}


def test_the_decisive_places_are_the_first_word_that_depends_on_the_label_and_the_letter(judge: Judge) -> None:
    for item in critiques_of(judge, a_problem(tests=4), CODES):
        word, letter = item.decisive
        assert item.text[word:].split()[0] == ("right:" if item.row.label else "wrong:"), item.text
        assert item.text[:word] == "The solution is "
        assert item.otherwise == ("wrong" if item.row.label else "right")
        assert item.text[letter:] == ("T}" if item.row.label else "F}")


def test_every_solution_gets_a_critique_whose_verdict_is_its_label(made: dict[str, str]) -> None:
    assert set(made) == set(CODES)
    for name, text in made.items():
        assert parse_judgement(text) is (Judgement.CORRECT if name == "right" else Judgement.INCORRECT)
        assert text.count("\n") == 1 and text.endswith("}")


@pytest.mark.parametrize("name", ["plus_one", "square", "text"])
def test_a_wrong_answer_is_told_with_a_call_and_the_value_it_gives(judge: Judge, name: str) -> None:
    for seed in range(4):
        ((_, text),) = texts(critiques_of(judge, a_problem(tests=4), {name: CODES[name]}, seed)).items()
        found = re.search(r"`double\((\d+)\)` should give (\S+), but it gives (\S+)\.\n\\conclusion\{F\}$", text)
        assert found, text
        n = int(found[1])
        given = {"plus_one": str(2 * n + 1), "square": str(n * n), "text": repr(str(2 * n))}[name]
        assert (found[2], found[3]) == (str(2 * n), given) and given != str(2 * n)


def test_a_right_solution_is_told_with_a_test_it_passes(made: dict[str, str]) -> None:
    found = re.search(r"`double\((\d+)\)` gives (\d+)\.\n\\conclusion\{T\}$", made["right"])
    assert found and int(found[2]) == 2 * int(found[1])


def test_other_failures_are_told_as_what_they_are(made: dict[str, str]) -> None:
    assert "does not compile" in made["syntax"]
    assert "does not come to an end" in made["endless"]
    assert made["raises"].endswith("but it raises ValueError.\n\\conclusion{F}")
    assert "None" in made["nothing"]
    assert "double" in made["name"]


def test_a_program_is_told_with_its_input_and_output(judge: Judge) -> None:
    problem = Problem("p", "Print the sum.", (TestCase(TestKind.STDIO, stdin="2 3\n", stdout="5\n"),))
    codes = {"right": "print(sum(map(int, input().split())))", "wrong": "print(6)", "silent": "input()"}
    found = texts(critiques_of(judge, problem, codes))
    assert (
        "'2 3'" in found["right"] and "'5'" in found["right"] and parse_judgement(found["right"]) is Judgement.CORRECT
    )
    for name in ("wrong", "silent"):
        assert "'2 3'" in found[name] and "'5'" in found[name] and parse_judgement(found[name]) is Judgement.INCORRECT
    assert "6" in found["wrong"].partition("but")[2]


def test_a_label_that_contradicts_a_test_is_left_out() -> None:
    rows = [a_row("almost", "p", True, 0.9), a_row("all", "p", True, 1.0), a_row("half", "p", False, 0.5)]
    verdicts = {
        "almost": a_verdict("almost", "p", 9),
        "all": a_verdict("all", "p", 10),
        "half": a_verdict("half", "p", 5),
    }
    made = synthesise(rows, {"p": a_problem(tests=10)}, verdicts, 0)
    assert [item.row.solution_id for item in made] == ["all", "half"]


def test_a_wrong_solution_is_never_told_with_a_test_it_passed() -> None:
    problem = a_problem(tests=10)
    for seed in range(20):
        (item,) = synthesise([a_row("s", "p", False, 0.7)], {"p": problem}, {"s": a_verdict("s", "p", 7)}, seed)
        called = re.search(r"`double\((\d+)\)`", item.text)
        assert called and int(called[1]) >= 7


def test_tests_too_long_to_quote_and_check_programs_are_not_talked_about() -> None:
    long = TestCase(TestKind.CALL, args=("x" * 500,), expected=0)
    short = TestCase(TestKind.CALL, args=("x",), expected=0)
    check = TestCase(TestKind.SCRIPT, code="assert double(1) == 2")
    for tests, wanted in (((long,), 0), ((check,), 0), ((long, check, short), 1)):
        problem = Problem("p", "s", tests, entry_point="double")
        made = synthesise([a_row("s", "p", False, 0.0)], {"p": problem}, {"s": a_verdict("s", "p", 0, len(tests))}, 0)
        assert len(made) == wanted
        assert all("double('x')" in item.text for item in made)


def test_the_shortest_tests_are_quoted_and_long_values_are_cut() -> None:
    """A quarter of them, but two at least; a small model repeats long values until it is cut."""
    for count, quoted in ((12, {0, 1, 2}), (5, {0, 1}), (1, {0})):
        tests = tuple(TestCase(TestKind.CALL, args=("x" * n,), expected=0) for n in range(count))
        problem = Problem("p", "s", tests, entry_point="double")
        rows = [a_row(f"s{n}", "p", False, 0.0) for n in range(40)]
        verdicts = {f"s{n}": a_verdict(f"s{n}", "p", 0, count) for n in range(40)}
        made = synthesise(rows, {"p": problem}, verdicts, 0)
        assert {item.text.partition("double('")[2].partition("'")[0].count("x") for item in made} == quoted


def test_a_long_value_that_a_solution_gives_is_cut(judge: Judge) -> None:
    codes = {"long": "def double(n):\n    return [n] * 50\n"}
    ((_, text),) = texts(critiques_of(judge, a_problem(tests=4), codes)).items()
    value = text.partition("but it gives ")[2].partition(".\n")[0]
    assert value.endswith("...") and 20 <= len(value.removesuffix("...")) <= 24, text


def test_unscored_and_empty_solutions_never_become_a_critique() -> None:
    verdicts = {"u": a_verdict("u", "p", 0, outcome=Outcome.UNSCORED)}
    rows = list(critique_rows({"p": a_problem()}, [a_solution("u", "p")], verdicts, LabelSettings()))
    assert synthesise(rows, {"p": a_problem()}, verdicts, 0) == []
