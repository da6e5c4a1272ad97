"""Records of a JSON Lines file by id, read when they are asked for: only ids and places in the file are held."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from critique_coder.prompts import extract_code
from critique_coder.records import CritiqueRow, Json, Problem, Solution, Verdict

T = TypeVar("T")
_RECENT = 64
"""Records that are kept: what belongs to one problem mostly stands together."""


class RecordIndex(Mapping[str, T]):
    """The records of a file that the build wrote itself, by the value under ``key``."""

    def __init__(self, path: Path, parse: Callable[[Json, str], T], key: str = "id") -> None:
        self._path, self._parse = path, parse
        self._places = dict(_places(path, key))
        self._file = open(path, "rb")  # noqa: SIM115 - open as long as the index is
        self._recent: OrderedDict[str, T] = OrderedDict()

    def __getitem__(self, name: str) -> T:
        if name in self._recent:
            self._recent.move_to_end(name)
            return self._recent[name]
        self._file.seek(self._places[name])
        record = self._parse(json.loads(self._file.readline()), f"{self._path}, {name}")
        self._recent[name] = record
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return record

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


class GroupIndex(Generic[T]):
    """The records of a file by a ``key`` that several of them share, such as ``problem_id``."""

    def __init__(self, path: Path, parse: Callable[[Json, str], T], key: str = "problem_id") -> None:
        self._path, self._parse = path, parse
        self._places: dict[str, list[int]] = {}
        for value, place in _places(path, key):
            self._places.setdefault(value, []).append(place)
        self._file = open(path, "rb")  # noqa: SIM115 - open as long as the index is

    def __getitem__(self, name: str) -> list[T]:
        """The records under ``name`` in the order of the file; none is an empty list."""
        found = []
        for place in self._places.get(name, ()):
            self._file.seek(place)
            found.append(self._parse(json.loads(self._file.readline()), f"{self._path}, {name}"))
        return found

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def _places(path: Path, key: str) -> Iterator[tuple[str, int]]:
    """Each line's value under ``key``, and where the line begins. A key that stands first is found without parsing."""
    place, first = 0, b'{"%s": "' % key.encode()
    with open(path, "rb") as lines:
        for line in lines:
            value = line[len(first) : line.find(b'"', len(first))] if line.startswith(first) else b"\\"
            yield json.loads(line)[key] if b"\\" in value else value.decode(), place
            place += len(line)


def problem_index(path: Path) -> RecordIndex[Problem]:
    """The problems of a file by id."""
    return RecordIndex(path, Problem.from_json)


def verdict_index(path: Path) -> RecordIndex[Verdict]:
    """The verdicts of a file by the id of the solution."""
    return RecordIndex(path, Verdict.from_json, "solution_id")


def critique_index(path: Path) -> RecordIndex[CritiqueRow]:
    """The critique rows of a file by id."""
    return RecordIndex(path, CritiqueRow.from_json)


def solution_of(row: Json, where: str) -> Solution:
    """A line of a solutions file as a record."""
    return Solution.from_json(row, where, extract_code)
