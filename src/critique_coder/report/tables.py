"""The rows of the page's tables: metrics before and after, answers by kind, time, data counts, what ran."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from critique_coder.evaluation.statistics import Difference, Estimate
from critique_coder.records import Json, Outcome
from critique_coder.report.charts import COLOURS, Slice
from critique_coder.report.reading import Run, dig
from critique_coder.report.words import JUDGES, MALFORMED, PASS, UNKNOWN, count, percent, stage_title, value

MAIN = (PASS, JUDGES, MALFORMED)
TITLES = {
    PASS: ("pass@1", "solutions that pass all tests"),
    JUDGES: ("Balanced accuracy", "malformed counts as wrong"),
    MALFORMED: ("Malformed critiques", "no verdict line; lower is better"),
    "solve/pass_rate": ("Tests passed", "mean share of tests a solution passes"),
    "critique/recall_correct": ("Correct solutions recognised", "recall of “correct”"),
    "critique/recall_incorrect": ("Wrong solutions recognised", "recall of “incorrect”"),
    "critique/precision_correct": ("“Correct” is right", "precision, over those that said “correct”"),
    "critique/precision_incorrect": ("“Incorrect” is right", "precision, over those that said “incorrect”"),
}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric over the columns of a table; None where it was not measured or not compared."""

    name: str
    title: str
    note: str
    main: bool
    values: tuple[Estimate | None, ...]
    changes: tuple[Difference | None, ...]


@dataclass(frozen=True, slots=True)
class MetricTable:
    """Heads and rows: measured columns, then changes; or, ``inside``, each column's change under its value."""

    columns: tuple[str, ...]
    changes: tuple[str, ...]
    rows: tuple[MetricRow, ...]
    inside: bool = False


def before_after(run: Run) -> MetricTable:
    """Each stage's metrics, and the last stage against each earlier one."""
    earlier = run.stages[:-1]
    changes = [run.change(stage.name, run.final.name) for stage in earlier]
    heads = tuple(f"against {stage_title(stage.name).removeprefix('after ')}, points" for stage in earlier)
    rows = metric_rows([stage.metrics for stage in run.stages], changes)
    return MetricTable(tuple(stage_title(stage.name) for stage in run.stages), heads, rows)


def metric_rows(
    columns: Sequence[Mapping[str, Estimate]], changes: Sequence[Mapping[str, Difference]]
) -> tuple[MetricRow, ...]:
    """A row for each metric that any column has: the main ones first, unknown ones under their own name."""
    present = {name: None for column in columns for name in column}
    names = [name for name in TITLES if name in present] + [name for name in present if name not in TITLES]
    return tuple(
        MetricRow(
            name,
            *TITLES.get(name, (name, "")),
            name in MAIN,
            tuple(column.get(name) for column in columns),
            tuple(change.get(name) for change in changes),
        )
        for name in names
    )


@dataclass(frozen=True, slots=True)
class CountRow:
    """A count, and the whole it is a part of (0: no share is shown)."""

    name: str
    amount: float
    whole: float = 0
    shown: str = ""


@dataclass(frozen=True, slots=True)
class CountTable:
    """Counts under one heading."""

    title: str
    rows: tuple[CountRow, ...]


def answers(run: Run) -> list[CountTable]:
    """What came of the answers at each stage: outcomes of solutions, judgements of critiques."""
    tables = []
    for stage in run.stages:
        for what, found in (("solutions", stage.outcomes), ("critiques", stage.judgements)):
            if found:
                rows = _shares(_in_order(found), sum(found.values()))
                tables.append(CountTable(f"{stage_title(stage.name)}: {what}", rows))
    return tables


def _in_order(outcomes: Mapping[str, Json]) -> list[tuple[str, Json]]:
    """Outcomes in the order of their enum, others after them."""
    order = [outcome.value for outcome in Outcome]
    return sorted(outcomes.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


def _shares(named: Iterable[tuple[str, Json]], whole: float) -> tuple[CountRow, ...]:
    return tuple(CountRow(words(name), amount, whole) for name, amount in named if _is_count(amount))


def _part(counts: Json, *path: str) -> Mapping[str, Json]:
    """An object inside the counts; empty where another version has none."""
    found = dig(counts, *path)
    return found if isinstance(found, Mapping) else {}


def _is_count(amount: Json) -> TypeGuard[float]:
    return isinstance(amount, int | float) and not isinstance(amount, bool) and math.isfinite(amount)


def words(name: str) -> str:
    """A key as people read it."""
    return name.replace("_", " ")


def data_tables(counts: Json) -> list[CountTable]:
    """The counts of a build's manifest; what another version did not count is left out."""
    parts = (_problems, _lost, _solutions, _critiques, _people, _warmup, _training, _heldout)
    return [table for part in parts if (table := part(counts)).rows]


def _problems(counts: Json) -> CountTable:
    found, rows = _part(counts, "problems"), []
    for title, part, whole in (("problems kept", "kept", "read"), ("tests kept", "tests_kept", "tests_read")):
        amount, total = found.get(part), found.get(whole)
        if _is_count(amount) and _is_count(total):
            rows.append(CountRow(f"{title} of {count(total)}", amount, total))
    return CountTable("Problems", tuple(rows))


def _lost(counts: Json) -> CountTable:
    lost, read = _part(counts, "problems", "lost"), dig(counts, "problems", "read")
    whole = read if _is_count(read) else 0
    if whole and not lost:
        return CountTable("Quarantine", (CountRow("problems set aside", 0, whole),))
    return CountTable("Quarantine", _shares(lost.items(), whole))


def _solutions(counts: Json) -> CountTable:
    outcomes = _part(counts, "solutions", "outcomes")
    total = sum(row.amount for row in _shares(outcomes.items(), 0))
    rows = _shares(_in_order(outcomes), total)
    rate = dig(counts, "solutions", "mean_pass_rate")
    if _is_count(rate):
        rows += (CountRow("mean pass rate", rate, 0, value(rate)),)
    return CountTable(f"Candidate solutions ({count(total)})", rows)


def _critiques(counts: Json) -> CountTable:
    return _by_label(counts, "critiques", "Critique rows")


def _people(counts: Json) -> CountTable:
    """What people said and what it changed; empty when nobody judged anything."""
    total, sources = dig(counts, "critiques", "total"), _part(counts, "critiques", "by_source")
    changed, gone = dig(counts, "critiques", "doubtful", "contradicted"), dig(_part(counts, "problems", "lost"), _GONE)
    said = {source: sources.get(source) for source in ("human", "adjudicated")}
    if not _is_count(total) or not (any(map(_is_count, said.values())) or _is_count(gone)):
        return CountTable(_PEOPLE, ())
    amounts = {
        "labels by people": said["human"],
        "labels settled by one of them": said["adjudicated"],
        "labels that are not what the tests say": changed if changed is not None else 0,
    }
    rows = [CountRow(name, amount, total) for name, amount in amounts.items() if _is_count(amount)]
    if _is_count(gone):
        rows.append(CountRow("problems taken out", gone, 0))
    return CountTable(_PEOPLE, tuple(rows))


_PEOPLE, _GONE = "What people changed", "person_quarantined"


def _warmup(counts: Json) -> CountTable:
    return _by_label(counts, "warmup", "Critiques for the warm-up")


def _by_label(counts: Json, what: str, title: str) -> CountTable:
    total, true = dig(counts, what, "total"), dig(counts, what, "true")
    if not (_is_count(total) and _is_count(true)):
        return CountTable(title, ())
    rows = (CountRow("of correct solutions", true, total), CountRow("of wrong solutions", total - true, total))
    return CountTable(f"{title} ({count(total)})", rows)


def _training(counts: Json) -> CountTable:
    rows = _rows_of(counts, "train")
    critiques, true = dig(counts, "rows", "train", "critique"), dig(counts, "rows", "train_critique_true")
    if _is_count(critiques) and _is_count(true):
        rows += (CountRow("critique, of correct solutions", true, critiques),)
    share, asked = dig(counts, "rows", "critique_share"), dig(counts, "rows", "asked_critique_share")
    if _is_count(share):
        said = percent(share) + (f" (asked {percent(asked)})" if _is_count(asked) else "")
        rows += (CountRow("critique share", share, 0, said),)
    return CountTable("Training rows", rows)


def _heldout(counts: Json) -> CountTable:
    return CountTable("Held-out rows", _rows_of(counts, "heldout"))


def _rows_of(counts: Json, split: str) -> tuple[CountRow, ...]:
    found = _part(counts, "rows", split)
    whole = sum(row.amount for row in _shares(found.items(), 0))
    return _shares(sorted(found.items(), reverse=True), whole)


def time_slices(run: Run) -> list[Slice]:
    """Where the time went; what no part accounts for is a slice of its own when it is over a hundredth."""
    timed = enumerate(run.timing.items())
    spent = [Slice(what, seconds, place % (COLOURS - 1) + 1) for place, (what, seconds) in timed]
    rest = run.seconds - sum(run.timing.values())
    if run.finished and rest > run.seconds / 100:
        spent.append(Slice("the rest (loading, saving)", rest, 0))
    return spent


def facts(found: Mapping[str, Json], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as lines of (name, text), for what is shown and not looked into."""
    lines: list[tuple[str, str]] = []
    for key, item in found.items():
        name = f"{prefix}{words(key)}"
        if isinstance(item, Mapping):
            lines += facts(item, f"{name}, ")
        else:
            lines.append((name, UNKNOWN if item is None else str(item)))
    return lines


def what_ran(run: Run) -> list[tuple[str, str]]:
    """Recipe, model, data, versions and machine."""
    noted = {
        "recipe": run.manifest.get("recipe_name"),
        "method": dig(run.settings, "recipe", "method"),
        "seed": dig(run.settings, "recipe", "seed"),
        "model": run.noted("model", "source") or dig(run.settings, "recipe", "model"),
        "data": run.noted("data", "folder"),
        "data manifest": f"sha256 {run.settings['data']}",
        "run folder": str(run.folder),
    }
    groups = {name: run.noted(name) for name in ("versions", "machine") if isinstance(run.noted(name), Mapping)}
    known = {name: item for name, item in noted.items() if item is not None}
    return facts(known) + facts(groups) + facts({"evaluation": run.asked} if run.asked else {})


def recipe_differences(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The settings in which the runs' recipes are not alike, each with its value in every run.

    A model that was only measured has no recipe that could differ.
    """
    if sum(not run.only_measured for run in runs) < 2:
        return []
    recipes = [dict(facts(_part(run.settings, "recipe"))) for run in runs]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    rows = [(name, [recipe.get(name, UNKNOWN) for recipe in recipes]) for name in names]
    own = [place for place, run in enumerate(runs) if not run.only_measured]
    return [(name, found) for name, found in rows if len({found[place] for place in own}) > 1]
