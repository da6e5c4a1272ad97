"""``critique-coder``: the group of verbs, and how failures are told.

Exit codes: 0 done; 1 a check failed (``doctor``); 2 bad input or a machine that cannot do it, in one line; 3 some
solutions have no verdict, or so many that the verb stopped; 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from critique_coder import __version__

_VERBS = {
    "demo": "The whole job on the starter problems, with a report, on a laptop.",
    "build": "Make a data folder from a recipe.",
    "data": "Look into builds, compare them, export their rows.",
    "verify": "Run solutions against their problems' tests.",
    "validate": "Check that problems can be trusted.",
    "serve": "Offer the judge over HTTP.",
    "review": "A page on which people judge; agreement, labels, exports.",
    "train": "Train a model on a data folder.",
    "evaluate": "Measure a model on a data folder's held-out problems.",
    "critique": "Let a model judge one solution.",
    "report": "Make one HTML page of one or several runs.",
    "doctor": "Check that this machine can do the work.",
}


class Verbs(click.Group):
    """Loads a verb's module when it is called, so that ``--help`` and ``verify`` do not wait for torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which they are used."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command object of a verb."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(f"critique_coder.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with a line each, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, and names the nearest verb for an unknown one."""
        import difflib

        if args and not args[0].startswith("-") and args[0] not in _VERBS:
            close = difflib.get_close_matches(args[0], _VERBS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(_VERBS)}."
            raise click.UsageError(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="critique-coder")
def cli() -> None:
    """Train code models to write programs and to judge them.

    \b
    Example:
      critique-coder demo
      critique-coder build demo --output runs/data
      critique-coder train demo --data runs/data --output runs/first
    """


def main() -> None:
    """The entry point: runs a verb and turns failures into one line and an exit code."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        _leave("interrupted; the same command goes on from here", 130)
    except KeyboardInterrupt:
        _leave("interrupted; the same command goes on from here", 130)
    except click.ClickException as error:
        _leave(_one_line(error), 2)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _leave(f"{error.filename or 'output'}: no space left on the disk; make room, the same command goes on", 2)
        if error.errno == errno.EFBIG:
            why = "larger than files may be here; raise the limit (`ulimit -f`), the same command goes on"
            _leave(f"{error.filename or 'output'}: {why}", 2)
        if error.errno in _NOT_WRITABLE and isinstance(error.filename, str | Path):
            _leave(_about_place(error, error.filename), 2)
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _TRAIN_EXTRA:
            _leave(
                f"{package} is not installed, which models that run here need; pip install 'critique-coder[train]'", 2
            )
        raise
    except Exception as error:
        for kind in type(error).__mro__:
            if kind.__name__ in _ONE_LINE:
                _leave(" ".join(str(error).split()), _ONE_LINE[kind.__name__])
        raise


_TRAIN_EXTRA = frozenset({"accelerate", "datasets", "gguf", "torch", "transformers", "trl"})
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST})
"""Errors of the file system that are about what the user named, and not about a mistake of ours."""
_ONE_LINE = {"BadInput": 2, "SettingsChanged": 2, "ModelError": 2, "IsolationError": 2, "TooManyUnscored": 3}
"""Exit codes of failures that are told in a line, by the names of their classes, since importing those takes long."""


def _about_place(error: OSError, path: str | Path) -> str:
    """What is wrong with a file or folder; where a right is missing nobody knows whether to read or to write."""
    from critique_coder.storage import cannot_write

    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path}: {error.strerror}; give yourself the right to it, or choose another place"
    return cannot_write(path, error)


def _one_line(error: click.ClickException) -> str:
    place = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        place = f" (see `{error.ctx.command_path} --help`)"
    return " ".join(error.format_message().split()) + place


def _leave(message: str, code: int) -> Any:
    click.echo(f"critique-coder: {message}", err=True)
    sys.exit(code)
