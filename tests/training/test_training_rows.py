"""Which rows training reads, in which order, and which checkpoints it goes on from."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data.built import BuiltData
from critique_coder.settings import resolve
from critique_coder.storage import write_json, write_jsonl
from critique_coder.training import run
from critique_coder.training.engine_trl import newest_checkpoint
from critique_coder.training.recipe import TrainRecipe, WarmupSettings
from critique_coder.training.run import grpo_metrics, timed, train, training_rows, warmup_rows
from critique_coder.training.warmup import warmup_steps
from making import complaint
from tiny_model import tiny_model, tiny_tokenizer

SOLVES, CRITIQUES = 80, 20


class MadeUp(BuiltData):
    """80 solve rows whose problems have pass rates 0, 1/80, ..., and 20 critique rows."""

    def rows(self, split: str) -> list[dict[str, Any]]:
        rows = [row_of("solve", f"p{n}", None) for n in range(SOLVES)]
        return rows + [row_of("critique", f"q{n}", n % 2 == 0) for n in range(CRITIQUES)]

    def warmup(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"w{n}",
                "label": n < 6,
                "problem_id": f"p{n % 10}",
                "prompt": [f"prompt {n}"],
                "completion": [f"{n < 6}"],
            }
            for n in range(50)
        ]


def row_of(kind: str, problem: str, label: bool | None) -> dict[str, Any]:
    return {"id": f"{kind}/{problem}", "kind": kind, "problem_id": problem, "label": label, "prompt": [problem]}


@pytest.fixture
def data(tmp_path: Path) -> BuiltData:
    write_json(tmp_path / "manifest.json", {})
    verdicts = [{"problem_id": f"p{n}", "pass_rate": n / SOLVES} for n in range(SOLVES - 1)]
    write_jsonl(tmp_path / "verdicts.jsonl", verdicts)
    return MadeUp.open(tmp_path)


def rows(data: BuiltData, *overrides: str) -> list[dict[str, Any]]:
    return training_rows(resolve(TrainRecipe, {"grpo": {"steps": 5, "prompts": 20}}, overrides, "r"), data)


def test_the_mix_is_spread_evenly_over_the_steps(data: BuiltData) -> None:
    found = rows(data)
    for step in range(5):
        kinds = Counter(row["kind"] for row in found[20 * step : 20 * step + 20])
        assert 3 <= kinds["critique"] <= 5
    labels = [row["label"] for row in found if row["kind"] == "critique"]
    assert all(first != second for first, second in pairwise(labels)), labels


def test_one_pass_uses_every_row_once_and_more_steps_begin_again_in_another_order(data: BuiltData) -> None:
    once, twice = rows(data), rows(data, "grpo.steps=10")
    assert len({row["row_id"] for row in once}) == len(once) == 100
    assert twice[:100] == once and len(twice) == 200
    assert {row["row_id"] for row in twice[100:]} == {row["row_id"] for row in once} and twice[100:] != once


def test_a_surplus_of_one_label_is_drawn_from_anew_in_every_pass(data: BuiltData) -> None:
    """As many wrong as correct solutions a pass, others in the next; one label alone is used whole."""
    uneven = [row for row in data.rows("train") if row["label"] is None or row["label"] is False]
    scarce = [row for row in data.rows("train") if row["label"] is True][:3]
    object.__setattr__(data, "rows", lambda split: uneven + scarce)
    found = rows(data, "grpo.steps=40")
    for start in range(0, 774, 86):
        assert Counter(row["label"] for row in found[start : start + 86]) == {None: 80, True: 3, False: 3}
    assert len({row["row_id"] for row in found if row["label"] is False}) > 6
    object.__setattr__(data, "rows", lambda split: uneven)
    assert Counter(row["label"] for row in rows(data)[:90]) == {None: 80, False: 10}


def test_the_order_follows_the_seed(data: BuiltData) -> None:
    assert rows(data) == rows(data) != rows(data, "seed=1")


@pytest.mark.parametrize(
    ("method", "kinds"), [("rl", {"solve"}), ("crl", {"critique"}), ("hybrid", {"solve", "critique"})]
)
def test_a_method_uses_its_kinds_of_rows(data: BuiltData, method: str, kinds: set[str]) -> None:
    assert {row["kind"] for row in rows(data, f"method={method}")} == kinds


def test_the_band_keeps_solve_rows_of_middling_difficulty_and_all_critique_rows(data: BuiltData) -> None:
    found = {row["row_id"]: row for row in rows(data, "grpo.keep_pass_rate=[0.25, 0.5]")}
    solves = {row["problem_id"] for row in found.values() if row["kind"] == "solve"}
    assert solves == {f"p{n}" for n in range(20, 41)} | {"p79"}
    assert sum(row["kind"] == "critique" for row in found.values()) == CRITIQUES


def test_rows_have_what_the_rewards_ask_for(data: BuiltData) -> None:
    assert all(set(row) == {"row_id", "kind", "problem_id", "label", "prompt"} for row in rows(data))


def test_a_run_without_any_row_is_refused_before_it_begins(data: BuiltData, tmp_path: Path) -> None:
    recipe = resolve(TrainRecipe, {"method": "rl", "grpo": {"keep_pass_rate": [0.9999, 1.0]}}, [], "r")
    monkey = [row for row in data.rows("train") if row["problem_id"] != "p79"]
    object.__setattr__(data, "rows", lambda split: monkey)
    assert "no training rows" in complaint(train, recipe, data, tmp_path / "run", lambda stage, source: None)
    assert not (tmp_path / "run").exists()


def test_critiques_of_one_label_alone_are_warned_of(
    data: BuiltData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = resolve(TrainRecipe, {"method": "crl"}, [], "r")
    run._check(recipe, data)
    assert capsys.readouterr().err == ""
    wrong = [row for row in data.rows("train") if row["label"] is not True]
    object.__setattr__(data, "rows", lambda split: wrong)
    run._check(recipe, data)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(tmp_path) in said and "calling everything wrong" in said


def test_a_batch_that_does_not_divide_is_refused_before_it_begins(data: BuiltData, tmp_path: Path) -> None:
    recipe = resolve(TrainRecipe, {"grpo": {"prompts": 3, "group_size": 3, "micro_batch_size": 4}}, [], "r")
    assert "micro_batch_size" in complaint(train, recipe, data, tmp_path / "run", lambda stage, source: None)
    assert not (tmp_path / "run").exists()


def test_warm_up_rows_are_half_true_in_every_prefix_and_the_smaller_side_is_repeated(data: BuiltData) -> None:
    found = [row["completion"] for row in warmup_rows(data, WarmupSettings(rows=40), 0)]
    assert len(found) == 40
    for length in range(2, 41, 2):
        assert found[:length].count(["True"]) == length // 2
    prompts = [
        row["prompt"][0] for row in warmup_rows(data, WarmupSettings(rows=40), 0) if row["completion"] == ["True"]
    ]
    assert set(Counter(prompts).values()) == {3, 4}


def test_half_of_the_wrong_ones_are_of_problems_that_were_also_solved(data: BuiltData) -> None:
    solved = {f"prompt {n}" for n in range(50) if n % 10 < 6}
    wrong = [
        row["prompt"][0] for row in warmup_rows(data, WarmupSettings(rows=40), 0) if row["completion"] == ["False"]
    ]
    assert sum(prompt in solved for prompt in wrong) == len(wrong) // 2


def test_own_solutions_and_references_are_spread_evenly_among_the_critiques_or_after_them(data: BuiltData) -> None:
    critiques, own = data.warmup(), [solution(n, "own") for n in range(3)]
    references = [solution(n, "reference") for n in range(3, 8)]
    object.__setattr__(data, "warmup", lambda: critiques + own + references)

    def kinds(last: bool) -> list[str]:
        settings = WarmupSettings(rows=20, solve_rows=10, reference_rows=10, solutions_last=last)
        found = warmup_rows(data, settings, 0)
        assert len({row["id"] for row in found if row["label"] is None}) == 8  # all of them, some more than once
        return [row["id"].partition("/")[0] if row["label"] is None else "critique" for row in found]

    among, after = kinds(False), kinds(True)
    for start in range(0, 40, 8):
        assert Counter(among[start : start + 8]) == {"critique": 4, "own": 2, "reference": 2}
    assert after[:20] == ["critique"] * 20
    for start in range(20, 40, 2):
        assert set(after[start : start + 2]) == {"own", "reference"}


def test_references_are_left_out_unless_they_are_asked_for_and_missing_ones_are_no_error(data: BuiltData) -> None:
    critiques, own, reference = data.warmup(), solution(0, "own"), solution(1, "reference")
    del own["origin"]  # a build of before there was a choice
    object.__setattr__(data, "warmup", lambda: [*critiques, own, reference])
    solutions = [
        row["id"] for row in warmup_rows(data, WarmupSettings(rows=20, solve_rows=3), 0) if row["label"] is None
    ]
    assert solutions == ["own/0"] * 3
    object.__setattr__(data, "warmup", lambda: critiques)
    assert len(warmup_rows(data, WarmupSettings(rows=20, solve_rows=3, reference_rows=3), 0)) == 20


def solution(number: int, origin: str) -> dict[str, Any]:
    name = f"{origin}/{number}"
    return {"id": name, "label": None, "origin": origin, "problem_id": name, "prompt": [name], "completion": [name]}


def test_softening_without_what_it_needs_is_refused_before_the_warm_up(data: BuiltData, tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path / "tiny")
    tiny_tokenizer().save_pretrained(tmp_path / "tiny")
    values = {"model": str(tmp_path / "tiny"), "warmup": {"rows": 40, "soften": 0.5}}
    recipe = resolve(TrainRecipe, values, [], "r")
    said = complaint(train, recipe, data, tmp_path / "run", lambda stage, source: None)
    assert "build anew, or set warmup.soften=0" in said
    assert not (tmp_path / "run").exists()


def test_a_warm_up_of_one_side_is_refused(data: BuiltData) -> None:
    object.__setattr__(data, "warmup", lambda: [{"id": "w", "label": True}])
    assert "warmup.rows=0" in complaint(warmup_rows, data, WarmupSettings(), 0)


@pytest.mark.parametrize(("count", "batch", "epochs", "steps"), [(192, 16, 1, 12), (10, 16, 1, 1), (100, 10, 2.5, 25)])
def test_the_warm_up_takes_so_many_steps(count: int, batch: int, epochs: float, steps: int) -> None:
    assert warmup_steps(count, WarmupSettings(batch_size=batch, epochs=epochs)) == steps


def test_the_newest_complete_checkpoint_is_taken(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    for step in (5, 10, 9, 20, 30, 40):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step < 20:
            write_json(tmp_path / f"checkpoint-{step}" / "trainer_state.json", {})
    (tmp_path / "checkpoint-30" / "trainer_state.json").touch()  # killed between opening the file and writing it
    (tmp_path / "checkpoint-40" / "trainer_state.json").write_text('{"global_step": 4')
    found = newest_checkpoint(tmp_path)
    assert found is not None and found.name == "checkpoint-10"


def test_metrics_have_our_names_and_no_nan() -> None:
    logs = {
        "reward": 0.5,
        "loss": 0.1,
        "reward/solve": 0.4,
        "judge/unscored": 0.0,
        "entropy": float("nan"),
        "epoch": 1.0,
    }
    assert grpo_metrics(logs) == {"reward/all": 0.5, "train/loss": 0.1, "reward/solve": 0.4, "judge/unscored": 0.0}


def test_a_block_that_made_no_folder_says_what_was_wrong_and_not_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), timed(tmp_path / "none", "nothing"):
        1 / 0  # noqa: B018
