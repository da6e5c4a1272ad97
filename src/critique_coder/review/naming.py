"""Names for items that are no rows of the build: they look like the others, so that no name tells a gold item."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from critique_coder.storage import hash_fraction

_LAST_NUMBER = re.compile(r"\d+(?=\D*\Z)")


class Names:
    """Gives solution ids that are free and follow the pattern of the build's.

    ``solutions`` maps the build's solution ids to their problems' ids; ``taken`` are further ids not to give. The same
    questions in the same order get the same answers.
    """

    def __init__(self, solutions: Mapping[str, str], taken: Iterable[str] = ()) -> None:
        self._taken = {*solutions, *taken}
        self._by_problem: dict[str, str] = {}
        for name, problem in solutions.items():
            self._by_problem.setdefault(problem, name)
        self._patterns = sorted(self._by_problem.items(), key=lambda entry: entry[1])
        numbers = [int(found.group()) for name in solutions if (found := _LAST_NUMBER.search(name))]
        self._most = min(max(numbers, default=0), 10**9)

    def solution_id(self, problem: str, seed: int = 0) -> str:
        """A new id for a solution of ``problem``: one of the build's with another number."""
        owner, pattern = problem, self._by_problem.get(problem)
        if pattern is None and self._patterns:
            owner, pattern = self._patterns[int(hash_fraction(seed, "pattern", problem) * len(self._patterns))]
        head, tail = _around_the_number(pattern, owner, problem) if pattern else (f"{problem}#", "")
        start = int(hash_fraction(seed, "number", problem) * (self._most + 1))
        number = self._free(head, tail, start)
        name = f"{head}{number}{tail}"
        self._taken.add(name)
        return name

    def _free(self, head: str, tail: str, start: int) -> int:
        """The first number from ``start`` on, round to 0 and then beyond the most, that is not taken."""
        for number in range(start, self._most + 1):
            if f"{head}{number}{tail}" not in self._taken:
                return number
        number = 0
        while f"{head}{number}{tail}" in self._taken:
            number += 1
        return number


def _around_the_number(pattern: str, owner: str, problem: str) -> tuple[str, str]:
    """What stands before and after the number of a solution's id, told for another problem."""
    own = pattern.startswith(owner)
    head, rest = (problem, pattern.removeprefix(owner)) if own else ("", pattern)
    found = _LAST_NUMBER.search(rest)
    if found is None:
        return f"{head}{rest}-", ""
    return head + rest[: found.start()], rest[found.end() :]
