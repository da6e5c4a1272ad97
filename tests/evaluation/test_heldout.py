"""The held-out evaluation with a made-up model: what is measured, that it goes on after a stop, and the summary."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data.build import build
from critique_coder.data.built import BuiltData
from critique_coder.data.candidates import plan_of_candidates
from critique_coder.data.recipe import BuildRecipe, JudgeSettings
from critique_coder.evaluation.heldout import Measured, Plan, evaluate, write_summary
from critique_coder.models import Sampling, TextModel
from critique_coder.settings import resolve
from critique_coder.storage import read_json, read_rows, write_json, write_jsonl
from making import FakeModel, a_problem, complaint

RIGHT, WRONG = "def double(n):\n    return 2 * n\n", "def double(n):\n    return n\n"
PLAN = Plan(2, Sampling(seed=5), 4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> BuiltData:
    """Six held-out problems and two training ones, each with a right and a wrong solution."""
    folder = tmp_path_factory.mktemp("heldout")
    splits = ["heldout"] * 6 + ["train"] * 2
    problems = [a_problem(f"p{n}", tests=2, metadata={"split": split}) for n, split in enumerate(splits)]
    solutions = [
        {"id": f"{p.id}#{k}", "problem_id": p.id, "code": c} for p in problems for k, c in enumerate((RIGHT, WRONG))
    ]
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    write_jsonl(folder / "solutions.jsonl", solutions)
    values = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "judge": {"workers": 1},
    }
    build(resolve(BuildRecipe, values, [], "r"), folder / "data")
    return BuiltData.open(folder / "data")


def honest(prompt: str, dice: random.Random) -> str:
    """Solves every problem, and judges by looking at the code."""
    if "conclusion" in prompt:
        return r"\conclusion{T}" if "2 * n" in prompt else r"\conclusion{F}"
    return f"```python\n{RIGHT}```"


def measure(data: BuiltData, place: Path, model: FakeModel | None, plan: Plan = PLAN, stage: str = "m") -> Measured:
    def opened() -> TextModel:
        assert model is not None, "the model must not be opened"
        return model

    return evaluate(opened, data, plan, JudgeSettings(workers=1), place, stage)


def values(measured: Measured) -> dict[str, float]:
    return {name: found.value for name, found in measured.estimates().items()}


def test_a_model_that_is_right_is_measured_so(data: BuiltData, tmp_path: Path) -> None:
    measured = measure(data, tmp_path, FakeModel(honest))
    found = values(measured)
    assert found["solve/pass@1"] == found["solve/pass_rate"] == found["critique/balanced_accuracy"] == 1
    assert found["critique/malformed"] == 0
    assert measured.details["samples"] == 12 and measured.details["pairs"] == 12 and measured.details["pairs_true"] == 6


def test_a_model_that_always_says_wrong_and_never_codes(data: BuiltData, tmp_path: Path) -> None:
    found = values(measure(data, tmp_path, FakeModel(lambda prompt, dice: r"\conclusion{F}")))
    assert found["solve/pass@1"] == 0 and found["critique/balanced_accuracy"] == 0.5
    assert (found["critique/recall_correct"], found["critique/recall_incorrect"]) == (0, 1)


def test_only_held_out_problems_are_asked(data: BuiltData, tmp_path: Path) -> None:
    model = FakeModel(honest)
    measure(data, tmp_path, model)
    assert not any("(p6)" in prompt or "(p7)" in prompt for prompt in model.asked)
    assert all(any(f"(p{n})" in prompt for prompt in model.asked) for n in range(6))


def test_a_finished_evaluation_does_not_open_the_model(data: BuiltData, tmp_path: Path) -> None:
    first = values(measure(data, tmp_path, FakeModel(honest)))
    assert values(measure(data, tmp_path, None)) == first


@pytest.mark.parametrize("stop", [2, 7])
def test_an_evaluation_that_was_stopped_goes_on(data: BuiltData, tmp_path: Path, stop: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(data, tmp_path, FakeModel(honest, fail_after=stop))
    model = FakeModel(honest)
    assert values(measure(data, tmp_path, model)) == values(measure(data, tmp_path / "other", FakeModel(honest)))
    assert len(model.asked) < 18


@pytest.mark.parametrize(("source", "limit", "again"), [("m", 3.0, False), ("m", 2.0, True), ("other", 3.0, True)])
def test_what_the_same_model_was_sampled_for_is_not_sampled_or_judged_again(
    data: BuiltData, tmp_path: Path, source: str, limit: float, again: bool
) -> None:
    shutil.copytree(data.folder, tmp_path / "data")
    manifest = read_json(data.folder / "manifest.json")
    manifest["candidate_model"] = "m"
    manifest["settings"]["candidates"] |= {"path": None, "heldout_n": 2}
    write_json(tmp_path / "data" / "manifest.json", manifest)
    verdicts = [row | {"outcome": "passed", "pass_rate": 1.0} for _, row in read_rows(data.folder / "verdicts.jsonl")]
    write_jsonl(tmp_path / "data" / "verdicts.jsonl", verdicts)
    sampled = plan_of_candidates(manifest["settings"]["candidates"], 2, manifest["settings"]["seed"])
    model = FakeModel(honest)
    measured = evaluate(
        lambda: model,
        BuiltData.open(tmp_path / "data"),
        Plan(sampled.n, sampled.sampling, sampled.batch_size),
        JudgeSettings(workers=2, time_limit_s=limit),
        tmp_path,
        "base",
        source=source,
    )
    assert all("conclusion" in prompt for prompt in model.asked) == (source == "m")
    assert (values(measured)["solve/pass@1"] == 1) == (not again or source == "other")


def test_answers_of_other_pairs_are_refused(data: BuiltData, tmp_path: Path) -> None:
    measure(data, tmp_path, FakeModel(honest))
    rows = [row for _, row in read_rows(tmp_path / "m" / "critiques.jsonl")]
    write_jsonl(tmp_path / "m" / "critiques.jsonl", rows[::-1])
    assert "critiques.jsonl" in complaint(measure, data, tmp_path, FakeModel(honest))


def test_fewer_pairs_are_still_half_true(data: BuiltData, tmp_path: Path) -> None:
    measured = measure(data, tmp_path, FakeModel(honest), Plan(1, Sampling(), 4, max_pairs=6))
    assert (measured.details["pairs"], measured.details["pairs_true"]) == (6, 3)


def test_the_summary_compares_stages_and_is_plain_json(data: BuiltData, tmp_path: Path) -> None:
    before = measure(data, tmp_path, FakeModel(lambda prompt, dice: r"\conclusion{F}"), stage="base")
    after = measure(data, tmp_path, FakeModel(honest), stage="grpo")
    write_summary(tmp_path / "evaluation.json", [before, after], {"samples": 2})
    summary: dict[str, Any] = read_json(tmp_path / "evaluation.json")
    json.dumps(summary, allow_nan=False)
    assert [stage["stage"] for stage in summary["stages"]] == ["base", "grpo"]
    (compared,) = summary["comparisons"]
    assert (compared["before"], compared["after"]) == ("base", "grpo")
    change = compared["metrics"]["solve/pass@1"]
    assert (change["value"], change["finding"]) == (1, "better")


def test_data_without_held_out_problems_is_refused(
    data: BuiltData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BuiltData, "rows", lambda self, split: [])
    assert "held-out" in complaint(measure, data, tmp_path, FakeModel(honest))
