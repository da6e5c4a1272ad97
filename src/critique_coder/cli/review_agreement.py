"""``critique-coder review agreement``: how far people agree, as JSON or in a few lines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from critique_coder.cli.options import finish, json_option
from critique_coder.cli.review_apply import VERDICTS_HELP, evidence_of

if TYPE_CHECKING:
    from critique_coder.review.agreement import Agreement
    from critique_coder.review.bootstrap import Interval


@click.command("agreement", short_help="How far people agree, with each other and with the tests.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--verdicts", type=click.Path(path_type=Path), help=VERDICTS_HELP)
@json_option
def command(folder: Path, verdicts: Path | None, as_json: bool) -> None:
    """Percent agreement, Krippendorff's alpha and Cohen's kappa with 95 % intervals, and which tests look wrong.

    --json holds all of it: by person, tag, source and pair, and the drift on gold items.

    \b
    Example:
      critique-coder review agreement runs/data --json
    """
    from critique_coder.review.agreement import agreement_of

    found = agreement_of(evidence_of(folder, verdicts))
    lines = [line for question, figures in found.items() for line in _lines(question.value, figures)]
    finish(lines, {question.value: figures.to_json() for question, figures in found.items()}, as_json)


def _lines(question: str, found: Agreement) -> list[str]:
    people = "1 person" if len(found.people) == 1 else f"{len(found.people)} people"
    lines = [
        f"{question}: {found.overall.verdicts} blind verdicts by {people}",
        f"  agreement {_said(found.overall.agreement)}, alpha {_said(found.overall.alpha)}",
    ]
    if found.tests.differing.items:
        lines.append(f"  people differ from the tests in {_said(found.tests.differing)}")
        lines.append(f"  wrong labels, by the random slice: {_said(found.tests.differing_random)}")
    for problem in found.tests.problems[:10]:
        lines.append(
            f"  {problem.problem_id}: tests too weak for {problem.too_weak}, too strict for {problem.too_strict} "
            f"of {problem.judged} solutions"
        )
    return lines


def _said(found: Interval) -> str:
    if math.isnan(found.value):
        return f"not defined ({found.items} items)"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}; {found.items} items)"
