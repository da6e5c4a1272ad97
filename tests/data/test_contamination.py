"""Tasks of benchmarks in training data: found when copied, renamed, renumbered; not found where they are not."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.cli import evaluate
from critique_coder.data.benchmarks import Item, open_benchmarks
from critique_coder.data.build import build
from critique_coder.data.built import BuiltData
from critique_coder.data.contamination import Known
from critique_coder.data.duplicates import Statements
from critique_coder.data.normal_form import code_tokens, pieces, words
from critique_coder.data.recipe import BuildRecipe, ContaminationSettings, DuplicateSettings
from critique_coder.evaluation.checked import benchmarks_of, require_checked, unchecked
from critique_coder.records import BadInput
from critique_coder.settings import resolve
from critique_coder.storage import read_rows, write_jsonl
from making import a_problem, complaint

TASK = """Given a list of positive integers, return how many pairs of neighbours differ by more than the threshold,
where a pair counts twice when both of its numbers are even and once otherwise."""
CODE = """
def neighbours(values, threshold):
    total = 0
    for left, right in zip(values, values[1:]):
        if abs(left - right) > threshold:
            if left % 2 == 0 and right % 2 == 0:
                total += 2
            else:
                total += 1
    return total
"""
RENAMED = """
import math

def f(xs: list, t: int = 9) -> int:
    '''Says something else.'''
    c = 5
    for a, b in zip(xs, xs[3:]):
        if abs(a - b) > t:
            if a % 4 == 7 and b % 4 == 7:
                c += 1
            else:
                c += 8
    return c
"""
OTHER = """
def words_of(text, least):
    found = {}
    while text:
        head, _, text = text.partition(" ")
        found.setdefault(len(head), []).append(head.strip().lower())
    return sorted(key for key, own in found.items() if len(own) >= least)
"""


def known(*items: Item) -> Known:
    return Known.of({"bench": items}, ContaminationSettings())


def test_a_copy_a_renumbered_and_a_renamed_task_are_found() -> None:
    tasks = known(Item("t", TASK, CODE))
    for statement, code, by in (
        (TASK, "", "statement"),
        (f"Read this first. {TASK.upper()} Thank you.", OTHER, "statement"),
        (TASK.replace("twice", "twice (7 times)"), "", "statement"),
        ("Do what the tests want.", RENAMED, "code"),
        ("Do what the tests want.", f"class Solution:\n{CODE}".replace("\n", "\n    "), "code"),
    ):
        match = tasks.look(Item("p", statement, code))
        assert match is not None and (match.item, match.benchmark, match.by) == ("t", "bench", by)


def test_another_task_is_not_found() -> None:
    tasks = known(Item("t", TASK, CODE))
    assert tasks.look(Item("p", "Split a text into words and give the lengths that stand often.", OTHER)) is None
    assert tasks.look(Item("p", "", "")) is None
    assert tasks.look(Item("p", TASK.split(".")[0][:40], "def f(x): return x")) is None


def test_what_many_tasks_say_tells_nothing() -> None:
    common = "Write a function that reads the numbers and prints the answer to standard output."
    tasks = known(*(Item(f"t{n}", f"{common} Case {'abcdefghijkl'[n] * 3} of the set.", "") for n in range(12)))
    assert tasks.look(Item("p", common, "")) is None


NAMES = st.sampled_from(["a", "b", "value", "total", "x1"])


@given(st.permutations(["values", "threshold", "total", "left", "right"]), st.integers(0, 99))
def test_names_and_numbers_do_not_change_the_form_of_a_program(names: list[str], number: int) -> None:
    own = ["values", "threshold", "total", "left", "right"]
    table = {old: f"{new}_n" for old, new in zip(own, names, strict=True)}
    tree = ast.parse(CODE)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = table.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = table[node.arg]
        elif isinstance(node, ast.Constant):
            node.value = number
    assert code_tokens(ast.unparse(tree)) == code_tokens(CODE)


@given(st.text())
def test_any_text_has_a_form(text: str) -> None:
    assert isinstance(code_tokens(text), list)
    assert all(word == word.lower() or not word.isascii() for word in words(text))
    assert len(pieces(words(text), 3)) <= max(1, len(words(text)))


def test_benchmarks_have_their_tasks_and_the_training_part_of_mbpp_is_none(shared: Path) -> None:
    """HumanEval+, MBPP+ and LiveCodeBench come by readers that have their own tests, and take long to read."""
    opened = open_benchmarks(["humaneval", "mbpp", f"bigcodebench={shared / 'bigcodebench'}", "cruxeval", "bbeh"])
    counts = {name: sum(1 for _ in benchmark.items()) for name, benchmark in opened.items()}
    assert counts == {"humaneval": 164, "mbpp": 600, "bigcodebench": 1140, "cruxeval": 800, "bbeh": 460}


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Path:
    place = Path(os.environ.get("CRITIQUE_CODER_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not place.is_dir():
        reason = f"{place} is not there; set CRITIQUE_CODER_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    monkeypatch.setenv("CRITIQUE_CODER_DATA", str(place))
    return place


def test_unknown_and_missing_benchmarks_are_refused(tmp_path: Path) -> None:
    assert "humaneval" in complaint(open_benchmarks, ["humanevl"])
    assert "no such file" in complaint(open_benchmarks, [f"cruxeval={tmp_path / 'none.jsonl'}"])
    (tmp_path / "data.json").write_text(json.dumps({"canary": "x"}))
    assert "examples" in complaint(list, open_benchmarks([f"bbeh={tmp_path}"])["bbeh"].items())


def recipe_in(folder: Path, *problems: Any, **values: Any) -> BuildRecipe:
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    name = problems[0].id
    write_jsonl(folder / "solutions.jsonl", [{"id": "s", "problem_id": name, "code": "def double(n): return 2 * n"}])
    start: dict[str, Any] = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "judge": {"workers": 1},
    }
    return resolve(BuildRecipe, start | values, [], "recipe")


def test_a_build_drops_contaminated_training_problems_only_and_says_so(tmp_path: Path) -> None:
    crux = [{"code": CODE, "input": "1", "output": "2", "id": "sample_7"}]
    write_jsonl(tmp_path / "cruxeval.jsonl", crux)
    train, held = {"split": "train"}, {"split": "heldout"}
    problems = [
        a_problem("clean", metadata=train),
        a_problem("spoiled", metadata=train, reference=f"{RENAMED}\ndef double(n):\n    return 2 * n\n"),
        a_problem("held", metadata=held, reference=f"{RENAMED}\ndef double(n):\n    return 2 * n\n"),
    ]
    against = [f"cruxeval={tmp_path / 'cruxeval.jsonl'}"]
    manifest = build(recipe_in(tmp_path, *problems, contamination={"against": against}), tmp_path / "data")
    found = manifest["contamination"]
    assert (found["checked"], found["found"], found["tasks"]) == (["cruxeval"], {"cruxeval": 1}, 1)
    assert found["examples"][0]["item"] == "cruxeval/sample_7" and found["examples"][0]["by"] == "code"
    lost = [row for _, row in read_rows(tmp_path / "data" / "quarantine.jsonl")]
    assert [(row["problem_id"], row["reason"]) for row in lost] == [("spoiled", "contaminated")]
    assert set(BuiltData.open(tmp_path / "data").problems) == {"clean", "held"}
    assert str(tmp_path / "cruxeval.jsonl") in manifest["inputs"]


def test_a_score_is_refused_for_a_benchmark_that_was_not_checked(tmp_path: Path) -> None:
    problems = [
        a_problem("train", metadata={"split": "train"}),
        a_problem("mbpp/1", source="mbpp", metadata={"split": "eval"}),
        a_problem("mine", source="mine", metadata={"split": "eval"}),
    ]
    build(recipe_in(tmp_path, *problems), tmp_path / "data")
    data = BuiltData.open(tmp_path / "data")
    assert benchmarks_of(data) == ["mbpp", "mine"] and unchecked(data, ["mbpp", "mine", "humaneval"]) == [
        "humaneval",
        "mbpp",
    ]
    message = complaint(require_checked, data, benchmarks_of(data))
    assert 'contamination.against=["mbpp"]' in message and "--unchecked" in message
    asked = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "run")]
    refused = CliRunner().invoke(evaluate.command, asked)
    assert isinstance(refused.exception, BadInput) and "--unchecked" in str(refused.exception)
    assert not (tmp_path / "run").exists()
    data.manifest["contamination"]["checked"] = ["mbpp"]
    require_checked(data, benchmarks_of(data))


def test_exact_and_near_duplicates_are_found_and_numbers_tell_problems_apart() -> None:
    long = " ".join(f"word{n}" for n in range(60))
    seen = Statements(DuplicateSettings(near=0.7))
    assert seen.add("a", long) is None
    again = seen.add("b", long.replace(" ", "\n"))
    assert again is not None and (again.of, again.likeness) == ("a", 1.0)
    near = seen.add("c", long.replace("word59", "end"))
    assert near is not None and near.of == "a" and 0.7 <= near.likeness < 1
    assert seen.add("d", " ".join(f"other{n}" for n in range(60))) is None
    assert seen.add("e", "Give the 5th prime.") is None and seen.add("f", "Give the 6th prime.") is None
    only_exact = Statements(DuplicateSettings())
    assert only_exact.add("a", long) is None and only_exact.add("b", long + " x") is None


def test_of_a_pair_over_the_splits_the_training_problem_goes(tmp_path: Path) -> None:
    def one(name: str, split: str) -> Any:
        problem = a_problem(name, metadata={"split": split})
        return type(problem).from_json({**problem.to_json(), "statement": "Write `double(n)`, twice n."}, "")

    problems = [
        a_problem("x", metadata={"split": "train"}),
        one("t1", "train"),
        one("h", "heldout"),
        one("t2", "train"),
    ]
    build(recipe_in(tmp_path, *problems), tmp_path / "data")
    lost = [row for _, row in read_rows(tmp_path / "data" / "quarantine.jsonl")]
    assert [(row["problem_id"], row["reason"]) for row in lost] == [("t1", "duplicate"), ("t2", "duplicate")]
    assert "h" in lost[0]["detail"]
