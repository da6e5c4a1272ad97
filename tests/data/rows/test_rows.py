"""What each kind of rows holds and leaves out, with critiques, refined answers and tests that are there as files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.data.built import BuiltData
from critique_coder.data.rows.ctrl import hint, leaks
from critique_coder.data.rows.cure import advantages, read_test, rewards_of_tests
from critique_coder.data.rows.export import export
from critique_coder.data.rows.settings import ExportSettings, Kind
from critique_coder.feedback import CritiqueReview
from critique_coder.prompts import extract_code
from critique_coder.records import Outcome, Problem, TestCase, TestKind, TestResult, Verdict
from critique_coder.storage import read_rows, sha256_file, write_jsonl
from making import a_problem, a_verdict, complaint
from openai_server import Reply, completion, serve
from small_build import small_build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltData:
    return small_build(tmp_path_factory.mktemp("build"))


TRUE, FALSE = r"It doubles. \conclusion{T}", r"It adds one too few. \conclusion{F}"
REFINED = "Like this:\n```python\ndef double(n):\n    return n * 2\n```"


def exported(data: BuiltData, folder: Path, kind: str, **settings: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    manifest = export(ExportSettings(kind=Kind(kind), **settings), data, folder)
    rows = [row for name in manifest["outputs"] for _, row in read_rows(folder / name)]
    assert [row["extra_info"]["index"] for row in rows] == list(range(len(rows)))
    return rows, manifest


def labelled(data: BuiltData) -> list[dict[str, Any]]:
    return [row for _, row in read_rows(data.folder / "critiques.jsonl")]


@pytest.fixture
def critiques(built: BuiltData, tmp_path: Path) -> Path:
    """A critique of every solution: right ones, but for those of p1, which all say T."""
    rows = [
        {"row_id": row["id"], "completion": TRUE if row["label"] or row["problem_id"] == "p1" else FALSE}
        for row in labelled(built)
    ]
    write_jsonl(tmp_path / "critiques.jsonl", rows)
    return tmp_path / "critiques.jsonl"


def test_rl_asks_every_problem_and_its_truth_is_the_problem(built: BuiltData, tmp_path: Path) -> None:
    rows, manifest = exported(built, tmp_path / "out", "rl")
    assert [row["problem_id"] for row in rows] == ["p0", "p1", "p2", "p3"]
    for row in rows:
        truth = Problem.from_json(json.loads(row["reward_model"]["ground_truth"]), "x")
        assert truth == built.problems[row["problem_id"]] and row["data_source"] == "critique-coder/solve"
        assert row["label"] is None and row["template"] == "solve"
    assert manifest["counts"] == {"rows": 4, "solve": 4, "lost": {}}


def test_crl_is_balanced_and_its_truth_is_the_label(built: BuiltData, tmp_path: Path) -> None:
    rows, manifest = exported(built, tmp_path / "out", "crl")
    assert Counter((row["problem_id"], row["label"]) for row in rows) == {
        (f"p{n}", label): 2 for n in range(4) for label in (True, False)
    }
    assert all(row["reward_model"]["ground_truth"] == ("T" if row["label"] else "F") for row in rows)
    assert manifest["counts"]["true"] == manifest["counts"]["false"] == 8


def test_hybrid_is_the_builds_own_mix_of_either_split(built: BuiltData, tmp_path: Path) -> None:
    for split in ("train", "heldout"):
        rows, _ = exported(built, tmp_path / split, "hybrid", split=split)
        assert [(row["id"], row["kind"], row["prompt"]) for row in rows] == [
            (row["id"], row["kind"], row["prompt"]) for row in built.rows(split)
        ]


def test_cft_teaches_critiques_that_judge_rightly(built: BuiltData, critiques: Path, tmp_path: Path) -> None:
    rows, manifest = exported(built, tmp_path / "out", "cft", critiques=str(critiques))
    assert len(rows) == 14 and manifest["counts"]["lost"] == {"wrong_judgement": 2}
    for row in rows:
        assert row["completion"] == [{"role": "assistant", "content": TRUE if row["label"] else FALSE}]
        assert row["messages"] == row["prompt"] + row["completion"] and row["inference_prompt"] == row["prompt"]
    all_rows, _ = exported(built, tmp_path / "all", "cft", critiques=str(critiques), agree=False)
    assert len(all_rows) == 16


def test_critiques_without_a_verdict_line_or_cut_off_are_left_out(built: BuiltData, tmp_path: Path) -> None:
    rows = [{"row_id": row["id"], "completion": TRUE if row["label"] else FALSE} for row in labelled(built)]
    by_problem = {row["row_id"]: row for row in rows}
    by_problem["critique/p0#0"]["completion"] = "It is fine."
    by_problem["critique/p0#1"]["finished"] = False
    rows = [row for row in rows if "p2" not in str(row["row_id"])]
    write_jsonl(tmp_path / "c.jsonl", rows)
    kept, manifest = exported(built, tmp_path / "out", "cft", critiques=str(tmp_path / "c.jsonl"))
    assert manifest["counts"]["lost"] == {"cut_off": 1, "malformed": 1, "no_answer": 4} and len(kept) == 10


def test_cgd_teaches_refined_answers_that_pass(built: BuiltData, critiques: Path, tmp_path: Path) -> None:
    answers = [{"row_id": row["id"], "completion": REFINED} for row in labelled(built)]
    answers[0]["completion"] = "```python\ndef double(n):\n    return 3\n```"
    answers[1]["completion"] = "It is fine as it is."
    write_jsonl(tmp_path / "revisions.jsonl", answers)
    settings = {"critiques": str(critiques), "revisions": str(tmp_path / "revisions.jsonl")}
    rows, manifest = exported(built, tmp_path / "out", "cgd", **settings)
    lost = manifest["counts"]["lost"]
    assert (lost["revision_fails"], lost["revision_without_code"]) == (1, 1) and len(rows) == 12
    for row in rows:
        draft = next(r["solution"] for r in labelled(built) if r["solution_id"] == row["solution_id"])
        (asked,) = row["prompt"]
        assert draft.strip() in asked["content"] and (TRUE if row["label"] else FALSE) in asked["content"]
        (plain,) = row["inference_prompt"]
        assert draft.strip() not in plain["content"] and "conclusion" not in plain["content"]
        assert extract_code(row["completion"][0]["content"]) == "def double(n):\n    return n * 2\n"


class Teacher:
    """A server that criticises as its hint says and gives it away for n * n; counts what it was asked."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.prompts: list[str] = []
        self._fail_after = fail_after

    def answer(self, number: int, body: Any) -> Reply:
        if self._fail_after is not None and number >= self._fail_after:
            return 400, {}, {"error": "out of credit"}
        prompt = body["messages"][-1]["content"]
        self.prompts.append(prompt)
        says = TRUE if "so it is correct" in prompt else FALSE
        return completion(f"The hint says so. {says}" if "n * n" in prompt else says)


def test_ctrl_hides_the_hint_and_leaves_out_who_tells_it(built: BuiltData, tmp_path: Path) -> None:
    teacher = Teacher()
    with serve(teacher.answer) as served:
        asked = {"teacher": {"endpoint": served.url, "model": "m", "batch_size": 4, "cache": "none"}}
        rows, manifest = exported(built, tmp_path / "out", "ctrl", **asked)
    assert all("For you alone" in prompt for prompt in teacher.prompts) and len(teacher.prompts) == 16
    assert manifest["counts"]["lost"] == {"leaks_the_hint": sum("n * n" in prompt for prompt in teacher.prompts)}
    assert len(rows) + manifest["counts"]["lost"]["leaks_the_hint"] == 16
    for row in rows:
        text = row["prompt"][-1]["content"] + row["completion"][0]["content"]
        assert "For you alone" not in text and "so it is correct" not in text and row["author"] == "m"


def test_a_teacher_that_dies_costs_nothing_and_the_result_is_the_same(built: BuiltData, tmp_path: Path) -> None:
    from critique_coder.models import ModelError

    def run(folder: Path, teacher: Teacher) -> None:
        with serve(teacher.answer) as served:
            server[0] = served.url
            export(ExportSettings.model_validate(settings(served.url)), built, folder)

    server = [""]

    def settings(url: str) -> dict[str, Any]:
        return {"kind": "ctrl", "teacher": {"endpoint": url, "model": "m", "batch_size": 4, "cache": "none"}}

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(whole, Teacher())
    teacher = Teacher(fail_after=9)
    with serve(teacher.answer) as served:
        with pytest.raises(ModelError):
            export(ExportSettings.model_validate(settings(served.url)), built, broken)
        assert not (broken / "manifest.json").exists() and not (broken / "data").exists()
        teacher._fail_after = None
        before = len(teacher.prompts)
        export(ExportSettings.model_validate(settings(served.url)), built, broken)
    assert len(teacher.prompts) - before == 8
    shard = "data/train-00000.parquet"
    assert sha256_file(whole / shard) == sha256_file(broken / shard)


def call_problem() -> Problem:
    return a_problem(tests=3)


def ended(outcome: Outcome, passed: int) -> Verdict:
    results = [TestResult(Outcome.PASSED, 0.1)] * passed + [TestResult(outcome, 0.1, "line 1")] * (3 - passed)
    return Verdict("s", "p", outcome, passed, 3, passed / 3, tuple(results))


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (a_verdict("s", "p", 3, 3), ["passes all 3", "correct"]),
        (a_verdict("s", "p", 0, 3), ["fails all 3", "double(0) should give 0", "it gives 3"]),
        (a_verdict("s", "p", 2, 3), ["fails 1 of 3", "double(2) should give 4"]),
        (ended(Outcome.TIME_LIMIT, 2), ["too slow", "1 of 3"]),
        (ended(Outcome.COMPILE_ERROR, 0), ["compile", "line 1"]),
        (Verdict("s", "p", Outcome.NO_CODE, 0, 3, 0.0, ()), ["no_code"]),
    ],
)
def test_a_hint_tells_what_execution_found(verdict: Verdict, words: list[str]) -> None:
    text = hint(call_problem(), verdict)
    assert all(word in text for word in words)


@pytest.mark.parametrize(
    "critique",
    [
        "As the hint says, it is wrong.",
        "According to the test results it fails.",
        "Based on the execution feedback, the loop is wrong.",
        "The program fails 3 of 10 tests.",
        "All tests passed, so it is right.",
        "I was told that it is too slow.",
        "<think>ok</think>The note states that it fails.",
    ],
)
def test_a_critique_that_speaks_of_its_hint_is_found(critique: str) -> None:
    assert leaks(critique)


@pytest.mark.parametrize(
    "critique",
    [
        "For n = 3 it gives 3 where 6 is asked for.",
        "<think>The hint says it fails.</think>The loop stops one too early.",
        "The result of the loop is never returned; it should test whether n is even.",
        "It passes over the list once, so it is fast enough.",
        "An empty list makes it fail with an IndexError.",
    ],
)
def test_a_critique_of_the_code_is_not(critique: str) -> None:
    assert not leaks(critique)


def written(given: str, expected: str) -> str:
    return f"```input\n{given}\n```\n```output\n{expected}\n```"


def test_cure_rewards_tests_by_what_they_tell_apart(built: BuiltData, tmp_path: Path) -> None:
    texts = [written("[3]", "6"), written("[2]", "4"), written("[5]", "11"), written("[3]", "6"), "no test"]
    answers = [{"row_id": f"tests/p{n}#{k}", "completion": text} for n in range(4) for k, text in enumerate(texts)]
    write_jsonl(tmp_path / "tests.jsonl", answers)
    settings: dict[str, Any] = {"tests": str(tmp_path / "tests.jsonl"), "tests_a_problem": 5}
    rows, manifest = exported(built, tmp_path / "out", "cure", **settings)
    assert manifest["counts"]["lost"] == {"no_test_in_answer": 4, "same_test_again": 4}
    for name in ("p0", "p1", "p2", "p3"):
        codes = [row for row in rows if row["problem_id"] == name and row["kind"] == "solve"]
        three, two, bad = (row for row in rows if row["problem_id"] == name and row["kind"] == "write_tests")
        assert [row["reward"] == 1.0 for row in codes].count(True) == 2 and len(codes) == 4
        wrong = [code for code in codes if code["reward"] < 1]
        accepted = ["n * n" in code["completion"][0]["content"] for code in wrong]
        assert three["reward"] == 2.0 and two["reward"] == 2.0 - sum(accepted) and bad["reward"] == 0.0
        for k, test in enumerate((three, two, bad)):
            assert test["passes"] == [code["passes"][k] for code in codes]
        assert sum(row["advantage"] for row in (three, two, bad)) == pytest.approx(0)


matrices = st.integers(1, 5).flatmap(
    lambda tests: st.lists(
        st.tuples(st.lists(st.booleans(), min_size=tests, max_size=tests), st.booleans()), max_size=6
    )
)


@given(matrices)
def test_a_tests_reward_has_the_sign_of_its_worth(codes: list[tuple[list[bool], bool]]) -> None:
    matrix, correct = [row for row, _ in codes], [right for _, right in codes]
    for k, reward in enumerate(rewards_of_tests(matrix, correct)):
        column = [row[k] for row in matrix]
        accepted = sum(passed for passed, right in zip(column, correct, strict=True) if not right)
        rejected = correct.count(False) - accepted
        trusted = all(passed for passed, right in zip(column, correct, strict=True) if right)
        assert reward == (rejected if trusted else -accepted)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=6))
def test_advantages_are_standardised(rewards: list[float]) -> None:
    found = advantages(rewards)
    if len(set(rewards)) > 1:
        assert sum(found) == pytest.approx(0, abs=1e-9)
        assert sum(value**2 for value in found) == pytest.approx(len(found))
    else:
        assert found == [0.0] * len(rewards)


@pytest.mark.parametrize(
    "text",
    ["", "[3] 6", written("3", "6"), written("[3]", "six"), written('[{"$tupel": []}]', "1"), written("[NaN", "1")],
)
def test_a_text_that_is_no_test_is_none(text: str) -> None:
    assert read_test(text, call_problem()) is None


def test_a_written_test_has_the_problems_own_shape() -> None:
    assert read_test(written("[3]", "6"), call_problem()) == TestCase(TestKind.CALL, args=(3,), expected=6)
    stdio = Problem("p", "s", (TestCase(TestKind.STDIO, stdin="1", stdout="1"),))
    assert read_test(written("3 4", "7"), stdio) == TestCase(TestKind.STDIO, stdin="3 4\n", stdout="7\n")


def test_kto_follows_peoples_verdicts_on_critiques(built: BuiltData, tmp_path: Path) -> None:
    def review(row: str, right: bool, reason: bool | None = None, text: str = TRUE) -> dict[str, Any]:
        return CritiqueReview(f"critique/{row}", row[:2], row, text, right, reason).to_json()

    reviews = [
        review("p0#0", True), review("p0#1", True, False), review("p0#2", False, True), review("p0#0", True),
        review("p5#0", True), review("p9#0", True), review("p0#0", False, text=FALSE),
    ]  # fmt: skip
    write_jsonl(tmp_path / "feedback" / "critique_reviews.jsonl", reviews)
    rows, manifest = exported(built, tmp_path / "out", "kto", feedback=str(tmp_path / "feedback"))
    assert [(row["solution_id"], row["label"]) for row in rows] == [
        ("p0#0", True), ("p0#1", False), ("p0#2", False), ("p0#0", False),
    ]  # fmt: skip
    assert manifest["counts"]["lost"] == {"not_in_this_build_or_split": 2, "reviewed_twice": 1}
    assert len({row["id"] for row in rows}) == 4


def test_kto_without_a_feedback_folder_says_what_to_name(built: BuiltData, tmp_path: Path) -> None:
    assert "feedback=" in complaint(exported, built, tmp_path / "out", "kto")


def test_answers_to_other_rows_are_refused(built: BuiltData, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "c.jsonl", [{"row_id": "critique/other", "completion": TRUE}])
    assert "row_id" in complaint(exported, built, tmp_path / "out", "cft", critiques=str(tmp_path / "c.jsonl"))


@pytest.fixture
def out(built: BuiltData, tmp_path: Path) -> Iterator[Path]:
    exported(built, tmp_path / "out", "crl", shard_rows=5)
    yield tmp_path / "out"


def test_shards_card_and_manifest(built: BuiltData, out: Path) -> None:
    assert [path.name for path in sorted((out / "data").iterdir())] == [f"train-{n:05d}.parquet" for n in range(4)]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["outputs"] == {f"data/{path.name}": sha256_file(path) for path in sorted((out / "data").iterdir())}
    assert set(manifest["templates"]) == {"solve", "critique"} and manifest["inputs"] and manifest["versions"]
    card = (out / "README.md").read_text()
    assert card.startswith("---\nconfigs:") and "| rows | 16 |" in card and "Licences: MIT" in card


def test_other_settings_in_the_same_folder_are_refused(built: BuiltData, out: Path) -> None:
    assert "export.seed" in complaint(exported, built, out, "crl", shard_rows=5, seed=1)


def test_jsonl_has_the_same_rows(built: BuiltData, out: Path, tmp_path: Path) -> None:
    rows, _ = exported(built, tmp_path / "jsonl", "crl", format="jsonl")
    parquet = [row for n in range(4) for _, row in read_rows(out / "data" / f"train-{n:05d}.parquet")]
    assert rows == parquet
