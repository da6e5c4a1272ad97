"""The queue of a build or a run: everything that people can judge in it, and how doubtful each is.

Doubtful is a solution whose tests contradict critics or stand near the threshold, whose verdict may come out otherwise
the next time, that fails only what every solution of its problem fails, or whose problem the audit took out. A
critique is doubtful when it contradicts the tests. The rest of the order is ``review/queue.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from critique_coder.prompts import extract_code
from critique_coder.records import BadInput, CritiqueRow, Json, LabelSource, Problem
from critique_coder.review.cases import Case, critiques_of
from critique_coder.review.from_build import (
    Tested,
    build_of,
    build_settings,
    critiques_of_run,
    labelled,
    problems_of,
    tested,
    written_rows,
)
from critique_coder.review.gold import AUDIT_VERDICTS, candidates, gold_cases, read_gold
from critique_coder.review.naming import Names
from critique_coder.review.quarantined import DOUBTS, quarantined_cases
from critique_coder.review.queue import Queued, QueueSettings, doubt_of, queue
from critique_coder.review.wrong_gold import WrongGold, read_wrong_gold
from critique_coder.storage import read_json, write_json

SETTINGS = "review.json"
"""The file in a reviewed folder that holds the queue's settings."""

_SETTLED = 0.05
"""The doubt of a label that people gave in an earlier review."""
_ONLY_WHAT_ALL_FAIL = 0.9
_CHANGING = 1.0
_AT_THE_LIMIT = 0.4
_AGAINST_TESTS, _WITH_TESTS, _NO_JUDGEMENT = 0.9, 0.3, 0.1


def queued(folder: Path, settings: QueueSettings, wrong: WrongGold | None = None) -> list[Queued]:
    """All items of a build, or of a run and its build, with their doubts; raises BadInput.

    The same folder and settings give the same items. A run that goes on, or a larger share of gold, only adds some.
    ``wrong`` makes the wrong gold items that are missing, for a review that begins.
    """
    build = _Build.read(build_of(folder))
    rows, doubts, settled = [], {}, set()
    for row, case in build.labelled:
        rows.append(case)
        if row.label_source is not LabelSource.TESTS:
            settled.add(case.id)
        doubts[case.id] = build.doubt(row, case)
    unscored = list(build.unscored({case.solution_id for case in rows}))
    critiques = critiques_of_run(folder, {case.id: case for case in rows})
    doubts |= _by_critics(critiques, settled, doubts)
    doubts |= {case.id: _CHANGING for case in unscored}
    names = Names(build.owners, (case.solution_id for case in rows))
    audit = tested(build.folder / AUDIT_VERDICTS) if (build.folder / AUDIT_VERDICTS).exists() else {}
    lost = quarantined_cases(build.folder, audit, names, settings.seed)
    doubts |= {case.id: DOUBTS[case.quarantine] for case in lost if case.quarantine is not None}
    cases = _with_gold([*rows, *unscored, *lost, *critiques], settings)
    count = round(settings.gold_share * len(cases))
    shown = {case.problem.id: case.problem for case in rows}
    known = candidates(build.folder, shown, audit, settings.seed) if count else []
    if wrong is not None:
        wrong.fill(folder, shown, known, count, settings.seed)
    known += read_wrong_gold(folder, shown, settings.seed)
    made = gold_cases(build.folder, shown, known, names, count, settings.seed)
    return queue([*cases, *made], doubts, settings)


def cases_in_review(folder: Path, settings: QueueSettings) -> tuple[Case, ...]:
    """The cases of the queue, for agreement, apply and the exports: gold items known as such. Raises BadInput."""
    return tuple(item.case for item in queued(folder, settings))


def remember(folder: Path, settings: QueueSettings) -> None:
    """Keep in the folder with which settings it is reviewed: which items are gold must not be forgotten later."""
    if remembered(folder) != settings:
        write_json(folder / SETTINGS, asdict(settings))


def remembered(folder: Path) -> QueueSettings:
    """The settings with which the folder is reviewed; the defaults where it never was. Raises BadInput."""
    path = folder / SETTINGS
    if not path.exists():
        return QueueSettings()
    try:
        return QueueSettings(**read_json(path))
    except TypeError:
        raise BadInput(
            f"{path}: is of another version of critique-coder; remove it and start the review again"
        ) from None


def _with_gold(cases: list[Case], settings: QueueSettings) -> list[Case]:
    """The cases, those of the user's gold file with their known answers."""
    if settings.gold is None:
        return cases
    labels = read_gold(Path(settings.gold), cases)
    return [replace(case, gold=labels[case.id]) if case.id in labels else case for case in cases]


@dataclass(frozen=True)
class _Build:
    """What the doubts follow from. ``owners``: the problem of each solution; ``changing``: solutions whose very text
    was judged twice for the same problem, with different results; ``failed_by_all``: for each problem that no solution
    solves, the places (from 0) of the tests that all failed."""

    folder: Path
    problems: Mapping[str, Problem]
    results: Mapping[str, Tested]
    owners: Mapping[str, str]
    changing: frozenset[str]
    failed_by_all: Mapping[str, frozenset[int]]
    threshold: float
    time_limit_s: float

    @classmethod
    def read(cls, folder: Path) -> _Build:
        problems, results = problems_of(folder), tested(folder / "verdicts.jsonl")
        owners, changing = _texts(folder, results)
        settings = build_settings(folder)
        label, judge = settings.get("label", {}), settings.get("judge", {})
        threshold = 1.0 if label.get("strict") else label.get("threshold", 0.8)
        limit = judge.get("time_limit_s", 10.0)
        return cls(folder, problems, results, owners, changing, _never_solved(folder), threshold, limit)

    @property
    def labelled(self) -> Iterator[tuple[CritiqueRow, Case]]:
        return labelled(self.folder, self.problems, self.results)

    def doubt(self, row: CritiqueRow, case: Case) -> float:
        """The doubt of a solution before any critic is heard; settled where people gave the label."""
        if row.label_source is not LabelSource.TESTS:
            return _SETTLED
        if case.solution_id in self.changing:
            return _CHANGING
        never = self.failed_by_all.get(case.problem.id)
        doubt = doubt_of(case, row.pass_rate, self.threshold, never is None, ())
        if never and row.pass_rate and never.issuperset(case.failed_tests):
            doubt = max(doubt, _ONLY_WHAT_ALL_FAIL)
        return max(doubt, self._at_the_limit(case))

    def _at_the_limit(self, case: Case) -> float:
        """A test that was stopped for its time, or passed shortly before, may end otherwise on another machine."""
        found = self.results.get(case.solution_id)
        limit = case.problem.time_limit_s or self.time_limit_s
        near = found is not None and (found.stopped or found.longest_s > 0.7 * limit)
        return _AT_THE_LIMIT if near else 0.0

    def unscored(self, known: set[str]) -> Iterator[Case]:
        """Solutions with code that the machinery could not judge, of problems in use: they are no rows yet."""
        lost = {
            name
            for name, found in self.results.items()
            if found.pass_rate is None and name not in known and self.owners.get(name) in self.problems
        }
        for row in written_rows(self.folder / "solutions.jsonl", lost) if lost else ():
            code = row.get("code") or extract_code(row.get("completion") or "")
            if code and code.strip():
                yield Case(f"critique/{row['id']}", self.problems[row["problem_id"]], row["id"], code)


def _texts(folder: Path, results: Mapping[str, Tested]) -> tuple[dict[str, str], frozenset[str]]:
    """The problem of each solution, and the solutions whose text was judged again with another result."""
    owners: dict[str, str] = {}
    same: dict[int, tuple[set[Json], list[str]]] = {}
    for row in written_rows(folder / "solutions.jsonl") if (folder / "solutions.jsonl").exists() else ():
        owners[row["id"]] = row["problem_id"]
        found = results.get(row["id"])
        if found is not None:
            text = hash((row["problem_id"], row.get("code"), row.get("completion")))
            rates, ids = same.setdefault(text, (set(), []))
            rates.add(found.pass_rate)
            ids.append(row["id"])
    return owners, frozenset(name for rates, ids in same.values() if len(rates) > 1 for name in ids)


def _never_solved(folder: Path) -> dict[str, frozenset[int]]:
    path = folder / "never_solved.jsonl"
    rows: Iterable[Json] = written_rows(path) if path.exists() else ()
    return {row["problem_id"]: frozenset(place - 1 for place in row["failed_by_all"]) for row in rows}


def _by_critics(critiques: list[Case], settled: Collection[str], doubts: Mapping[str, float]) -> dict[str, float]:
    """The doubts of critiques, and those of the solutions that they judge where critics raise them.

    ``settled`` are rows whose label people gave: no critic raises their doubt.
    """
    said: dict[str, list[bool]] = {}
    found = {}
    for case in critiques_of(critiques):
        agrees = case.judgement is case.tests
        found[case.id] = _NO_JUDGEMENT if case.judgement is None else _WITH_TESTS if agrees else _AGAINST_TESTS
        if case.judgement is not None and case.row_id is not None:
            said.setdefault(case.row_id, []).append(case.judgement is not case.tests)
    for row, against in said.items():
        if row not in settled:
            found[row] = max(doubts[row], sum(against) / len(against))
    return found
