"""The authors of a build's solutions: models that are sampled and files of recorded ones, mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from critique_coder.data.candidates import Spent, cache_of, plan_of_candidates, samples_in, write_samples
from critique_coder.data.mix import Split
from critique_coder.data.recipe import AuthorSettings, CandidateSettings
from critique_coder.models import TextModel, open_model
from critique_coder.prompts import Template, extract_code
from critique_coder.records import BadInput, Json, Problem, Solution
from critique_coder.storage import read_rows, write_jsonl

Sides = Mapping[Split, Sequence[Problem]]
"""The problems of each split."""


def recorded_files(settings: CandidateSettings) -> list[str]:
    """The files of recorded solutions; raises BadInput when one is not there, or authors are given in two ways."""
    if settings.author and (settings.path or settings.model or settings.endpoint):
        raise BadInput("candidates: give path, model and endpoint to each [[candidates.author]], not beside them")
    names = [author.path for author in settings.authors() if author.path is not None]
    for name in names:
        if not Path(name).is_file():
            raise BadInput(f"{name}: no such file (candidates.path)")
    return names


def write_solutions(
    settings: CandidateSettings, sides: Sides, template: Template, seed: int, folder: Path, counts: dict[str, Json]
) -> None:
    """Write every author's solutions to ``solutions.jsonl`` of the folder, one author after the other; resumable.

    ``counts`` gets the tokens and the price of each author, and how many recorded solutions are of other problems.
    Raises BadInput, ModelError.
    """
    solutions = _each_once(_solutions(settings, sides, template, seed, folder, counts))
    write_jsonl(folder / "solutions.jsonl", (solution.to_json() for solution in solutions))


def _solutions(
    settings: CandidateSettings, sides: Sides, template: Template, seed: int, folder: Path, counts: dict[str, Json]
) -> Iterator[Solution]:
    for place, author in enumerate(settings.authors()):
        number = place if settings.author else None
        spent = Spent(author)
        for solution in (
            _sampled(author, number, sides, template, seed, folder, cache_of(settings.cache))
            if author.path is None
            else _recorded(author.path, sides, counts)
        ):
            spent.add(solution)
            yield solution
        counts.setdefault("authors", []).append(spent.to_json())


def _recorded(path: str, sides: Sides, counts: dict[str, Json]) -> Iterator[Solution]:
    known = {problem.id for problems in sides.values() for problem in problems}
    own = others = 0
    for solution in _each_once(Solution.from_json(row, where, extract_code) for where, row in read_rows(path)):
        if solution.problem_id in known:
            own += 1
            yield solution
        else:
            others += 1
    counts["solutions_of_other_problems"] = counts.get("solutions_of_other_problems", 0) + others
    if not own:
        raise BadInput(f"{path}, key 'problem_id': no solution is for a problem of this build")


def _sampled(
    author: AuthorSettings,
    number: int | None,
    sides: Sides,
    template: Template,
    seed: int,
    folder: Path,
    cache: Path | None,
) -> Iterator[Solution]:
    opened = _once(lambda: open_model(author.model, author.endpoint, author.batch_size, cache))
    for split, n in ((Split.TRAIN, author.n), (Split.HELDOUT, author.heldout_n)):
        plan = plan_of_candidates(author.model_dump(), n, seed, number)
        suffix = "" if number is None else f"-{number}"
        part = folder / f"candidates/{split.value}{suffix}.jsonl"
        write_samples(opened, sides[split], plan, template, part, f"candidates ({split.value}{suffix})")
        if part.exists():
            yield from samples_in(part)


def _once(open_it: Callable[[], TextModel]) -> Callable[[], TextModel]:
    """The model is opened when it is first asked for, and kept."""
    kept: list[TextModel] = []

    def opened() -> TextModel:
        if not kept:
            kept.append(open_it())
        return kept[0]

    return opened


def _each_once(solutions: Iterable[Solution]) -> Iterator[Solution]:
    seen: set[str] = set()
    for solution in solutions:
        if solution.id in seen:
            raise BadInput(f"solution {solution.id!r} is there twice, from one author or from two; ids must be unique")
        seen.add(solution.id)
        yield solution
