"""Critique data: the truth about each solution, and as many correct as wrong ones within a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from critique_coder.data.recipe import LabelSettings
from critique_coder.records import CritiqueRow, LabelSource, Problem, Solution, Verdict
from critique_coder.storage import hash_fraction


def critique_rows(
    problems: Mapping[str, Problem],
    solutions: Iterable[Solution],
    verdicts: Mapping[str, Verdict],
    settings: LabelSettings,
) -> list[CritiqueRow]:
    """A row for each solution that has code and a verdict; the same code for the same problem counts once.

    The label is True when the pass rate is above the threshold (paper, section 2.2).
    """
    rows: list[CritiqueRow] = []
    seen: set[tuple[str, str]] = set()
    for solution in solutions:
        verdict = verdicts[solution.id]
        if solution.code is None or verdict.pass_rate is None:
            continue
        key = (solution.problem_id, solution.code.strip())
        if key in seen:
            continue
        seen.add(key)
        rows.append(
            CritiqueRow(
                id=f"critique/{solution.id}",
                problem_id=solution.problem_id,
                solution_id=solution.id,
                statement=problems[solution.problem_id].statement,
                solution=solution.code,
                label=verdict.pass_rate > settings.threshold,
                label_source=LabelSource.TESTS,
                pass_rate=verdict.pass_rate,
            )
        )
    return rows


def balance(rows: Sequence[CritiqueRow], seed: int) -> list[CritiqueRow]:
    """Within each problem that has both, as many True as False rows, drawn by id; the order of ``rows`` stays."""
    groups: dict[str, dict[bool, list[CritiqueRow]]] = {}
    for row in rows:
        groups.setdefault(row.problem_id, {True: [], False: []})[row.label].append(row)
    kept: set[str] = set()
    for sides in groups.values():
        most = min(len(side) for side in sides.values()) or None
        for side in sides.values():
            side.sort(key=lambda row: hash_fraction(seed, "balance", row.id))
            kept.update(row.id for row in side[:most])
    return [row for row in rows if row.id in kept]
