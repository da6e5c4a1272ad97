"""A whole training run of a tiny model by the command line: its files, its stages, and going on after a kill."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from critique_coder.data.build import build
from critique_coder.data.recipe import BuildRecipe
from critique_coder.settings import resolve
from critique_coder.storage import read_json, read_rows, write_jsonl
from making import a_problem, kill_when
from tiny_model import tiny_model, tiny_tokenizer

CODES = ("def double(n):\n    return n + n\n", "def double(n):\n    return n * n\n")
STEPS = 4
RECIPE = """
seed = 0

[warmup]
rows = 40
solve_rows = 4
reference_rows = 4
learning_rate = 1e-3
soften = 0.5
batch_size = 4
micro_batch_size = 4

[grpo]
steps = 4
prompts = 4
group_size = 4
micro_batch_size = 4
learning_rate = 1e-3
max_tokens = 32
save_every = 1

[judge]
workers = 1

[evaluation]
samples = 2
critique_temperature = 1.0
max_tokens = 32
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder "data", a model "tiny", and a recipe."""
    place = tmp_path_factory.mktemp("training")
    problems = [a_problem(f"p{n}", metadata={"split": "heldout" if n % 4 == 0 else "train"}) for n in range(16)]
    write_jsonl(place / "problems.jsonl", [problem.to_json() for problem in problems])
    solutions = [
        {"id": f"{problem.id}#{k}", "problem_id": problem.id, "code": code}
        for problem in problems
        for k, code in enumerate(CODES)
    ]
    write_jsonl(place / "solutions.jsonl", solutions)
    values: dict[str, Any] = {
        "source": [{"name": "problems", "path": str(place / "problems.jsonl")}],
        "candidates": {"path": str(place / "solutions.jsonl")},
        "mix": {"critique_share": 0.5},
        "judge": {"workers": 1},
    }
    build(resolve(BuildRecipe, values, [], "recipe"), place / "data")
    tiny_model().save_pretrained(place / "tiny")
    tiny_tokenizer().save_pretrained(place / "tiny")
    (place / "recipe.toml").write_text(RECIPE)
    return place


def words_of(workplace: Path, run: Path) -> list[str]:
    words = ["train", workplace / "recipe.toml", "--data", workplace / "data", "--model", workplace / "tiny", "-o", run]
    return [str(word) for word in words]


def command(workplace: Path, run: Path) -> list[str]:
    return [sys.executable, "-c", "from critique_coder.cli import main; main()", *words_of(workplace, run)]


def train(workplace: Path, run: Path, *overrides: str) -> None:
    """Run the command; what it printed is shown when it fails."""
    done = subprocess.run([*command(workplace, run), *overrides], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


def steps_of(run: Path, stage: str) -> list[int]:
    return [row["step"] for _, row in read_rows(run / "metrics.jsonl") if row["stage"] == stage]


@pytest.fixture(scope="module")
def finished(workplace: Path) -> Path:
    run = workplace / "run"
    train(workplace, run)
    return run


def test_the_run_folder_holds_what_the_contract_says(finished: Path) -> None:
    assert steps_of(finished, "warmup") == list(range(1, 12)) and steps_of(finished, "grpo") == list(
        range(1, STEPS + 1)
    )
    metrics = [row["metrics"] for _, row in read_rows(finished / "metrics.jsonl") if row["stage"] == "grpo"]
    for names in metrics:
        assert {"reward/solve", "reward/critique", "critique/malformed", "judge/unscored", "time/tokens_per_s"} <= set(
            names
        )
    assert [stage["stage"] for stage in read_json(finished / "evaluation.json")["stages"]] == ["base", "warmup", "grpo"]
    assert len(list((finished / "rollouts").glob("*.parquet"))) == STEPS
    assert (finished / "report.html").read_text(encoding="utf-8").startswith("<!")
    assert read_json(finished / "manifest.json")["kind"] == "run"


def test_the_warm_up_learns_its_rows_and_grpo_goes_on_from_there(finished: Path) -> None:
    losses = [
        row["metrics"]["warmup/loss"] for _, row in read_rows(finished / "metrics.jsonl") if row["stage"] == "warmup"
    ]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    rewards = [row["reward"] for path in (finished / "rollouts").glob("*.parquet") for _, row in read_rows(path)]
    assert {0.0, 1.0} <= set(rewards)
    before, after = (load_file(finished / path / "model.safetensors") for path in ("checkpoints/warmup", "model"))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_frozen_layers_stay_as_they_are(workplace: Path) -> None:
    run = workplace / "frozen"
    train(workplace, run, "freeze_layers=1", "warmup.rows=8", "grpo.steps=1")
    before, after = load_file(workplace / "tiny" / "model.safetensors"), load_file(run / "model" / "model.safetensors")
    changed = {name for name, value in before.items() if not torch.equal(value.to(torch.bfloat16), after[name])}
    assert changed and all(name.startswith("model.layers.1.") or name == "model.norm.weight" for name in changed)


def test_a_run_that_was_killed_goes_on_from_its_newest_checkpoint(workplace: Path, finished: Path) -> None:
    run = workplace / "killed"
    second = run / "checkpoints" / "grpo" / "checkpoint-2" / "trainer_state.json"
    kill_when(words_of(workplace, run), second.exists, 200)
    assert not (run / "model" / "finished").exists()
    warmup_written = (run / "checkpoints" / "warmup" / "finished").stat().st_mtime_ns
    train(workplace, run)
    assert (run / "checkpoints" / "warmup" / "finished").stat().st_mtime_ns == warmup_written
    assert steps_of(run, "grpo") == list(range(1, STEPS + 1))
    whole, again = (load_file(folder / "model" / "model.safetensors") for folder in (finished, run))
    for name in whole:
        assert torch.allclose(whole[name].float(), again[name].float(), atol=2e-2), name


def test_a_finished_run_does_nothing_twice(workplace: Path, finished: Path) -> None:
    before = (finished / "metrics.jsonl").read_bytes()
    done = subprocess.run([*command(workplace, finished), "--json"], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1])["model"] == str(finished / "model")
    assert (finished / "metrics.jsonl").read_bytes() == before


def test_freezing_every_layer_is_refused_before_anything_is_measured(workplace: Path, tmp_path: Path) -> None:
    words = [*command(workplace, tmp_path / "run"), "freeze_layers=2"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("critique-coder: freeze_layers: 2 leaves nothing to train")
    assert not (tmp_path / "run").exists()


def test_data_without_critiques_to_warm_up_on_is_refused_before_anything_is_measured(
    workplace: Path, tmp_path: Path
) -> None:
    shutil.copytree(workplace / "data", tmp_path / "data")
    (tmp_path / "data" / "warmup.jsonl").write_text("")
    words = command(workplace, tmp_path / "run")
    words[words.index(str(workplace / "data"))] = str(tmp_path / "data")
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and "warmup.jsonl: needs critiques of correct and wrong" in done.stderr
    assert not (tmp_path / "run").exists()
