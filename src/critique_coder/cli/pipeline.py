"""Training with its evaluation, examples, manifest and report: what ``train``, ``demo`` and ``evaluate`` share."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from critique_coder.cli.machine import machine, versions
from critique_coder.data.built import BuiltData
from critique_coder.data.verify import JudgeOptions
from critique_coder.evaluation.examples import examples
from critique_coder.evaluation.heldout import Measured, Plan, evaluate, write_summary
from critique_coder.models import Sampling, open_model
from critique_coder.models.embedded import NAME as EMBEDDED
from critique_coder.records import Json
from critique_coder.report import write_report
from critique_coder.storage import read_json, read_rows, write_json
from critique_coder.training.recipe import EvaluationSettings, TrainRecipe
from critique_coder.training.run import timed, train


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, as the manifest and the report tell it."""

    recipe_name: str
    command: str
    options: JudgeOptions


def plan_of(settings: EvaluationSettings, seed: int) -> Plan:
    """The evaluation's plan from a recipe's settings."""
    sampling = Sampling(settings.temperature, settings.top_p, settings.top_k, settings.max_tokens, seed)
    return Plan(settings.samples, sampling, settings.batch_size, settings.max_pairs, settings.critique_temperature)


def train_and_report(recipe: TrainRecipe, data: BuiltData, run: Path, request: Request) -> Path:
    """Train, evaluate after each stage, and write manifest and report; returns the report's path."""
    begun = time.monotonic()
    measured: list[Measured] = []

    def after_stage(stage: str, source: str) -> None:
        plan = plan_of(recipe.evaluation, recipe.seed)
        with timed(run, f"evaluation ({stage})"):
            measured.append(
                evaluate(
                    lambda: open_model(source, None, recipe.evaluation.batch_size),
                    data,
                    plan,
                    recipe.judge,
                    run / "evaluation",
                    stage,
                    request.options,
                    (recipe.model or EMBEDDED) if stage == "base" else None,
                )
            )
        write_summary(run / "evaluation.json", measured, recipe.evaluation.model_dump(mode="json"))
        write_json(run / "examples.json", examples(data, run / "evaluation", stage))

    source = train(recipe, data, run, after_stage, request.options)
    write_json(run / "manifest.json", _manifest(recipe, data, run, request, source, time.monotonic() - begun))
    return write_report([run], run / "report.html", request.command)


def _manifest(
    recipe: TrainRecipe, data: BuiltData, run: Path, request: Request, source: str, seconds: float
) -> dict[str, Json]:
    earlier = read_json(run / "manifest.json")["seconds"] if (run / "manifest.json").exists() else 0.0
    return {
        "kind": "run",
        "command": request.command,
        "recipe_name": request.recipe_name,
        "recipe": recipe.model_dump(mode="json"),
        "model": {"source": recipe.model or f"{EMBEDDED} (embedded)", "result": source},
        **_circumstances(data, max(seconds, earlier)),
    }


def write_evaluation(measured: Measured, data: BuiltData, folder: Path, asked: dict[str, Json], command: str) -> Json:
    """Write what ``report`` reads of a model that was only measured; returns the summary of ``evaluation.json``."""
    summary = write_summary(folder / "evaluation.json", [measured], asked)
    write_json(folder / "examples.json", examples(data, folder / "evaluation", measured.stage))
    seconds = sum(row["seconds"] for _, row in read_rows(folder / "timing.jsonl"))
    model = asked["model"] if asked["endpoint"] is None else f"{asked['model'] or ''} at {asked['endpoint']}".strip()
    manifest = {
        "kind": "evaluation",
        "command": command,
        "model": {"source": model or f"{EMBEDDED} (embedded)"},
        **_circumstances(data, seconds),
    }
    write_json(folder / "manifest.json", manifest)
    return summary


def _circumstances(data: BuiltData, seconds: float) -> dict[str, Json]:
    """By which data, on which machine and for how long: what every manifest says."""
    return {
        "data": {"folder": str(data.folder.resolve()), "manifest": data.manifest},
        "machine": machine(),
        "versions": versions(),
        "seconds": round(seconds, 1),
    }
