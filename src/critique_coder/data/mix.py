"""Who trains on what: the split by family, the share of problems that become critique rows, and the rows themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from critique_coder.data.label import L
from critique_coder.prompts import Template, critique_prompt, solve_prompt
from critique_coder.records import CritiqueRow, Json, Problem
from critique_coder.storage import hash_fraction


class Named(Protocol):
    """What sharing out needs to know of a problem."""

    @property
    def id(self) -> str:
        """The problem's id."""


N = TypeVar("N", bound=Named)


class ProblemName(NamedTuple):
    """A problem of which only the id is held."""

    id: str


class Split(StrEnum):
    """Where a problem belongs."""

    TRAIN = "train"
    HELDOUT = "heldout"


class RowKind(StrEnum):
    """What a row asks the model to do."""

    SOLVE = "solve"
    CRITIQUE = "critique"


class Origin(StrEnum):
    """Whose a solution is that the warm-up learns to write."""

    OWN = "own"
    REFERENCE = "reference"


_GIVEN = {"train": Split.TRAIN, "heldout": Split.HELDOUT, "eval": Split.HELDOUT, "test": Split.HELDOUT}


def family_of(problem: Problem) -> str:
    """What is held out together: ``metadata.family``, else the problem alone."""
    return str(problem.metadata.get("family") or problem.id)


def split_of(problem: Problem, heldout_share: float) -> Split:
    """The split that ``metadata.split`` says, else one drawn by ``metadata.family`` (else by the id).

    It does not depend on the seed: runs with several seeds are held out against the same problems.
    """
    given = _GIVEN.get(str(problem.metadata.get("split")))
    if given is not None:
        return given
    return Split.HELDOUT if hash_fraction("split", family_of(problem)) < heldout_share else Split.TRAIN


def convert(
    problems: Sequence[N],
    rows: Iterable[L],
    share: float,
    seed: int,
    strata: Mapping[str, int] | None = None,
) -> dict[str, L]:
    """The critique row of each training problem that is converted, by problem id (paper, section 2.2).

    ``share`` of all ``problems`` is converted, so the total stays; a problem without any row cannot be. The problems
    are taken in the order of a hash of their id, so that 20 % is a subset of 50 %. With ``strata`` (of difficulty, by
    problem id) the same share of each is taken, give or take one problem. Of a problem's rows the one is taken that
    keeps True and False equally many.
    """
    by_problem: dict[str, dict[bool, L]] = {}
    for row in sorted(rows, key=lambda row: hash_fraction(seed, "row", row.id)):
        by_problem.setdefault(row.problem_id, {}).setdefault(row.label, row)
    eligible = [problem for problem in problems if problem.id in by_problem]
    eligible.sort(key=lambda problem: hash_fraction(seed, "mix", problem.id))
    if strata is not None:
        eligible = _spread(eligible, strata, seed)
    chosen: dict[str, L] = {}
    surplus = 0
    for problem in eligible[: round(share * len(problems))]:
        sides = by_problem[problem.id]
        wanted = surplus < 0 or (surplus == 0 and hash_fraction(seed, "side", problem.id) < 0.5)
        row = sides.get(wanted) or next(iter(sides.values()))
        surplus += 1 if row.label else -1
        chosen[problem.id] = row
    return chosen


def _spread(problems: Sequence[N], strata: Mapping[str, int], seed: int) -> list[N]:
    """The problems reordered so that every beginning of the list holds the strata in their proportions."""
    sides: dict[int, list[N]] = {}
    for problem in problems:
        sides.setdefault(strata.get(problem.id, -1), []).append(problem)
    placed = [
        ((place + hash_fraction(seed, "stratum", stratum)) / len(own), stratum, problem)
        for stratum, own in sides.items()
        for place, problem in enumerate(own)
    ]
    return [problem for _, _, problem in sorted(placed, key=lambda entry: entry[:2])]


def heldout_pairs(rows: Sequence[L], seed: int) -> list[L]:
    """As many True as False rows, as many as there are, from as many problems as possible; in the order of ``rows``."""
    kept: set[str] = set()
    sides = {label: [row for row in rows if row.label is label] for label in (True, False)}
    most = min(len(side) for side in sides.values())
    both = {row.problem_id for row in sides[True]} & {row.problem_id for row in sides[False]}
    for side in sides.values():
        turn: dict[str, int] = {}
        order = []
        for row in sorted(side, key=lambda row: hash_fraction(seed, "pair", row.id)):
            turn[row.problem_id] = turn.get(row.problem_id, 0) + 1
            order.append((turn[row.problem_id], row.problem_id not in both, row.id))
        kept.update(row_id for _, _, row_id in sorted(order, key=lambda entry: entry[:2])[:most])
    return [row for row in rows if row.id in kept]


@dataclass(frozen=True, slots=True)
class Templates:
    """The two prompt templates that rows are rendered with."""

    solve: Template
    critique: Template


def solve_row(problem: Problem, templates: Templates, split: Split) -> dict[str, Json]:
    """A training row that asks for a solution."""
    return {
        "id": f"solve/{problem.id}",
        "kind": RowKind.SOLVE.value,
        "problem_id": problem.id,
        "solution_id": None,
        "prompt": solve_prompt(templates.solve, problem),
        "label": None,
        "label_source": None,
        "template": templates.solve.name,
        "template_hash": templates.solve.sha256,
        "split": split.value,
    }


def critique_row(row: CritiqueRow, problem: Problem, templates: Templates, split: Split) -> dict[str, Json]:
    """A training row that asks for a critique."""
    return {
        "id": row.id,
        "kind": RowKind.CRITIQUE.value,
        "problem_id": row.problem_id,
        "solution_id": row.solution_id,
        "prompt": critique_prompt(templates.critique, templates.solve, problem, row.solution),
        "label": row.label,
        "label_source": row.label_source.value,
        "template": templates.critique.name,
        "template_hash": templates.critique.sha256,
        "split": split.value,
    }


def training_schema() -> object:
    """The columns of ``rows/*.parquet``."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    text = pa.string()
    return pa.schema(
        [
            ("id", text),
            ("kind", text),
            ("problem_id", text),
            ("solution_id", text),
            ("prompt", pa.list_(message)),
            ("label", pa.bool_()),
            ("label_source", text),
            ("template", text),
            ("template_hash", text),
            ("split", text),
        ]
    )
