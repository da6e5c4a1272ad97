"""Options that several verbs share, and how they end."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from critique_coder.data.verify import JudgeOptions
from critique_coder.records import Json

if TYPE_CHECKING:
    from critique_coder.data.built import BuiltData

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


def packages_option(function: F) -> F:
    """``--package NAME``, as often as needed."""
    told = "An installed package that programs may import, such as numpy; again for more."
    return click.option("--package", "packages", multiple=True, metavar="NAME", help=told)(function)


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


def finished_build(folder: str | Path) -> BuiltData:
    """A build of which each part can be read, as seen before anything is written; raises BadInput."""
    from critique_coder.data.built import BuiltData
    from critique_coder.records import BadInput
    from critique_coder.storage import read_rows

    built = BuiltData.open(folder)
    kind = built.manifest.get("kind") if isinstance(built.manifest, dict) else None
    if kind != "build":
        raise BadInput(
            f"{built.folder / 'manifest.json'}, key 'kind': must be 'build', not {kind!r}; "
            "give what `critique-coder build` made"
        )
    len(built.problems)  # reads them; kept for whoever asks next
    for split in ("train", "heldout"):
        next(read_rows(built.folder / "rows" / f"{split}.parquet"), None)
    return built


_MARKS = frozenset({"settings.json", "config.toml", "timing.jsonl"})
"""What a command writes into its folder before it does any work."""


@contextmanager
def nothing_half_written(folder: Path) -> Iterator[None]:
    """Remove a new folder when the block is refused before it did any work.

    Otherwise the corrected command would be refused, since the folder was begun with other settings.
    """
    from critique_coder.models import ModelError
    from critique_coder.records import BadInput

    new = not folder.exists()
    try:
        yield
    except (BadInput, ModelError):
        if new and folder.is_dir() and not any(_is_work(file) for file in folder.rglob("*")):
            shutil.rmtree(folder)
        raise


def _is_work(file: Path) -> bool:
    return file.is_file() and file.name not in _MARKS and file.stat().st_size > 0
