"""A whole build with recorded solutions: the contract's files, the same bytes again, and going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from critique_coder.data.build import build
from critique_coder.data.built import BuiltData
from critique_coder.data.filter import drawn
from critique_coder.data.mix import Origin
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.sources import read_source
from critique_coder.judge import Judge
from critique_coder.prompts import extract_code, parse_judgement
from critique_coder.records import CritiqueRow, Judgement, Problem, Verdict
from critique_coder.settings import resolve, to_toml
from critique_coder.storage import read_rows, sha256_file, write_jsonl
from making import a_problem, complaint

SAME_BYTES = (
    "problems.jsonl",
    "solutions.jsonl",
    "critiques.jsonl",
    "quarantine.jsonl",
    "warmup.jsonl",
    "doubtful.jsonl",
    "difficulty.jsonl",
    "never_solved.jsonl",
    "rows/train.parquet",
    "rows/heldout.parquet",
)
COLUMNS = [
    "id",
    "kind",
    "problem_id",
    "solution_id",
    "prompt",
    "label",
    "label_source",
    "template",
    "template_hash",
    "split",
]
PROBLEMS = 14


def rows_of(path: Path) -> list[Any]:
    return [row for _, row in read_rows(path)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Solutions for the problems that the recipe below keeps: right ones, wrong ones, and one answer without code."""
    corpus = read_source("starter", None)
    chosen = drawn((problem.id for problem in corpus.problems), PROBLEMS, 0)
    kept = [problem for problem in corpus.problems if problem.id in chosen]
    wrong = {problem.id: [s for s in corpus.wrong_solutions if s.problem_id == problem.id] for problem in kept}
    rows: list[dict[str, Any]] = []
    for problem in kept:
        completion = f"Like this:\n```python\n{problem.reference}```\n"
        rows.append({"id": f"{problem.id}#0", "problem_id": problem.id, "completion": completion})
        rows += [
            {"id": f"{problem.id}#{k}", "problem_id": problem.id, "code": s.code}
            for k, s in enumerate(wrong[problem.id][:2], 1)
        ]
        rows.append({"id": f"{problem.id}#9", "problem_id": problem.id, "completion": "I cannot."})
    path = tmp_path_factory.mktemp("recorded") / "recorded.jsonl"
    write_jsonl(path, rows)
    return path


def recipe_for(recorded: Path, *overrides: str) -> BuildRecipe:
    values: dict[str, Any] = {
        "source": [{"name": "starter"}],
        "filter": {"max_problems": PROBLEMS},
        "audit": {"min_wrong": 3},
        "candidates": {"path": str(recorded)},
        "mix": {"critique_share": 0.5},
        "judge": {"workers": 2},
    }
    return resolve(BuildRecipe, values, overrides, "recipe")


@pytest.fixture(scope="module")
def built(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "data"
    build(recipe_for(recorded), folder)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in SAME_BYTES}


def outcomes(folder: Path) -> list[tuple[str, str, float | None]]:
    verdicts = [Verdict.from_json(row, where) for where, row in read_rows(folder / "verdicts.jsonl")]
    return [(v.solution_id, v.outcome.value, v.pass_rate) for v in verdicts]


def test_the_files_of_the_contract_hold_what_it_says(built: Path) -> None:
    problems = [Problem.from_json(row, where) for where, row in read_rows(built / "problems.jsonl")]
    assert len(problems) == PROBLEMS
    solutions = rows_of(built / "solutions.jsonl")
    assert [found[0] for found in outcomes(built)] == [row["id"] for row in solutions]
    critiques = [CritiqueRow.from_json(row, where) for where, row in read_rows(built / "critiques.jsonl")]
    rates = {name: rate for name, _, rate in outcomes(built)}
    for row in critiques:
        assert row.pass_rate == rates[row.solution_id] and row.label is (
            row.pass_rate is not None and row.pass_rate > 0.8
        )
    assert {row.solution_id for row in critiques}.isdisjoint(s["id"] for s in solutions if s["id"].endswith("#9"))
    assert Counter(outcome for _, outcome, _ in outcomes(built))["no_code"] == PROBLEMS
    assert all(outcome == "passed" for name, outcome, _ in outcomes(built) if name.endswith("#0"))


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_rows_have_the_contracts_columns(built: Path, split: str) -> None:
    table = pq.read_table(built / "rows" / f"{split}.parquet")
    assert table.column_names == COLUMNS
    for row in table.to_pylist():
        assert row["split"] == split and [message["role"] for message in row["prompt"]] == ["user"]
        if row["kind"] == "solve":
            assert row["label"] is None and row["solution_id"] is None and row["label_source"] is None
        else:
            assert row["kind"] == "critique" and isinstance(row["label"], bool) and row["label_source"] == "tests"


def test_a_problem_is_of_one_kind_and_of_one_split(built: Path) -> None:
    data = BuiltData.open(built)
    train = data.rows("train")
    assert max(Counter(row["problem_id"] for row in train).values()) == 1
    assert {row["problem_id"] for row in train}.isdisjoint(row["problem_id"] for row in data.rows("heldout"))
    assert {row["problem_id"] for row in [*train, *data.rows("heldout")]} == set(data.problems)
    assert sum(row["kind"] == "critique" for row in train) == round(0.5 * len(train))


def test_heldout_pairs_are_half_true(built: Path) -> None:
    labels = Counter(row["label"] for row in BuiltData.open(built).rows("heldout") if row["kind"] == "critique")
    assert labels[True] == labels[False] > 0


def test_the_warm_up_is_of_training_problems_and_says_the_label(built: Path) -> None:
    data = BuiltData.open(built)
    train = {row["problem_id"] for row in data.rows("train")}
    rows = data.warmup()
    assert {row["label"] for row in rows} == {True, False, None}
    said = {True: Judgement.CORRECT, False: Judgement.INCORRECT, None: Judgement.MALFORMED}
    passed = {row["solution_id"] for _, row in read_rows(built / "verdicts.jsonl") if row["outcome"] == "passed"}
    for row in rows:
        answer = row["completion"][-1]["content"]
        assert row["problem_id"] in train
        assert parse_judgement(answer) is said[row["label"]]
        assert (row["label"] is None) == (row["kind"] == "solve") == (extract_code(answer) is not None)
        own = row["solution_id"] in passed
        assert row["kind"] != "solve" or row["origin"] == ("own" if own else "reference")


def test_the_warm_up_has_the_references_of_the_problems_that_were_not_solved(
    recorded: Path, built: Path, tmp_path: Path
) -> None:
    unsolved = sorted(row["problem_id"] for row in BuiltData.open(built).rows("train"))[0]
    write_jsonl(tmp_path / "recorded.jsonl", [row for row in rows_of(recorded) if row["id"] != f"{unsolved}#0"])
    build(recipe_for(tmp_path / "recorded.jsonl"), tmp_path / "data")
    data = BuiltData.open(tmp_path / "data")
    (row,) = [row for row in data.warmup() if row.get("origin") == Origin.REFERENCE]
    assert row["problem_id"] == unsolved and row["kind"] == "solve"
    reference = data.problems[unsolved].reference
    code = extract_code(row["completion"][-1]["content"])
    assert reference and code and code.strip() == reference.strip()
    assert data.manifest["counts"]["warmup"]["references"] == 1


def test_a_reference_that_fails_its_tests_is_not_taught_though_the_audit_lets_it_pass(
    recorded: Path, built: Path, tmp_path: Path
) -> None:
    first, second = sorted({row["problem_id"] for row in BuiltData.open(built).rows("train")})[:2]
    unsolved = {f"{first}#0", f"{second}#0"}
    write_jsonl(tmp_path / "recorded.jsonl", [row for row in rows_of(recorded) if row["id"] not in unsolved])
    problems = rows_of(built / "problems.jsonl")
    next(row for row in problems if row["id"] == first)["reference"] = "print(1)\n"
    write_jsonl(tmp_path / "problems.jsonl", problems)
    source = f'source=[{{name = "problems", path = {json.dumps(str(tmp_path / "problems.jsonl"))}}}]'
    recipe = recipe_for(tmp_path / "recorded.jsonl", source, "audit.reference=false", "audit.min_wrong=0")
    build(recipe, tmp_path / "data")
    rows = BuiltData.open(tmp_path / "data").warmup()
    assert [row["problem_id"] for row in rows if row.get("origin") == Origin.REFERENCE] == [second]


def test_the_manifest_tells_inputs_settings_counts_and_outputs(built: Path, recorded: Path) -> None:
    manifest = BuiltData.open(built).manifest
    assert manifest["inputs"][str(recorded)] == sha256_file(recorded)
    assert manifest["settings"]["mix"]["critique_share"] == 0.5
    assert manifest["counts"]["problems"]["kept"] == PROBLEMS and manifest["counts"]["problems"]["lost"] == {}
    assert manifest["counts"]["solutions"]["total"] == 4 * PROBLEMS
    assert sum(manifest["counts"]["solutions"]["outcomes"].values()) == 4 * PROBLEMS
    assert manifest["outputs"] == hashes(built)
    assert manifest["versions"]["critique-coder"]


def test_mean_pass_rates_are_those_of_the_candidates(built: Path) -> None:
    rates: dict[str, list[float]] = {}
    for name, _, rate in outcomes(built):
        if rate is not None:
            rates.setdefault(name.rpartition("#")[0], []).append(rate)
    found = BuiltData.open(built).mean_pass_rates
    assert found == {name: pytest.approx(sum(values) / len(values)) for name, values in rates.items()}


def test_a_second_folder_gets_the_same_bytes(built: Path, recorded: Path, tmp_path: Path) -> None:
    build(recipe_for(recorded), tmp_path / "again")
    assert hashes(tmp_path / "again") == hashes(built)
    assert outcomes(tmp_path / "again") == outcomes(built)


def test_a_finished_build_is_run_again_without_judging(
    built: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, verdicts = hashes(built), (built / "verdicts.jsonl").read_bytes()
    monkeypatch.setattr(Judge, "verify", lambda *args: pytest.fail("a finished build must not judge again"))
    build(recipe_for(recorded), built)
    assert hashes(built) == before and (built / "verdicts.jsonl").read_bytes() == verdicts


def test_a_build_goes_on_after_losing_its_end(built: Path, recorded: Path) -> None:
    before, found = hashes(built), outcomes(built)
    (built / "manifest.json").unlink()
    assert "run it again" in complaint(BuiltData.open, built)
    (built / "rows" / "train.parquet").unlink()
    whole = (built / "verdicts.jsonl").read_bytes()
    (built / "verdicts.jsonl").write_bytes(whole[: len(whole) // 2])
    build(recipe_for(recorded), built)
    assert hashes(built) == before and outcomes(built) == found


def test_another_recipe_or_changed_solutions_are_refused_by_name(built: Path, recorded: Path) -> None:
    before = hashes(built)
    assert "recipe.mix.critique_share" in complaint(build, recipe_for(recorded, "mix.critique_share=0.2"), built)
    assert "recipe.seed" in complaint(build, recipe_for(recorded, "seed=1"), built)
    original = recorded.read_bytes()
    try:
        recorded.write_bytes(original + b'{"id": "new", "problem_id": "starter/multiply", "code": "x"}\n')
        assert "recorded.jsonl" in complaint(build, recipe_for(recorded), built)
    finally:
        recorded.write_bytes(original)
    assert hashes(built) == before


def test_an_unfinished_or_other_folder_is_not_built_data(tmp_path: Path) -> None:
    assert "not a finished build" in complaint(BuiltData.open, tmp_path)
    assert "not a finished build" in complaint(BuiltData.open, tmp_path / "none")


def own_recipe(folder: Path, problems: list[Problem], solutions: list[dict[str, Any]], **values: Any) -> BuildRecipe:
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    write_jsonl(folder / "solutions.jsonl", solutions)
    start: dict[str, Any] = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "judge": {"workers": 1},
    }
    return resolve(BuildRecipe, start | values, [], "recipe")


def test_a_problem_whose_reference_fails_is_quarantined_with_its_reason(tmp_path: Path) -> None:
    problems = [a_problem(f"p{n}") for n in range(3)] + [a_problem("bad", reference="def double(n):\n    return n\n")]
    solutions = [{"id": "s", "problem_id": "p0", "code": "def double(n):\n    return 2 * n\n"}]
    manifest = build(own_recipe(tmp_path, problems, solutions), tmp_path / "data")
    assert manifest["counts"]["problems"]["lost"] == {"reference_fails": 1}
    (lost,) = rows_of(tmp_path / "data" / "quarantine.jsonl")
    assert (lost["problem_id"], lost["reason"]) == ("bad", "reference_fails") and "test 2" in lost["detail"]
    assert {row["id"] for row in rows_of(tmp_path / "data" / "problems.jsonl")} == {"p0", "p1", "p2"}


def test_a_build_in_which_nothing_is_left_says_why(tmp_path: Path) -> None:
    solutions = [{"id": "s", "problem_id": "bad", "code": "x"}]
    recipe = own_recipe(tmp_path, [a_problem("bad", reference="x = 1\n")], solutions)
    assert "reference_fails" in complaint(build, recipe, tmp_path / "data")


def test_solutions_of_no_problem_of_the_build_are_refused(tmp_path: Path) -> None:
    recipe = own_recipe(tmp_path, [a_problem("p")], [{"id": "s", "problem_id": "q", "code": "x"}])
    assert "problem_id" in complaint(build, recipe, tmp_path / "data")


def test_a_missing_solutions_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    recipe = own_recipe(tmp_path, [a_problem("p")], [{"id": "s", "problem_id": "p", "code": "x"}])
    (tmp_path / "solutions.jsonl").unlink()
    assert "candidates.path" in complaint(build, recipe, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_one_problem_in_two_sources_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "problems.jsonl")
    twice = [{"name": "problems", "path": path}, {"name": "problems", "path": path}]
    recipe = own_recipe(tmp_path, [a_problem("p")], [{"id": "s", "problem_id": "p", "code": "x"}], source=twice)
    assert "'p'" in complaint(build, recipe, tmp_path / "data")


@pytest.fixture
def killed(recorded: Path, tmp_path: Path) -> Iterator[Path]:
    """A build folder whose process got SIGKILL while it judged."""
    folder = tmp_path / "data"
    (tmp_path / "recipe.toml").write_text(to_toml(recipe_for(recorded, "judge.workers=1")))
    command = [
        sys.executable,
        "-c",
        "from critique_coder.cli import main; main()",
        "build",
        str(tmp_path / "recipe.toml"),
    ]
    process = subprocess.Popen(
        [*command, "--output", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        give_up = time.monotonic() + 100
        log = folder / "verdicts.jsonl"
        while process.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < 3):
            assert time.monotonic() < give_up
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        yield folder
    finally:
        process.kill()
        process.wait()


def test_a_build_killed_in_the_middle_goes_on_to_the_same_result(killed: Path, recorded: Path, built: Path) -> None:
    assert not (killed / "manifest.json").exists()
    begun = [
        json.loads(line)
        for line in (killed / "verdicts.jsonl").read_text().splitlines(keepends=True)
        if line.endswith("\n")
    ]
    assert begun
    build(recipe_for(recorded, "judge.workers=1"), killed)
    assert rows_of(killed / "verdicts.jsonl")[: len(begun)] == begun
    assert hashes(killed) == hashes(built) and outcomes(killed) == outcomes(built)
