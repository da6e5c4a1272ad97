"""Options that several verbs share, and how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from critique_coder.data.verify import JudgeOptions
from critique_coder.records import Json

F = TypeVar("F", bound=Callable[..., Any])

UNSAFE_HELP = "Run programs without isolation where this machine has none. They can then read and change your files."
EXIT_UNSCORED = 3


def json_option(function: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary as the last line.")(
        function
    )


def unsafe_option(function: F) -> F:
    """``--unsafe-no-isolation``."""
    return click.option("--unsafe-no-isolation", is_flag=True, help=UNSAFE_HELP)(function)


def print_config_option(function: F) -> F:
    """``--print-config``."""
    return click.option("--print-config", is_flag=True, help="Show the resolved recipe with all settings, and stop.")(
        function
    )


def overrides_argument(function: F) -> F:
    """``key=value ...`` behind the other arguments."""
    return click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")(function)


def judge_options(unsafe_no_isolation: bool, first_failure: bool = False, ray: str | None = None) -> JudgeOptions:
    """The judge's options from the command line's."""
    if unsafe_no_isolation:
        click.echo("critique-coder: isolation may be off: programs can read and change your files", err=True)
    return JudgeOptions(first_failure=first_failure, allow_no_isolation=unsafe_no_isolation, ray=ray)


def finish(lines: list[str], summary: dict[str, Json], as_json: bool) -> None:
    """Print where what was written, and the summary as JSON when it was asked for."""
    for line in lines:
        click.echo(line)
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False))


def command_line() -> str:
    """The command as it was typed."""
    import shlex

    return shlex.join(["critique-coder", *sys.argv[1:]])


def quiet_libraries() -> None:
    """Keep the libraries' own bars and notices out of ours."""
    import logging
    import os
    import warnings

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # it sets its logger's level anew when it is imported
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    warnings.filterwarnings("ignore")
    for library in ("transformers", "accelerate"):
        logging.getLogger(library).setLevel(logging.ERROR)
    import datasets
    from transformers.utils import logging as transformers_logging

    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()


def existing(path: str, what: str) -> Path:
    """A path that must be there; raises BadInput."""
    from critique_coder.records import BadInput

    place = Path(path)
    if not place.exists():
        raise BadInput(f"{path}: no such {what}")
    return place
