"""Answers to read: a few solutions and critiques of an evaluated model, with what the tests and the truth say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from critique_coder.data.built import BuiltData
from critique_coder.judge.compare_values import read, show
from critique_coder.prompts import extract_code
from critique_coder.records import Json, Outcome, Problem, TestCase, TestKind, Verdict
from critique_coder.storage import hash_fraction, read_rows

T = TypeVar("T")
EACH = 3
"""Examples of each kind."""
_LONGEST = 160


def examples(data: BuiltData, folder: Path, stage: str) -> list[dict[str, Json]]:
    """Three solutions (one passes, one fails, one is partly right) and three critiques (right and wrong ones)."""
    return _solve_examples(data, folder / stage, stage) + _critique_examples(data, folder / stage, stage)


def _solve_examples(data: BuiltData, place: Path, stage: str) -> list[dict[str, Json]]:
    answers = {row["id"]: row for _, row in read_rows(place / "solutions.jsonl")}
    verdicts = [Verdict.from_json(row, where) for where, row in read_rows(place / "verdicts.jsonl")]
    kinds: Sequence[Callable[[Verdict], bool]] = (
        lambda v: v.outcome is Outcome.PASSED,
        lambda v: v.outcome is Outcome.WRONG_ANSWER and bool(v.passed),
        lambda v: v.outcome not in (Outcome.PASSED, Outcome.UNSCORED),
    )
    chosen = _one_of_each(verdicts, kinds, lambda v: v.solution_id, lambda v: v.problem_id)
    rows = []
    for verdict in chosen:
        problem = data.problems[verdict.problem_id]
        completion = answers[verdict.solution_id]["completion"]
        rows.append(
            {
                "kind": "solve",
                "stage": stage,
                "problem_id": problem.id,
                "statement": problem.statement,
                "solution": extract_code(completion),
                "completion": completion,
                "tests": list(_tests(problem, verdict)),
                "label": None,
                "judgement": None,
                "reward": verdict.pass_rate,
            }
        )
    return rows


def _critique_examples(data: BuiltData, place: Path, stage: str) -> list[dict[str, Json]]:
    critiques = {row["id"]: row for _, row in read_rows(data.folder / "critiques.jsonl")}
    verdicts = {row["solution_id"]: (row, where) for where, row in read_rows(data.folder / "verdicts.jsonl")}
    answers = [row for _, row in read_rows(place / "critiques.jsonl")]

    def right(row: dict[str, Json], label: bool, hit: bool) -> bool:
        said = row["judgement"] == ("correct" if label else "incorrect")
        return critiques[row["row_id"]]["label"] is label and said is hit

    kinds: Sequence[Callable[[dict[str, Json]], bool]] = (
        lambda row: right(row, label=True, hit=True),
        lambda row: right(row, label=False, hit=True),
        lambda row: right(row, label=False, hit=False) or right(row, label=True, hit=False),
    )
    rows = []
    for answer in _one_of_each(
        answers, kinds, lambda row: row["row_id"], lambda row: critiques[row["row_id"]]["problem_id"]
    ):
        critique = critiques[answer["row_id"]]
        problem = data.problems[critique["problem_id"]]
        verdict = Verdict.from_json(*verdicts[critique["solution_id"]])
        hit = answer["judgement"] == ("correct" if critique["label"] else "incorrect")
        rows.append(
            {
                "kind": "critique",
                "stage": stage,
                "problem_id": problem.id,
                "statement": problem.statement,
                "solution": critique["solution"],
                "completion": answer["completion"],
                "tests": list(_tests(problem, verdict)),
                "label": critique["label"],
                "judgement": answer["judgement"],
                "reward": float(hit),
            }
        )
    return rows


def _one_of_each(
    items: Sequence[T], kinds: Sequence[Callable[[T], bool]], name: Callable[[T], str], group: Callable[[T], str]
) -> list[T]:
    """One item of each kind, of different problems where possible, filled up with others to three."""
    order = sorted(items, key=lambda item: hash_fraction("example", name(item)))
    chosen: list[T] = []
    anything: Callable[[T], bool] = lambda item: True  # noqa: E731 - a name would say less
    for kind in (*kinds, *(anything,) * EACH):
        if len(chosen) == EACH:
            break
        taken = {group(item) for item in chosen}
        ids = {name(item) for item in chosen}
        fitting = [item for item in order if name(item) not in ids and kind(item)]
        fresh = [item for item in fitting if group(item) not in taken]
        chosen += (fresh or fitting)[:1]
    return chosen


def _tests(problem: Problem, verdict: Verdict) -> Iterator[dict[str, Json]]:
    for test, result in zip(problem.tests, verdict.tests, strict=False):
        yield {"test": in_words(test, problem), "outcome": result.outcome.value, "message": result.message or ""}


def in_words(test: TestCase, problem: Problem) -> str:
    """A test as a person would say it."""
    if test.kind is TestKind.CALL:
        values = [show(read(value)) for value in test.args]
        values += [f"{name}={show(read(value))}" for name, value in test.kwargs.items()]
        words = f"{problem.entry_point}({', '.join(values)}) → {show(read(test.expected))}"
    elif test.kind is TestKind.STDIO:
        words = f"{test.stdin.strip()!r} → {test.stdout.strip()!r}"
    else:
        words = " ".join(test.code.split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
