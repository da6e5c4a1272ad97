"""The languages that the judge knows beside Python: one small file each. To add one, write it and name it here."""

from __future__ import annotations

from collections.abc import Iterable

from critique_coder.records import BadInput

from . import cpp, go, java, javascript, rust
from .language import Language
from .toolchain import Toolchain, ToolchainMissing, find

LANGUAGES: dict[str, Language] = {module.LANGUAGE.name: module.LANGUAGE for module in (cpp, java, javascript, go, rust)}


def toolchain_of(name: str, where: str) -> Toolchain:
    """What this machine has for the language; ``where`` stands before the complaint. Raises BadInput."""
    if name not in LANGUAGES:
        known = ", ".join(("python", *LANGUAGES))
        raise BadInput(f"{where}, key 'language': {name!r} cannot be run; known: {known}")
    try:
        return find(LANGUAGES[name])
    except ToolchainMissing as error:
        raise ToolchainMissing(f"{where}: {error}") from None


def require(languages: Iterable[str]) -> None:
    """Refuse, before anything is run, what this machine cannot run; raises BadInput."""
    for name in sorted(set(languages) - {"python"}):
        toolchain_of(name, "problems")


__all__ = ["LANGUAGES", "Language", "Toolchain", "ToolchainMissing", "find", "require", "toolchain_of"]
