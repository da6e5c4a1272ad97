"""Plain SVG: learning curves, dot-and-interval panels, bars. Colours are the page's classes ``c0`` to ``c7``,
dashes ``d0`` to ``d3``.

A panel is drawn 320 wide and the page lays panels out in a grid, so that its text keeps its size on a phone. All text
goes through ``Markup.format``, which escapes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from critique_coder.evaluation.statistics import Estimate
from critique_coder.report.reading import Curve
from critique_coder.report.words import count, interval, value

COLOURS = 8
DASHES = 4
_WIDTH = 320
_SMOOTH_FROM = 8
_HIT_RADIUS = 5
_MOST_HITS = 200
_LONGEST_NAME = 32


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a chart; ``dash`` tells curves apart for those who cannot by colour."""

    name: str
    points: Curve
    colour: int
    dash: int = 0


@dataclass(frozen=True, slots=True)
class Dot:
    """One row of a dot-and-interval panel."""

    name: str
    estimate: Estimate
    colour: int


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of a stacked bar."""

    name: str
    amount: float
    colour: int


@dataclass(frozen=True, slots=True)
class _Scale:
    """From data to places in the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, number: float) -> float:
        share = (number - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, about ``most`` of them."""
    if not high > low:
        low, high = (0.0, 1.0) if low == 0 else (min(0.0, low), max(0.0, high))
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * power for unit in (1, 2, 2.5, 5, 10) if unit * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def smooth_window(points: int) -> int:
    """Over how many neighbours a curve is averaged; 1 for a curve too short to need it."""
    return 1 if points < _SMOOTH_FROM else max(3, points // 8 // 2 * 2 + 1)


def smoothed(curve: Curve) -> Curve:
    """The mean of each point and its neighbours."""
    half = smooth_window(len(curve)) // 2
    numbers = [number for _, number in curve]
    means = []
    for place, (step, _) in enumerate(curve):
        near = numbers[max(0, place - half) : place + half + 1]
        means.append((step, sum(near) / len(near)))
    return tuple(means)


def line_chart(title: str, lines: Sequence[Line], axis: str = "step", from_zero: bool = True) -> Markup:
    """Curves over steps, or over what ``axis`` names: thin what was logged and thick the moving average.

    Zero is on the value axis unless ``from_zero`` is false.
    """
    numbers = [number for line in lines for _, number in line.points]
    steps = [step for line in lines for step, _ in line.points]
    marks = ticks(min(0.0, *numbers), max(0.0, *numbers)) if from_zero else ticks(min(numbers), max(numbers))
    x = _Scale(min(steps), max(steps), 40, 308)
    y = _Scale(marks[0], marks[-1], 150, 12)
    parts = [_grid(marks, y, 40, 308), _step_axis(min(steps), max(steps), x, axis)]
    parts += [_curve(line, x, y, axis=axis if len(lines) == 1 else None) for line in lines]
    said = "; ".join(f"{line.name}: {_said(line.points, axis)}" for line in lines)
    return _svg(title, said, 182, Markup("").join(parts))


def key(colour: int, dash: int) -> Markup:
    """A short stretch of a curve, for the legend."""
    stretch = Markup(
        '<svg class="stretch" viewBox="0 0 28 8" aria-hidden="true">'
        '<polyline class="thick d{} c{}" points="1,4 27,4"/></svg>'
    )
    return stretch.format(dash, colour)


def _said(curve: Curve, axis: str) -> str:
    first, last = smoothed(curve)[0][1], smoothed(curve)[-1][1]
    return f"from {_plain(first)} at {axis} {curve[0][0]} to {_plain(last)} at {axis} {curve[-1][0]}"


def _plain(number: float) -> str:
    return f"{number:.3g}" if abs(number) < 1000 else count(number)


def _grid(marks: Sequence[float], y: _Scale, left: float, right: float) -> Markup:
    row = Markup(
        '<line class="grid" x1="{l}" x2="{r}" y1="{y}" y2="{y}"/><text x="{t}" y="{b}" text-anchor="end">{v}</text>'
    )
    return Markup("").join(row.format(l=left, r=right, y=y(m), t=left - 5, b=y(m) + 3.5, v=_plain(m)) for m in marks)


def _step_axis(first: int, last: int, x: _Scale, axis: str) -> Markup:
    label = Markup('<text x="{}" y="167" text-anchor="{}">{}</text>')
    parts = [label.format(x(first), "start", first)]
    if last > first:
        parts += [label.format((x.start + x.end) / 2, "middle", axis), label.format(x(last), "end", last)]
    return Markup("").join(parts)


def _curve(line: Line, x: _Scale, y: _Scale, axis: str | None) -> Markup:
    """One curve; with ``axis``, the name of what it runs over, its values can be read by pointing."""
    if len(line.points) == 1:
        step, number = line.points[0]
        return Markup('<circle class="dot c{}" cx="{}" cy="{}" r="3.5"/>').format(line.colour, x(step), y(number))
    path = Markup('<polyline class="{} c{}" points="{}"/>')
    averaged = smooth_window(len(line.points)) > 1
    parts = []
    if averaged:
        parts.append(path.format("thin faint" if axis is None else "thin", line.colour, _places(line.points, x, y)))
    parts.append(path.format(f"thick d{line.dash}", line.colour, _places(smoothed(line.points), x, y)))
    if axis is not None:
        every = max(1, len(line.points) // _MOST_HITS)
        parts += [_hover(axis, step, number, x, y) for step, number in line.points[::every]]
    return Markup("").join(parts)


def _places(curve: Curve, x: _Scale, y: _Scale) -> str:
    return " ".join(f"{x(step)},{y(number)}" for step, number in curve)


def _hover(axis: str, step: int, number: float, x: _Scale, y: _Scale) -> Markup:
    """An invisible disc whose title is the value: what a pointer reads off a curve without any script."""
    disc = Markup('<circle class="hit" cx="{}" cy="{}" r="{}"><title>{} {}: {}</title></circle>')
    return disc.format(x(step), y(number), _HIT_RADIUS, axis, step, _plain(number))


def interval_panel(title: str, dots: Sequence[Dot], reference: float | None = None, reference_name: str = "") -> Markup:
    """A dot and its 95 % interval a row, over one axis; ``reference`` is a dashed line such as chance."""
    known = [dot for dot in dots if not math.isnan(dot.estimate.value)]
    ends = [end for dot in known for end in _span(dot.estimate)]
    if reference is not None:
        ends.append(reference)
    marks = ticks(min(ends, default=0.0), max(ends, default=1.0))
    x = _Scale(marks[0], marks[-1], 14, 306)
    bottom = 20 + 38 * len(dots)
    parts = [_value_axis(marks, x, bottom)]
    if reference is not None:
        line = Markup(
            '<line class="reference" x1="{0}" x2="{0}" y1="14" y2="{1}"/>'
            '<text x="{0}" y="9" text-anchor="{3}">{2}</text>'
        )
        parts.append(line.format(x(reference), bottom, reference_name, _anchor(x(reference))))
    parts += [_dot_row(dot, 20 + 38 * place, x) for place, dot in enumerate(dots)]
    said = "; ".join(f"{dot.name} {value(dot.estimate.value)} ({interval(dot.estimate)})" for dot in dots)
    return _svg(title, said, bottom + 20, Markup("").join(parts))


def _anchor(place: float) -> str:
    """Which end of a label stands at ``place``, so that it stays inside of the drawing."""
    return "start" if place < 40 else "end" if place > _WIDTH - 40 else "middle"


def _span(estimate: Estimate) -> tuple[float, ...]:
    known = (estimate.value, estimate.low, estimate.high)
    return tuple(number for number in known if not math.isnan(number))


def _value_axis(marks: Sequence[float], x: _Scale, bottom: float) -> Markup:
    mark = Markup(
        '<line class="grid" x1="{0}" x2="{0}" y1="14" y2="{1}"/><text x="{0}" y="{2}" text-anchor="middle">{3}</text>'
    )
    return Markup("").join(mark.format(x(number), bottom, bottom + 14, _plain(number)) for number in marks)


def _dot_row(dot: Dot, top: float, x: _Scale) -> Markup:
    name = Markup(
        '<text class="name halo" x="14" y="{0}">{1}<title>{3}</title></text>'
        '<text class="name halo" x="306" y="{0}" text-anchor="end">{2}</text>'
    )
    parts = [name.format(top + 13, _short(dot.name), value(dot.estimate.value), dot.name)]
    if not math.isnan(dot.estimate.low):
        bar = Markup('<line class="interval c{}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>')
        parts.append(bar.format(dot.colour, x(dot.estimate.low), x(dot.estimate.high), y=top + 25))
    if not math.isnan(dot.estimate.value):
        circle = Markup('<circle class="dot c{}" cx="{}" cy="{}" r="5"/>')
        parts.append(circle.format(dot.colour, x(dot.estimate.value), top + 25))
    return Markup("").join(parts)


def _short(name: str) -> str:
    """A name that leaves room for the value beside it: without its middle, since runs often differ at the end."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME // 2]}…{name[-(_LONGEST_NAME // 2 - 1) :]}"


def stacked_bar(title: str, slices: Sequence[Slice]) -> Markup:
    """One horizontal bar of parts that add up to the whole width; names stand in the table beside it."""
    total = sum(part.amount for part in slices) or 1.0
    parts, begun = [], 0.0
    piece = Markup('<rect class="fill c{}" x="{}" y="0" width="{}" height="26"><title>{}: {:.0f} %</title></rect>')
    for part in slices:
        width = 1000 * part.amount / total
        parts.append(piece.format(part.colour, round(begun, 1), round(width, 1), part.name, 100 * part.amount / total))
        begun += width
    said = "; ".join(f"{part.name} {100 * part.amount / total:.0f} %" for part in slices)
    return _svg(title, said, 26, Markup("").join(parts), 1000, "bar")


def share_bar(amount: float, total: float, colour: int = 2) -> Markup:
    """A small bar in a table; the number stands beside it, so it is hidden from screen readers."""
    share = min(1.0, amount / total) if total else 0.0
    bar = Markup(
        '<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="8"/><rect class="fill c{}" width="{}" height="8"/></svg>'
    )
    return bar.format(colour, round(100 * share, 1))


def _svg(title: str, said: str, height: float, content: Markup, width: int = _WIDTH, kind: str = "chart") -> Markup:
    head = Markup(
        '<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}. {}"{}><title>{}</title><desc>{}</desc>'
    )
    stretched = Markup(' preserveAspectRatio="none"') if kind == "bar" else ""
    return head.format(kind, width, height, title, said, stretched, title, said) + content + Markup("</svg>")
