"""Candidate solutions: sampled from a model and written down as they come, so that a kill costs one chunk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from critique_coder.models import Completion, Sampling, TextModel
from critique_coder.progress import Bar, bar
from critique_coder.prompts import Template, extract_code, solve_prompt
from critique_coder.records import Json, Problem, Solution
from critique_coder.storage import AppendLog, write_jsonl


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How many solutions a problem gets, how they are drawn, and how many rows run at once."""

    n: int
    sampling: Sampling
    batch_size: int


def plan_of_candidates(settings: Mapping[str, Json], n: int, seed: int) -> SamplingPlan:
    """The plan that a recipe's ``[candidates]`` (as a mapping) stands for."""
    sampling = Sampling(settings["temperature"], settings["top_p"], settings["top_k"], settings["max_tokens"], seed)
    return SamplingPlan(n, sampling, settings["batch_size"])


def sample_solutions(
    open_model: Callable[[], TextModel],
    problems: Sequence[Problem],
    plan: SamplingPlan,
    template: Template,
    output: Path,
    title: str = "candidates",
) -> list[Solution]:
    """``plan.n`` solutions for each problem, in ``output`` (JSON Lines) and as records.

    Problems are sampled in chunks; the seed of a chunk follows from the plan's seed and the ids in it, so that a run
    that was killed goes on to the same result. The model is only opened when something is left to do.
    """
    size = max(1, plan.batch_size // plan.n)
    chunks = [problems[start : start + size] for start in range(0, len(problems), size)]
    done = _finished(output, chunks, plan.n)
    if len(done) < len(chunks):
        _sample_rest(open_model, chunks, len(done), plan, template, output, title, [s for c in done for s in c])
        done = _finished(output, chunks, plan.n)
    return [solution for chunk in done for solution in chunk]


def _sample_rest(
    open_model: Callable[[], TextModel],
    chunks: Sequence[Sequence[Problem]],
    begin: int,
    plan: SamplingPlan,
    template: Template,
    output: Path,
    title: str,
    have: list[Solution],
) -> None:
    model = open_model()
    write_jsonl(output, (solution.to_json() for solution in have))
    meter = Meter()
    total = sum(len(chunk) for chunk in chunks) * plan.n
    with bar(title, total, "solutions", len(have)) as shown, AppendLog(output) as log:
        for chunk in chunks[begin:]:
            prompts = [solve_prompt(template, problem) for problem in chunk]
            sampling = _reseeded(plan.sampling, [problem.id for problem in chunk])
            answers = model.sample(prompts, plan.n, sampling, meter.show_on(shown))
            for problem, group in zip(chunk, answers, strict=True):
                for number, answer in enumerate(group):
                    log.append(_solution(problem, number, answer, model.name).to_json())


class Meter:
    """Turns a model's progress calls into a bar that shows tokens a second."""

    def __init__(self) -> None:
        self._tokens, self._begun = 0, time.monotonic()

    def show_on(self, shown: Bar) -> Callable[[int, int], None]:
        """The progress callback for ``TextModel.sample``."""

        def progress(tokens: int, completions: int) -> None:
            self._tokens += tokens
            rate = self._tokens / max(time.monotonic() - self._begun, 1e-9)
            shown.advance(completions, f"{rate:.0f} tokens/s")

        return progress


def _reseeded(sampling: Sampling, parts: Sequence[str]) -> Sampling:
    digest = hashlib.sha256("\x1f".join((str(sampling.seed), *parts)).encode()).digest()
    return Sampling(
        sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens, int.from_bytes(digest[:4], "big")
    )


def _solution(problem: Problem, number: int, answer: Completion, author: str) -> Solution:
    return Solution(
        id=f"{problem.id}#{number}",
        problem_id=problem.id,
        code=extract_code(answer.text),
        completion=answer.text,
        author=author,
        metadata={"tokens": answer.tokens, "finished": answer.finished},
    )


def _finished(output: Path, chunks: Sequence[Sequence[Problem]], n: int) -> list[list[Solution]]:
    """The chunks that are complete in ``output``, in order; what a kill left of the next one is not counted."""
    with AppendLog(output) as log:
        found = [Solution.from_json(row, f"{output}, line {n}", extract_code) for n, row in enumerate(log.done, 1)]
    done: list[list[Solution]] = []
    start = 0
    for chunk in chunks:
        wanted = [f"{problem.id}#{number}" for problem in chunk for number in range(n)]
        part = found[start : start + len(wanted)]
        if [solution.id for solution in part] != wanted:
            break
        done.append(part)
        start += len(wanted)
    return done
