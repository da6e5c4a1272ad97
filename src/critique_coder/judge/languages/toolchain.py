"""Where on this machine the tools of a language are."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from critique_coder.records import BadInput

from .language import Command, Language

_EVERYWHERE = ("/usr/bin", "/etc/alternatives", "/usr/lib/compat-ld", "/usr/lib/gold-ld")
_SYSTEM = ("/usr", "/usr/local", "/")


class ToolchainMissing(BadInput):
    """This machine lacks what a language needs. The message names the Debian package."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """``paths``: what must be visible in the sandbox. ``search``: the value of PATH there."""

    language: Language
    paths: tuple[str, ...]
    search: str

    def command(self, command: Command) -> list[str]:
        """With the program's full path, as it is named in the sandbox."""
        first, *arguments = command
        found = first if "/" in first else shutil.which(first, path=self.search)
        if found is None:
            raise missing(self.language, first)
        return [found, *arguments]


@lru_cache(maxsize=64)
def find(language: Language) -> Toolchain:
    """The toolchain of ``language``; raises ToolchainMissing before anything is run."""
    places = [os.environ.get("PATH", os.defpath), *(os.path.expanduser(place) for place in language.places)]  # noqa: PTH111
    searched = os.pathsep.join(places)
    found = {tool: shutil.which(tool, path=searched) for tool in language.tools}
    for tool, path in found.items():
        if path is None:
            raise missing(language, tool)
    real = [Path(path).resolve() for path in found.values() if path is not None]
    folders, roots = [path.parent for path in real], [path.parents[1] for path in real]
    if language.root_of:
        first = str(found[language.root_of[0]])
        roots = [_told_root(language, (first, *language.root_of[1:]))]
        folders = [roots[0] / "bin", Path("/usr/bin")]
    own = [str(root) for root in roots if str(root) not in _SYSTEM]
    known = [path for pattern in language.paths for path in sorted(glob.glob(pattern))]  # noqa: PTH207
    paths = [path for path in [*own, *map(str, folders), *known, *_EVERYWHERE] if Path(path).exists()]
    search = os.pathsep.join(dict.fromkeys([*map(str, folders), "/usr/bin", "/bin"]))
    return Toolchain(language, tuple(dict.fromkeys([*paths, *map(os.path.realpath, paths)])), search)


def missing(language: Language, tool: str) -> ToolchainMissing:
    """What to say to a user whose machine lacks ``tool``."""
    return ToolchainMissing(
        f"language {language.name!r}: {tool!r} is not on this machine; install it (Debian: apt-get install "
        f"{language.package})"
    )


def _told_root(language: Language, command: Command) -> Path:
    """The toolchain's folder in its own words; a launcher such as rustup's hides it."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd="/")
        return Path(told.stdout.strip()).resolve(strict=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainMissing(
            f"language {language.name!r}: {' '.join(command)!r} does not work ({error}); install it anew (Debian: "
            f"apt-get install {language.package})"
        ) from None
