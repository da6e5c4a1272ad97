"""Runs whose builds differ by what people said, scored by one exam: the labels of the build that people judged most.

Each run was measured by its own build's labels. Beside each other such figures mix what training did with what the new
labels did. Judgements are stored, so all of them can be held to the same labels: those of the newest build. What that
alone changes is told apart from how the runs differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from critique_coder.evaluation.metrics import (
    Counts,
    Judged,
    critique_counts,
    critique_metrics,
    solve_counts,
    solve_metrics,
)
from critique_coder.evaluation.statistics import Estimate, differences, estimates
from critique_coder.records import Json, Judgement, LabelSource
from critique_coder.report.answers import build_of, critiques, pass_rates
from critique_coder.report.between import Against, cautions, people_of, same_exam
from critique_coder.report.reading import Run
from critique_coder.report.words import JUDGES, value
from critique_coder.storage import differences as setting_differences
from critique_coder.storage import read_rows

_NO_PAIRS = "critiques not compared: there is no held-out pair that all runs judged"
_NO_PROBLEMS = "pass@1 not compared: there is no problem with the same tests that all runs solved"


@dataclass(frozen=True, slots=True)
class OneExam:
    """Runs on one exam: the metrics of each, each but the first against the first, and in words what was done."""

    metrics: tuple[dict[str, Estimate], ...]
    compared: tuple[Against, ...]
    said: tuple[str, ...]


def one_exam(runs: Sequence[Run], names: Sequence[str]) -> OneExam | None:
    """The runs by the labels of the newest of their builds.

    None where that is no question (all were measured on the same rows and tests), where people are not what the builds
    differ by, or where one of the builds is not here any more.
    """
    if all(same_exam(runs[0], run) for run in runs):
        return None
    newest = max(range(len(runs)), key=lambda place: (*_by_people(runs[place]), place))
    folders = [build_of(run, (run, *runs)) for run in runs]
    here = [folder for folder in folders if folder is not None]
    if people_of(runs[newest]) is None or len(here) < len(runs):
        return None
    builds = {folder: _Build.read(folder) for folder in dict.fromkeys(here)}
    return _Marking(runs, names, [builds[folder] for folder in here], newest).result()


def _by_people(run: Run) -> tuple[bool, float]:
    sources = run.noted("data", "manifest", "counts", "critiques", "by_source")
    counts = [sources.get(name, 0) for name in _PEOPLE] if isinstance(sources, Mapping) else []
    return people_of(run) is not None, sum(count for count in counts if isinstance(count, int | float))


_PEOPLE = (LabelSource.HUMAN.value, LabelSource.ADJUDICATED.value)


@dataclass(frozen=True, slots=True)
class _Label:
    """A labelled solution; ``text`` tells it from another solution of the same name."""

    problem_id: str
    text: int
    label: bool
    by_people: bool


@dataclass(frozen=True, slots=True)
class _Build:
    """What runs are measured by: every label by row id, the held-out pairs, and the held-out problems with their
    tests. Texts are held as hashes."""

    name: str
    labels: Mapping[str, _Label]
    pairs: Mapping[str, _Label]
    problems: Mapping[str, int]

    @classmethod
    def read(cls, folder: Path) -> _Build:
        """Raises BadInput when a file of it is gone or damaged."""
        rows = [row for _, row in read_rows(folder / "rows" / "heldout.parquet")]
        asked = {row["problem_id"]: str(row["prompt"]) for row in rows if row.get("kind") == "solve"}
        return cls(
            folder.name,
            {row["id"]: _label(row, row["solution"]) for _, row in read_rows(folder / "critiques.jsonl")},
            {row["id"]: _label(row, row["prompt"]) for row in rows if row.get("kind") == "critique"},
            {
                row["id"]: hash((asked[row["id"]], str(row)))
                for _, row in read_rows(folder / "problems.jsonl")
                if row["id"] in asked
            },
        )


def _label(row: Mapping[str, Json], text: Json) -> _Label:
    return _Label(row["problem_id"], hash(str(text)), row["label"], row["label_source"] in _PEOPLE)


@dataclass
class _Marking:
    """The work of holding the runs' answers to the labels of one build, on what all of them have in common.

    ``place`` is that of the run by whose build all are scored.
    """

    runs: Sequence[Run]
    names: Sequence[str]
    builds: Sequence[_Build]
    place: int
    said: list[dict[str, Judgement]] = field(init=False)
    pairs: list[str] = field(init=False)
    problems: set[str] = field(init=False)

    @property
    def newest(self) -> _Build:
        """The build whose labels count."""
        return self.builds[self.place]

    def __post_init__(self) -> None:
        self.said = [{name: one for name, (one, _) in critiques(run).items()} for run in self.runs]
        self.pairs = [name for name, label in self.newest.pairs.items() if self._shared(name, label)]
        rates = [{problem for problem, _ in pass_rates(run)} for run in self.runs]
        self.problems = {
            problem
            for problem, text in self.newest.problems.items()
            if all(build.problems.get(problem) == text for build in self.builds)
            and all(problem in solved for solved in rates)
        }

    def _shared(self, name: str, label: _Label) -> bool:
        known = [build.pairs.get(name) for build in self.builds]
        return all(one is not None and one.text == label.text for one in known) and all(name in s for s in self.said)

    def result(self) -> OneExam:
        """Metrics, comparisons and words."""
        solves = [self._solves(run) for run in self.runs]
        judged = [self._judged(place, self.newest) for place in range(len(self.runs))]
        metrics = [
            {**(estimates(solve, solve_metrics) if self.problems else {}), **_critique_estimates(critique)}
            for solve, critique in zip(solves, judged, strict=True)
        ]
        compared = []
        for place in range(1, len(self.runs)):
            found = Against(notes=cautions(self.runs[0], self.runs[place]))
            if self.problems:
                found.metrics |= differences(solves[0], solves[place], solve_metrics)
            if self.pairs:
                found.metrics |= differences(judged[0], judged[place], critique_metrics)
            compared.append(found)
        return OneExam(tuple(metrics), tuple(compared), tuple(self._words(metrics)))

    def _solves(self, run: Run) -> Counts:
        return solve_counts((problem, rate) for problem, rate in pass_rates(run) if problem in self.problems)

    def _judged(self, place: int, build: _Build) -> Counts:
        """What a run said of the shared pairs, beside the labels of a build."""
        said = self.said[place]
        truth = [(build.pairs[name], said[name]) for name in self.pairs]
        return critique_counts(Judged(label.problem_id, label.label, judgement) for label, judgement in truth)

    def _words(self, metrics: Sequence[Mapping[str, Estimate]]) -> list[str]:
        older = {id(build): build for build in self.builds if build is not self.newest}.values()
        said = [sentence for build in older for sentence in _changes(build, self.newest)]
        said += dict.fromkeys(note for run in self.runs for note in _other_settings(run, self.runs[self.place]))
        if self.pairs:
            moved = sum(
                any(b.pairs[name].label is not self.newest.pairs[name].label for b in older) for name in self.pairs
            )
            said.append(
                f"all runs are scored by the labels of {self.newest.name}, from the judgements that they gave when "
                f"they were measured, on the {len(self.pairs)} held-out pairs that all of them judged; the label of "
                f"{moved} of these pairs changed"
            )
            others = [place for place, build in enumerate(self.builds) if build is not self.newest]
            said += [self._alone(place, metrics[place]) for place in others if moved]
        else:
            said.append(_NO_PAIRS)
        if not self.problems:
            said.append(_NO_PROBLEMS)
        elif len(self.problems) < max(len(build.problems) for build in self.builds):
            said.append(
                f"pass@1 is compared on the {len(self.problems)} problems that have the same tests in all builds"
            )
        return said

    def _alone(self, place: int, metrics: Mapping[str, Estimate]) -> str:
        """What the new labels alone do to the score of a model that was not trained on them."""
        build = self.builds[place]
        old = _critique_estimates(self._judged(place, build))[JUDGES]
        return (
            f"on these pairs the balanced accuracy of {self.names[place]} is {value(old.value)} by the labels of "
            f"{build.name} and {value(metrics[JUDGES].value)} by those of {self.newest.name}: that is what the labels "
            "alone do"
        )


def _other_settings(run: Run, newest: Run) -> list[str]:
    """What else the builds differ by, since the changes are then not people's alone."""
    old, new = (dict(found) if isinstance(found := _settings(side), Mapping) else {} for side in (run, newest))
    others = sorted(name for name in setting_differences(old, new) if name != "label.people")
    return [f"the builds differ in more than people's feedback: {', '.join(others)}"] if others else []


def _settings(run: Run) -> Json:
    return run.noted("data", "manifest", "settings")


def _critique_estimates(counts: Counts) -> dict[str, Estimate]:
    return estimates(counts, critique_metrics) if counts.problems else {}


def _changes(old: _Build, new: _Build) -> list[str]:
    """How many labels of a build are others in the newest, and by what."""
    shared = [name for name, label in old.labels.items() if name in new.labels and new.labels[name].text == label.text]
    changed = [name for name in shared if old.labels[name].label is not new.labels[name].label]
    people = sum(new.labels[name].by_people for name in changed)
    held = sum(old.labels[name].problem_id in new.problems for name in changed)
    judged = sum(label.by_people for label in new.labels.values())
    said = [
        f"people's verdicts are the labels of {judged} of the {len(new.labels)} solutions of {new.name}; of the "
        f"{len(shared)} labels that {old.name} has too they changed {len(changed)}: {people} by the verdict itself, "
        f"{len(changed) - people} by mended tests; {held} of the {len(changed)} are of held-out problems"
    ]
    gone = len(old.labels) - len(shared)
    if gone:
        said.append(f"{gone} labels of {old.name} are of solutions that {new.name} does not hold any more")
    return said
