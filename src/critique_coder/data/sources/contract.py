"""Problems in the project's own format: one file, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from critique_coder.data.sources.corpus import Source
from critique_coder.prompts import extract_code
from critique_coder.records import BadInput, Problem, Solution
from critique_coder.storage import read_rows

_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")
WRONG_SOLUTIONS = "wrong_solutions.jsonl"


def read(path: str | None) -> Source:
    """Read a problems file, or every problems file of a folder.

    A file called ``wrong_solutions.jsonl`` in the folder holds solutions that the tests must reject. Raises BadInput.
    """
    if path is None:
        raise BadInput("source 'problems' needs a path: the problems file, or a folder of them")
    place = Path(path)
    if not place.is_dir():
        if not place.exists():
            raise BadInput(f"{path}: no such file")
        return Source((path,), lambda lose: _problems([place], path))
    found = sorted(
        entry for entry in place.iterdir() if entry.name.endswith(_ENDINGS) and entry.name != WRONG_SOLUTIONS
    )
    if not found:
        raise BadInput(f"{path}: the folder holds no problems file ({', '.join(_ENDINGS)})")
    files, wrong = tuple(map(str, found)), place / WRONG_SOLUTIONS
    if not wrong.exists():
        return Source(files, lambda lose: _problems(found, path))
    return Source((*files, str(wrong)), lambda lose: _problems(found, path), lambda: _wrong(wrong, found, path))


def _problems(files: Sequence[Path], path: str) -> Iterator[Problem]:
    """The problems of all files, one at a time; raises BadInput for an id that stands twice, and for an empty file."""
    seen: dict[str, Path] = {}
    for file in files:
        before = len(seen)
        for where, row in read_rows(file):
            problem = Problem.from_json(row, where)
            if problem.id in seen:
                other = "" if seen[problem.id] == file else f" in another file of {path}"
                raise BadInput(f"{where}, key 'id': {problem.id!r} stands{other} already; ids must be unique")
            seen[problem.id] = file
            yield problem
        if len(seen) == before:
            raise BadInput(f"{file}: is empty; expected at least one JSON object, one a line")


def _wrong(file: Path, problems: Sequence[Path], path: str) -> Iterator[Solution]:
    """The known wrong solutions; raises BadInput for one of no problem."""
    known = {row.get("id") for place in problems for _, row in read_rows(place)}
    seen: set[str] = set()
    for where, row in read_rows(file):
        solution = Solution.from_json(row, where, extract_code)
        if solution.problem_id not in known:
            raise BadInput(f"{where}, key 'problem_id': no problem {solution.problem_id!r} in {path}")
        if solution.id in seen:
            raise BadInput(f"{where}, key 'id': {solution.id!r} stands already; ids must be unique")
        seen.add(solution.id)
        yield solution
