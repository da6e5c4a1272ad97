"""Verdicts for many solutions: judged in parallel, written down as they come, gone on with after a kill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from critique_coder.data.recipe import JudgeSettings
from critique_coder.judge import Judge
from critique_coder.progress import bar
from critique_coder.records import BadInput, Outcome, Problem, Solution, Verdict
from critique_coder.storage import AppendLog

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
    """A judge with a recipe's limits; raises ``IsolationError`` where this machine cannot isolate."""
    return Judge(
        workers=settings.workers or None,
        time_limit_s=settings.time_limit_s,
        memory_limit_mb=settings.memory_limit_mb,
        first_failure=options.first_failure,
        allow_no_isolation=options.allow_no_isolation,
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
    return RayJudge(options.ray, {**limits, **flags})


def verify_solutions(
    judge: Verifier,
    problems: Mapping[str, Problem],
    solutions: Sequence[Solution],
    output: Path,
    title: str = "verdicts",
) -> list[Verdict]:
    """One verdict for each solution, in the order of ``solutions``, in ``output`` (JSON Lines) and as records.

    ``output`` may hold the verdicts of an earlier, interrupted call for the same solutions. Raises BadInput when it
    holds others.
    """
    with AppendLog(output) as log:
        done = [Verdict.from_json(row, f"{output}, line {n}") for n, row in enumerate(log.done, 1)]
        if [v.solution_id for v in done] != [s.id for s in solutions[: len(done)]]:
            raise BadInput(f"{output}: holds verdicts for other solutions; choose another --output or delete it")
        rest = solutions[len(done) :]
        with bar(title, len(solutions), "solutions", len(done)) as shown:
            for verdict in judge.verify_many((problems[solution.problem_id], solution) for solution in rest):
                log.append(verdict.to_json())
                done.append(verdict)
                shown.advance()
    return done


def check_unscored(verdicts: Sequence[Verdict], settings: JudgeSettings) -> int:
    """How many solutions have no verdict; raises TooManyUnscored when that is above the settings' share."""
    unscored = sum(verdict.outcome is Outcome.UNSCORED for verdict in verdicts)
    if unscored > settings.max_unscored * len(verdicts):
        raise TooManyUnscored(
            f"{unscored} of {len(verdicts)} solutions could not be judged "
            f"(judge.max_unscored = {settings.max_unscored}); "
            "see `critique-coder doctor`"
        )
    return unscored
