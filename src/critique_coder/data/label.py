"""Critique data: the truth about each solution, and as many correct as wrong ones within a problem."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from critique_coder.data.people import People
from critique_coder.data.recipe import LabelSettings
from critique_coder.records import CritiqueRow, Json, LabelSource, Problem, Solution, Verdict
from critique_coder.storage import hash_fraction


class Labelled(Protocol):
    """What sharing out needs to know of a critique row."""

    @property
    def id(self) -> str:
        """The row's id."""

    @property
    def problem_id(self) -> str:
        """The problem's id."""

    @property
    def label(self) -> bool:
        """Whether the solution counts as correct."""


L = TypeVar("L", bound=Labelled)


class LabelOf(NamedTuple):
    """A critique row without its texts, of which many can be held."""

    id: str
    problem_id: str
    label: bool


class Doubt(StrEnum):
    """Why a label deserves a person's look."""

    BORDERLINE = "borderline"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A labelled solution that people should look at, as ``doubtful.jsonl`` lists it."""

    row: CritiqueRow
    doubt: Doubt

    def to_json(self) -> dict[str, Json]:
        """The row of ``doubtful.jsonl``."""
        return {
            "row_id": self.row.id,
            "problem_id": self.row.problem_id,
            "solution_id": self.row.solution_id,
            "doubt": self.doubt.value,
            "pass_rate": self.row.pass_rate,
            "label": self.row.label,
            "label_source": self.row.label_source.value,
            "test_label": label_by_tests(self.row),
        }


def critique_rows(
    problems: Mapping[str, Problem],
    solutions: Iterable[Solution],
    verdicts: Mapping[str, Verdict],
    settings: LabelSettings,
    people: People = People(),
) -> Iterator[CritiqueRow]:
    """A row for each solution that has code and a label; the same code for the same problem counts once.

    The label is True when the pass rate is above the threshold (paper, section 2.2), or when every test passed
    (``strict``). What people said of the same code stands above what the tests say. Of the rows that went by, only
    hashes are held.
    """
    seen: set[bytes] = set()
    for solution in solutions:
        row = critique_row_of(problems[solution.problem_id], solution, verdicts[solution.id], settings, people)
        if row is not None and _first(row, seen):
            yield row


def _first(row: CritiqueRow, seen: set[bytes]) -> bool:
    text = f"{row.problem_id}\x1f{row.solution.strip()}"
    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
    new = key not in seen
    seen.add(key)
    return new


def critique_row_of(
    problem: Problem, solution: Solution, verdict: Verdict, settings: LabelSettings, people: People = People()
) -> CritiqueRow | None:
    """The critique row of one solution; None when it has no code, or neither tests nor people gave it a label."""
    if solution.code is None:
        return None
    by_tests = _by_tests(verdict, settings)
    person = people.label_of(problem.id, solution.code)
    label = by_tests if person is None else person.label
    if label is None:
        return None
    return CritiqueRow(
        id=f"critique/{solution.id}",
        problem_id=problem.id,
        solution_id=solution.id,
        statement=problem.statement,
        solution=solution.code,
        label=label,
        label_source=LabelSource.TESTS if person is None else person.label_source,
        pass_rate=verdict.pass_rate,
        test_label=None if person is None else by_tests,
    )


def _by_tests(verdict: Verdict, settings: LabelSettings) -> bool | None:
    """What the tests say; None when they could not be run, which is never held against a solution."""
    if verdict.pass_rate is None:
        return None
    return verdict.pass_rate == 1 if settings.strict else verdict.pass_rate > settings.threshold


def label_by_tests(row: CritiqueRow) -> bool | None:
    """What the tests say of a row's solution, whoever gave the label; None when they say nothing."""
    return row.label if row.label_source is LabelSource.TESTS else row.test_label


def doubtful(rows: Iterable[CritiqueRow], settings: LabelSettings) -> Iterator[Doubtful]:
    """The rows where people and tests say different things, and those that no person judged near the threshold."""
    bound = 1.0 if settings.strict else settings.threshold
    for row in rows:
        if row.label_source is not LabelSource.TESTS:
            if row.test_label is not None and row.test_label is not row.label:
                yield Doubtful(row, Doubt.CONTRADICTED)
        elif _near(row.pass_rate, bound, settings.borderline):
            yield Doubtful(row, Doubt.BORDERLINE)


def _near(pass_rate: float | None, bound: float, distance: float) -> bool:
    """Whether some but not all tests passed, about as many as the bound asks for."""
    return pass_rate is not None and 0 < pass_rate < 1 and abs(pass_rate - bound) <= distance + 1e-9


@dataclass(slots=True)
class LabelCounts:
    """Takes labelled rows and doubtful ones one by one; what the manifest says of the labels."""

    _sources: Counter[str] = field(default_factory=Counter)
    _true: int = 0
    _doubts: Counter[str] = field(default_factory=Counter)

    def add(self, row: CritiqueRow) -> None:
        """Count one row."""
        self._sources[row.label_source.value] += 1
        self._true += row.label

    def doubt(self, found: Doubtful) -> None:
        """Count one doubtful row."""
        self._doubts[found.doubt.value] += 1

    def to_json(self) -> dict[str, Json]:
        """Rows, True ones, rows by the source of the label, and doubtful ones by reason."""
        return {
            "total": self._sources.total(),
            "true": self._true,
            "by_source": dict(sorted(self._sources.items())),
            "doubtful": dict(sorted(self._doubts.items())),
        }


def balance(rows: Sequence[L], seed: int) -> list[L]:
    """Within each problem that has both, as many True as False rows, drawn by id; the order of ``rows`` stays."""
    groups: dict[str, dict[bool, list[L]]] = {}
    for row in rows:
        groups.setdefault(row.problem_id, {True: [], False: []})[row.label].append(row)
    kept: set[str] = set()
    for sides in groups.values():
        most = min(len(side) for side in sides.values()) or None
        for side in sides.values():
            side.sort(key=lambda row: hash_fraction(seed, "balance", row.id))
            kept.update(row.id for row in side[:most])
    return [row for row in rows if row.id in kept]
