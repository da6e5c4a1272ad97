"""What a build recorded of a solution: who wrote it, and what each test found. Read when it is asked for.

Only where each verdict stands in its file is kept in memory: with many tests a problem, verdicts are most of a build.
"""

from __future__ import annotations

import json
from pathlib import Path

from critique_coder.records import BadInput, Verdict
from critique_coder.storage import read_rows


class Recorded:
    """The verdicts and authors of a build, by solution."""

    def __init__(self, build: Path) -> None:
        self._verdicts = build / "verdicts.jsonl"
        self._places = self._found_places()
        self._authors = self._found_authors(build / "solutions.jsonl")

    def _found_places(self) -> dict[str, int]:
        places, place = {}, 0
        with open(self._verdicts, "rb") as file:
            for line in file:
                if line.strip():
                    places[str(json.loads(line).get("solution_id"))] = place
                place += len(line)
        return places

    def _found_authors(self, path: Path) -> dict[str, str]:
        kept: dict[str, str] = {}
        if path.exists():
            names: dict[str, str] = {}
            for _, row in read_rows(path):
                if isinstance(row.get("author"), str):
                    kept[str(row.get("id"))] = names.setdefault(row["author"], row["author"])
        return kept

    def author(self, solution_id: str) -> str | None:
        """Who wrote a solution, where the build says so."""
        return self._authors.get(solution_id)

    def verdict(self, solution_id: str) -> Verdict | None:
        """What the tests found, or None; raises BadInput when the file has changed since it was read."""
        place = self._places.get(solution_id)
        if place is None:
            return None
        try:
            with open(self._verdicts, "rb") as file:
                file.seek(place)
                row = json.loads(file.readline())
        except (OSError, ValueError):
            row = {}
        if row.get("solution_id") != solution_id:
            raise BadInput(f"{self._verdicts}: changed while it was reviewed; start `critique-coder review` again")
        return Verdict.from_json(row, str(self._verdicts))
