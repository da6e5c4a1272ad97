"""Installed packages that programs may import beside the standard library: where they lie on this machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from critique_coder.records import BadInput

_SUFFIXES = (".py", ".so")
_NAME = re.compile(r"[\w.-]+")
_NOT_CODE = (".dist-info", ".egg-info", ".data", ".pth")


@dataclass(frozen=True, slots=True)
class Packages:
    """``modules``: where each importable name lies. ``paths``: all that must be readable, shared libraries too."""

    modules: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()


NO_PACKAGES = Packages()


def installed(names: Iterable[str]) -> Packages:
    """What the distributions of these import names, and those that they require, have installed, and nothing else.

    Raises BadInput for a name that is not installed here, or that is a part of Python or of the judge.
    """
    modules: dict[str, str] = {}
    paths: dict[str, None] = {}
    providers = metadata.packages_distributions() if names else {}
    for name in names:
        if name in sys.stdlib_module_names or name == "critique_coder" or not name.isidentifier():
            raise BadInput(f"package {name!r}: not a package that programs can be allowed to import; leave it out")
        owners = _with_required(providers.get(name, ()))
        places = [place for owner in owners for place in _places_of(owner)]
        if not any(_module_of(place) == name for place in places):
            places.append(_place_of(name))
        for place in map(Path.resolve, places):  # a jail has no links to them
            paths[str(place)] = None
            if module := _module_of(place):
                modules[module] = str(place)
    return Packages(tuple(modules.items()), tuple(paths))


def _with_required(owners: Iterable[str]) -> list[str]:
    """These distributions and all that they require, as far as it is installed; without what is optional (extras)."""
    waiting, found = list(owners), dict[str, None]()
    while waiting:
        owner = waiting.pop()
        try:
            required = metadata.requires(owner) or []
        except metadata.PackageNotFoundError:  # for another system, or another version of Python
            continue
        if _normal(owner) not in found:
            found[_normal(owner)] = None
            waiting += [_NAME.match(line)[0] for line in required if "extra ==" not in line]  # type: ignore[index]
    return list(found)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _places_of(owner: str) -> list[Path]:
    """The folders and files of a distribution that lie directly in its folder of packages."""
    distribution = metadata.distribution(owner)
    tops = dict.fromkeys(file.parts[0] for file in distribution.files or () if file.parts)
    found = [Path(str(distribution.locate_file(top))) for top in tops if top not in ("..", "__pycache__", "bin")]
    return [place for place in found if place.exists() and not place.name.endswith(_NOT_CODE)]


def _place_of(name: str) -> Path:
    """Where the import system finds it, for what no distribution lists (an editable installation, say)."""
    spec = util.find_spec(name)
    if spec is None or spec.origin is None:
        raise BadInput(f"package {name!r}: not installed here; pip install what provides it, or leave it out")
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def _module_of(place: Path) -> str | None:
    """The name under which a folder or a file is imported; None for what is data, or libraries."""
    if place.is_dir():
        return place.name if (place / "__init__.py").exists() else None
    return place.name.partition(".")[0] if place.name.endswith(_SUFFIXES) else None
