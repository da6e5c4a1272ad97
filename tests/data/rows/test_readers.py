"""Exported folders as TRL's trainers and verl's readers take them, without a change; and verl's call of the rewards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
from omegaconf import OmegaConf
from trl import GRPOConfig, GRPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

from critique_coder.data.built import BuiltData
from critique_coder.data.rows.export import export
from critique_coder.data.rows.settings import ExportSettings, Kind
from critique_coder.feedback import CritiqueReview
from critique_coder.storage import read_rows, write_jsonl
from judge_server import Running
from small_build import small_build
from tiny_model import tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltData:
    return small_build(tmp_path_factory.mktemp("build"))


TRUE, FALSE = r"w5 w6 \conclusion{T}", r"w7 \conclusion{F}"
STEP: dict[str, Any] = {
    "max_steps": 1, "per_device_train_batch_size": 4, "report_to": "none", "use_cpu": True, "save_strategy": "no",
    "logging_steps": 1, "disable_tqdm": True, "bf16": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(built: BuiltData, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Exports each kind once."""
    place = tmp_path_factory.mktemp("exports")
    rows = [row for _, row in read_rows(built.folder / "critiques.jsonl")]
    answers = [{"row_id": row["id"], "completion": TRUE if row["label"] else FALSE} for row in rows]
    write_jsonl(place / "critiques.jsonl", answers)
    reviews = [
        CritiqueReview(row["id"], row["problem_id"], row["solution_id"], TRUE, row["label"]).to_json() for row in rows
    ]
    write_jsonl(place / "feedback" / "critique_reviews.jsonl", reviews)

    def made(kind: str) -> Path:
        files = {"cft": {"critiques": str(place / "critiques.jsonl")}, "kto": {"feedback": str(place / "feedback")}}
        export(ExportSettings.model_validate({"kind": Kind(kind), **files.get(kind, {})}), built, place / kind)
        return place / kind

    return made


def loaded(folder: Path) -> Any:
    """As anyone loads a folder with a card."""
    return datasets.load_dataset(str(folder), split="train")


def losses(trainer: Any) -> list[float]:
    trainer.train()
    return [float(entry["train_loss"]) for entry in trainer.state.log_history if "train_loss" in entry]


def test_trl_trains_on_critiques(folder: Callable[[str], Path], tmp_path: Path) -> None:
    config = SFTConfig(output_dir=str(tmp_path), max_length=200, **STEP)
    rows = loaded(folder("cft")).select_columns(["prompt", "completion"])
    trainer = SFTTrainer(tiny_model(), config, train_dataset=rows, processing_class=tiny_tokenizer())
    (loss,) = losses(trainer)
    assert loss > 0


def test_trl_trains_on_preferences(folder: Callable[[str], Path], tmp_path: Path) -> None:
    config = KTOConfig(output_dir=str(tmp_path), max_length=200, **STEP)
    rows = loaded(folder("kto"))
    assert set(rows["label"]) == {True, False}
    trainer = KTOTrainer(tiny_model(), tiny_model(), config, train_dataset=rows, processing_class=tiny_tokenizer())
    (loss,) = losses(trainer)
    assert loss > 0


def test_trl_gets_prompts_and_hands_the_other_columns_to_the_reward(
    folder: Callable[[str], Path], tmp_path: Path
) -> None:
    seen: list[tuple[str, str]] = []

    def reward(prompts: Any, completions: Any, kind: list[str], reward_model: list[Any], **_: Any) -> list[float]:
        seen.extend((one, model["ground_truth"]) for one, model in zip(kind, reward_model, strict=True))
        return [float(n) for n in range(len(completions))]

    config = GRPOConfig(output_dir=str(tmp_path), num_generations=2, max_completion_length=4, **STEP)
    rows = loaded(folder("hybrid"))
    GRPOTrainer(tiny_model(), reward, config, train_dataset=rows, processing_class=tiny_tokenizer()).train()
    assert len(seen) == 4 and all(truth in ("T", "F") or json.loads(truth)["tests"] for _, truth in seen)


def shards(folder: Path) -> list[str]:
    return [str(path) for path in sorted((folder / "data").glob("*.parquet"))]


def test_verl_reads_prompts_and_truth(folder: Callable[[str], Path], tmp_path: Path) -> None:
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    config = OmegaConf.create(
        {"cache_dir": str(tmp_path), "max_prompt_length": 500, "filter_overlong_prompts_workers": None}
    )
    rows = RLHFDataset(shards(folder("hybrid")), tiny_tokenizer(), config)
    assert len(rows) == 4
    batch = collate_fn([rows[n] for n in range(4)])
    assert list(batch["index"]) == [0, 1, 2, 3]
    assert set(batch["data_source"]) == {"critique-coder/solve", "critique-coder/critique"}
    assert all(model["style"] == "rule" and model["ground_truth"] for model in batch["reward_model"])
    assert all(prompt[0]["role"] == "user" for prompt in batch["raw_prompt"])


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Running() as where:
        yield where


def verls_reward(**kwargs: Any) -> Any:
    """The rewards as verl finds and wraps them."""
    from verl.trainer.ppo.reward import get_custom_reward_fn

    function = {
        "path": "pkg://critique_coder.training.verl_reward",
        "name": "compute_score",
        "reward_kwargs": kwargs,
    }
    return get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": function}}))


def scored(reward: Any, row: dict[str, Any], answer: str) -> dict[str, Any]:
    call = reward(
        data_source=row["data_source"],
        solution_str=answer,
        ground_truth=row["reward_model"]["ground_truth"],
        extra_info=row["extra_info"],
    )
    return dict(asyncio.run(call))


@pytest.mark.parametrize(
    ("code", "score"),
    [("return n + n", 1.0), ("return 0", 0.25), ("return n * n", 0.5), ("return", 0.0), ("return 2 *", 0.0)],
)
def test_a_programs_reward_is_its_share_of_tests(
    folder: Callable[[str], Path], address: str, code: str, score: float
) -> None:
    row = loaded(folder("rl"))[0]
    found = scored(verls_reward(judge=address), row, f"```python\ndef double(n):\n    {code}\n```")
    assert found["score"] == score and found["unscored"] == 0


def test_an_answer_without_code_earns_nothing(folder: Callable[[str], Path], address: str) -> None:
    found = scored(verls_reward(judge=address), loaded(folder("rl"))[0], "I do not know.")
    assert found == {"score": 0.0, "finding": "no_code", "unscored": 0}


def test_a_critiques_reward_is_its_judgement(folder: Callable[[str], Path]) -> None:
    reward = verls_reward(critique_weight=0.8)
    for row in loaded(folder("crl")):
        assert scored(reward, row, TRUE)["score"] == (0.8 if row["label"] else 0.0)
        assert scored(reward, row, FALSE)["score"] == (0.0 if row["label"] else 0.8)
        assert scored(reward, row, "T")["score"] == 0.0 and scored(reward, row, "T")["finding"] == "malformed"


def test_a_judge_that_is_not_there_is_told_and_earns_no_zero(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from critique_coder.training import verl_reward

    monkeypatch.setattr(verl_reward, "_PAUSE_S", 0.001)
    row = loaded(folder("rl"))[0]
    with pytest.raises(verl_reward.JudgeUnreachable, match="critique-coder serve"):
        scored(verls_reward(judge="http://127.0.0.1:1"), row, "```python\nx = 1\n```")
    with pytest.raises(ValueError, match="judge"):
        scored(verls_reward(), row, "```python\nx = 1\n```")
    with pytest.raises(ValueError, match="data source"):
        scored(verls_reward(), {**row, "data_source": "openai/gsm8k"}, "1")
