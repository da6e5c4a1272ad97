"""``critique-coder review``: people judge on a page, and what they say changes the next build."""

from __future__ import annotations

from pathlib import Path

import click

from critique_coder.cli import review_agreement, review_apply, review_export, review_page
from critique_coder.fields import nearest


class _Review(click.Group):
    """A group whose first argument may be a folder: then the page is served."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Like click's, and options of the page may stand before the folder."""
        own = bool(args) and args[0] not in (*self.commands, *ctx.help_option_names)
        if own and not args[0].startswith("-") and not Path(args[0]).exists():
            meant = nearest(args[0], self.list_commands(ctx))
            if meant:
                raise click.UsageError(f"{args[0]}: no such folder or command{meant}", ctx)
        return super().parse_args(ctx, ["page", *args] if own else args)


@click.group("review", cls=_Review, short_help="A page on which people judge; agreement, labels, exports.",
             subcommand_metavar="BUILD_OR_RUN | COMMAND [ARGS]...")  # fmt: skip
def command() -> None:
    """Serve the page on which people judge a build's solutions and a run's critiques, or use what they said.

    \b
    Example:
      critique-coder review runs/data                # prints a link to the page
      critique-coder review runs/data --host 0.0.0.0 --person ann --person ben
      critique-coder review agreement runs/data
      critique-coder review apply runs/data          # labels for the next build
    `critique-coder review page --help` shows the options of the page.
    """


for _part in (review_page, review_agreement, review_apply, review_export):
    command.add_command(_part.command)
