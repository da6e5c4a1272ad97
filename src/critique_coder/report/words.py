"""Numbers and findings in words: how the page writes a value, an interval, a change, a duration, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from critique_coder.evaluation.statistics import Difference, Estimate, Finding
from critique_coder.report.reading import Run

PASS = "solve/pass@1"
JUDGES = "critique/balanced_accuracy"
MALFORMED = "critique/malformed"
CHANCE = 0.5
STAGES = {"base": "base", "warmup": "after warm-up", "grpo": "after GRPO"}
UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


def stage_title(name: str) -> str:
    """A stage's column head."""
    return STAGES.get(name, name)


def value(number: float, digits: int = 3) -> str:
    """A share as the tables write it."""
    return UNKNOWN if math.isnan(number) else f"{number:.{digits}f}".replace("-", MINUS)


def interval(estimate: Estimate, digits: int = 3) -> str:
    """The 95 % interval; empty when there is none."""
    return "" if math.isnan(estimate.low) else f"{value(estimate.low, digits)} to {value(estimate.high, digits)}"


def points(number: float) -> str:
    """A change of a share in percentage points, signed."""
    return UNKNOWN if math.isnan(number) else f"{100 * number:+.1f}".replace("-", MINUS)


def points_interval(estimate: Estimate) -> str:
    """The interval of a change, in points."""
    return "" if math.isnan(estimate.low) else f"{points(estimate.low)} to {points(estimate.high)}"


def percent(number: float) -> str:
    """A share in percent, with a decimal only where it says something."""
    return UNKNOWN if math.isnan(number) else f"{100 * number:.1f}".removesuffix(".0") + f"{SPACE}%"


def share(number: float) -> str:
    """A share in percent, always with one decimal, so that a column of them lines up."""
    return UNKNOWN if math.isnan(number) else f"{100 * number:.1f}{SPACE}%"


def count(number: float) -> str:
    """A whole number with thousands apart."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of the verdict: what it is about, the numbers, and the word for the pill (or none)."""

    about: str
    numbers: str
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is compared with what, and the claims about it."""

    lead: str
    claims: tuple[Claim, ...]


def verdict(run: Run) -> list[Sentence]:
    """The run in a paragraph: against the first stage, then what the last stage added to the one before."""
    first, final = run.stages[0], run.final
    number = count(run.heldout_problems) if run.heldout_problems else "the"
    place = f"on {number} held-out problems"
    if run.only_measured:
        return [Sentence(f"Measured {place}", _only(final.metrics))]
    if first is final:
        lead = f"Only the {first.name} model was measured so far, {place}; there is nothing to compare it with"
        return [Sentence(lead, _only(final.metrics))]
    sentences = [Sentence(f"Against the {first.name} model {place}", _against_first(run))]
    before = run.stages[-2]
    if before is not first:
        claims = change_claims(run.change(before.name, final.name))
        lead = f"What {_ADDS.get(final.name, final.name)} added to {_ADDS.get(before.name, before.name)}"
        sentences.append(Sentence(lead, claims))
    return sentences


_ADDS = {"grpo": "reinforcement learning", "warmup": "the warm-up", "base": "the base model"}


def _only(metrics: Mapping[str, Estimate]) -> tuple[Claim, ...]:
    names = {PASS: "pass@1", JUDGES: "balanced accuracy", MALFORMED: "malformed critiques"}
    return tuple(
        Claim(title, f"{value(metrics[name].value)} ({interval(metrics[name])})")
        for name, title in names.items()
        if name in metrics and not math.isnan(metrics[name].value)
    )


def _against_first(run: Run) -> tuple[Claim, ...]:
    old, new = run.stages[0].metrics, run.final.metrics
    change = run.change(run.stages[0].name, run.final.name)
    claims = []
    if MALFORMED in old and MALFORMED in new:
        numbers = f"{percent(1 - old[MALFORMED].value)} → {percent(1 - new[MALFORMED].value)}"
        claims.append(Claim("verdict lines well formed", numbers, _finding(change, MALFORMED)))
    if JUDGES in new and not math.isnan(new[JUDGES].low):
        claims.append(_against_chance(new[JUDGES]))
    if PASS in old and PASS in new:
        numbers = f"{value(old[PASS].value)} → {value(new[PASS].value)}"
        if PASS in change:
            numbers += f", {points(change[PASS].change.value)}{SPACE}points ({points_interval(change[PASS].change)})"
        claims.append(Claim("pass@1", numbers, _finding(change, PASS)))
    return tuple(claims)


def _finding(change: Mapping[str, Difference], name: str) -> str:
    return change[name].finding.value if name in change else ""


def _against_chance(judges: Estimate) -> Claim:
    """Whether the interval of the balanced accuracy excludes 0.5, in so many words."""
    numbers = f"{value(judges.value)} balanced accuracy ({interval(judges)}), an interval that "
    if judges.low > CHANCE:
        return Claim("judges better than chance", numbers + "excludes 0.5", Finding.BETTER.value)
    if judges.high < CHANCE:
        return Claim("judges worse than chance", numbers + "excludes 0.5", Finding.WORSE.value)
    return Claim("judging is not told apart from chance", numbers + "includes 0.5", Finding.NOT_DECISIVE.value)


def change_claims(change: Mapping[str, Difference]) -> tuple[Claim, ...]:
    """The changes of the main metrics, each with its interval and finding."""
    names = {JUDGES: "balanced accuracy", PASS: "pass@1", MALFORMED: "malformed"}
    return tuple(
        Claim(
            title,
            f"{points(change[name].change.value)}{SPACE}points ({points_interval(change[name].change)})",
            change[name].finding.value,
        )
        for name, title in names.items()
        if name in change and not math.isnan(change[name].change.value)
    )
