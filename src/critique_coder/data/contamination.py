"""Training problems that hold a task of a benchmark: the same words, or the same program with other names and numbers.

The paper has no such check. A task counts as held when more than a share of its pieces (``data/normal_form.py``) are
in the problem; pieces that many tasks have say nothing and are left out. A statement that was told anew in other words
is found by its reference only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from critique_coder.data.benchmarks import Item
from critique_coder.data.normal_form import code_tokens, pieces, words
from critique_coder.data.recipe import ContaminationSettings
from critique_coder.records import Json

_COMMON = 8
"""Tasks that may share a piece before it says nothing; each task may stand in two benchmarks, as in HumanEval+."""
_FEWEST = 5
"""Telling pieces below which a statement is too short to be recognised."""


@dataclass(frozen=True, slots=True)
class Match:
    """A training problem that holds a task: ``by`` its statement or its code, with the share of pieces found."""

    problem_id: str
    benchmark: str
    item: str
    by: str
    share: float

    def to_json(self) -> dict[str, Json]:
        """The example in the manifest."""
        return {
            "problem_id": self.problem_id,
            "benchmark": self.benchmark,
            "item": self.item,
            "by": self.by,
            "share": round(self.share, 3),
        }


@dataclass(slots=True)
class _Side:
    """The pieces of one kind: where each is, and how many telling ones each task has."""

    places: dict[int, list[int]] = field(default_factory=dict)
    sizes: Counter[int] = field(default_factory=Counter)

    def add(self, number: int, found: set[int]) -> None:
        for piece in found:
            self.places.setdefault(piece, []).append(number)

    def close(self) -> None:
        """Leave out what many tasks have."""
        self.places = {piece: own for piece, own in self.places.items() if len(own) <= _COMMON}
        for own in self.places.values():
            self.sizes.update(own)

    def best(self, found: set[int], fewest: int) -> tuple[int, float] | None:
        """The task with the largest share of its pieces among those ``found``, and the share."""
        hits: Counter[int] = Counter()
        for piece in found:
            hits.update(self.places.get(piece, ()))
        shares = [
            (count / self.sizes[number], -number) for number, count in hits.items() if self.sizes[number] >= fewest
        ]
        if not shares:
            return None
        share, number = max(shares)
        return -number, share


@dataclass(slots=True)
class Known:
    """The tasks of all benchmarks, ready to be looked for."""

    settings: ContaminationSettings
    _names: list[tuple[str, str]] = field(default_factory=list)
    _statements: _Side = field(default_factory=_Side)
    _codes: _Side = field(default_factory=_Side)

    @classmethod
    def of(cls, benchmarks: dict[str, Iterable[Item]], settings: ContaminationSettings) -> Known:
        """Take in all tasks, by the name of the benchmark."""
        known = cls(settings)
        for name, items in benchmarks.items():
            for item in items:
                number = len(known._names)
                known._names.append((name, item.id))
                known._statements.add(number, pieces(words(item.statement), settings.words))
                known._codes.add(number, known._code_pieces(item.code))
        known._statements.close()
        known._codes.close()
        return known

    def __len__(self) -> int:
        return len(self._names)

    def _code_pieces(self, code: str) -> set[int]:
        tokens = code_tokens(code)
        return pieces(tokens, self.settings.code_nodes) if len(tokens) >= self.settings.min_code_nodes else set()

    def look(self, item: Item) -> Match | None:
        """The task that a training problem holds; None when it holds none."""
        settings = self.settings
        sides = (
            ("statement", self._statements, pieces(words(item.statement), settings.words), _FEWEST, settings.overlap),
            ("code", self._codes, self._code_pieces(item.code), settings.code_nodes, settings.code_overlap),
        )
        for by, side, found, fewest, least in sides:
            best = side.best(found, fewest)
            if best is not None and best[1] >= least:
                return Match(item.id, *self._names[best[0]], by, best[1])
        return None
