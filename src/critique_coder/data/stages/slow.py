"""Drop problems on which most candidates are slow: a time limit that is hit by chance labels them by chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from critique_coder.data.index import problem_index
from critique_coder.data.losses import Loss
from critique_coder.data.stage import READ_PROBLEMS, SURVIVORS, Counts, Stage, Work
from critique_coder.records import Outcome, Verdict
from critique_coder.storage import read_rows


@dataclass(slots=True)
class _Pace:
    slow: int = 0
    all: int = 0


def run(work: Work) -> Counts:
    """Write which problems are lost; what was written for them stays in solutions and verdicts, it was paid for."""
    limit = work.recipe.filter.max_time_s
    paces: dict[str, _Pace] = {}
    for where, row in read_rows(work.file("verdicts.jsonl")):
        verdict = Verdict.from_json(row, where)
        pace = paces.setdefault(verdict.problem_id, _Pace())
        pace.all += 1
        pace.slow += is_slow(verdict, limit)
    work.write_losses(STAGE.name, _lost(work, paces, limit))
    return {}


def _lost(work: Work, paces: dict[str, _Pace], limit: float) -> Iterator[Loss]:
    problems = problem_index(work.file(READ_PROBLEMS))
    for name, pace in paces.items():
        if 2 * pace.slow > pace.all:
            detail = f"{pace.slow} of {pace.all} candidates need longer than {limit} s on a test"
            yield Loss(name, "slow", detail, problems[name].source)


def is_slow(verdict: Verdict, limit: float) -> bool:
    """Whether a test took longer than ``limit`` seconds, or was stopped for its time."""
    stopped = (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT)
    return any(test.time_s > limit or test.outcome in stopped for test in verdict.tests)


STAGE = Stage(
    name="slow",
    run=run,
    reads=(SURVIVORS, "verdicts.jsonl"),
    writes=(),
    settings=("filter.max_time_s",),
    drops=True,
    wanted=lambda recipe: recipe.filter.max_time_s > 0,
)
