"""Runs against one another: only the same exam is compared, and with the numbers the evaluation itself would give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from critique_coder.report.between import against
from critique_coder.report.reading import read_run
from critique_coder.storage import write_json, write_jsonl
from run_folders import COUNTS, SKILL, make_build, make_run


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return make_build(tmp_path / "build")


def test_a_stage_against_another_is_what_the_evaluation_says(tmp_path: Path, build: Path) -> None:
    whole = read_run(make_run(tmp_path / "whole", build))
    part = read_run(make_run(tmp_path / "part", build, stages=("base", "warmup"), finished=False))
    found = against(part, whole)
    expected = whole.change("warmup", "grpo")
    assert set(found.metrics) == set(expected)
    for name, difference in expected.items():
        assert found.metrics[name].change.value == pytest.approx(difference.change.value, abs=1e-6)
        assert found.metrics[name].change.low == pytest.approx(difference.change.low, abs=1e-6)
        assert found.metrics[name].finding is difference.finding
    assert found.notes == ["compared at different stages: after warm-up and after GRPO"]


def test_another_exam_is_not_compared(tmp_path: Path, build: Path) -> None:
    other = make_build(tmp_path / "other-build", problems=50)
    found = against(read_run(make_run(tmp_path / "a", build)), read_run(make_run(tmp_path / "b", other)))
    assert found.metrics == {}
    assert "different held-out rows or tests" in found.notes[0]


def test_builds_with_the_same_held_out_rows_are_compared(tmp_path: Path, build: Path) -> None:
    other = make_build(tmp_path / "other-build")
    manifest = json.loads((other / "manifest.json").read_text())
    write_json(other / "manifest.json", manifest | {"counts": COUNTS | {"note": "another critique share"}})
    found = against(read_run(make_run(tmp_path / "a", build)), read_run(make_run(tmp_path / "b", other, seed=2)))
    assert "critique/balanced_accuracy" in found.metrics and "solve/pass@1" in found.metrics
    assert found.notes == []


def test_without_the_build_only_solutions_are_compared(tmp_path: Path, build: Path) -> None:
    runs = [read_run(make_run(tmp_path / name, build, seed=seed)) for seed, name in enumerate("ab")]
    (build / "manifest.json").unlink()
    found = against(*runs)
    assert "solve/pass@1" in found.metrics and "critique/malformed" not in found.metrics
    assert "the build folder with their labels is not here" in found.notes[0]


def test_labels_in_the_rows_need_no_build(tmp_path: Path, build: Path) -> None:
    folders = [make_run(tmp_path / name, build, seed=seed) for seed, name in enumerate("ab")]
    expected = against(*map(read_run, folders))
    for folder in folders:
        path = folder / "evaluation" / "grpo" / "critiques.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        told = [row | {"problem_id": row["row_id"][9:-2], "label": row["row_id"].endswith("#0")} for row in rows]
        write_jsonl(path, told)
    (build / "manifest.json").unlink()
    assert against(*map(read_run, folders)) == expected


def test_fewer_pairs_are_said(tmp_path: Path, build: Path) -> None:
    a, b = make_run(tmp_path / "a", build), make_run(tmp_path / "b", build, seed=3, skill=SKILL)
    path = b / "evaluation" / "grpo" / "critiques.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:100]))
    found = against(read_run(a), read_run(b))
    assert found.notes == ["critiques compared on the 100 pairs that both judged"]


def test_evaluation_settings_that_differ_are_named(tmp_path: Path, build: Path) -> None:
    a, b = (make_run(tmp_path / name, build) for name in "ab")
    found = json.loads((b / "evaluation.json").read_text())
    asked = {"samples": 8, "temperature": 0.6, "batch_size": 4, "model": "m"}
    write_json(b / "evaluation.json", {**found, "settings": asked})
    assert against(read_run(a), read_run(b)).notes == ["measured with different evaluation settings: samples"]
