"""A build as a list of stages: what a stage is, what it may ask for, and how the list is run.

How to add a stage:

1. Write ``data/stages/NAME.py`` with ``def run(work: Work) -> dict[str, Json]``. Read the former stages' files one
   record at a time (``work.rows``, ``work.survivors``, ``work.problems``; ``data/index.py`` where records are needed
   by id), write your own with ``storage.write_jsonl`` or ``write_parquet`` (they appear whole or not at all) or, where
   a record is dear, with ``AppendLog(keep=False)``, and show a ``progress.bar``. Hold ids and numbers, never all texts.
   What is returned is merged into ``counts`` of the manifest.
2. End the file with its ``STAGE = Stage(...)``: ``reads`` and ``writes`` name files of the folder, ``settings`` the
   dotted keys of the recipe that its result depends on. A stage with ``drops=True`` loses problems: it hands them to
   ``work.write_losses(NAME, ...)``, and every later stage sees the others only. ``SURVIVORS`` in ``reads`` stands for
   the problems as the former dropping stages left them. ``wanted`` says for which recipes it runs.
3. Put it at its place in ``STAGES`` (``data/build.py``); new settings become a section of ``data/recipe.py``.

A stage is skipped when its record (``stages/NAME.json``) names the same settings, the same hashes of what it reads,
and the files that it wrote are as it left them. So a build that was killed goes on with the stage that was not done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from critique_coder.data.losses import Loss, reasons
from critique_coder.data.mix import Split, Templates, split_of
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.sources import Source
from critique_coder.data.verify import JudgeOptions
from critique_coder.records import BadInput, Json, Problem
from critique_coder.storage import (
    AppendLog,
    count_lines,
    drop_unfinished,
    read_json,
    read_rows,
    sha256_file,
    write_json,
    write_jsonl,
)

SURVIVORS = "the problems that are left"
READ_PROBLEMS = "stages/problems.jsonl"
"""The problems as the first stage left them; later ones only say which of them are lost."""

WRONG_SOLUTIONS = "stages/wrong_solutions.jsonl"
"""The solutions that came with the problems and are known to be wrong."""
AUDIT_VERDICTS = "stages/audit-verdicts.jsonl"
"""The verdicts on references and on what is known to be wrong."""

Counts = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a build; see the module's text."""

    name: str
    run: Callable[[Work], Counts]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    settings: tuple[str, ...]
    drops: bool = False
    wanted: Callable[[BuildRecipe], bool] = lambda recipe: True
    version: int = 1
    """Raised when the stage comes to write something else from the same inputs: older folders are then made anew."""


@dataclass(frozen=True, slots=True)
class Work:
    """A build folder and what its stages share."""

    recipe: BuildRecipe
    folder: Path
    options: JudgeOptions
    templates: Templates
    sources: tuple[tuple[str, Source], ...]
    """The recipe's sources with their names, found and not read."""
    stages: tuple[Stage, ...]
    current: list[str] = field(default_factory=list)
    """The name of the stage that runs now, as the only item."""

    def file(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name

    def rows(self, name: str) -> Iterator[Json]:
        """The rows of a file of the folder, one at a time."""
        return (row for _, row in read_rows(self.file(name)))

    def is_train(self, problem: Problem) -> bool:
        """Whether the problem may be learned from."""
        return split_of(problem, self.recipe.mix.heldout_share) is Split.TRAIN

    def lost_before(self, stage: str | None) -> Iterator[Loss]:
        """What the dropping stages before ``stage`` lost (None: all of them)."""
        for name in self._droppers(stage):
            if self.file(losses_of(name)).exists():
                for row in self.rows(losses_of(name)):
                    yield Loss(**row)

    def _droppers(self, stage: str | None) -> list[str]:
        names = [known.name for known in self.stages]
        before = self.stages[: names.index(stage)] if stage is not None else self.stages
        return [known.name for known in before if known.drops and known.wanted(self.recipe)]

    def survivors(self) -> Iterator[Problem]:
        """The problems that no stage before the current one has lost, one at a time."""
        return self._left(self.current[0])

    def _left(self, stage: str | None) -> Iterator[Problem]:
        lost = {loss.problem_id for loss in self.lost_before(stage)}
        for where, row in read_rows(self.file(READ_PROBLEMS)):
            if row["id"] not in lost:
                yield Problem.from_json(row, where)

    def survivor_count(self, stage: str | None = None) -> int:
        """How many problems are left before ``stage`` (None: before the current one)."""
        lost = {loss.problem_id for loss in self.lost_before(stage or self.current[0])}
        before = {row["problem_id"] for row in self.rows(losses_of(self.stages[0].name))}
        return count_lines(self.file(READ_PROBLEMS)) - len(lost - before)

    def problems(self, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Problem]:
        """The problems of the finished ``problems.jsonl`` whose id is ``wanted``, one at a time."""
        for where, row in read_rows(self.file("problems.jsonl")):
            if wanted(row["id"]):
                yield Problem.from_json(row, where)

    def write_losses(self, stage: str, lost: Iterable[Loss]) -> None:
        """Write what a dropping stage lost."""
        rows = ({**loss.to_json(), "source": loss.source} for loss in lost)
        write_jsonl(self.file(losses_of(stage)), rows)

    def write_quarantine(self) -> Counts:
        """Write ``quarantine.jsonl`` from what was lost so far; returns the number for each reason."""
        write_jsonl(self.file("quarantine.jsonl"), (loss.to_json() for loss in self.lost_before(None)))
        return reasons(self.lost_before(None))

    def files_read(self, stage: Stage) -> list[str]:
        """The files that a stage's result depends on."""
        losses = [losses_of(name) for name in self._droppers(stage.name)]
        return [file for name in stage.reads for file in ([READ_PROBLEMS, *losses] if name == SURVIVORS else [name])]

    def files_written(self, stage: Stage) -> list[str]:
        """The files that a stage leaves."""
        return [*stage.writes, *([losses_of(stage.name)] if stage.drops else [])]


def losses_of(stage: str) -> str:
    """The file in which a dropping stage says what it lost."""
    return f"stages/lost/{stage}.jsonl"


def run_stages(work: Work, hashes: FileHashes) -> Counts:
    """Run what is not done yet; returns the counts of all stages, merged. Raises what the stages raise.

    ``stages/log.jsonl`` says which stage took how long; while it is open no other process can build in the folder.
    """
    counts: Counts = {}
    with AppendLog(work.file("stages/log.jsonl"), keep=False) as log:
        drop_unfinished(work.folder)
        for stage in work.stages:
            if stage.wanted(work.recipe):
                begun, done = time.monotonic(), _done(work, stage, hashes)
                if done is None:
                    done = _run(work, stage, hashes)
                    log.append({"stage": stage.name, "seconds": round(time.monotonic() - begun, 3)})
                _merge(counts, done)
    return counts


def _run(work: Work, stage: Stage, hashes: FileHashes) -> Counts:
    work.current[:] = [stage.name]
    counts = stage.run(work)
    if stage.drops and next(work._left(_after(work, stage)), None) is None:
        why = ", ".join(f"{count} {reason}" for reason, count in work.write_quarantine().items())
        raise BadInput(f"no problem is left: {why}; see {work.file('quarantine.jsonl')}")
    record = {
        **_described(work, stage, hashes),
        "writes": {name: hashes.of(work.file(name)) for name in work.files_written(stage)},
        "counts": counts,
    }
    write_json(work.file(f"stages/{stage.name}.json"), record)
    return counts


def _after(work: Work, stage: Stage) -> str | None:
    """The name of the next stage."""
    rest = [known.name for known in work.stages[work.stages.index(stage) + 1 :]]
    return rest[0] if rest else None


def _done(work: Work, stage: Stage, hashes: FileHashes) -> Counts | None:
    """The counts of a stage that needs not run again; None when it must run."""
    mark = work.file(f"stages/{stage.name}.json")
    if not mark.exists():
        return None
    record = read_json(mark)
    described = _described(work, stage, hashes)
    written = {name: hashes.of(work.file(name)) for name in work.files_written(stage)}
    if {key: record.get(key) for key in described} != described or record.get("writes") != written:
        return None
    counts: Counts = record["counts"]
    return counts


def _described(work: Work, stage: Stage, hashes: FileHashes) -> Counts:
    recipe = work.recipe.model_dump(mode="json")
    settings = {}
    for key in stage.settings:
        value: Json = recipe
        for part in key.split("."):
            value = value[part]
        settings[key] = value
    version = {} if stage.version == 1 else {"version": stage.version}
    return {
        **version,
        "settings": settings,
        "reads": {name: hashes.of(work.file(name)) for name in work.files_read(stage)},
    }


def _merge(into: Counts, more: Counts) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


class FileHashes:
    """The sha256 of files; a file whose size and time of change are as before is not read again."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, list[Json]] = read_json(memory) if memory.exists() else {}

    def of(self, path: str | Path) -> str | None:
        """The sha256 as hex; None when there is no such file."""
        place = Path(path).absolute()
        if not place.is_file():
            return None
        found = place.stat()
        known = self._known.get(str(place))
        if known is None or known[:2] != [found.st_size, found.st_mtime_ns]:
            known = self._known[str(place)] = [found.st_size, found.st_mtime_ns, sha256_file(place)]
        return str(known[2])

    def save(self) -> None:
        """Remember what was found."""
        write_json(self._memory, self._known)
