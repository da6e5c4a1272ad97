"""What the judge must know of a programming language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..limits import Limits

Command = tuple[str, ...]
"""A program and its arguments. The program is a name that ``tools`` lists, or a path below the scratch folder."""


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """How to compile and run a program of one source file, and what that may touch.

    ``source``: file name for a program's text. ``compile``: commands for that file, of which the first that fails makes
    a ``compile_error``; ``outputs`` (glob patterns) are what they leave. ``run``: the command, given the program's
    text and its memory limit in MiB. ``tools`` are looked for in ``PATH`` and then in ``places``; ``package`` is the
    Debian package that brings them. ``paths`` (glob patterns) become visible read-only beside the system's programs.
    ``address_space``: whether address space may be limited; runtimes that reserve far more than they use must not be,
    and their memory is watched from outside alone. ``runtime_mb``: MiB that the runtime needs for itself, on top of a
    problem's limit. ``out_of_memory``: words on stderr with which a failing program says that memory ran out.
    """

    name: str
    tools: tuple[str, ...]
    package: str
    source: Callable[[str], str]
    compile: Callable[[str], tuple[Command, ...]]
    outputs: tuple[str, ...]
    run: Callable[[str, float], Command]
    places: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    address_space: bool = True
    runtime_mb: float = 0
    out_of_memory: tuple[str, ...] = ()
    compile_limits: Limits = Limits(time_s=60, memory_mb=2048, output_mb=128)
    root_of: tuple[str, ...] = ()
    """A command that prints the toolchain's own folder, which becomes visible; its ``bin`` stands first in PATH."""
