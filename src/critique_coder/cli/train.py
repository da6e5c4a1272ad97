"""``critique-coder train``."""

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
    overrides_argument,
    print_config_option,
    quiet_libraries,
    unsafe_option,
)


@click.command("train", short_help="Train a model on a data folder.")
@click.argument("recipe")
@overrides_argument
@click.option("--data", type=click.Path(), help="The data folder that `build` made.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The run folder to write.")
@click.option("--model", help="Folder or hub id of the model to train.  [default: the recipe's, or the embedded one]")
@print_config_option
@unsafe_option
@json_option
def command(
    recipe: str,
    overrides: tuple[str, ...],
    data: str | None,
    output: Path | None,
    model: str | None,
    print_config: bool,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Train on the rows of a data folder, evaluate before and after, and write a report.

    RECIPE is a TOML file or the name of a built-in one (demo, demo-long, paper). KEY=VALUE changes a setting of it.
    Stop it at any time: the same command goes on from the newest checkpoint.

    \b
    Example:
      critique-coder train demo --data runs/data --output runs/hybrid
      critique-coder train demo method=rl --data runs/data --output runs/rl
    """
    from critique_coder.settings import find_recipe, load_settings, to_toml
    from critique_coder.training.recipe import TrainRecipe

    extra = [*overrides, *([f"model={model!r}"] if model is not None else [])]
    settings = load_settings(TrainRecipe, find_recipe(recipe, "training"), extra)
    if print_config:
        click.echo(to_toml(settings), nl=False)
        return
    if data is None or output is None:
        raise click.UsageError(f"Missing option {'--data' if data is None else '--output'!r}.")
    built = finished_build(data)
    quiet_libraries()
    from critique_coder.cli.pipeline import Request, train_and_report
    from critique_coder.models import require_model

    if not output.exists():
        require_model(settings.model)

    request = Request(Path(recipe).stem, command_line(), judge_options(unsafe_no_isolation))
    with nothing_half_written(output):
        report = train_and_report(settings, built, output, request)
    lines = [f"model      {output / 'model'}", f"report     {report}"]
    finish(lines, {"output": str(output), "model": str(output / "model"), "report": str(report)}, as_json)
