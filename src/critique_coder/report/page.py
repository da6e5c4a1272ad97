"""From run folders to the page: puts records, charts and tables before the templates, and writes the file.

All text on the page may come from a model. Three things keep it text: autoescaping, a content policy that allows the
page's own script by its hash and no request at all, and ``visible``, which shows control characters instead of sending
them on.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from critique_coder.look import colours, highlighted, visible
from critique_coder.records import BadInput
from critique_coder.report import charts, tables, words
from critique_coder.report.between import Against, against
from critique_coder.report.charts import Dot, Line
from critique_coder.report.reading import Run, dig, read_run
from critique_coder.report.relabelled import one_exam
from critique_coder.storage import cannot_write, write_text

CURVES = (
    ("warmup", "warmup/loss", "Warm-up: loss"),
    ("grpo", "reward/solve", "Reward for solving"),
    ("grpo", "reward/critique", "Reward for critiques"),
    ("grpo", "critique/malformed", "Malformed critiques"),
    ("grpo", "rollout/mean_tokens", "Tokens a rollout"),
    ("grpo", "train/entropy", "Entropy of the policy"),
)
_STAGE_COLOURS = {"base": 0, "warmup": 1, "grpo": 2}
_LONGEST = 12_000


def write_report(runs: Sequence[Path], output: Path, command: str | None = None) -> Path:
    """Write one HTML page about one run, or about several compared with the first; returns where it lies.

    What ``critique-coder evaluate`` made counts as a run of one stage. ``command`` is what made the page; it stands at
    its foot. Raises BadInput when a folder is not a run, when nothing
    was measured in it yet, when one of its files is damaged, or when ``output`` cannot be written.
    """
    if not runs:
        raise BadInput("no run folder given; a report needs at least one")
    twice = [path for place, path in enumerate(runs) if path.resolve() in {other.resolve() for other in runs[:place]}]
    if twice:
        raise BadInput(f"{twice[0]}: given twice; give each run once")
    page = render([read_run(path) for path in runs], command)
    try:
        write_text(output, page)
    except OSError as error:
        raise BadInput(cannot_write(output, error)) from None
    return output


def render(runs: Sequence[Run], command: str | None = None) -> str:
    """The page as text, the same for the same runs."""
    names = _names(runs)
    script = _file("page.js")
    named = zip(runs, names, strict=True)
    shown = [_RunView(run, name, f"run-{place}", _run_panels(run)) for place, (run, name) in enumerate(named, 1)]
    page = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            runs=shown,
            comparison=_comparison(runs, names) if len(runs) > 1 else None,
            command=command,
            style=Markup(colours() + _file("page.css")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )
    return visible(page)


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names; with the folder above where two are the same."""
    plain = [run.name for run in runs]
    longer = ["/".join(run.folder.resolve().parts[-2:]) for run in runs]
    return [name if plain.count(name) == 1 else long for name, long in zip(plain, longer, strict=True)]


@dataclass(frozen=True, slots=True)
class _Panel:
    """A titled drawing."""

    title: str
    note: str
    drawing: Markup


@dataclass(frozen=True, slots=True)
class _Panels:
    """The drawings of a run or of a comparison."""

    intervals: list[_Panel]
    curves: list[_Panel]
    more_curves: list[_Panel]


@dataclass(frozen=True, slots=True)
class _RunView:
    """A run with its place on the page."""

    run: Run
    name: str
    anchor: str
    panels: _Panels

    @property
    def progress(self) -> str:
        """How far reinforcement learning has come."""
        steps = [points[-1][0] for (stage, _), points in self.run.curves.items() if stage == "grpo"]
        asked = dig(self.run.settings, "recipe", "grpo", "steps")
        return f"GRPO is at step {max(steps)}" + (f" of {asked}" if asked else "") if steps else ""


@dataclass(frozen=True, slots=True)
class _ComparisonView:
    """Several runs side by side; ``others`` are all but the first, each with its difference from it.

    ``people`` says what people changed between the runs' builds, where all are scored by one of them.
    """

    table: tables.MetricTable
    others: list[tuple[str, Against, tuple[words.Claim, ...]]]
    legend: list[tuple[str, Markup]]
    differing: list[tuple[str, list[str]]]
    trained: int
    people: tuple[str, ...]
    panels: _Panels


def _run_panels(run: Run) -> _Panels:
    known = {(stage, metric) for stage, metric, _ in CURVES}
    rest = [(*key, f"{key[0]}: {key[1]}") for key in sorted(run.curves) if key not in known]
    dots = {
        metric: [
            Dot(words.stage_title(stage.name), stage.metrics[metric], _STAGE_COLOURS.get(stage.name, 3))
            for stage in run.stages
            if metric in stage.metrics
        ]
        for metric in tables.MAIN
    }
    return _Panels(_intervals(dots), _own_curves(run, CURVES), _own_curves(run, rest))


def _intervals(dots: dict[str, list[Dot]]) -> list[_Panel]:
    panels = []
    for metric, rows in dots.items():
        if any(not math.isnan(dot.estimate.value) for dot in rows):
            title, note = tables.TITLES[metric]
            chance = words.CHANCE if metric == words.JUDGES else None
            panels.append(_Panel(title, note, charts.interval_panel(title, rows, chance, "chance")))
    return panels


def _own_curves(run: Run, wanted: Sequence[tuple[str, str, str]]) -> list[_Panel]:
    panels = []
    for stage, metric, title in wanted:
        curve = run.curve(stage, metric)
        if curve:
            line = Line(metric, curve, _STAGE_COLOURS.get(stage, 3))
            window = charts.smooth_window(len(curve))
            note = f"mean of {window} steps" if window > 1 else f"{len(curve)} steps"
            panels.append(_Panel(title, note, charts.line_chart(title, [line])))
    return panels


_RUN_COLOURS = (2, 1, 3, 4, 5, 6, 7, 0)


def _comparison(runs: Sequence[Run], names: Sequence[str]) -> _ComparisonView:
    exam = one_exam(runs, names)
    compared = [against(runs[0], run) for run in runs[1:]] if exam is None else exam.compared
    metrics = [run.final.metrics for run in runs] if exam is None else exam.metrics
    rows = tables.metric_rows(metrics, [{}, *(found.metrics for found in compared)])
    marks = [(_RUN_COLOURS[place % charts.COLOURS], place % charts.DASHES) for place in range(len(runs))]
    dots = {
        metric: [
            Dot(name, found[metric], colour)
            for found, name, (colour, _) in zip(metrics, names, marks, strict=True)
            if metric in found
        ]
        for metric in tables.MAIN
    }
    return _ComparisonView(
        tables.MetricTable(tuple(names), (), rows, inside=True),
        [(name, found, words.change_claims(found.metrics)) for name, found in zip(names[1:], compared, strict=True)],
        [(name, charts.key(*mark)) for name, mark in zip(names, marks, strict=True)],
        tables.recipe_differences(runs),
        sum(not run.only_measured for run in runs),
        exam.said if exam is not None else (),
        _Panels(_intervals(dots), _shared_curves(list(zip(runs, names, marks, strict=True))), []),
    )


def _shared_curves(lined: Sequence[tuple[Run, str, tuple[int, int]]]) -> list[_Panel]:
    panels = []
    for stage, metric, title in CURVES:
        lines = [Line(name, curve, *mark) for run, name, mark in lined if (curve := run.curve(stage, metric))]
        if lines:
            panels.append(_Panel(title, "", charts.line_chart(title, lines)))
    return panels


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("critique_coder", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": _code, "cut": _cut, "stage_title": words.stage_title}
    environment.globals |= {"words": words, "tables": tables, "charts": charts}
    return environment


def _code(text: str) -> Markup:
    """Python with classes for the page's own colours."""
    return highlighted(_cut(text), "python")


def _cut(text: str) -> str:
    """Text of a length that a page can carry; says how much is left out."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… ({words.count(len(text) - _LONGEST)} more characters)"


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
