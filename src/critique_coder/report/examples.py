"""Rollouts to read: those that training chose, or the newest ones while it goes on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from critique_coder.records import BadInput, Json
from critique_coder.report import shapes
from critique_coder.storage import read_json, read_rows

KINDS = ("solve", "critique")
_EACH = 3
_NEWEST_FILES = 5


@dataclass(frozen=True, slots=True)
class ShownTest:
    """A test in words and what it found."""

    test: str
    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class Example:
    """One answer of a model with what it was asked and what it earned; all of its text is untrusted."""

    kind: str
    stage: str
    problem_id: str
    completion: str
    statement: str = ""
    solution: str | None = None
    tests: tuple[ShownTest, ...] = ()
    label: bool | None = None
    judgement: str | None = None
    reward: float = math.nan
    finding: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether the judgement is the label's; None where there is no label or no judgement."""
        if self.label is None or self.judgement is None:
            return None
        return self.judgement == ("correct" if self.label else "incorrect")

    @property
    def passed(self) -> int:
        """How many of the shown tests passed."""
        return sum(test.outcome == "passed" for test in self.tests)


def read_examples(folder: Path) -> tuple[Example, ...]:
    """The examples of a run; without ``examples.json``, which comes last, some of its newest rollouts."""
    place = folder / "examples.json"
    if not place.exists():
        return _from_rollouts(folder / "rollouts")
    rows = shapes.items(read_json(place), str(place))
    return tuple(_example(row, f"{place}, example {number}") for number, row in enumerate(rows, 1))


def _example(value: Json, where: str) -> Example:
    row = shapes.mapping(value, where)
    keys = ("kind", "stage", "problem_id", "completion")
    kind, stage, problem_id, completion = (shapes.text(row.get(key), f"{where}, key {key!r}") for key in keys)
    if kind not in KINDS:
        raise BadInput(f"{where}, key 'kind': {kind!r} is not one of: {', '.join(KINDS)}")
    label = row.get("label")
    if label not in (True, False, None):
        raise BadInput(f"{where}, key 'label': must be true, false or null")
    tests = shapes.items(row.get("tests") or [], f"{where}, key 'tests'")
    return Example(
        kind=kind,
        stage=stage,
        problem_id=problem_id,
        completion=completion,
        statement=shapes.text_or_none(row.get("statement"), f"{where}, key 'statement'") or "",
        solution=shapes.text_or_none(row.get("solution"), f"{where}, key 'solution'"),
        tests=tuple(_test(test, f"{where}, test {number}") for number, test in enumerate(tests, 1)),
        label=label,
        judgement=shapes.text_or_none(row.get("judgement"), f"{where}, key 'judgement'"),
        reward=shapes.number(row.get("reward"), f"{where}, key 'reward'"),
    )


def _test(value: Json, where: str) -> ShownTest:
    row = shapes.mapping(value, where)
    shown, outcome = (shapes.text(row.get(key), f"{where}, key {key!r}") for key in ("test", "outcome"))
    return ShownTest(shown, outcome, shapes.text_or_none(row.get("message"), f"{where}, key 'message'") or "")


def _from_rollouts(folder: Path) -> tuple[Example, ...]:
    newest = sorted(folder.glob("step-*.parquet"), reverse=True)[:_NEWEST_FILES]
    rows = [_rollout(row, where) for path in newest for where, row in read_rows(path)]
    return tuple(row for kind in KINDS for row in _varied([row for row in rows if row.kind == kind]))


def _rollout(row: dict[str, Json], where: str) -> Example:
    keys = ("kind", "problem_id", "completion", "finding")
    kind, problem_id, completion, finding = (shapes.text(row.get(key), f"{where}, key {key!r}") for key in keys)
    return Example(
        kind=kind,
        stage=f"training step {row.get('step')}",
        problem_id=problem_id,
        completion=completion,
        judgement=finding if kind == "critique" else None,
        reward=shapes.number(row.get("reward"), f"{where}, key 'reward'"),
        finding=finding,
    )


def _varied(rows: Sequence[Example]) -> list[Example]:
    """A few rows, of as many findings as there are."""
    seen: Counter[str] = Counter()
    ordered = []
    for place, row in enumerate(rows):
        ordered.append((seen[row.finding], place, row))
        seen[row.finding] += 1
    return [row for _, _, row in sorted(ordered, key=lambda entry: entry[:2])[:_EACH]]
