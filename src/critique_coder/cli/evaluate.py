"""``critique-coder evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from critique_coder.cli.options import (
    command_line,
    finish,
    finished_build,
    json_option,
    judge_options,
    nothing_half_written,
    quiet_libraries,
    unsafe_option,
)


@click.command("evaluate", short_help="Measure a model on a data folder's held-out problems.")
@click.argument("model", required=False)
@click.option("--data", required=True, type=click.Path(), help="The data folder that `build` made.")
@click.option("--endpoint", help="Ask this OpenAI-compatible server; MODEL is then its name there.")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--samples", type=click.IntRange(min=1), default=4, show_default=True, help="Solutions a problem.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=0.6,
    show_default=True,
    help="Of solutions, and of critiques where nothing else is said.",
)
@click.option("--critique-temperature", type=click.FloatRange(min=0), help="Of critiques.  [default: --temperature]")
@click.option("--max-tokens", type=click.IntRange(min=1), default=128, show_default=True, help="Longest answer.")
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Answers at once.")
@click.option("--seed", type=int, default=0, show_default=True, help="Everything random follows from this.")
@click.option("--unchecked", is_flag=True, help="Also where the training data was not checked against the benchmark.")
@unsafe_option
@json_option
def command(
    model: str | None,
    data: str,
    endpoint: str | None,
    output: Path,
    samples: int,
    temperature: float,
    critique_temperature: float | None,
    max_tokens: int,
    batch_size: int,
    seed: int,
    unchecked: bool,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Measure MODEL (folder or hub id; nothing: the embedded one) on held-out problems and pairs.

    Writes evaluation.json: pass@1, critique balanced accuracy, precision, recall and malformed rate, with intervals.
    `critique-coder report` takes the folder like that of a run.
    Refuses a benchmark that the data folder's training problems were not checked against.

    \b
    Example:
      critique-coder evaluate runs/first/model --data runs/data --output runs/first-again
      critique-coder evaluate --endpoint http://localhost:8000/v1 --data runs/data --output runs/served
    """
    from critique_coder.data.recipe import JudgeSettings
    from critique_coder.evaluation.checked import benchmarks_of, require_checked
    from critique_coder.storage import claim_folder, sha256_file

    built = finished_build(data)
    if not unchecked:
        require_checked(built, benchmarks_of(built))
    if endpoint is None:
        quiet_libraries()
    from critique_coder.cli.pipeline import plan_of, write_evaluation
    from critique_coder.evaluation.heldout import evaluate
    from critique_coder.models import open_model, require_model
    from critique_coder.training.recipe import EvaluationSettings
    from critique_coder.training.run import timed

    settings = EvaluationSettings(
        samples=samples,
        temperature=temperature,
        critique_temperature=temperature if critique_temperature is None else critique_temperature,
        max_tokens=max_tokens,
        batch_size=batch_size,
    )
    described = {"model": model, "endpoint": endpoint, "seed": seed, **settings.model_dump(mode="json")}
    if not output.exists():
        require_model(model, endpoint)
    with nothing_half_written(output):
        claim_folder(output, {**described, "data": sha256_file(built.folder / "manifest.json")})
        with timed(output, "evaluation"):
            measured = evaluate(
                lambda: open_model(model, endpoint, batch_size),
                built,
                plan_of(settings, seed),
                JudgeSettings(),
                output / "evaluation",
                "model",
                judge_options(unsafe_no_isolation),
            )
    summary = write_evaluation(measured, built, output, described, command_line())
    lines = [
        f"{name:<30}{value.value:7.3f}   ({value.low:.3f} to {value.high:.3f})"
        for name, value in measured.estimates().items()
    ]
    finish([*lines, f"written to {output / 'evaluation.json'}"], summary["stages"][0], as_json)
