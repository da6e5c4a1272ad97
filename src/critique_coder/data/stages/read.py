"""Read the sources and filter their tests: of a corpus larger than the disk only what is kept is ever written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from critique_coder.data.filter import drawn, filtered, token_counter
from critique_coder.data.losses import Loss
from critique_coder.data.people import read_people
from critique_coder.data.stage import READ_PROBLEMS, WRONG_SOLUTIONS, Counts, Stage, Work
from critique_coder.data.tables import TestTable
from critique_coder.progress import bar
from critique_coder.records import BadInput, Problem
from critique_coder.storage import read_rows, write_jsonl

_ALL = "stages/all.jsonl"
"""What the filter keeps, where only some of it is drawn."""


def run(work: Work) -> Counts:
    """Write the filtered problems, the known wrong solutions, and what was lost on the way."""
    reading = _Reading(work)
    most = work.recipe.filter.max_problems
    write_jsonl(work.file(_ALL if most else READ_PROBLEMS), (problem.to_json() for problem in reading.kept()))
    if most:
        chosen = drawn(reading.ids, most, work.recipe.seed)
        rows = (row for _, row in read_rows(work.file(_ALL)) if row["id"] in chosen)
        write_jsonl(work.file(READ_PROBLEMS), rows)
        work.file(_ALL).unlink()
    wrong = (solution for _, source in work.sources for solution in source.wrong())
    write_jsonl(work.file(WRONG_SOLUTIONS), (solution.to_json() for solution in wrong))
    work.write_losses(STAGE.name, reading.lost)
    before, after = reading.before.to_json(), reading.after.to_json()
    return {
        "problems": {
            "read": sum(reading.by_source.values()),
            "tests_read": before["tests"],
            "by_source": {name: {"read": count} for name, count in sorted(reading.by_source.items())},
        },
        "table1": {"before": before, "filtered": after},
    }


@dataclass(slots=True)
class _Reading:
    """One pass over all sources."""

    work: Work
    lost: list[Loss] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _source: str = ""
    by_source: Counter[str] = field(default_factory=Counter)
    before: TestTable = field(default_factory=TestTable)
    after: TestTable = field(default_factory=TestTable)

    def kept(self) -> Iterator[Problem]:
        """The problems that are left, with the tests that are kept. Raises BadInput."""
        recipe, people = self.work.recipe, read_people(self.work.recipe.label.people)
        count = token_counter(recipe.filter.tokenizer)
        with bar("read and filter", None, "problems") as shown:
            for found in people.reviewed(self._read()):
                shown.advance()
                kept = filtered(found, recipe.filter, recipe.seed, count) if isinstance(found, Problem) else found
                if isinstance(kept, Problem):
                    self.after.add(kept)
                    self.ids.add(kept.id)
                    yield kept
                else:
                    self.lost.append(replace(kept, source=self._source))

    def _read(self) -> Iterator[Problem]:
        for name, source in self.work.sources:

            def left_out(problem_id: str, reason: str, name: str = name) -> None:
                self.by_source[name] += 1
                self.lost.append(Loss(problem_id, "unusable_record", reason, name))

            for problem in source.stream(left_out):
                if problem.id in self._seen:
                    raise BadInput(f"problem {problem.id!r} is in more than one source; ids must be unique")
                self._seen.add(problem.id)
                self._source = problem.source or name
                self.by_source[self._source] += 1
                self.before.add(problem)
                yield problem


STAGE = Stage(
    name="read",
    run=run,
    reads=(),
    writes=(READ_PROBLEMS, WRONG_SOLUTIONS),
    settings=("seed", "source", "filter", "label.people"),
    drops=True,
)
