"""Candidate solutions: sampled from a model and written down as they come, so that a kill costs one chunk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from critique_coder.data.recipe import AuthorSettings
from critique_coder.models import Completion, Progress, Sampling, TextModel
from critique_coder.models.embedded import cache_folder
from critique_coder.models.endpoint import EndpointModel
from critique_coder.models.ray_model import Ask, RayModel
from critique_coder.progress import Bar, bar
from critique_coder.prompts import Template, extract_code, solve_prompt
from critique_coder.records import Json, Problem, Solution
from critique_coder.storage import AppendLog, count_lines, read_rows, write_jsonl


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How many solutions a problem gets, how they are drawn, and how many rows run at once.

    ``author`` is the author's number where there are several; it stands in the solutions' ids. An ``endpoint`` is asked
    for each problem by itself, since it is not a batch that has to end together.
    """

    n: int
    sampling: Sampling
    batch_size: int
    author: int | None = None
    endpoint: bool = False

    def names(self, problem: Problem) -> list[str]:
        """The ids of a problem's solutions."""
        prefix = "" if self.author is None else f"{self.author}."
        return [f"{problem.id}#{prefix}{number}" for number in range(self.n)]


def plan_of_candidates(settings: Mapping[str, Json], n: int, seed: int, author: int | None = None) -> SamplingPlan:
    """The plan that a recipe's ``[candidates]``, or one of its authors (as a mapping), stands for."""
    sampling = Sampling(settings["temperature"], settings["top_p"], settings["top_k"], settings["max_tokens"], seed)
    return SamplingPlan(n, sampling, settings["batch_size"], author, settings.get("endpoint") is not None)


def cache_of(setting: str | None) -> Path | None:
    """The file in which an endpoint's answers are kept, by the setting ``cache``; None for none."""
    if setting == "none":
        return None
    return Path(setting) if setting is not None else cache_folder() / "answers.sqlite"


def sample_solutions(
    open_model: Callable[[], TextModel],
    problems: Sequence[Problem],
    plan: SamplingPlan,
    template: Template,
    output: Path,
    title: str = "candidates",
) -> list[Solution]:
    """``plan.n`` solutions for each problem, in ``output`` as ``write_samples`` writes them, and as records."""
    write_samples(open_model, problems, plan, template, output, title)
    return list(samples_in(output)) if plan.n and len(problems) else []


def write_samples(
    open_model: Callable[[], TextModel],
    problems: Sequence[Problem],
    plan: SamplingPlan,
    template: Template,
    output: Path,
    title: str = "candidates",
) -> None:
    """Write ``plan.n`` solutions for each problem to ``output`` (JSON Lines); only one chunk of them is held.

    Problems are sampled in chunks; the seed of a chunk follows from the plan's seed and the ids in it, so that a run
    that was killed goes on to the same result, and one over many machines comes to it. The model is only opened when
    something is left to do.
    """
    if plan.n == 0 or not problems:
        return
    size = 1 if plan.endpoint else max(1, plan.batch_size // plan.n)
    done = _finished(output, problems, size, plan)
    if done == len(problems):
        return
    model, meter = open_model(), Meter()
    with bar(title, len(problems) * plan.n, "solutions", done * plan.n) as shown, AppendLog(output, keep=False) as log:
        shown.begin(f"asking {model.name}")
        for problem, answers in _answered(model, problems, done, size, plan, template, meter.show_on(shown)):
            for name, answer in zip(plan.names(problem), answers, strict=True):
                log.append(_solution(problem, name, answer, model.name).to_json())


def samples_in(output: Path) -> Iterator[Solution]:
    """The solutions that ``write_samples`` left, one at a time."""
    for where, row in read_rows(output):
        yield Solution.from_json(row, where, extract_code)


def _answered(
    model: TextModel,
    problems: Sequence[Problem],
    begin: int,
    size: int,
    plan: SamplingPlan,
    template: Template,
    progress: Progress,
) -> Iterator[tuple[Problem, list[Completion]]]:
    """Each problem from ``begin`` with its answers, in order. An endpoint is kept busy over the bounds of problems."""
    if plan.endpoint and isinstance(model, EndpointModel | RayModel):
        jobs = (
            (prompt, _reseeded(plan.sampling, [problem.id]).seed + number)
            for place in range(begin, len(problems))
            for problem in [problems[place]]
            for prompt in [solve_prompt(template, problem)]
            for number in range(plan.n)
        )
        answers = model.stream(jobs, plan.sampling, progress)
        for place in range(begin, len(problems)):
            yield problems[place], list(islice(answers, plan.n))
        return
    starts = range(begin, len(problems), size)
    if isinstance(model, RayModel):
        asks = (_ask(problems[start : start + size], plan, template) for start in starts)
        for start, chunk_answers in zip(starts, model.each(asks, progress), strict=True):
            yield from zip(problems[start : start + size], chunk_answers, strict=True)
        return
    for start in starts:
        chunk = problems[start : start + size]
        ask = _ask(chunk, plan, template)
        yield from zip(chunk, model.sample(ask.prompts, ask.n, ask.sampling, progress), strict=True)


def _ask(chunk: Sequence[Problem], plan: SamplingPlan, template: Template) -> Ask:
    prompts = tuple(solve_prompt(template, problem) for problem in chunk)
    return Ask(prompts, plan.n, _reseeded(plan.sampling, [problem.id for problem in chunk]))


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


def _solution(problem: Problem, name: str, answer: Completion, author: str) -> Solution:
    metadata: dict[str, Json] = {"tokens": answer.tokens, "finished": answer.finished}
    if answer.prompt_tokens:
        metadata["prompt_tokens"] = answer.prompt_tokens
    return Solution(
        id=name,
        problem_id=problem.id,
        code=extract_code(answer.text),
        completion=answer.text,
        author=author,
        metadata=metadata,
    )


def _finished(output: Path, problems: Sequence[Problem], size: int, plan: SamplingPlan) -> int:
    """How many problems ``output`` answers in complete chunks; what a kill left of the next one is dropped."""
    done = 0
    with AppendLog(output, keep=False) as log:
        found = (Solution.from_json(row, where, extract_code).id for where, row in log.rows())
        for start in range(0, len(problems), size):
            chunk = problems[start : start + size]
            wanted = [name for problem in chunk for name in plan.names(problem)]
            if list(islice(found, len(wanted))) != wanted:
                break
            done += len(chunk)
        whole = next(found, None) is None and done * plan.n == count_lines(output)
    if not whole:
        write_jsonl(output, (row for _, row in islice(read_rows(output), done * plan.n)))
    return done


@dataclass(slots=True)
class Spent:
    """What an author's solutions took: tokens read and written, and their price, whoever paid for them when."""

    author: AuthorSettings
    names: set[str] = field(default_factory=set)
    count: int = 0
    read: int = 0
    written: int = 0

    def add(self, solution: Solution) -> None:
        """Count one solution."""
        if solution.author:
            self.names.add(solution.author)
        self.count += 1
        self.read += int(solution.metadata.get("prompt_tokens", 0))
        self.written += int(solution.metadata.get("tokens", 0))

    def to_json(self) -> dict[str, Json]:
        """The line of the manifest; a file of several authors' solutions goes by its own name."""
        named = next(iter(self.names)) if len(self.names) == 1 else None
        cost = (self.read * self.author.prompt_price + self.written * self.author.completion_price) / 1e6
        return {
            "author": named or self.author.path or self.author.model or "unknown",
            "solutions": self.count,
            "prompt_tokens": self.read,
            "completion_tokens": self.written,
            "cost": round(cost, 6),
        }
