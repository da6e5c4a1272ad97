"""The authors of a build's solutions: models that are sampled and files of recorded ones, mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from critique_coder.data.candidates import cache_of, plan_of_candidates, sample_solutions, spent
from critique_coder.data.mix import Split
from critique_coder.data.recipe import AuthorSettings, CandidateSettings
from critique_coder.models import TextModel, open_model
from critique_coder.prompts import Template, extract_code
from critique_coder.records import BadInput, Json, Problem, Solution
from critique_coder.storage import read_solutions

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


def solutions_of_authors(
    settings: CandidateSettings, sides: Sides, template: Template, seed: int, folder: Path, counts: dict[str, Json]
) -> list[Solution]:
    """Every author's solutions of the problems of both sides, one author after the other; resumable.

    ``counts`` gets the tokens and the price of each author, and how many recorded solutions are of other problems.
    Raises BadInput, ModelError.
    """
    solutions: list[Solution] = []
    for place, author in enumerate(settings.authors()):
        number = place if settings.author else None
        own = (
            _sampled(author, number, sides, template, seed, folder, cache_of(settings.cache))
            if author.path is None
            else _recorded(author.path, sides, counts)
        )
        name = next((solution.author for solution in own if solution.author), author.model or author.path or "unknown")
        counts.setdefault("authors", []).append({"author": name, **spent(own, author)})
        solutions += own
    _refuse_twice(solutions)
    return solutions


def _recorded(path: str, sides: Sides, counts: dict[str, Json]) -> list[Solution]:
    known = {problem.id for problems in sides.values() for problem in problems}
    recorded = read_solutions(path, extract_code)
    solutions = [solution for solution in recorded if solution.problem_id in known]
    others = len(recorded) - len(solutions)
    counts["solutions_of_other_problems"] = counts.get("solutions_of_other_problems", 0) + others
    if not solutions:
        raise BadInput(f"{path}, key 'problem_id': no solution is for a problem of this build")
    return solutions


def _sampled(
    author: AuthorSettings,
    number: int | None,
    sides: Sides,
    template: Template,
    seed: int,
    folder: Path,
    cache: Path | None,
) -> list[Solution]:
    opened = _once(lambda: open_model(author.model, author.endpoint, author.batch_size, cache))
    solutions = []
    for split, n in ((Split.TRAIN, author.n), (Split.HELDOUT, author.heldout_n)):
        plan = plan_of_candidates(author.model_dump(), n, seed, number)
        suffix = "" if number is None else f"-{number}"
        part = folder / f"candidates/{split.value}{suffix}.jsonl"
        solutions += sample_solutions(opened, sides[split], plan, template, part, f"candidates ({split.value}{suffix})")
    return solutions


def _once(open_it: Callable[[], TextModel]) -> Callable[[], TextModel]:
    """The model is opened when it is first asked for, and kept."""
    kept: list[TextModel] = []

    def opened() -> TextModel:
        if not kept:
            kept.append(open_it())
        return kept[0]

    return opened


def _refuse_twice(solutions: Sequence[Solution]) -> None:
    seen: set[str] = set()
    for solution in solutions:
        if solution.id in seen:
            raise BadInput(f"solution {solution.id!r} is there from two authors; ids must be unique")
        seen.add(solution.id)
