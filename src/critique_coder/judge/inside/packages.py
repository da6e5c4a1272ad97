"""Finds the installed packages that programs may import, each where it lies, and nothing that lies beside them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec


class Finder:
    """For ``sys.meta_path``: what is inside a package is then found by the ordinary finders."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Where ``name`` is to be loaded from; None when it is not one of them."""
        place = self._places.get(name)
        if place is None:
            return None
        if place.endswith((".py", ".so")):
            return importlib.util.spec_from_file_location(name, place)
        return importlib.util.spec_from_file_location(name, f"{place}/__init__.py", submodule_search_locations=[place])
