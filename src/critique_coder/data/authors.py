"""The authors of a build's solutions: models that are sampled and files of recorded ones, mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from critique_coder.data.candidates import Spent, cache_of, plan_of_candidates, samples_in, write_samples
from critique_coder.data.mix import Split
from critique_coder.data.recipe import AuthorSettings, CandidateSettings
from critique_coder.models import TextModel, open_model
from critique_coder.models.ray_model import RayModel
from critique_coder.prompts import Template, extract_code
from critique_coder.records import BadInput, Json, Problem, Solution
from critique_coder.storage import read_rows

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


def solutions_of(
    settings: CandidateSettings,
    sides: Sides,
    template: Template,
    seed: int,
    folder: Path,
    counts: dict[str, Json],
    ray: str | None = None,
) -> Iterator[Solution]:
    """Every author's solutions, one author after the other; resumable by what lies in ``folder``.

    ``counts`` gets the tokens and the price of each author, and how many recorded solutions are of other problems.
    With ``ray`` models are sampled on the nodes of the cluster at that address. Raises BadInput, ModelError.
    """
    for place, author in enumerate(settings.authors()):
        number = place if settings.author else None
        spent = Spent(author)
        for solution in (
            _sampled(author, number, sides, template, seed, folder, cache_of(settings.cache), ray)
            if author.path is None
            else _recorded(author.path, sides, counts)
        ):
            spent.add(solution)
            yield solution
        counts.setdefault("authors", []).append(spent.to_json())


def _recorded(path: str, sides: Sides, counts: dict[str, Json]) -> Iterator[Solution]:
    known = {problem.id for problems in sides.values() for problem in problems}
    own = others = 0
    for solution in each_once(Solution.from_json(row, where, extract_code) for where, row in read_rows(path)):
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
    ray: str | None,
) -> Iterator[Solution]:
    suffix = "" if number is None else f"-{number}"
    parts = {split: folder / f"candidates/{split.value}{suffix}.jsonl" for split in (Split.TRAIN, Split.HELDOUT)}
    with _once(lambda: _opened(author, cache, ray)) as opened:
        for split, part in parts.items():
            plan = plan_of_candidates(author.model_dump(), _solutions_a_problem(author, split), seed, number)
            write_samples(opened, sides[split], plan, template, part, f"candidates ({split.value}{suffix})")
    for part in parts.values():
        if part.exists():
            yield from samples_in(part)


def _solutions_a_problem(author: AuthorSettings, split: Split) -> int:
    return author.n if split is Split.TRAIN else author.heldout_n


def _opened(author: AuthorSettings, cache: Path | None, ray: str | None) -> TextModel:
    if ray is not None:
        return RayModel(ray, author.model, author.endpoint, author.batch_size, cache)
    return open_model(author.model, author.endpoint, author.batch_size, cache)


@contextmanager
def _once(open_it: Callable[[], TextModel]) -> Iterator[Callable[[], TextModel]]:
    """The model is opened when it is first asked for, and kept; one on a cluster is closed at the end."""
    kept: list[TextModel] = []

    def opened() -> TextModel:
        if not kept:
            kept.append(open_it())
        return kept[0]

    try:
        yield opened
    finally:
        for model in kept:
            if isinstance(model, RayModel):
                model.close()


def each_once(solutions: Iterable[Solution]) -> Iterator[Solution]:
    """The solutions; raises BadInput for an id that stands twice."""
    seen: set[str] = set()
    for solution in solutions:
        if solution.id in seen:
            raise BadInput(f"solution {solution.id!r} is there twice, from one author or from two; ids must be unique")
        seen.add(solution.id)
        yield solution
