"""A training run from a build folder: warm-up, then reinforcement learning, each stage resumable.

The run folder holds the resolved recipe (``config.toml``), ``metrics.jsonl`` (one object a step), ``rollouts/``
(Parquet, one file a step), ``checkpoints/`` and ``model/``. The same command goes on after a kill: finished stages are
skipped, GRPO goes on from its newest checkpoint.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from critique_coder.data.built import BuiltData
from critique_coder.data.mix import Origin, RowKind
from critique_coder.data.verify import JudgeOptions, TooManyUnscored, open_judge
from critique_coder.models.embedded import resolve_source
from critique_coder.progress import bar
from critique_coder.records import BadInput, Json
from critique_coder.settings import to_toml
from critique_coder.storage import (
    AppendLog,
    claim_folder,
    hash_fraction,
    require_space,
    sha256_file,
    write_jsonl,
    write_parquet,
    write_text,
)
from critique_coder.training.recipe import TrainRecipe, WarmupSettings
from critique_coder.training.rewards import Rewards, Scored

AfterStage = Callable[[str, str], None]
"""Called with a stage ("base", "warmup", "grpo") and where its model lies."""

_MEGABYTES_NEEDED = 6000


def train(
    recipe: TrainRecipe,
    data: BuiltData,
    folder: Path,
    after_stage: AfterStage,
    options: JudgeOptions = JudgeOptions(),
) -> str:
    """Run the recipe; returns where the trained model lies. ``after_stage`` is called after each finished stage.

    Raises BadInput, ModelError, IsolationError, TooManyUnscored.
    """
    _check(recipe, data)
    require_space(folder, _MEGABYTES_NEEDED)
    settings = {"recipe": recipe.model_dump(mode="json"), "data": sha256_file(data.folder / "manifest.json")}
    claim_folder(folder, settings)
    write_text(folder / "config.toml", to_toml(recipe, help_texts=False))
    current = resolve_source(recipe.model)
    _check_frozen(recipe.freeze_layers, current)
    after_stage("base", current)
    if recipe.warmup.rows:
        current = _warmup_stage(recipe, data, folder, current)
        after_stage("warmup", current)
    if recipe.grpo.steps:
        current = _grpo_stage(recipe, data, folder, current, options)
        after_stage("grpo", current)
    return current


def _check(recipe: TrainRecipe, data: BuiltData) -> None:
    grpo = recipe.grpo
    if grpo.prompts * grpo.group_size % grpo.micro_batch_size:
        raise BadInput(
            f"grpo.micro_batch_size: {grpo.micro_batch_size} must divide "
            f"prompts x group_size = {grpo.prompts * grpo.group_size}"
        )
    if recipe.warmup.rows:
        warmup_rows(data, recipe.warmup, recipe.seed)  # refused here, and not after the untrained model was measured
    if grpo.steps:
        rows = training_rows(recipe, data)
        if not rows:
            raise BadInput(f"{data.folder}: holds no training rows for method {recipe.method!r}")
        _warn_of_one_side(rows, data.folder)


def _check_frozen(frozen: int, source: str) -> None:
    if not frozen:
        return
    from critique_coder.models.local import layer_count

    if frozen >= (layers := layer_count(source)):
        raise BadInput(f"freeze_layers: {frozen} leaves nothing to train; choose fewer than {layers}")


def _warn_of_one_side(rows: Sequence[dict[str, Json]], folder: Path) -> None:
    labels = {row["label"] for row in rows if row["kind"] == RowKind.CRITIQUE}
    if len(labels) == 1:
        only = "correct" if labels.pop() else "wrong"
        print(
            f"{folder}: all critique rows are of {only} solutions; GRPO will reward calling everything {only}",
            file=sys.stderr,
        )


def training_rows(recipe: TrainRecipe, data: BuiltData) -> list[dict[str, Json]]:
    """The rows GRPO uses, in the order in which it uses them (drawn by id; as often as the steps need)."""
    wanted = {"hybrid": set(RowKind), "rl": {RowKind.SOLVE}, "crl": {RowKind.CRITIQUE}}[recipe.method]
    low, high = recipe.grpo.keep_pass_rate
    rates = data.mean_pass_rates
    rows = [
        row
        for row in data.rows("train")
        if row["kind"] in wanted
        and (row["kind"] != RowKind.SOLVE or low <= rates.get(row["problem_id"], (low + high) / 2) <= high)
    ]
    ordered: list[dict[str, Json]] = []
    epoch = 0
    while rows and len(ordered) < recipe.grpo.steps * recipe.grpo.prompts:
        ordered += _shuffled(rows, recipe.seed, epoch)
        epoch += 1
    return [
        {
            "row_id": row["id"],
            "kind": row["kind"],
            "problem_id": row["problem_id"],
            "label": row["label"],
            "prompt": row["prompt"],
        }
        for row in ordered
    ]


def _shuffled(rows: Sequence[dict[str, Json]], seed: int, epoch: int) -> list[dict[str, Json]]:
    """A random order in which solve rows, and critique rows of either label, are spread evenly.

    So each step sees the mix, and no stretch of steps rewards one judgement alone, which a small model learns at once.
    Of the label of which there are more critique rows, each epoch draws as many as there are of the other: a surplus
    would reward that judgement by itself.
    """
    sides: dict[tuple[str, str], list[dict[str, Json]]] = {}
    for row in rows:
        sides.setdefault((str(row["kind"]), str(row["label"])), []).append(row)
    fewest = min((len(own) for (kind, _), own in sides.items() if kind == RowKind.CRITIQUE), default=0)
    placed = []
    for side, own in sides.items():
        own.sort(key=lambda r: hash_fraction(seed, epoch, r["id"]))
        offset = hash_fraction(seed, epoch, *side)
        if side[0] == RowKind.CRITIQUE:
            own = own[:fewest]
        if side == (RowKind.CRITIQUE, "False"):  # half-way between two of the other label
            offset = (hash_fraction(seed, epoch, RowKind.CRITIQUE, "True") + 0.5) % 1
        placed += [((place + offset) / len(own), side, row) for place, row in enumerate(own)]
    return [row for _, _, row in sorted(placed, key=lambda entry: entry[:2])]


def _warmup_stage(recipe: TrainRecipe, data: BuiltData, folder: Path, source: str) -> str:
    place = folder / "checkpoints" / "warmup"
    if (place / "finished").exists():
        return str(place)
    _drop_metrics(folder, "warmup", after=0)
    with AppendLog(folder / "metrics.jsonl") as log, timed(folder, "warm-up"):

        def told(step: int, metrics: dict[str, float]) -> None:
            log.append({"stage": "warmup", "step": step, "metrics": metrics})

        model, tokenizer = warmed_up(recipe, data, source, folder / "checkpoints" / "warmup-work", told)
    _save(model, tokenizer, place, "float32")
    return str(place)


def warmed_up(
    recipe: TrainRecipe,
    data: BuiltData,
    source: str,
    work: Path,
    told: Callable[[int, dict[str, float]], None],
) -> tuple[Any, Any]:
    """The model at ``source`` after the warm-up of ``recipe`` on ``data``, not saved anywhere, and its tokenizer.

    ``work`` is a folder for the trainer; ``told`` is called with the metrics of each step, the last of which is that
    into balance: how far the judgement was off before it and after, in nats.
    """
    from critique_coder.training.warmup import train_warmup, warmup_steps

    rows = warmup_rows(data, recipe.warmup, recipe.seed)
    model, tokenizer = _load(source, recipe)
    rows = _softened(model, tokenizer, rows, recipe.warmup.soften)
    steps = warmup_steps(len(rows), recipe.warmup)
    with bar("warm-up", steps, "steps") as shown:

        def end_of_step(step: int, logs: dict[str, float]) -> None:
            told(step, {f"warmup/{name}": logs[name] for name in ("loss", "lean") if name in logs})
            shown.advance(1, f"loss {logs['loss']:.3f}")

        train_warmup(model, tokenizer, rows, recipe.warmup, recipe.seed, work, end_of_step)
    if means := _centred(model, tokenizer, rows, recipe.warmup):
        told(steps + 1, {"warmup/off_balance_before": means[0], "warmup/off_balance": means[-1]})
    return model, tokenizer


def _centred(model: Any, tokenizer: Any, rows: list[dict[str, Json]], settings: WarmupSettings) -> list[float]:
    """Bring the judgement into balance on critiques of the warm-up, the last first; see ``decision.centre``.

    Returns how far it was off, from the beginning to the end; nothing where there is nothing to measure it by.
    """
    from critique_coder.training.decision import ROUNDS, balanced, centre, decisions

    found = balanced(decisions(tokenizer, rows[::-1]), settings.centre_rows)
    if not found:
        return []
    with bar("balance", (ROUNDS + 1) * len(found), "critiques") as shown:
        return centre(model, found, settings.micro_batch_size, shown.advance)


def warmup_rows(data: BuiltData, settings: WarmupSettings, seed: int) -> list[dict[str, Json]]:
    """Critiques of either label, own solutions and references, drawn by id; a side that does not reach is repeated.

    Half of the wrong solutions are of problems that also have a correct one, as far as there are such: else the task
    alone would tell the label. The four kinds are spread evenly, or with ``solutions_last`` the critiques come first.
    Each row has a prompt, a completion and, for a critique, the places where it decides.
    """
    sides: dict[bool | Origin, list[dict[str, Json]]] = {side: [] for side in (True, False, *Origin)}
    for row in data.warmup():
        origin = Origin.REFERENCE if row.get("origin") == Origin.REFERENCE else Origin.OWN
        sides[origin if row["label"] is None else row["label"]].append(row)
    if not sides[True] or not sides[False]:
        raise BadInput(
            f"{data.folder / 'warmup.jsonl'}: needs critiques of correct and wrong solutions; warmup.rows=0 skips"
        )
    wanted: dict[bool | Origin, int] = {
        True: settings.rows // 2,
        False: settings.rows // 2,
        Origin.OWN: settings.solve_rows,
        Origin.REFERENCE: settings.reference_rows,
    }
    solved = {row["problem_id"] for row in sides[True]}
    chosen: list[tuple[bool, float, str, dict[str, Json]]] = []
    for label, side in sides.items():
        side.sort(key=lambda row: hash_fraction(seed, "warmup", row["id"]))
        if label is False:
            side = _taking_turns(side, lambda row: row["problem_id"] in solved)
        for place in range(wanted[label] if side else 0):
            last = settings.solutions_last and isinstance(label, Origin)
            chosen.append((last, (place + 0.5) / wanted[label], str(label), side[place % len(side)]))
    chosen.sort(key=lambda entry: entry[:3])
    kept = ("id", "label", "prompt", "completion", "decisive", "otherwise", "answer")
    rows = [{key: row.get(key) for key in kept} for *_, row in chosen]
    if settings.soften and any(row["label"] is not None and not (row["answer"] and row["otherwise"]) for row in rows):
        raise BadInput(
            f"{data.folder / 'warmup.jsonl'}: its rows have no `answer` or `otherwise`; build anew, or set "
            "warmup.soften=0"
        )
    return rows


def _softened(model: Any, tokenizer: Any, rows: list[dict[str, Json]], strength: float) -> list[dict[str, Json]]:
    """The rows with judgements softened by how likely the untrained model finds each solution; see ``likelihood``."""
    critiques = {row["id"]: row for row in rows if row["label"] is not None}
    if strength == 0 or not critiques:
        return rows
    from critique_coder.training.likelihood import answer_logprobs, chance_of_right
    from critique_coder.training.warmup import soften

    with bar("likelihoods", len(critiques), "solutions") as shown:
        features = answer_logprobs(model, tokenizer, [row["answer"] for row in critiques.values()], shown.advance)
    chances = chance_of_right(features, [row["label"] for row in critiques.values()])
    return soften(rows, dict(zip(critiques, chances.tolist(), strict=True)), strength)


def _taking_turns(rows: list[dict[str, Json]], test: Callable[[dict[str, Json]], bool]) -> list[dict[str, Json]]:
    """Rows that pass ``test`` and rows that do not, one after the other for as long as both last."""
    sides = ([row for row in rows if test(row)], [row for row in rows if not test(row)])
    return [row for turn in zip_longest(*sides) for row in turn if row is not None]


def _grpo_stage(recipe: TrainRecipe, data: BuiltData, folder: Path, source: str, options: JudgeOptions) -> str:
    place = folder / "model"
    if (place / "finished").exists():
        return str(place)
    rows = training_rows(recipe, data)
    with timed(folder, "GRPO"), open_judge(recipe.judge, options) as judge:
        model, tokenizer = _load(source, recipe)
        from critique_coder.models.local import opening_of

        rewards = Rewards(data.problems, judge, recipe.grpo.critique_weight, opening_of(tokenizer))
        from critique_coder.training.engine_trl import Rollouts, newest_checkpoint, train_grpo

        work = folder / "checkpoints" / "grpo"
        checkpoint = newest_checkpoint(work)
        begun = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
        _drop_metrics(folder, "grpo", after=begun)
        clock = {"then": time.monotonic(), "tokens": 0.0}
        judged = {"all": 0, "unscored": 0}
        with AppendLog(folder / "metrics.jsonl") as log, bar("GRPO", recipe.grpo.steps, "steps", begun) as shown:

            def end_of_step(step: int, logs: dict[str, float], rollouts: Rollouts) -> None:
                now, scored = time.monotonic(), rewards.take_scored()
                rate = (rollouts.tokens - clock["tokens"]) / max(now - clock["then"], 1e-9)
                clock.update(then=now, tokens=rollouts.tokens)
                metrics = grpo_metrics(logs) | {"time/tokens_per_s": round(rate, 1)}
                log.append({"stage": "grpo", "step": step, "metrics": metrics})
                _write_rollouts(folder, step, scored)
                _stop_when_unscored(scored, judged, recipe)
                shown.advance(1, _note(metrics))

            train_grpo(model, tokenizer, rows, rewards, recipe.grpo, recipe.seed, work, end_of_step)
    _save(model, tokenizer, place, "bfloat16")
    return str(place)


_RENAMED = {
    "reward": "reward/all",
    "reward_std": "reward/std",
    "frac_reward_zero_std": "reward/groups_without_signal",
    "loss": "train/loss",
    "grad_norm": "train/grad_norm",
    "learning_rate": "train/learning_rate",
    "entropy": "train/entropy",
    "step_time": "time/step_s",
    "completions/mean_length": "rollout/mean_tokens",
    "completions/clipped_ratio": "rollout/truncated",
    "clip_ratio/region_mean": "train/clipped_ratio",
}
_OURS = ("reward/", "solve/", "critique/", "judge/")


def grpo_metrics(logs: dict[str, float]) -> dict[str, float]:
    """TRL's log of a step under names of the form ``area/name``, without what nobody reads."""
    kept = {_RENAMED[name]: value for name, value in logs.items() if name in _RENAMED}
    kept |= {name: value for name, value in logs.items() if name.startswith(_OURS)}
    return {name: value for name, value in kept.items() if isinstance(value, int | float) and value == value}


def _note(metrics: dict[str, float]) -> str:
    shown = (("solve", "reward/solve"), ("critique", "reward/critique"))
    parts = [f"{name} {metrics[key]:.2f}" for name, key in shown if key in metrics]
    return " ".join([*parts, f"{metrics['time/tokens_per_s']:.0f} tokens/s"])


def _write_rollouts(folder: Path, step: int, scored: list[Scored]) -> None:
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    columns = [("step", pa.int64()), ("row_id", text), ("kind", text), ("problem_id", text), ("completion", text)]
    schema = pa.schema([*columns, ("reward", number), ("finding", text), ("detail", text)])
    rows = [{"step": step, **asdict(rollout)} for rollout in scored]
    write_parquet(folder / "rollouts" / f"step-{step:05d}.parquet", rows, schema)


def _stop_when_unscored(scored: list[Scored], judged: dict[str, int], recipe: TrainRecipe) -> None:
    """Failures of the judge are masked, but a run in which they pile up is not worth its time."""
    solves = [rollout for rollout in scored if rollout.kind == RowKind.SOLVE]
    judged["all"] += len(solves)
    judged["unscored"] += sum(rollout.reward is None for rollout in solves)
    if judged["unscored"] > max(8, recipe.judge.max_unscored * judged["all"]):
        raise TooManyUnscored(
            f"the judge could not score {judged['unscored']} of {judged['all']} rollouts; see `critique-coder doctor`"
        )


def _load(source: str, recipe: TrainRecipe) -> tuple[Any, Any]:
    """The model to train, in float32 and with its first layers frozen as the recipe says, and its tokenizer.

    What is frozen lies in the format in which it is multiplied, or it would be converted for every product.
    """
    import torch

    from critique_coder.models.local import load_pretrained
    from critique_coder.models.precision import compute_dtype

    torch.manual_seed(recipe.seed)
    model, tokenizer = load_pretrained(source, torch.float32)
    if recipe.freeze_layers:
        for part in (model.get_input_embeddings(), *model.base_model.layers[: recipe.freeze_layers]):
            part.requires_grad_(False).to(compute_dtype())
    return model, tokenizer


def _save(model: Any, tokenizer: Any, place: Path, dtype: Literal["float32", "bfloat16"]) -> None:
    """Save what transformers loads; the mark ``finished`` comes last.

    What another stage goes on from is saved as float32: from weights that were rounded to bfloat16, steps smaller than
    half of its resolution would lead back to where they began when they are rounded again.
    """
    import torch

    model.to(getattr(torch, dtype)).save_pretrained(place)
    tokenizer.save_pretrained(place)
    (place / "finished").touch()


def _drop_metrics(folder: Path, stage: str, after: int) -> None:
    """Forget the metrics of steps that will be done again."""
    path = folder / "metrics.jsonl"
    if path.exists():
        with AppendLog(path) as log:
            rows = log.done
        write_jsonl(path, (row for row in rows if row["stage"] != stage or row["step"] <= after))


@contextmanager
def timed(folder: Path, name: str) -> Iterator[None]:
    """Write down in ``timing.jsonl`` how many seconds the block took."""
    begun = time.monotonic()
    try:
        yield
    finally:
        if folder.is_dir():  # a block that was refused may not have made it
            with open(folder / "timing.jsonl", "a", encoding="utf-8") as out:
                out.write(json.dumps({"what": name, "seconds": round(time.monotonic() - begun, 1)}) + "\n")
