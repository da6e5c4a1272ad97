"""The command line as the tests of several rooms use it: what a command did, and which commands there are."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from critique_coder.cli.main import cli, main

RECIPES = ("build", "train", "data export")
"""The verbs that read settings, and show them with ``--print-config``."""


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str

    def summary(self) -> Any:
        """The last line of standard output, as ``--json`` promises it."""
        return json.loads(self.out.splitlines()[-1])

    def complaint(self) -> str:
        """The one line of a refusal."""
        assert self.code == 2, self
        assert self.err.count("\n") == 1 and self.err.startswith("critique-coder: ") and "Traceback" not in self.err
        assert self.out == ""
        return self.err


Run = Callable[..., Ran]


def running(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the entry point in this process."""

    def go(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["critique-coder", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, captured.out, captured.err)

    return go


def verbs(group: click.Group = cli, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every verb and sub-verb with the words that call it, groups left out."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from verbs(found, f"{before}{name} ")
        else:
            yield f"{before}{name}", found


def verb_of(words: list[str]) -> str:
    """The verb that a command calls, such as ``data export``; a folder after ``review`` means its page."""
    known = dict(verbs())
    called = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
    return "review page" if called == "review" else called


def commands_in(text: str) -> list[list[str]]:
    """The ``critique-coder`` commands in help or in a code block, as words without the program's own name."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("critique-coder ")]
