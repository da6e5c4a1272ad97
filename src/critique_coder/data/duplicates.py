"""Problems that are there twice: with the same statement, or with nearly the same one (MinHash over runs of words)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from critique_coder.data.recipe import DuplicateSettings

if TYPE_CHECKING:
    from rensa import RMinHash, RMinHashLSH

_RUN = 4
"""Words that are compared together."""
_HASHES, _BANDS = 128, 32


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The problem that was there before, and how much of the two statements is the same (1: all)."""

    of: str
    likeness: float


@dataclass(slots=True)
class Statements:
    """Takes statements one by one; holds a hash and, for near duplicates, a signature of 512 bytes of each."""

    settings: DuplicateSettings
    _exact: dict[bytes, str] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)
    _signatures: list[RMinHash] = field(default_factory=list)
    _near: RMinHashLSH | None = None

    def add(self, name: str, statement: str) -> Duplicate | None:
        """The problem that this one repeats; when it repeats none it is remembered."""
        key = hashlib.sha256(" ".join(statement.split()).encode("utf-8", "surrogatepass")).digest()[:16]
        if self.settings.exact and key in self._exact:
            return Duplicate(self._exact[key], 1.0)
        near = self._look(name, statement) if self.settings.near else None
        if near is None:
            self._exact[key] = name
        return near

    def _look(self, name: str, statement: str) -> Duplicate | None:
        from rensa import RMinHash, RMinHashLSH

        if self._near is None:
            self._near = RMinHashLSH(self.settings.near, _HASHES, _BANDS)
        signature = RMinHash(_HASHES, 1)
        signature.update(_runs(statement))
        alike = [(signature.jaccard(self._signatures[place]), -place) for place in self._near.query(signature)]
        best, place = max(alike, default=(0.0, 0))
        if best >= self.settings.near:
            return Duplicate(self._names[-place], best)
        self._near.insert(len(self._names), signature)
        self._names.append(name)
        self._signatures.append(signature)
        return None


def _runs(statement: str) -> list[str]:
    """Runs of words; a number is told apart from another, since two tasks may differ in one alone."""
    told = statement.lower().split()
    return [" ".join(told[start : start + _RUN]) for start in range(max(1, len(told) - _RUN + 1))]
