"""What we evaluate on, as texts and programs that training data must not hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from critique_coder.data.sources import open_source
from critique_coder.fields import Fields
from critique_coder.records import BadInput, Problem
from critique_coder.storage import read_json, read_rows


@dataclass(frozen=True, slots=True)
class Item:
    """One task of a benchmark. An empty text is one that it does not have."""

    id: str
    statement: str
    code: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark that was found: its files, and what reads its items. Reading raises BadInput."""

    files: tuple[str, ...]
    items: Callable[[], Iterator[Item]]


def open_benchmarks(against: Iterable[str]) -> dict[str, Benchmark]:
    """Find benchmarks by the setting ``contamination.against``: a name, or ``name=path``; raises BadInput."""
    pairs = [entry.partition("=") for entry in against]
    return {name: _open(name, path or None) for name, _, path in pairs}


def _open(name: str, path: str | None) -> Benchmark:
    if name not in BENCHMARKS:
        raise BadInput(f"contamination.against: unknown benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name](name, path)


def _problems(name: str, path: str | None) -> Benchmark:
    try:
        source = open_source(name, path)
    except BadInput as error:
        raise BadInput(f'contamination.against, {name!r}: {error}; "{name}=PATH" there says where it lies') from None

    def items() -> Iterator[Item]:
        for problem in source.stream(lambda problem_id, reason: None):
            if problem.metadata.get("split") != "train":
                yield item_of(problem)

    return Benchmark(source.files, items)


def item_of(problem: Problem) -> Item:
    """A problem as what is compared: its statement, and its reference where it has one."""
    return Item(problem.id, problem.statement, problem.reference or problem.starter_code)


def _cruxeval(name: str, path: str | None) -> Benchmark:
    file = _file(name, path, "cruxeval", "cruxeval.jsonl")

    def items() -> Iterator[Item]:
        for where, row in read_rows(file):
            fields = Fields(row, where, known=row if isinstance(row, dict) else ())
            yield Item(f"cruxeval/{fields.text_or_none('id', convert=True)}", "", fields.text("code", empty=False))

    return Benchmark((str(file),), items)


def _bbeh(name: str, path: str | None) -> Benchmark:
    file = _file(name, path, "bbeh_mini", "data.json")

    def items() -> Iterator[Item]:
        value = read_json(file)
        examples = value.get("examples") if isinstance(value, dict) else None
        if not isinstance(examples, list):
            raise BadInput(f"{file}, key 'examples': missing; not a file of BIG-Bench Extra Hard")
        for number, example in enumerate(examples):
            where = f"{file}, key 'examples', entry {number + 1}"
            fields = Fields(example, where, known=example if isinstance(example, dict) else ())
            yield Item(f"bbeh/{number}", fields.text("input"), "")

    return Benchmark((str(file),), items)


def _file(name: str, path: str | None, folder: str, file: str) -> Path:
    data = os.environ.get("CRITIQUE_CODER_DATA")
    place = Path(path) if path is not None else Path(data) / folder if data else None
    if place is None:
        raise BadInput(
            f"benchmark {name!r} was not found: say {name}=PATH in contamination.against, or set CRITIQUE_CODER_DATA "
            f"to a folder with {folder}/"
        )
    place = place / file if place.is_dir() else place
    if not place.is_file():
        raise BadInput(f"{place}: no such file (benchmark {name!r})")
    return place


BENCHMARKS: dict[str, Callable[[str, str | None], Benchmark]] = {
    **dict.fromkeys(("humaneval", "humanevalplus", "mbpp", "mbppplus", "bigcodebench", "livecodebench"), _problems),
    "cruxeval": _cruxeval,
    "bbeh": _bbeh,
}
"""Every set that a model is measured on; the part of MBPP that is for training (tasks 601 to 974) is none of it."""
