"""What a source gives, and how its files are found and read."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple, TypeAlias

from critique_coder.fields import Fields
from critique_coder.records import BadInput, Json, Problem, Solution
from critique_coder.storage import dumps, read_json, read_rows


class Row(NamedTuple):
    """A record as it lies in a file, the ``number``-th from 0; ``where`` names file and line for complaints."""

    file: Path
    number: int
    where: str
    value: Json


class Lost(NamedTuple):
    """A record that was left out, and why."""

    problem_id: str
    reason: str


Lose: TypeAlias = Callable[[str, str], object]
"""Called with the id of a record that is left out and the reason."""


class Unusable(Exception):
    """A record from which no test can be made; the message is the reason."""


ProblemsOf: TypeAlias = Callable[[Iterable[Row], Lose], Iterator[Problem]]
"""The core of a reader: one record in hand at a time. Raises BadInput for a malformed one."""


def each(name_of: Callable[[Row], str], problem_of: Callable[[Row, str], Problem]) -> ProblemsOf:
    """The problems of a set whose records are told by ``name_of`` and read, with that name, by ``problem_of``.

    A record for which ``problem_of`` raises Unusable is left out with that reason.
    """

    def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
        for row in rows:
            name = name_of(row)
            try:
                problem = problem_of(row, name)
            except Unusable as error:
                lose(name, str(error))
                continue
            yield problem

    return problems_of


@dataclass(frozen=True, slots=True)
class Corpus:
    """Problems, the solutions that came with them and are known to be wrong, and the files they were read from.

    ``lost``: the records that were left out, each with its reason.
    """

    problems: tuple[Problem, ...]
    wrong_solutions: tuple[Solution, ...] = ()
    files: tuple[str, ...] = field(default=())
    lost: tuple[Lost, ...] = ()


def _no_solutions() -> Iterator[Solution]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Source:
    """A source that was found and not read yet: its files, and what reads them one record at a time.

    ``stream`` yields the problems and calls ``lose`` for each record that it leaves out; ``wrong`` yields the solutions
    that came with them and are known to be wrong. Both raise BadInput.
    """

    files: tuple[str, ...]
    stream: Callable[[Lose], Iterator[Problem]]
    wrong: Callable[[], Iterator[Solution]] = _no_solutions

    def corpus(self) -> Corpus:
        """All of it at once, for small sets; raises BadInput."""
        lost: list[Lost] = []
        problems = tuple(self.stream(lambda name, reason: lost.append(Lost(name, reason))))
        return Corpus(problems, tuple(self.wrong()), self.files, tuple(lost))


Reader: TypeAlias = Callable[[str | None], Source]
"""Finds a source in a file, a folder or a data set of the hub; None means the source's own place. Raises BadInput."""

_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet", ".json")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a published set lies.

    ``folder`` is its name under ``CRITIQUE_CODER_DATA``; ``names`` are the files that are read of a folder when they
    are there, else all of its data files (with ``only`` the first of the ``names`` that is there, and nothing else);
    ``hub``, ``revision`` and ``patterns`` are its repository on the hub, the branch (None: the main one) and what to
    load of it.
    """

    name: str
    hub: str | None = None
    revision: str | None = None
    patterns: tuple[str, ...] = ("*.parquet",)
    folder: str | None = None
    names: tuple[str, ...] = ()
    only: bool = False

    def files(self, path: str | None) -> list[Path]:
        """The files to read; raises BadInput, which says what to give."""
        if path is not None:
            return self._given(path)
        here = self.here()
        if here is not None:
            return self._in_folder(here)
        how = "give a file or folder of it as path"
        if self.folder:
            how += f", or set CRITIQUE_CODER_DATA to a folder with {self.folder}/"
        if self.hub is None:
            raise BadInput(f"{self.name} was not found: {how}")
        return hub_files(self.hub, self.name, how, self.patterns, self.revision)

    def here(self) -> Path | None:
        """Its folder under ``CRITIQUE_CODER_DATA``, where that is there."""
        data = os.environ.get("CRITIQUE_CODER_DATA")
        place = Path(data) / self.folder if data and self.folder else None
        return place if place is not None and place.is_dir() else None

    def _given(self, path: str) -> list[Path]:
        place = Path(path)
        if place.is_dir():
            return self._in_folder(place)
        if not place.exists() and _HUB_ID.fullmatch(path) and not path.endswith(_ENDINGS):
            how = f"{path!r} is neither a file nor a folder here"
            return hub_files(path, self.name, how, self.patterns, self.revision if path == self.hub else None)
        return [place]

    def _in_folder(self, folder: Path) -> list[Path]:
        own = [folder / name for name in self.names if (folder / name).is_file()]
        if self.only:
            if not own:
                raise BadInput(f"{folder}: the folder does not hold {' or '.join(self.names)}")
            return own[:1]
        found = own or sorted(file for file in folder.rglob("*") if file.is_file() and file.name.endswith(_ENDINGS))
        if not found:
            raise BadInput(f"{folder}: the folder holds no data file ({', '.join(_ENDINGS)})")
        return found


def rows_in(files: Sequence[Path]) -> Iterator[Row]:
    """The records of files one after the other; a ``.json`` file is a list of them, or an object of them by name.

    JSON Lines that are called ``.json`` are read too. Raises BadInput.
    """
    for file in files:
        if file.suffix == ".json" and not _holds_lines(file):
            yield from _json_rows(file)
        else:
            for number, (where, value) in enumerate(read_rows(file)):
                yield Row(file, number, where, value)


def _holds_lines(file: Path) -> bool:
    """Whether a ``.json`` file holds a record a line: its first line is a whole object, and not one of records."""
    try:
        with open(file, encoding="utf-8-sig") as lines:
            if lines.read(1) != "{":  # most often a list, all in one long line
                return False
            lines.seek(0)
            first = json.loads(next(lines, ""))
            more = any(line.strip() for line in lines)
    except (OSError, ValueError, RecursionError):  # a file of another kind is complained about where it is read
        return False
    return isinstance(first, dict) and (more or not _is_of_records(first))


def _is_of_records(value: dict[str, Json]) -> bool:
    return bool(value) and all(isinstance(entry, dict) for entry in value.values())


def _json_rows(file: Path) -> Iterator[Row]:
    value = read_json(file)
    if isinstance(value, dict) and _is_of_records(value):
        value = list(value.values())
    if not isinstance(value, list):
        raise BadInput(f"{file}: must be a list of records")
    for number, entry in enumerate(value):
        yield Row(file, number, f"{file}, entry {number + 1}", entry)


def reader(place: Place, problems_of: ProblemsOf) -> Reader:
    """The reader of a published set."""

    return lambda path: source_of(place.name, place.files(path), problems_of)


def source_of(
    name: str,
    files: Sequence[Path],
    problems_of: ProblemsOf,
    wrong: Callable[[], Iterator[Solution]] = _no_solutions,
) -> Source:
    """The source of a published set that lies in ``files``."""

    def stream(lose: Lose) -> Iterator[Problem]:
        rows = _some(rows_in(files), f"{files[0]}: holds no record of {name}")
        yield from _storable(_each_once(problems_of(rows, lose), name), lose)

    return Source(tuple(map(str, files)), stream, wrong)


def _some(rows: Iterable[Row], complaint: str) -> Iterator[Row]:
    """The rows; raises BadInput when there are none."""
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise BadInput(complaint)


def _each_once(problems: Iterable[Problem], name: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise BadInput(f"{name}: problem {problem.id!r} stands twice in these files; give one of them as path")
        seen.add(problem.id)
        yield problem


def _storable(problems: Iterable[Problem], lose: Lose) -> Iterator[Problem]:
    """The problems that a build can write; a published text may hold half a character, and a metadata NaN."""
    for problem in problems:
        try:
            dumps(problem.to_json()).encode()
        except (ValueError, TypeError, RecursionError) as error:
            lose(problem.id, f"holds what no JSON file can store ({str(error).split(':')[0]})")
            continue
        yield problem


def fields_of(row: Row) -> Fields:
    """The keys of a record of a published set, where keys that are not read do not matter; raises BadInput."""
    return Fields(row.value, row.where, known=row.value if isinstance(row.value, dict) else ())


def id_by_place(row: Row) -> str:
    """A name for a record that has none of its own: its file's and its place in it."""
    return f"{row.file.name.partition('.')[0]}/{row.number}"


_TASK = re.compile(r"(?:\w+/)?(\d+)")


def task_number(row: Row) -> int:
    """The number under ``task_id``, such as ``7`` or ``HumanEval/7``; raises BadInput."""
    text = fields_of(row).text_or_none("task_id", convert=True)
    found = _TASK.fullmatch(text or "")
    if found is None:
        what = (
            "missing" if text is None else f"must be a number, or a name and a number as in 'HumanEval/7', not {text!r}"
        )
        raise BadInput(f"{row.where}, key 'task_id': {what}")
    return int(found.group(1))


def texts(row: Row, key: str) -> list[str]:
    """A list of texts; a missing one is empty. Raises BadInput."""
    value = row.value.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadInput(f"{row.where}, key {key!r}: must be a list of texts")
    return value


def day(row: Row, key: str) -> str | None:
    """The day that a record names, as in ``2024-05-31``; raises BadInput."""
    value = row.value.get(key)
    if value is None or value == "":
        return None
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        raise BadInput(f"{row.where}, key {key!r}: must begin with a day as in 2024-05-31, not {value!r}") from None


def split_by_file(file: Path) -> str:
    """The split that a published set's file or folder is named for: ``train`` unless it is testing or validation."""
    words = {file.parent.name.lower(), *re.split(r"[^a-z]+", file.name.lower())}
    return "eval" if words & {"test", "valid", "validation", "dev", "eval"} else "train"


def from_json_text(value: Json, where: str, key: str) -> Json:
    """A value that published sets keep as the text of JSON, or as itself.

    Raises BadInput, and Unusable for a number of more digits than Python reads: APPS has some.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except RecursionError:
        raise BadInput(f"{where}, key {key!r}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}, key {key!r}: must be the text of a JSON value: {error}") from None
    except ValueError:
        raise Unusable(f"its {key!r} holds a number of more than {sys.get_int_max_str_digits():,} digits") from None


def hub_files(
    repository: str, name: str, otherwise: str, patterns: Sequence[str], revision: str | None = None
) -> list[Path]:
    """The files of a data set of the hub that match ``patterns``; raises BadInput, which says what else to do."""
    try:
        from huggingface_hub import snapshot_download

        wanted = list(patterns)
        folder = Path(snapshot_download(repository, repo_type="dataset", revision=revision, allow_patterns=wanted))
    except Exception as error:  # the hub client raises many kinds; all mean the same to the user
        raise BadInput(
            f"{name} was not found: {otherwise} (the hub could not be asked: {type(error).__name__})"
        ) from None
    found = sorted(file for file in folder.rglob("*") if file.is_file() and file.name.endswith(_ENDINGS))
    if not found:
        raise BadInput(f"{name} was not found: {repository} on the hub has no {' or '.join(patterns)}; {otherwise}")
    return found
