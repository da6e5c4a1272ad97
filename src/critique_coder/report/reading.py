"""What a run folder holds, read once into typed records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from critique_coder.evaluation.statistics import Difference, Estimate, Finding
from critique_coder.records import BadInput, Json
from critique_coder.report import shapes
from critique_coder.report.examples import Example, read_examples
from critique_coder.storage import read_json

Curve = tuple[tuple[int, float], ...]
"""(step, value) in the order of the steps."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One model as it was measured on the held-out rows."""

    name: str
    metrics: Mapping[str, Estimate]
    outcomes: Mapping[str, int]
    judgements: Mapping[str, int]
    samples: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the metrics changed from one stage to another."""

    before: str
    after: str
    metrics: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder, or what ``critique-coder evaluate`` made: one stage without training.

    ``manifest`` is empty while a run goes on, since training writes it last.
    """

    folder: Path
    settings: Mapping[str, Json]
    config: str
    manifest: Mapping[str, Json]
    asked: Mapping[str, Json]
    stages: tuple[Stage, ...]
    comparisons: tuple[Comparison, ...]
    heldout_problems: int
    curves: Mapping[tuple[str, str], Curve]
    timing: Mapping[str, float]
    examples: tuple[Example, ...]

    @property
    def name(self) -> str:
        """What people call the run: its folder's name; that of the folder above for the "run" that a demo writes."""
        place = self.folder.resolve()
        return place.parent.name if place.name == "run" else place.name

    @property
    def finished(self) -> bool:
        """Whether training wrote its manifest; an evaluation is written when all of it is there."""
        return bool(self.manifest) or self.only_measured

    @property
    def only_measured(self) -> bool:
        """Whether this is an evaluation of a model, not a run that trained one."""
        return "recipe" not in self.settings

    @property
    def final(self) -> Stage:
        """The last stage that was measured."""
        return self.stages[-1]

    def stage(self, name: str) -> Stage | None:
        """A stage by name."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def change(self, before: str, after: str) -> Mapping[str, Difference]:
        """The comparison of two stages; empty when it was not made."""
        found = (c.metrics for c in self.comparisons if (c.before, c.after) == (before, after))
        return next(found, {})

    def curve(self, stage: str, metric: str) -> Curve:
        """A metric over the steps of a stage; empty when it was not logged."""
        return self.curves.get((stage, metric), ())

    def noted(self, *path: str) -> Json:
        """A value of the manifest by its keys, or None; manifests of other versions may lack it."""
        return dig(self.manifest, *path)

    @property
    def seconds(self) -> float:
        """Time over all sittings: what the manifest says, or the timed parts where those add up to more."""
        total = self.manifest.get("seconds")
        timed = sum(self.timing.values())
        return max(float(total), timed) if isinstance(total, int | float) else timed


def dig(value: Json, *path: str) -> Json:
    """A value inside nested objects by its keys, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def read_run(folder: Path) -> Run:
    """Read a run folder, finished or not, or an evaluation's.

    Raises BadInput when it is neither, or when nothing was measured yet.
    """
    settings = _run_settings(folder)
    place = folder / "evaluation.json"
    if not place.exists():
        raise BadInput(f"{folder}: holds no evaluation.json: nothing was measured yet; let the run go on and ask again")
    evaluation = shapes.mapping(read_json(place), str(place))
    stages = _stages(evaluation, str(place))
    return Run(
        folder=folder,
        settings=settings,
        config=_config(folder),
        manifest=_manifest(folder, "run" if "recipe" in settings else "evaluation"),
        asked=shapes.mapping(evaluation.get("settings") or {}, f"{place}, key 'settings'"),
        stages=stages,
        comparisons=_comparisons(evaluation, str(place)),
        heldout_problems=_heldout_problems(folder, stages[-1].name),
        curves=_curves(folder / "metrics.jsonl"),
        timing=_timing(folder / "timing.jsonl"),
        examples=read_examples(folder),
    )


def _run_settings(folder: Path) -> dict[str, Json]:
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such run folder")
    place = folder / "settings.json"
    if not place.exists():
        raise BadInput(
            f"{folder}: is not a run folder (no settings.json); give what `critique-coder train` or `evaluate` made"
        )
    settings = shapes.mapping(read_json(place), str(place))
    if "data" not in settings or not settings.keys() & {"recipe", "samples"}:
        raise BadInput(f"{folder}: is not a run folder (settings.json lacks 'recipe' or 'data'); is it a build folder?")
    return settings


def _config(folder: Path) -> str:
    place = folder / "config.toml"
    try:
        return place.read_text(encoding="utf-8") if place.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{place}: cannot be read: {error}") from None


def _manifest(folder: Path, kind: str) -> dict[str, Json]:
    place = folder / "manifest.json"
    if not place.exists():
        return {}
    manifest = shapes.mapping(read_json(place), str(place))
    if manifest.get("kind") != kind:
        raise BadInput(f"{place}, key 'kind': must be {kind!r}, not {manifest.get('kind')!r}")
    return manifest


def _stages(evaluation: dict[str, Json], where: str) -> tuple[Stage, ...]:
    rows = shapes.items(evaluation.get("stages"), f"{where}, key 'stages'")
    if not rows:
        raise BadInput(f"{where}, key 'stages': is empty: nothing was measured yet; let the run go on and ask again")
    return tuple(_stage(row, f"{where}, stage {place}") for place, row in enumerate(rows, 1))


def _stage(value: Json, where: str) -> Stage:
    row = shapes.mapping(value, where)
    metrics = shapes.mapping(row.get("metrics"), f"{where}, key 'metrics'")
    outcomes = shapes.counts(row.get("outcomes"), f"{where}, key 'outcomes'")
    judgements = shapes.counts(row.get("judgements"), f"{where}, key 'judgements'")
    return Stage(
        name=shapes.text(row.get("stage"), f"{where}, key 'stage'"),
        metrics={name: _estimate(found, f"{where}, {name!r}") for name, found in metrics.items()},
        outcomes=outcomes,
        judgements=judgements,
        samples=sum(outcomes.values()),
        pairs=sum(judgements.values()),
    )


def _estimate(value: Json, where: str) -> Estimate:
    row = shapes.mapping(value, where)
    point, low, high = (shapes.number(row.get(name), f"{where}, key {name!r}") for name in ("value", "low", "high"))
    return Estimate(point, low, high)


def _comparisons(evaluation: dict[str, Json], where: str) -> tuple[Comparison, ...]:
    found = []
    for place, value in enumerate(shapes.items(evaluation.get("comparisons", []), f"{where}, key 'comparisons'"), 1):
        here = f"{where}, comparison {place}"
        row = shapes.mapping(value, here)
        metrics = shapes.mapping(row.get("metrics"), f"{here}, key 'metrics'")
        changes = {name: _difference(change, f"{here}, {name!r}") for name, change in metrics.items()}
        ends = [shapes.text(row.get(end), f"{here}, key {end!r}") for end in ("before", "after")]
        found.append(Comparison(ends[0], ends[1], changes))
    return tuple(found)


def _difference(value: Json, where: str) -> Difference:
    estimate = _estimate(value, where)
    try:
        return Difference(estimate, Finding(value.get("finding")))
    except ValueError:
        known = ", ".join(finding.value for finding in Finding)
        raise BadInput(f"{where}, key 'finding': {value.get('finding')!r} is not one of: {known}") from None


def _heldout_problems(folder: Path, stage: str) -> int:
    rows = shapes.growing_rows(folder / "evaluation" / stage / "verdicts.jsonl")
    return len({str(row.get("problem_id")) for _, row in rows})


def _curves(path: Path) -> dict[tuple[str, str], Curve]:
    """The curves by (stage, metric). Of a step that was done again after a kill, the later line counts."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for where, row in shapes.growing_rows(path):
        stage = shapes.text(row.get("stage"), f"{where}, key 'stage'")
        step = shapes.number(row.get("step"), f"{where}, key 'step'")
        for name, value in shapes.mapping(row.get("metrics"), f"{where}, key 'metrics'").items():
            number = shapes.number(value, f"{where}, {name!r}")
            if number == number and step == step:
                found.setdefault((stage, name), {})[int(step)] = number
    return {key: tuple(sorted(points.items())) for key, points in found.items()}


def _timing(path: Path) -> dict[str, float]:
    """Seconds by what they went to, in order of first appearance; a part that was taken up again adds up."""
    spent: dict[str, float] = {}
    for where, row in shapes.growing_rows(path):
        what = shapes.text(row.get("what"), f"{where}, key 'what'")
        seconds = shapes.number(row.get("seconds"), f"{where}, key 'seconds'")
        if seconds == seconds:
            spent[what] = spent.get(what, 0.0) + max(0.0, seconds)
    return spent
