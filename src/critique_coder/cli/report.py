"""``critique-coder report``."""

from __future__ import annotations

from pathlib import Path

import click

from critique_coder.cli.options import command_line, finish, json_option


@click.command("report", short_help="Make one HTML page of one or several runs.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="The HTML file to write.")
@json_option
def command(runs: tuple[Path, ...], output: Path, as_json: bool) -> None:
    """Make one self-contained HTML page of RUNS, the folders of `train` or `evaluate`; several are compared.

    Where people's feedback is what the runs' builds differ by, all are scored by the newest build's labels.

    \b
    Example:
      critique-coder report runs/hybrid runs/rl --output compare.html
      critique-coder report runs/before runs/after --output change.html
    """
    from critique_coder.report import write_report

    written = write_report(list(runs), output, command_line())
    finish([f"report     {written}"], {"report": str(written), "runs": [str(run) for run in runs]}, as_json)
