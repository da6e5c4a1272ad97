"""``critique-coder data``: look into builds, compare them, and hand their rows on."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from critique_coder.cli.options import (
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

if TYPE_CHECKING:
    from rich.console import RenderableType

    from critique_coder.data.built import BuiltData
    from critique_coder.records import CritiqueRow, Json

_KINDS = ("rl", "crl", "hybrid", "cft", "cgd", "ctrl", "cure", "kto")
_TAUGHT = ("cft", "cgd", "ctrl", "cure")
"""The kinds for which a teacher writes."""


@click.group("data", short_help="Look into builds, compare them, export their rows.")
def command() -> None:
    """Look into a build, compare two, or write its rows for one way of training.

    \b
    Example:
      critique-coder data stats runs/data
      critique-coder data show runs/data solve/starter/multiply
      critique-coder data diff runs/data runs/half
      critique-coder data export runs/data --kind cft --endpoint http://localhost:8000/v1 --output runs/cft
    """


@command.command("stats", short_help="Tables and small plots of a build.")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="Write the same as an HTML page too.")
@json_option
def stats(build: Path, html: Path | None, as_json: bool) -> None:
    """Show what BUILD holds: sources, difficulty, authors, outcomes, labels, style, rows.

    \b
    Example:
      critique-coder data stats runs/data --html stats.html
    """
    from critique_coder.cli.data_tables import overview_tables
    from critique_coder.data.overview import overview

    found = overview(finished_build(build))
    _print(overview_tables(found), html)
    finish([f"written to {html}"] if html else [], found, as_json)


def _print(parts: Iterable[RenderableType], html: Path | None = None) -> None:
    from rich.console import Console

    from critique_coder.records import BadInput
    from critique_coder.storage import cannot_write, write_text

    shown = list(parts)
    if html is not None:  # before anything is printed, since it may be refused
        page = Console(record=True, file=io.StringIO())
        page.print(*shown, sep="\n")
        try:
            write_text(html, page.export_html())
        except OSError as error:
            raise BadInput(cannot_write(html, error)) from None
    Console().print(*shown, sep="\n")


@command.command("show", short_help="One row with its tests and verdicts.")
@click.argument("build", type=click.Path(path_type=Path))
@click.argument("row")
@json_option
def show(build: Path, row: str, as_json: bool) -> None:
    """Show one row of BUILD: its prompt, its label, its problem's tests and what they found.

    ROW is the id of a row (solve/PROBLEM, critique/SOLUTION), of a solution or of a problem.

    \b
    Example:
      critique-coder data show runs/data critique/starter/multiply#0
    """
    from critique_coder.cli.data_tables import row_view
    from critique_coder.records import Verdict

    data = finished_build(build)
    found, critique = _row(data, row)
    problem = data.problems[found["problem_id"]]
    verdict = None
    if found["solution_id"] is not None:
        line = _first(data.folder / "verdicts.jsonl", "solution_id", found["solution_id"])
        verdict = Verdict.from_json(line, str(build)) if line is not None else None
    _print([row_view(found, problem, verdict, critique)])
    summary = {"row": found, "problem": problem.to_json(), "verdict": verdict.to_json() if verdict else None}
    finish([], summary, as_json)


def _row(data: BuiltData, name: str) -> tuple[dict[str, Json], CritiqueRow | None]:
    """The row that ``name`` means, in training or held out, or made of a labelled solution; raises BadInput."""
    from critique_coder.data.mix import critique_row, solve_row, split_of
    from critique_coder.data.rows.settings import ExportSettings, Kind
    from critique_coder.data.rows.source import RowSource
    from critique_coder.fields import nearest
    from critique_coder.records import BadInput, CritiqueRow

    source = RowSource(data, ExportSettings(kind=Kind.HYBRID), data.folder)
    share = data.manifest["settings"]["mix"]["heldout_share"]
    wanted = name.removeprefix("critique/")
    line = _first(data.folder / "critiques.jsonl", "solution_id", wanted)
    if line is not None:
        critique = CritiqueRow.from_json(line, str(data.folder))
        problem = data.problems[critique.problem_id]
        return critique_row(critique, problem, source.templates, split_of(problem, share)), critique
    wanted = name.removeprefix("solve/")
    if wanted in data.problems:
        problem = data.problems[wanted]
        return solve_row(problem, source.templates, split_of(problem, share)), None
    why = _why_not(data, name.removeprefix("critique/"), wanted)
    hint = why or f"no row, solution with a label, or problem is called {name!r}{nearest(wanted, data.problems)}"
    raise BadInput(f"{data.folder}: {hint}")


def _why_not(data: BuiltData, solution_id: str, problem_id: str) -> str | None:
    """What became of a problem or solution that has no row; None when there is none of that name."""
    lost = _first(data.folder / "quarantine.jsonl", "problem_id", problem_id)
    if lost is not None:
        return f"the problem {problem_id!r} was lost: {lost['reason']}" + (
            f" ({lost['detail']})" if lost["detail"] else ""
        )
    verdict = _first(data.folder / "verdicts.jsonl", "solution_id", solution_id)
    if verdict is not None:
        passed = f"{verdict['passed']} of {verdict['total']} tests passed"
        return (
            f"the solution {solution_id!r} has no label ({verdict['outcome']}, {passed}): it has no code, could not be "
            "judged, or is the same program as one before it"
        )
    return None


def _first(path: Path, key: str, value: str) -> Json:
    from critique_coder.storage import read_rows

    return next((row for _, row in read_rows(path) if row[key] == value), None)


@command.command("diff", short_help="What differs between two builds.")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Show what differs between the builds OLD and NEW: settings, problems, labels, rows.

    Exits with 0 when both train the same, else with 1.

    \b
    Example:
      critique-coder data diff runs/data runs/half
    """
    from critique_coder.cli.data_tables import difference_tables
    from critique_coder.data.compare import compare, is_same

    found = compare(finished_build(old), finished_build(new))
    same = is_same(found)
    _print(difference_tables(found))
    finish(["both train the same"] if same else [], {**found, "same": same}, as_json)
    if not same:
        raise click.exceptions.Exit(1)


@command.command("export", short_help="Write the rows of a build for one way of training.")
@click.argument("build", type=click.Path(path_type=Path))
@overrides_argument
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="Which rows; see docs/data-rows.md.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("parquet", "jsonl")),
    default="parquet",
    show_default=True,
    help="The files' format.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--model", help="Folder or hub id of the teacher.")
@click.option("--endpoint", help="OpenAI-compatible server of the teacher, such as http://localhost:8000/v1.")
@print_config_option
@unsafe_option
@json_option
def export(
    build: Path,
    overrides: tuple[str, ...],
    kind: str,
    format_: str,
    output: Path | None,
    model: str | None,
    endpoint: str | None,
    print_config: bool,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Write rows of BUILD as a folder with shards, a manifest and a card, which TRL and verl read as it is.

    Critiques, refined answers and tests come from a teacher (--model, --endpoint) or from a file (critiques=FILE,
    revisions=FILE, tests=FILE). Stop it at any time: the same command goes on from what is there.

    \b
    Example:
      critique-coder data export runs/data --kind hybrid --output runs/rows
      critique-coder data export runs/data --kind kto feedback=feedback --output runs/kto
    """
    from critique_coder.data.rows.settings import ExportSettings
    from critique_coder.settings import resolve, to_toml

    given = [f"teacher.{key}={value}" for key, value in (("model", model), ("endpoint", endpoint)) if value is not None]
    settings = resolve(ExportSettings, {"kind": kind, "format": format_}, [*overrides, *given], "export")
    if print_config:
        click.echo(to_toml(settings), nl=False)
        return
    if output is None:
        raise click.UsageError("Missing option '--output' / '-o'.")
    if kind in _TAUGHT and settings.teacher.endpoint is None:
        quiet_libraries()
    from critique_coder.data.rows.export import export as write

    data = finished_build(build)
    with nothing_half_written(output):
        manifest = write(settings, data, output, judge_options(unsafe_no_isolation))
    counts = manifest["counts"]
    lines = [f"rows       {counts['rows']} ({kind})"]
    lines += [f"left out   {count}: {reason}" for reason, count in counts["lost"].items()]
    finish([*lines, f"written to {output}"], {"output": str(output), "counts": counts}, as_json)
