"""Problems in the project's own format: one file, or a folder of them."""

from __future__ import annotations

from pathlib import Path

from critique_coder.data.sources.corpus import Corpus
from critique_coder.prompts import extract_code
from critique_coder.records import BadInput, Problem, Solution
from critique_coder.storage import read_problems, read_solutions

_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")
WRONG_SOLUTIONS = "wrong_solutions.jsonl"


def read(path: str | None) -> Corpus:
    """Read a problems file, or every problems file of a folder.

    A file called ``wrong_solutions.jsonl`` in the folder holds solutions that the tests must reject. Raises BadInput.
    """
    if path is None:
        raise BadInput("source 'problems' needs a path: the problems file, or a folder of them")
    place = Path(path)
    if not place.is_dir():
        return Corpus(tuple(read_problems(place)), (), (str(place),))
    found = sorted(
        entry for entry in place.iterdir() if entry.name.endswith(_ENDINGS) and entry.name != WRONG_SOLUTIONS
    )
    if not found:
        raise BadInput(f"{path}: the folder holds no problems file ({', '.join(_ENDINGS)})")
    problems: dict[str, Problem] = {}
    for file in found:
        for problem in read_problems(file):
            if problem.id in problems:
                raise BadInput(
                    f"{file}, key 'id': {problem.id!r} stands in another file of {path} already; ids must be unique"
                )
            problems[problem.id] = problem
    wrong: list[Solution] = []
    if (place / WRONG_SOLUTIONS).exists():
        found.append(place / WRONG_SOLUTIONS)
        wrong = read_solutions(place / WRONG_SOLUTIONS, extract_code)
        for solution in wrong:
            if solution.problem_id not in problems:
                raise BadInput(f"{found[-1]}, key 'problem_id': no problem {solution.problem_id!r} in {path}")
    return Corpus(tuple(problems.values()), tuple(wrong), tuple(map(str, found)))
