"""The whole loop on real problems: build, judge in another tool, apply, build again; nothing in it is replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from critique_coder.cli import review_agreement, review_apply, review_export
from critique_coder.data.build import build
from critique_coder.data.recipe import BuildRecipe
from critique_coder.records import BadInput
from critique_coder.report import tables
from critique_coder.review.adjudication import Answer
from critique_coder.review.cases import Question
from critique_coder.review.from_build import cases_of
from critique_coder.review.store import FILE, Given, ReviewStore, item_sha256
from critique_coder.storage import read_json, read_rows, write_json, write_jsonl
from critique_coder.training.rewards import Scored
from critique_coder.training.run import _write_rollouts

PROBLEMS = [
    {
        "id": f"add{n}",
        "statement": f"Write `add(x)` that returns x + {n}.",
        "entry_point": "add",
        "tests": [{"kind": "call", "args": [k], "expected": k + n} for k in range(3)],
        "reference": f"def add(x):\n    return x + {n}\n",
    }
    for n in range(4)
]
PROBLEMS[1]["tests"] += [{"kind": "call", "args": [5], "expected": 99}]  # type: ignore[operator]
del PROBLEMS[1]["reference"]
SOLUTIONS = [
    {"id": f"add{n}#{name}", "problem_id": f"add{n}", "code": code.format(n=n)}
    for n in range(4)
    for name, code in (
        ("right", "def add(x):\n    return x + {n}\n"),
        ("wrong", "def add(x):\n    return x - 1 - {n}\n"),
        ("table", "def add(x):\n    return [{n}, {n} + 1, {n} + 2][x]\n"),
    )
]


def a_recipe(folder: Path, people: Path | None = None) -> BuildRecipe:
    return BuildRecipe.model_validate(
        {
            "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
            "candidates": {"path": str(folder / "solutions.jsonl")},
            "label": {"people": str(people) if people else None},
            "mix": {"heldout_share": 0.0, "critique_share": 1.0},
        }
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    write_jsonl(folder / "problems.jsonl", PROBLEMS)
    write_jsonl(folder / "solutions.jsonl", SOLUTIONS)
    build(a_recipe(folder), folder / "build")
    return folder


def call(command: Any, *words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def summary(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.output.splitlines()[-1])


VERDICTS = """item,question,person,answer,tags
critique/add1#right,correct,ann,yes,wrong_test
critique/add1#right,correct,bo,yes,
critique/add0#table,correct,ann,no,
critique/add2#table,correct,ann,no,
critique/add2#table,correct,bo,yes,
critique/add3#wrong,correct,ann,cant_tell,
"""


@pytest.fixture(scope="module")
def judged(built: Path) -> Path:
    (built / "verdicts.csv").write_text(VERDICTS)
    return built


def test_a_verdict_changes_the_next_build(judged: Path, tmp_path: Path) -> None:
    feedback = tmp_path / "feedback"
    words = (judged / "build", "--verdicts", judged / "verdicts.csv", "-o", feedback)
    refused = call(review_apply.command, *words)
    assert refused.exit_code == 2 and not feedback.exists() and "--yes" in refused.output
    told = summary(call(review_apply.command, *words, "--yes", "--json"))
    assert told["written"] is True and (told["labels"], told["labels_changed"]) == (2, 2)
    assert (told["problems_with_other_tests"], told["open"]) == (1, {"conflict": 1, "cant_tell": 1})
    again = call(review_apply.command, *words, "--json")
    assert summary(again)["written"] is False and "nothing to do" in again.output

    manifest = build(a_recipe(judged, feedback), tmp_path / "second")
    before = {row["solution_id"]: row for _, row in read_rows(judged / "build" / "critiques.jsonl")}
    after = {row["solution_id"]: row for _, row in read_rows(tmp_path / "second" / "critiques.jsonl")}
    assert before["add0#table"]["label"] is True and after["add0#table"]["label"] is False
    assert (after["add0#table"]["label_source"], after["add0#table"]["test_label"]) == ("human", True)
    assert before["add1#right"]["label"] is False and after["add1#right"]["label"] is True
    assert after["add2#table"]["label_source"] == "tests"
    assert manifest["counts"]["critiques"]["by_source"] == {"human": 2, "tests": 10}
    second = {row["id"]: row for _, row in read_rows(tmp_path / "second" / "problems.jsonl")}
    assert len(second["add1"]["tests"]) == 3, "the wrong test is gone"
    assert after["add1#table"]["label"] is True, "and with it the label of a solution that nobody judged"
    (people,) = (one for one in tables.data_tables(manifest["counts"]) if one.title == "What people changed")
    assert {row.name: row.amount for row in people.rows} == {
        "labels by people": 2,
        "labels that are not what the tests say": 1,
    }


def test_a_build_without_people_says_nothing_of_them(judged: Path) -> None:
    counts = read_json(judged / "build" / "manifest.json")["counts"]
    assert "What people changed" not in [table.title for table in tables.data_tables(counts)]


@pytest.mark.parametrize("form", review_export.FORMATS)
def test_every_export_can_be_written_and_is_the_same_twice(judged: Path, tmp_path: Path, form: str) -> None:
    ending = {"csv": "csv", "label-studio": "json", "verl": "parquet"}.get(form, "jsonl")
    words = (judged / "build", "--verdicts", judged / "verdicts.csv", "--format", form, "--json")
    told = summary(call(review_export.command, *words, "-o", tmp_path / f"one.{ending}"))
    summary(call(review_export.command, *words, "-o", tmp_path / f"two.{ending}"))
    assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    assert told["rows"] == {"csv": 6, "label-studio": 12, "trl": 2, "verl": 2, "inspect": 2, "kto": 0, "cft": 0}[form]


@pytest.mark.parametrize(("form", "ending"), [("csv", "csv"), ("label-studio", "json")])
def test_verdicts_go_out_and_come_back_to_the_same_plan(judged: Path, tmp_path: Path, form: str, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    words = (judged / "build", "--verdicts")
    summary(call(review_export.command, *words, judged / "verdicts.csv", "--format", form, "-o", out, "--json"))
    for name, verdicts in (("one", judged / "verdicts.csv"), ("two", out)):
        summary(call(review_apply.command, *words, verdicts, "-o", tmp_path / name, "--yes", "--json"))
    for file in ("labels.jsonl", "problem_reviews.jsonl", "critique_reviews.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["{build}"], "holds no review"),
        (["{build}", "--verdicts", "gone.csv"], "gone.csv: no such file of verdicts"),
        (["{build}", "--verdicts", "{build}/manifest.json"], "expected a list of tasks"),
        (["{build}", "--verdicts", "{build}/config.toml"], "neither .csv nor .json"),
        (["nowhere", "--verdicts", "gone.csv"], "is not a build folder"),
    ],
)
def test_bad_input_of_apply(judged: Path, words: list[str], complaint: str) -> None:
    result = call(review_apply.command, *(word.format(build=judged / "build") for word in words))
    assert isinstance(result.exception, BadInput) and complaint in str(result.exception)


def test_agreement_in_words_and_json(judged: Path) -> None:
    result = call(review_agreement.command, judged / "build", "--verdicts", judged / "verdicts.csv", "--json")
    found = summary(result)["correct"]
    assert found["overall"]["verdicts"] == 6 and found["overall"]["agreement"]["value"] == 0.5
    assert [one["problem_id"] for one in found["tests"]["problems"]] == ["add0", "add1"]
    assert found["tests"]["problems"][1]["tests"] == {"3": 1}
    assert "add1: tests too weak for 0, too strict for 1 of 1 solutions" in result.output


def test_critiques_of_a_run_become_training_rows(judged: Path, tmp_path: Path) -> None:
    """Judged rollouts of a run go to KTO and CFT; what the evaluation wrote is not among them."""
    run = tmp_path / "run"
    manifest = read_json(judged / "build" / "manifest.json")
    write_json(run / "manifest.json", {"kind": "run", "data": {"folder": str(judged / "build"), "manifest": manifest}})
    good, bad = "It is right.\n\\conclusion{T}", "It is right, as x is 3.\n\\conclusion{T}"
    scored = [
        Scored(
            row_id="critique/add0#right",
            kind="critique",
            problem_id="add0",
            completion=text,
            reward=1.0,
            finding="correct",
            detail="",
        )
        for text in (good, bad, good)
    ]
    _write_rollouts(run, 1, scored)
    cases = [case for case in cases_of(run) if case.completion]
    assert [case.completion for case in cases] == [good, bad] and all(case.judgement for case in cases)
    lines = ["item,question,person,answer"]
    for case, reason in zip(cases, ("yes", "no"), strict=True):
        lines += [f"{case.id},judgement,ann,yes", f"{case.id},reason,ann,{reason}"]
    (tmp_path / "v.csv").write_text("\n".join(lines) + "\n")
    words = (run, "--verdicts", tmp_path / "v.csv")
    told = summary(call(review_apply.command, *words, "-o", tmp_path / "feedback", "--yes", "--json"))
    assert (told["critiques_kto"], told["critiques_cft"], told["labels"]) == (2, 1, 0)
    reviews = [row for _, row in read_rows(tmp_path / "feedback" / "critique_reviews.jsonl")]
    assert {row["completion"]: row["reason_right"] for row in reviews} == {good: True, bad: False}
    summary(call(review_export.command, *words, "--format", "kto", "-o", tmp_path / "kto.jsonl", "--json"))
    rows = [row for _, row in read_rows(tmp_path / "kto.jsonl")]
    assert {row["completion"][0]["content"]: row["label"] for row in rows} == {good: True, bad: False}
    assert "return x + 0" in rows[0]["prompt"][-1]["content"]


def test_the_folders_own_review_is_read_where_no_file_is_given(built: Path) -> None:
    folder = built / "build"
    case = cases_of(folder)[0]
    with ReviewStore(folder / FILE) as store:
        store.give(Given("k", case.id, "ann", {Question.CORRECT: Answer.NO}, item_sha256(case)))
    try:
        assert [rating.answer for rating in review_apply.evidence_of(folder, None).ratings] == [Answer.NO]
    finally:
        (folder / FILE).unlink()
