"""Stages: what is done is not done again, what is lost is made anew, bad input leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data import build as building
from critique_coder.data.build import STAGES, build
from critique_coder.data.index import GroupIndex, problem_index, solution_of
from critique_coder.data.recipe import BuildRecipe
from critique_coder.settings import resolve, to_toml
from critique_coder.storage import AppendLog, read_json, sha256_file, write_jsonl
from making import a_problem, complaint

RIGHT, WRONG = "def double(n):\n    return 2 * n\n", "def double(n):\n    return n\n"


def recipe_in(folder: Path, count: int = 6, **values: Any) -> BuildRecipe:
    problems = [a_problem(f"p{n}") for n in range(count)]
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    codes = ((0, RIGHT), (1, WRONG))
    solutions = [{"id": f"{p.id}#{k}", "problem_id": p.id, "code": code} for p in problems for k, code in codes]
    write_jsonl(folder / "solutions.jsonl", solutions)
    start: dict[str, Any] = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "judge": {"workers": 1},
    }
    return resolve(BuildRecipe, start | values, [], "recipe")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the stages that run from now on."""
    names: list[str] = []

    def noted(stage: Any) -> Any:
        def run(work: Any) -> Any:
            names.append(stage.name)
            return stage.run(work)

        return replace(stage, run=run)

    monkeypatch.setattr(building, "STAGES", tuple(noted(stage) for stage in STAGES))
    return names


def test_every_stage_says_what_it_writes_and_only_once() -> None:
    written = [name for stage in STAGES for name in stage.writes]
    assert len(set(written)) == len(written) and len({stage.name for stage in STAGES}) == len(STAGES)
    known: set[str] = set()
    for stage in STAGES:
        assert {name for name in stage.reads if "." in name} <= known, stage.name
        known |= set(stage.writes)


def test_a_second_call_runs_no_stage_and_a_lost_file_only_its_own(tmp_path: Path, ran: list[str]) -> None:
    recipe, folder = recipe_in(tmp_path), tmp_path / "data"
    first = build(recipe, folder)
    wanted = [stage.name for stage in STAGES if stage.wanted(recipe)]
    assert ran == wanted
    ran.clear()
    assert build(recipe, folder) == first and ran == []
    (folder / "warmup.jsonl").unlink()
    assert build(recipe, folder) == first and ran == ["warmup"]
    ran.clear()
    (folder / "critiques.jsonl").write_text("")
    assert build(recipe, folder) == first and ran == ["critiques"]


def test_a_stage_that_writes_something_else_now_runs_again_in_an_older_folder(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = recipe_in(tmp_path), tmp_path / "data"
    build(recipe, folder)
    ran.clear()
    newer = [replace(stage, version=stage.version + (stage.name == "warmup")) for stage in building.STAGES]
    monkeypatch.setattr(building, "STAGES", tuple(newer))
    build(recipe, folder)
    assert ran == ["warmup"]


def test_counts_of_a_stage_that_was_skipped_are_in_the_manifest(tmp_path: Path) -> None:
    recipe, folder = recipe_in(tmp_path), tmp_path / "data"
    build(recipe, folder)
    (folder / "manifest.json").unlink()
    build(recipe, folder)
    counts = read_json(folder / "manifest.json")["counts"]
    assert counts["problems"]["read"] == counts["problems"]["kept"] == 6 and counts["solutions"]["total"] == 12
    assert counts["problems"]["by_source"] == {"problems": {"read": 6, "kept": 6, "lost": {}}}
    assert counts["table1"]["before"]["questions"] == 6


def test_a_bad_row_leaves_no_folder_and_the_same_command_works_when_it_is_mended(tmp_path: Path) -> None:
    recipe, folder = recipe_in(tmp_path), tmp_path / "data"
    place = tmp_path / "problems.jsonl"
    whole = place.read_text()
    place.write_text(whole + json.dumps({"id": "late", "statement": "s", "tests": []}) + "\n")
    assert "line 7" in complaint(build, recipe, folder)
    assert not folder.exists()
    place.write_text(whole)
    build(recipe, folder)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    recipe, folder = recipe_in(tmp_path), tmp_path / "data"
    (tmp_path / "problems.jsonl").write_text("{\n")
    folder.mkdir()
    (folder / ".keep").write_text("mine")
    assert "line 1" in complaint(build, recipe, folder)
    assert [entry.name for entry in folder.iterdir()] == [".keep"]


def test_an_index_reads_records_by_id_in_any_order(tmp_path: Path) -> None:
    recipe_in(tmp_path, 200)
    index = problem_index(tmp_path / "problems.jsonl")
    assert len(index) == 200 and "p7" in index and "p200" not in index
    for n in (150, 3, 150, 199, 0):
        assert index[f"p{n}"] == a_problem(f"p{n}")
    with pytest.raises(KeyError):
        index["p200"]
    groups = GroupIndex(tmp_path / "solutions.jsonl", solution_of)
    assert [solution.id for solution in groups["p9"]] == ["p9#0", "p9#1"] and groups["none"] == []


def test_a_build_killed_again_and_again_comes_to_the_same_bytes(tmp_path: Path) -> None:
    """The short form of benchmarks/kill_build.py: SIGKILL at whatever the build does at that moment."""
    recipe = recipe_in(tmp_path, 30)
    whole = build(recipe, tmp_path / "whole")["outputs"]
    (tmp_path / "recipe.toml").write_text(to_toml(recipe))
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", "from critique_coder.cli import main; main()", "build"]
    command += [str(tmp_path / "recipe.toml"), "--output", str(folder)]
    for mark in ("settings.json", "stages/read.json", "verdicts.jsonl", "critiques.jsonl"):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            give_up = time.monotonic() + 60
            while process.poll() is None and not (folder / mark).exists():
                assert time.monotonic() < give_up
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
            process.wait()
    (folder / "stages" / ".problems.jsonl.abcd1234").write_text("half")
    (folder / "stages" / "lost" / ".audit.jsonl.abcd1234").write_text("half")
    again = build(recipe, folder)["outputs"]
    assert again == whole and {name: sha256_file(folder / name) for name in again} == whole
    assert [file.name for file in folder.rglob(".*")] == []


def test_two_builds_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    recipe, folder = recipe_in(tmp_path), tmp_path / "data"
    build(recipe, folder)
    with AppendLog(folder / "stages" / "log.jsonl"):
        assert "another process" in complaint(build, recipe, folder)
    assert read_json(folder / "manifest.json")
