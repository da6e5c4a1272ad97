"""``critique-coder build``."""

from __future__ import annotations

from pathlib import Path

import click

from critique_coder.cli.options import (
    finish,
    json_option,
    judge_options,
    nothing_half_written,
    overrides_argument,
    print_config_option,
    quiet_libraries,
    unsafe_option,
)
from critique_coder.records import Json


@click.command("build", short_help="Make a data folder from a recipe.")
@click.argument("recipe")
@overrides_argument
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The folder to write.")
@click.option(
    "--problems", type=click.Path(), help="Problems in the project's format, instead of the recipe's sources."
)
@click.option("--model", help="Folder or hub id of the model that writes the candidate solutions.")
@click.option("--endpoint", help="OpenAI-compatible server that writes them, such as http://localhost:8000/v1.")
@click.option(
    "--ray", metavar="ADDRESS", help="Sample and judge on the nodes of this Ray cluster ('auto': this one's)."
)
@print_config_option
@unsafe_option
@json_option
def command(
    recipe: str,
    overrides: tuple[str, ...],
    output: Path | None,
    problems: str | None,
    model: str | None,
    endpoint: str | None,
    ray: str | None,
    print_config: bool,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Make a data folder: problems, candidate solutions, verdicts, critique data, training rows.

    RECIPE is a TOML file or the name of a built-in one (demo, demo-long, paper). KEY=VALUE changes a setting of it.
    Stop it at any time: the same command goes on from what is there.

    \b
    Example:
      critique-coder build demo mix.critique_share=0.5 --output runs/half
      critique-coder build demo --problems mine.jsonl --output runs/mine
    """
    from critique_coder.data.recipe import BuildRecipe, own_problems
    from critique_coder.settings import find_recipe, load_settings, to_toml

    extra = [*(own_problems(problems) if problems is not None else []), *overrides]
    if model is not None:
        extra.append(f"candidates.model={model!r}")
    if endpoint is not None:
        extra.append(f"candidates.endpoint={endpoint!r}")
    settings = load_settings(BuildRecipe, find_recipe(recipe, "data"), extra)
    if print_config:
        click.echo(to_toml(settings), nl=False)
        return
    if output is None:
        raise click.UsageError("Missing option '--output' / '-o'.")
    if settings.filter.tokenizer or (settings.candidates.path is None and settings.candidates.endpoint is None):
        quiet_libraries()
    from critique_coder.data.build import build
    from critique_coder.models import require_model

    if not output.exists():
        if settings.candidates.path is None:
            require_model(settings.candidates.model, settings.candidates.endpoint)
        else:
            _read_through(Path(settings.candidates.path))
    with nothing_half_written(output):
        manifest = build(settings, output, judge_options(unsafe_no_isolation, ray=ray))
    counts = manifest["counts"]
    lines = [
        f"problems   {counts['problems']['kept']} kept of {counts['problems']['read']}",
        f"solutions  {counts['solutions']['total']}, {100 * (counts['solutions']['passed'] or 0):.1f} % pass all tests",
        f"critiques  {counts['critiques']['total']}, of them {counts['critiques']['true']} of correct solutions",
        f"rows       train {counts['rows']['train']}, held out {counts['rows']['heldout']}",
        f"written to {output}",
    ]
    if others := counts.get("solutions_of_other_problems"):
        lines.insert(2, f"           {others} more are for problems that are not in this build, and were left out")
    lines[:0] = [*_table1(manifest), ""]
    finish(lines, {"output": str(output), "counts": counts}, as_json)


def _read_through(solutions: Path) -> None:
    """Refuse a damaged file of recorded solutions at once, and not after the audit; raises BadInput."""
    from critique_coder.prompts import extract_code
    from critique_coder.records import Solution
    from critique_coder.storage import read_rows

    if solutions.is_file():
        for where, row in read_rows(solutions):
            Solution.from_json(row, where, extract_code)


def _table1(manifest: dict[str, Json]) -> list[str]:
    """The paper's Table 1 for this corpus, and what was lost of each source."""
    from critique_coder.data.tables import table1_lines

    counts = manifest["counts"]
    lines = table1_lines(counts["table1"])
    for name, found in counts["problems"]["by_source"].items():
        lost = ", ".join(f"{count} {reason}" for reason, count in found["lost"].items())
        lines.append(f"{name:<22}{found['kept']:>12,} kept of {found['read']:,}" + (f"; lost {lost}" if lost else ""))
    checked = manifest["contamination"]["checked"]
    lines.append(f"{'contamination':<22}checked against {', '.join(checked) or 'nothing'}")
    return lines
