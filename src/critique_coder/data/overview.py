"""What is in a build, as numbers: problems and what was lost, difficulty, authors, outcomes, labels, style, rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean, median, quantiles

from critique_coder.data.built import BuiltData
from critique_coder.data.difficulty import KS
from critique_coder.data.skew import Skew
from critique_coder.records import CritiqueRow, Json
from critique_coder.storage import read_rows

BINS = 10
"""Bars of a histogram of pass rates."""


@dataclass(slots=True)
class _Author:
    rates: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def to_json(self) -> dict[str, Json]:
        return {
            "solutions": len(self.rates),
            "mean_pass_rate": _round(fmean(self.rates)) if self.rates else None,
            "mean_tokens": _round(fmean(self.tokens)) if self.tokens else None,
        }


def overview(data: BuiltData) -> dict[str, Json]:
    """The numbers of a finished build; texts are read one record at a time. Raises BadInput."""
    authors, tokens = _authors(data)
    by_problem, by_author, outcomes = _verdicts(data, authors, tokens)
    counts = data.manifest["counts"]
    return {
        "problems": _problems(data),
        "lost": counts["problems"]["by_source"],
        "table1": counts["table1"],
        "difficulty": _difficulty(by_problem),
        "authors": {
            name: found.to_json() | _table2(counts["difficulty"], name) for name, found in sorted(by_author.items())
        },
        "outcomes": dict(outcomes.most_common()),
        "labels": _labels(data, authors),
        "rows": {split: _rows(data, split) for split in ("train", "heldout")},
    }


def _table2(difficulty: Json, author: str) -> dict[str, Json]:
    """The author's pass@k over the problems that were kept, as the build found them (the paper's Table 2)."""
    found = difficulty["models"].get(author, {})
    return {f"pass@{k}": found.get(f"pass@{k}") for k in KS}


def _round(value: float) -> float:
    return round(value, 4)


def spread(values: Iterable[float]) -> dict[str, Json]:
    """Count, mean, median and 95th percentile."""
    known = sorted(values)
    if not known:
        return {"count": 0, "mean": None, "median": None, "p95": None}
    high = quantiles(known, n=20, method="inclusive")[-1] if len(known) > 1 else known[0]
    return {"count": len(known), "mean": _round(fmean(known)), "median": median(known), "p95": _round(high)}


def _problems(data: BuiltData) -> dict[str, Json]:
    licences: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    tests, statements = [], []
    for problem in data.problems.values():
        licences[problem.licence or "not stated"] += 1
        kinds.update({test.kind.value for test in problem.tests})
        tests.append(len(problem.tests))
        statements.append(len(problem.statement))
    return {
        "by_licence": dict(licences.most_common()),
        "with_tests_of_kind": dict(kinds.most_common()),
        "tests": spread(tests),
        "statement_characters": spread(statements),
    }


def _authors(data: BuiltData) -> tuple[dict[str, str], dict[str, int]]:
    """Author and written tokens of each solution, where they are known."""
    authors: dict[str, str] = {}
    tokens: dict[str, int] = {}
    for _, row in read_rows(data.folder / "solutions.jsonl"):
        authors[row["id"]] = row.get("author") or "unknown"
        if isinstance(count := row.get("metadata", {}).get("tokens"), int):
            tokens[row["id"]] = count
    return authors, tokens


def _verdicts(
    data: BuiltData, authors: dict[str, str], tokens: dict[str, int]
) -> tuple[dict[str, list[float]], dict[str, _Author], Counter[str]]:
    by_problem: dict[str, list[float]] = {}
    by_author: dict[str, _Author] = {}
    outcomes: Counter[str] = Counter()
    for _, row in read_rows(data.folder / "verdicts.jsonl"):
        outcomes[row["outcome"]] += 1
        if row["pass_rate"] is not None:
            by_problem.setdefault(row["problem_id"], []).append(row["pass_rate"])
            author = by_author.setdefault(authors.get(row["solution_id"], "unknown"), _Author())
            author.rates.append(row["pass_rate"])
            if row["solution_id"] in tokens:
                author.tokens.append(tokens[row["solution_id"]])
    return by_problem, by_author, outcomes


def _difficulty(by_problem: dict[str, list[float]]) -> dict[str, Json]:
    """How many problems have which share of solutions that pass every test."""
    solved = [fmean([rate == 1 for rate in rates]) for rates in by_problem.values()]
    bins = Counter(min(BINS - 1, int(share * BINS)) for share in solved)
    return {
        "problems": len(solved),
        "never_solved": sum(share == 0 for share in solved),
        "always_solved": sum(share == 1 for share in solved),
        "histogram": [bins[place] for place in range(BINS)],
    }


def _labels(data: BuiltData, authors: dict[str, str]) -> dict[str, Json]:
    sources: Counter[str] = Counter()
    true, contradicted, skew = 0, 0, Skew()
    for where, value in read_rows(data.folder / "critiques.jsonl"):
        row = CritiqueRow.from_json(value, where)
        sources[row.label_source.value] += 1
        true += row.label
        contradicted += row.test_label is not None and row.test_label is not row.label
        skew.add(row, authors.get(row.solution_id))
    return {
        "total": sources.total(),
        "true": true,
        "by_source": dict(sources.most_common()),
        "contradicted": contradicted,
        "skew": skew.to_json(),
    }


def _rows(data: BuiltData, split: str) -> dict[str, Json]:
    kinds: Counter[str] = Counter()
    true, lengths = 0, []
    for _, row in read_rows(data.folder / "rows" / f"{split}.parquet"):
        kinds[row["kind"]] += 1
        true += row["label"] is True
        lengths.append(sum(len(turn["content"]) for turn in row["prompt"]))
    return {"by_kind": dict(kinds.most_common()), "true": true, "prompt_characters": spread(lengths)}
