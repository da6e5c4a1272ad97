"""``critique-coder review apply``: from verdicts to the feedback folder that a build reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from critique_coder.cli.options import existing, finish, json_option

if TYPE_CHECKING:
    from critique_coder.review.cases import Evidence

MIN_PEOPLE_HELP = (
    "Touch a problem or its tests only where this many people agree, or one of them decided; use a test that "
    "people kept only when this many kept it."
)
VERDICTS_HELP = "Take the verdicts from a CSV or Label Studio JSON file instead of the folder's own review."


def evidence_of(folder: Path, verdicts: Path | None) -> Evidence:
    """What people said of a build's solutions and critiques; raises BadInput."""
    from critique_coder.records import BadInput
    from critique_coder.review.adjudication import latest_ratings
    from critique_coder.review.cases import Evidence
    from critique_coder.review.doubts import cases_in_review, remembered
    from critique_coder.review.exchange import read_verdicts
    from critique_coder.review.store import FILE, ReviewStore

    cases = cases_in_review(folder, remembered(folder))
    if verdicts is None and (folder / FILE).exists():
        with ReviewStore(folder / FILE) as store:
            return store.evidence(cases)
    if verdicts is None:
        raise BadInput(f"{folder}: holds no review; export it (`critique-coder review export`) and give --verdicts")
    existing(str(verdicts), "file of verdicts")
    ratings = read_verdicts(verdicts, {case.id: case for case in cases})
    return Evidence(cases, tuple(latest_ratings(ratings)))


@click.command("apply", short_help="Turn verdicts into labels that the next build reads.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--verdicts", type=click.Path(path_type=Path), help=VERDICTS_HELP)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The feedback folder; FOLDER/feedback by default."
)
@click.option("--min-people", type=click.IntRange(min=1), default=1, show_default=True, help=MIN_PEOPLE_HELP)
@click.option("--yes", "-y", is_flag=True, help="Do it without asking.")
@json_option
def command(
    folder: Path, verdicts: Path | None, output: Path | None, min_people: int, yes: bool, as_json: bool
) -> None:
    """Say what people's verdicts change, then write it for the next build to read.

    FOLDER is the build, or the run, that was reviewed. Labels by people stand above those by tests, tests that people
    found wrong are left out, and critiques whose reasons were judged become training rows. Nothing is written before
    you agree.

    \b
    Example:
      critique-coder review apply runs/data
      critique-coder build demo label.people=runs/data/feedback --output runs/data-2
    """
    from critique_coder.review.apply import describe, differs, plan, write_feedback

    place = output if output is not None else folder / "feedback"
    made = plan(evidence_of(folder, verdicts), min_people)
    lines = describe(made)
    summary = {"output": str(place), "written": False, **made.summary()}
    if not differs(made, place):
        finish([*lines, f"nothing to do: {place} holds this already"], summary, as_json)
        return
    for line in lines:
        click.echo(line)
    if not yes and not _agreed(place):
        finish(["nothing was written"], summary, as_json)
        return
    write_feedback(made, place)
    after = f"written to {place}; build again with label.people={place}"
    finish([after], {**summary, "written": True}, as_json)


def _agreed(place: Path) -> bool:
    """Ask a person; where nobody can answer, refuse and name the option."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is here to ask; give --yes to write it")
    return click.confirm(f"write {place}?", default=False)
