"""Whole builds with people's feedback, a band of difficulty, and several authors of which one is an endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data.built import BuiltData
from critique_coder.feedback import PersonLabel, ProblemAction, ProblemReview, code_sha256
from critique_coder.records import LabelSource
from critique_coder.storage import read_rows, write_jsonl
from making import complaint
from openai_server import completion, serve
from small_build import RIGHT, WRONG, small_build


def rows(data: BuiltData, name: str) -> list[Any]:
    return [row for _, row in read_rows(data.folder / name)]


@pytest.fixture
def feedback(tmp_path: Path) -> Path:
    """People call a passing solution of p0 wrong, and take p3 out."""
    folder = tmp_path / "feedback"
    label = PersonLabel("p0", "p0#0", code_sha256(RIGHT[0]), False, LabelSource.ADJUDICATED)
    write_jsonl(folder / "labels.jsonl", [label.to_json()])
    review = ProblemReview("p3", ProblemAction.QUARANTINE, "two answers are right")
    write_jsonl(folder / "problem_reviews.jsonl", [review.to_json()])
    return folder


def test_people_are_heard_and_the_manifest_says_so(tmp_path: Path, feedback: Path) -> None:
    data = small_build(tmp_path, f"label.people={str(feedback)!r}")
    (lost,) = rows(data, "quarantine.jsonl")
    assert (lost["problem_id"], lost["reason"], lost["detail"]) == ("p3", "person_quarantined", "two answers are right")
    judged = {row["solution_id"]: row for row in rows(data, "critiques.jsonl")}
    first = judged["p0#0"]
    assert (first["label"], first["label_source"], first["test_label"]) == (False, "adjudicated", True)
    assert all(row["label_source"] == "tests" for name, row in judged.items() if name != "p0#0")
    counts = data.manifest["counts"]["critiques"]
    assert counts["by_source"] == {"adjudicated": 1, "tests": 24} and counts["doubtful"] == {"contradicted": 1}
    assert set(counts["skew"]) == {"characters", "lines", "comment_share", "author", "suspects"}
    (doubt,) = rows(data, "doubtful.jsonl")
    assert (doubt["solution_id"], doubt["doubt"]) == ("p0#0", "contradicted")
    assert any(name.endswith("labels.jsonl") for name in data.manifest["inputs"])


def test_what_people_found_wrong_is_not_taught_as_a_solution(tmp_path: Path, feedback: Path) -> None:
    def taught(data: BuiltData) -> set[str]:
        return {row["solution_id"] for row in data.warmup() if row["kind"] == "solve" and row["problem_id"] != "p3"}

    before, after = small_build(tmp_path / "one"), small_build(tmp_path / "two", f"label.people={str(feedback)!r}")
    assert taught(before) - taught(after) == {"p0#0"} and taught(after)


def test_people_change_the_labels_of_the_held_out_pairs_and_not_which_they_are(tmp_path: Path) -> None:
    before = small_build(tmp_path / "before").rows("heldout")
    pairs = [row for row in before if row["kind"] == "critique"]
    said = [PersonLabel(f"p{n}", f"p{n}#0", code_sha256(RIGHT[0]), False, LabelSource.HUMAN) for n in (4, 5)]
    write_jsonl(tmp_path / "feedback" / "labels.jsonl", [label.to_json() for label in said])
    data = small_build(tmp_path / "after", f"label.people={str(tmp_path / 'feedback')!r}")
    after = [row for row in data.rows("heldout") if row["kind"] == "critique"]
    assert [(row["id"], row["prompt"]) for row in after] == [(row["id"], row["prompt"]) for row in pairs]
    changed = {row["id"] for row, other in zip(pairs, after, strict=True) if row["label"] is not other["label"]}
    assert changed == {"critique/p4#0", "critique/p5#0"} & {row["id"] for row in pairs} != set()


def test_changed_feedback_is_another_build(tmp_path: Path, feedback: Path) -> None:
    small_build(tmp_path, f"label.people={str(feedback)!r}")
    write_jsonl(feedback / "problem_reviews.jsonl", [])
    assert "problem_reviews" in complaint(small_build, tmp_path, f"label.people={str(feedback)!r}")


def test_the_table_of_difficulty_is_written(tmp_path: Path) -> None:
    data = small_build(tmp_path)
    table = rows(data, "difficulty.jsonl")
    assert [(row["problem_id"], row["model"], row["samples"], row["passed"]) for row in table[:2]] == [
        ("p0", "author 0", 3, 1), ("p0", "author 1", 2, 1),
    ]  # fmt: skip
    assert rows(data, "never_solved.jsonl") == [] and data.manifest["counts"]["difficulty"]["never_solved"] == 0


def test_the_band_drops_training_problems_only(tmp_path: Path) -> None:
    assert "difficulty.keep" in complaint(small_build, tmp_path / "none", "difficulty.keep=[0.9, 1.0]")
    data = small_build(tmp_path / "hard", "difficulty.keep=[0.5, 1.0]", 'difficulty.model="author 1"')
    assert data.manifest["counts"]["difficulty"]["outside_band"] == 0
    assert {row["problem_id"] for row in data.rows("heldout")} == {"p4", "p5"}


def test_authors_are_mixed_and_counted(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "mine.jsonl", [{"id": "mine", "problem_id": "p1", "code": WRONG[0], "author": "me"}])
    with serve(lambda number, body: completion(f"```python\n{RIGHT[1]}```", tokens=20)) as served:
        authors = (
            f'[{{path = "{tmp_path / "mine.jsonl"}"}}, {{model = "m", endpoint = "{served.url}", n = 2, heldout_n = 1, '
            "prompt_price = 1.0, completion_price = 2.0}]"
        )
        words = (f"candidates={{author = {authors}, cache = {json.dumps(str(tmp_path / 'answers.sqlite'))}}}",)
        data = small_build(tmp_path, *words)
        asked = len(served.requests)
        again = small_build(tmp_path / "again", *words)
        assert len(served.requests) == asked == 10
    assert [row["id"] for row in rows(data, "solutions.jsonl")][:3] == ["mine", "p0#1.0", "p0#1.1"]
    assert data.manifest["counts"]["authors"] == [
        {"author": "me", "solutions": 1, "prompt_tokens": 0, "completion_tokens": 0, "cost": 0.0},
        {"author": "m", "solutions": 10, "prompt_tokens": 100, "completion_tokens": 200, "cost": 0.0005},
    ]
    assert rows(again, "solutions.jsonl") == rows(data, "solutions.jsonl")
    assert data.manifest["candidate_model"] is None


def test_an_author_beside_authors_is_refused(tmp_path: Path) -> None:
    assert "candidates" in complaint(small_build, tmp_path, 'candidates.author=[{model = "m"}]')
