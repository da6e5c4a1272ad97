"""The paper's recipe on rows in rStar-Coder's shape: its filter does what section 2.2 says, and the tables come out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data.built import BuiltData
from critique_coder.data.tables import TestTable, table1_lines
from critique_coder.storage import read_rows, write_jsonl
from making import a_problem

QUESTIONS = 24
SUM = "print(sum(map(int, input().split())))"
WRONG = "print(max(map(int, input().split())))"


def seed_rows() -> Iterator[dict[str, Any]]:
    """Questions with 48 tests, some of them too long, one question with none that is short, one of LeetCode's kind."""
    for number in range(QUESTIONS):
        inputs = [f"{k} {k + number + 1}\n" for k in range(40)] + [" ".join(map(str, range(300))) + "\n"] * 8
        outputs = [f"{sum(map(int, text.split()))}\n" for text in inputs]
        yield row(
            f"seed_{number}", f"Read numbers and print their sum. Variant {number} of the question.", inputs, outputs
        )
    long = " ".join(map(str, range(900)))
    yield row("seed_long", "Print the sum of very many numbers, read from one line.", [long], ["404550"])
    called = row("seed_called", "Double the number, and give it back.", ["[2]", "[3]"], ["4", "6"])
    stub = "class Solution:\n    def double(self, n: int) -> int:\n        "
    yield called | {"starter_code": stub, "func_name": "double", "class_name": "Solution"}


def row(name: str, question: str, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    return {
        "question_id": name, "question": question, "starter_code": "", "inputs": json.dumps(inputs),
        "outputs": json.dumps(outputs), "is_synthesized": json.dumps([0] * len(inputs)),
        "test_case_type": json.dumps(["raw"] * len(inputs)), "func_name": "", "class_name": "",
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    write_jsonl(folder / "seed_testcase.jsonl", seed_rows())
    names = [f"rstar-coder/seed_{number}" for number in range(QUESTIONS)]
    solutions = [
        {"id": f"{name}#{k}", "problem_id": name, "code": code} for name in names for k, code in enumerate((SUM, WRONG))
    ]
    write_jsonl(folder / "recorded.jsonl", solutions)
    write_jsonl(folder / "cruxeval.jsonl", [{"id": "sample_0", "code": "def f(a):\n    return a", "input": "1"}])
    return folder


@pytest.fixture(scope="module")
def printed(place: Path) -> str:
    """What ``critique-coder build recipes/data/paper.toml`` prints.

    The tokenizer is not at hand here, so tokens are counted simply.
    """
    command = [sys.executable, "-c", "from critique_coder.cli import main; main()", "build", "recipes/data/paper.toml"]
    command += [
        f"source.0.path={place / 'seed_testcase.jsonl'}",
        f"candidates.path={place / 'recorded.jsonl'}",
        'filter.tokenizer=""',
        f'contamination.against=["cruxeval={place / "cruxeval.jsonl"}"]',
        "judge.workers=2",
        "duplicates.near=0",
        "--output",
        str(place / "data"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tests_over_the_limit_go_thirty_stay_and_a_question_without_any_is_lost(place: Path, printed: str) -> None:
    problems = BuiltData.open(place / "data").problems
    assert len(problems) == QUESTIONS + 1
    assert {len(problem.tests) for name, problem in problems.items() if name != "rstar-coder/seed_called"} == {30}
    assert max(len(test.stdin) for problem in problems.values() for test in problem.tests) < 20
    lost = [row for _, row in read_rows(place / "data" / "quarantine.jsonl")]
    assert [(row["problem_id"], row["reason"]) for row in lost] == [("rstar-coder/seed_long", "tests_too_long")]


def test_the_tables_of_the_paper_are_printed_and_in_the_manifest(place: Path, printed: str) -> None:
    counts = BuiltData.open(place / "data").manifest["counts"]
    before, kept = counts["table1"]["before"], counts["table1"]["kept"]
    assert (before["questions"], kept["questions"]) == (QUESTIONS + 2, QUESTIONS + 1)
    assert (before["median_tests"], kept["median_tests"]) == (48, 30)
    assert before["mean_input_characters"] > 100 > 10 > kept["mean_input_characters"]
    for line in ("questions", "avg tests", "median tests", "avg chars of an input"):
        assert line in printed
    assert "rstar-coder" in printed and "1 tests_too_long" in printed and "checked against cruxeval" in printed
    (table2,) = counts["difficulty"]["models"].values()
    assert table2["pass@1"] == 0.5 and table2["pass@2"] == 1.0
    assert table2["tokens_per_solution"] is None


def test_recorded_solutions_are_not_the_recipes_models(place: Path, printed: str) -> None:
    manifest = BuiltData.open(place / "data").manifest
    assert manifest["settings"]["candidates"]["model"] and manifest["candidate_model"] is None
    assert [author["author"] for author in manifest["counts"]["authors"]] == [str(place / "recorded.jsonl")]


def test_a_fifth_of_the_training_problems_becomes_critique_rows(place: Path, printed: str) -> None:
    data = BuiltData.open(place / "data")
    train = data.rows("train")
    critiques = [row for row in train if row["kind"] == "critique"]
    assert len(critiques) == round(0.2 * len(train))
    assert data.rows("heldout") == []


def test_the_table_of_nothing_and_of_two_problems() -> None:
    assert TestTable().to_json() == {
        "questions": 0, "tests": 0, "mean_tests": None, "median_tests": None, "mean_input_characters": None,
    }  # fmt: skip
    table = TestTable()
    table.add(a_problem(tests=2))
    table.add(a_problem(tests=5))
    assert (table.to_json()["mean_tests"], table.to_json()["median_tests"]) == (3.5, 3.5)
    lines = table1_lines({"before": TestTable().to_json(), "after": table.to_json()})
    assert lines[1].split() == ["questions", "0", "2"] and lines[2].split() == ["avg", "tests", "-", "3.5"]
