"""Candidate solutions of the problems that are left, from models and from files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from critique_coder.data.authors import each_once, solutions_of
from critique_coder.data.index import RecordIndex, problem_index
from critique_coder.data.mix import Split
from critique_coder.data.stage import READ_PROBLEMS, SURVIVORS, Counts, Stage, Work
from critique_coder.records import Problem
from critique_coder.storage import write_jsonl


def run(work: Work) -> Counts:
    """Write ``solutions.jsonl``."""
    counts: Counts = {}
    index = problem_index(work.file(READ_PROBLEMS))
    names: dict[Split, list[str]] = {split: [] for split in Split}
    for problem in work.survivors():
        names[Split.TRAIN if work.is_train(problem) else Split.HELDOUT].append(problem.id)
    sides = {split: _Problems(own, index) for split, own in names.items()}
    recipe = work.recipe
    solve, ray = work.templates.solve, work.options.ray
    found = solutions_of(recipe.candidates, sides, solve, recipe.seed, work.folder, counts, ray)
    write_jsonl(work.file("solutions.jsonl"), (solution.to_json() for solution in each_once(found)))
    return counts


class _Problems(Sequence[Problem]):
    """Problems in an order of their own, read when they are asked for."""

    def __init__(self, names: Sequence[str], index: RecordIndex[Problem]) -> None:
        self._names, self._index = names, index

    @overload
    def __getitem__(self, place: int) -> Problem: ...

    @overload
    def __getitem__(self, place: slice) -> list[Problem]: ...

    def __getitem__(self, place: int | slice) -> Problem | list[Problem]:
        if isinstance(place, slice):
            return [self._index[name] for name in self._names[place]]
        return self._index[self._names[place]]

    def __iter__(self) -> Iterator[Problem]:
        return (self._index[name] for name in self._names)

    def __len__(self) -> int:
        return len(self._names)


STAGE = Stage(
    name="candidates",
    run=run,
    reads=(SURVIVORS,),
    writes=("solutions.jsonl",),
    settings=("seed", "candidates", "mix.heldout_share", "mix.solve_template"),
)
