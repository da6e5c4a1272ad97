"""``critique-coder review``: what people say of a build, and what it changes."""

from __future__ import annotations

import click

from critique_coder.cli import review_agreement, review_apply, review_export


@click.group("review", short_help="People's verdicts: agreement, labels for the next build, exports.")
def command() -> None:
    """What people say of the solutions of a build and of the critiques of a run, and what it changes.

    \b
    Example:
      critique-coder review export runs/data --format label-studio --output tasks.json
      critique-coder review agreement runs/data --verdicts judged.json
      critique-coder review apply runs/data --verdicts judged.json
    """


for _part in (review_agreement, review_apply, review_export):
    command.add_command(_part.command)
