"""Stages: what is done is not done again, what is lost is made anew, bad input leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data import build as building
from critique_coder.data.build import STAGES, build
from critique_coder.data.index import GroupIndex, problem_index, solution_of
from critique_coder.data.recipe import BuildRecipe
from critique_coder.settings import resolve
from critique_coder.storage import read_json, write_jsonl
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

        return type(stage)(stage.name, run, stage.reads, stage.writes, stage.settings, stage.drops, stage.wanted)

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
