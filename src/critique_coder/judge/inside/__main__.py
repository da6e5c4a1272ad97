"""Start a zygote: ``python -s -S -P inside/__main__.py CONTROL_FD LEVEL SCRATCH SETTINGS``, the last one JSON.

The caller's package is not importable here, and must not be. So that the files of this folder can still import each
other by their full names, empty stand-ins for the packages above them are put in place while they load.
"""

# ruff: noqa: PTH100, PTH120 - descriptors and raw paths are the matter here

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Callable
from functools import partial


def _load_zygote(settings: str) -> Callable[..., None]:
    """Import what is needed and forget the stand-ins, so that a solution finds no package of ours."""
    # a test is forked from a process with one thread and no lock held, so that nothing needs to be made whole after it;
    # and each handler that runs after a fork makes the kernel copy the pages that it touches
    register, os.register_at_fork = os.register_at_fork, lambda **handlers: None
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in ("critique_coder", "critique_coder.judge", "critique_coder.judge.inside"):
        package = types.ModuleType(name)
        package.__path__ = [folder] if name.endswith(".inside") else []
        sys.modules[name] = package
    zygote = importlib.import_module("critique_coder.judge.inside.zygote")
    room = zygote.room_of(settings)
    make_runner = zygote.prepare(room)
    os.register_at_fork = register
    for name in [name for name in sys.modules if name.split(".")[0] == "critique_coder"]:
        del sys.modules[name]
    return partial(zygote.main, make_runner, room)


if __name__ == "__main__":
    _load_zygote(sys.argv[4])(int(sys.argv[1]), sys.argv[2], sys.argv[3])
