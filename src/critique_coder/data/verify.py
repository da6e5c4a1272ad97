"""Verdicts for many solutions: judged in parallel, written down as they come, gone on with after a kill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from critique_coder.data.recipe import JudgeSettings
from critique_coder.judge import Judge
from critique_coder.progress import bar
from critique_coder.records import BadInput, Outcome, Problem, Solution, Verdict
from critique_coder.storage import AppendLog, read_rows, write_jsonl

if TYPE_CHECKING:
    from critique_coder.judge.ray_judge import RayJudge


class TooManyUnscored(Exception):
    """The judge's own machinery failed on more solutions than the settings allow."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What ``verify_solutions`` needs beside the settings of a recipe. ``ray`` is the address of a Ray cluster."""

    first_failure: bool = False
    allow_no_isolation: bool = False
    ray: str | None = None


class Verifier(Protocol):
    """A judge, or many of them."""

    def verify_many(self, pairs: Iterable[tuple[Problem, Solution]]) -> Iterator[Verdict]:
        """Verdicts in the order of ``pairs``."""


def open_judge(settings: JudgeSettings, options: JudgeOptions = JudgeOptions()) -> Judge:
    """A judge with a recipe's limits; raises ``IsolationError`` where this machine cannot isolate, BadInput for a
    package that is not installed.
    """
    return Judge(
        workers=settings.workers or None,
        time_limit_s=settings.time_limit_s,
        memory_limit_mb=settings.memory_limit_mb,
        first_failure=options.first_failure,
        allow_no_isolation=options.allow_no_isolation,
        packages=settings.packages,
    )


def open_verifier(settings: JudgeSettings, options: JudgeOptions = JudgeOptions()) -> Judge | RayJudge:
    """A judge here, or judges on the nodes of the cluster at ``options.ray``; verdicts come in the same order.

    Raises IsolationError where a machine cannot isolate, BadInput when there is no such cluster.
    """
    if options.ray is None:
        return open_judge(settings, options)
    from critique_coder.judge.ray_judge import RayJudge

    limits = {"time_limit_s": settings.time_limit_s, "memory_limit_mb": settings.memory_limit_mb}
    flags = {"first_failure": options.first_failure, "allow_no_isolation": options.allow_no_isolation}
    return RayJudge(options.ray, {**limits, **flags, "packages": settings.packages})


def judge_solutions(
    judge: Verifier,
    problems: Mapping[str, Problem],
    solutions: Iterable[Solution],
    total: int,
    output: Path,
    title: str = "verdicts",
    max_unscored: float = 1.0,
) -> None:
    """Write one verdict for each of ``total`` solutions to ``output`` (JSON Lines), in their order; none are held.

    ``output`` may hold the verdicts of an earlier, interrupted call for the same solutions. Raises BadInput when it
    holds others, and TooManyUnscored as soon as more than this share of all solutions could not be judged; the same
    call then goes on with the first of these.
    """
    try:
        _judge_solutions(judge, problems, solutions, total, output, title, max_unscored)
    except TooManyUnscored:  # what failed for want of memory or processes shall be tried again once there is more
        rows = (row for _, row in read_rows(output))
        write_jsonl(output, takewhile(lambda row: row["outcome"] != Outcome.UNSCORED.value, rows))
        raise


def _judge_solutions(
    judge: Verifier,
    problems: Mapping[str, Problem],
    solutions: Iterable[Solution],
    total: int,
    output: Path,
    title: str,
    max_unscored: float,
) -> None:
    waiting = iter(solutions)
    with AppendLog(output, keep=False) as log:
        done = unscored = 0
        for where, row in log.rows():
            verdict, solution = Verdict.from_json(row, where), next(waiting, None)
            if solution is None or solution.id != verdict.solution_id:
                raise BadInput(f"{output}: holds verdicts for other solutions; choose another --output or delete it")
            done += 1
            unscored += verdict.outcome is Outcome.UNSCORED
        _stop_when_unscored(unscored, total, max_unscored)
        with bar(title, total, "solutions", done) as shown:
            for verdict in judge.verify_many((problems[solution.problem_id], solution) for solution in waiting):
                log.append(verdict.to_json())
                shown.advance()
                unscored += verdict.outcome is Outcome.UNSCORED
                _stop_when_unscored(unscored, total, max_unscored)


def _stop_when_unscored(unscored: int, total: int, max_unscored: float) -> None:
    if unscored > max_unscored * total:
        raise TooManyUnscored(
            f"{unscored} of {total} solutions could not be judged, which is more than the share {max_unscored} "
            "(max_unscored); see `critique-coder doctor`, then give the same command again"
        )


def verify_solutions(
    judge: Verifier,
    problems: Mapping[str, Problem],
    solutions: Sequence[Solution],
    output: Path,
    title: str = "verdicts",
    max_unscored: float = 1.0,
) -> list[Verdict]:
    """One verdict for each solution, in ``output`` as ``judge_solutions`` writes them, and as records."""
    judge_solutions(judge, problems, solutions, len(solutions), output, title, max_unscored)
    return [Verdict.from_json(row, where) for where, row in read_rows(output)]
