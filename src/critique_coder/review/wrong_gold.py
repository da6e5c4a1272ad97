"""Wrong gold items, where a build brings none: small changes of references that the problems' tests reject.

Without them all gold items of such a build would be right, and whoever calls everything correct would pass. A problem's
reference passed its tests in the audit; a change of it that fails the same tests is incorrect by construction. They are
made once, when a review begins, and kept in the reviewed folder: what is gold must not be forgotten later.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from critique_coder.judge import IsolationError, Judge
from critique_coder.progress import bar
from critique_coder.records import BadInput, Json, Outcome, Problem, Solution
from critique_coder.review.gold import Candidate
from critique_coder.review.store import FILE
from critique_coder.storage import hash_fraction, read_rows, write_jsonl

WRONG_GOLD = "review_gold.jsonl"
"""The file in a reviewed folder that holds the wrong solutions made for it."""

CERTAINLY_WRONG = frozenset((Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR))
"""Too slow is not certainly wrong."""
_TRIES = 3
"""Changes of one reference that are tried."""

Mutants = Callable[[Problem, int, int], Sequence[Solution]]
"""At most so many small changes of a problem's reference, drawn by a seed."""


def read_wrong_gold(folder: Path, problems: Mapping[str, Problem], seed: int) -> list[Candidate]:
    """The wrong solutions that were made for a reviewed folder, of problems still in use; raises BadInput."""
    path = folder / WRONG_GOLD
    if not path.exists():
        return []
    try:
        return [
            Candidate(row["id"], name, False, tuple(row["failed"]), _chance(name, seed), row["code"])
            for _, row in read_rows(path)
            if (name := row["problem_id"]) in problems
        ]
    except (KeyError, TypeError):
        raise BadInput(f"{path}: is damaged; remove it together with {FILE}, and begin the review again") from None


def _write(path: Path, rows: Sequence[Json]) -> None:
    try:
        write_jsonl(path, rows)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}; make room or give the rights") from None


def _chance(problem: str, seed: int) -> tuple[int, float]:
    return (1, hash_fraction(seed, "wrong gold", problem))


@dataclass(frozen=True, slots=True)
class WrongGold:
    """Makes what is missing: ``mutants`` gives changes of a reference, a judge confirms that the tests reject them.

    ``tell`` is called with why nothing could be made on this machine.
    """

    mutants: Mutants
    open_judge: Callable[[], Judge]
    tell: Callable[[str], None]

    def fill(
        self, folder: Path, problems: Mapping[str, Problem], known: Sequence[Candidate], count: int, seed: int
    ) -> None:
        """Add wrong solutions to the folder's file until there is one of ``count`` problems, as far as there are.

        Twice as many as will be shown, since of a problem only one item is shown. A review that began without them
        stays as it is: its items must not change their answers.
        """
        path = folder / WRONG_GOLD
        if (folder / FILE).exists() and not path.exists():
            return
        before = [row for _, row in read_rows(path)] if path.exists() else []
        have = {one.problem_id for one in known if not one.label} | {row["problem_id"] for row in before}
        right = {one.problem_id for one in known if one.label} - have
        waiting = [problems[name] for name in sorted(right, key=lambda name: _chance(name, seed))]
        if len(have) < count and waiting:
            made = self._made(waiting, count - len(have), seed)
            if made:
                _write(path, [*before, *made])

    def _made(self, problems: Sequence[Problem], wanted: int, seed: int) -> list[Json]:
        try:
            judge = self.open_judge()
        except IsolationError as error:
            self.tell(f"no wrong gold items were made, all that there are have a known wrong solution: {error}")
            return []
        found: dict[str, Json] = {}
        rows = self._rejected(judge, problems, seed)
        with judge, closing(rows), bar("wrong gold items", wanted, "items") as shown:
            for row in rows:
                if found.setdefault(row["problem_id"], row) is row:
                    shown.advance()
                if len(found) == wanted:
                    break
        return list(found.values())

    def _rejected(self, judge: Judge, problems: Sequence[Problem], seed: int) -> Generator[Json, None, None]:
        """The changes that fail, in the order of the problems; read a little ahead of what is wanted only."""
        tried: dict[str, Solution] = {}

        def pairs() -> Iterator[tuple[Problem, Solution]]:
            for problem in problems:
                for mutant in self.mutants(problem, _TRIES, seed):
                    tried[mutant.id] = mutant
                    yield problem, mutant

        for verdict in judge.verify_many(pairs()):
            mutant = tried.pop(verdict.solution_id)
            if verdict.outcome in CERTAINLY_WRONG:
                failed = [place for place, test in enumerate(verdict.tests) if test.outcome is not Outcome.PASSED]
                yield {"id": mutant.id, "problem_id": mutant.problem_id, "code": mutant.code, "failed": failed}
