"""Intervals by a bootstrap that draws problems, so that samples of one problem count as the related things they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from critique_coder.evaluation.metrics import Array, Counts

Metrics = Callable[[Counts, Array], dict[str, Array]]
DRAWS = 4000
LEVEL = 0.95


class Finding(StrEnum):
    """What a difference amounts to."""

    BETTER = "better"
    WORSE = "worse"
    NOT_DECISIVE = "not decisive"


LOWER_IS_BETTER = frozenset({"critique/malformed"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """The three numbers; NaN (a metric that is not defined here) becomes null."""
        return {
            name: _plain(number) for name, number in (("value", self.value), ("low", self.low), ("high", self.high))
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """How much a metric changed between two models on the same problems, and what that amounts to."""

    change: Estimate
    finding: Finding

    def to_json(self) -> dict[str, float | str | None]:
        """The estimate and the finding in words."""
        return {**self.change.to_json(), "finding": self.finding.value}


def estimates(counts: Counts, metrics: Metrics, seed: int = 0) -> dict[str, Estimate]:
    """Each metric with its percentile interval."""
    point = metrics(counts, np.ones((1, len(counts.problems))))
    drawn = metrics(counts, _weights(len(counts.problems), seed))
    return {name: _estimate(float(point[name][0]), drawn[name]) for name in point}


def differences(before: Counts, after: Counts, metrics: Metrics, seed: int = 0) -> dict[str, Difference]:
    """``after`` minus ``before``, paired: each draw takes the same problems for both.

    Only problems that both have are compared.
    """
    shared = [problem for problem in before.problems if problem in set(after.problems)]
    old, new = _select(before, shared), _select(after, shared)
    ones = np.ones((1, len(shared)))
    weights = _weights(len(shared), seed)
    point_old, point_new = metrics(old, ones), metrics(new, ones)
    drawn_old, drawn_new = metrics(old, weights), metrics(new, weights)
    result = {}
    for name in point_old:
        change = _estimate(float(point_new[name][0] - point_old[name][0]), drawn_new[name] - drawn_old[name])
        result[name] = Difference(change, _finding(name, change))
    return result


def _select(counts: Counts, problems: list[str]) -> Counts:
    places = [counts.problems.index(problem) for problem in problems]
    return Counts(tuple(problems), {name: values[places] for name, values in counts.columns.items()})


def _weights(problems: int, seed: int) -> Array:
    generator = np.random.default_rng(seed)
    if problems == 0:
        return np.zeros((DRAWS, 0))
    return generator.multinomial(problems, np.full(problems, 1 / problems), size=DRAWS).astype(np.float64)


def _estimate(value: float, drawn: Array) -> Estimate:
    known = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(known) == 0:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def _finding(name: str, change: Estimate) -> Finding:
    if change.low > 0:
        return Finding.WORSE if name in LOWER_IS_BETTER else Finding.BETTER
    if change.high < 0:
        return Finding.BETTER if name in LOWER_IS_BETTER else Finding.WORSE
    return Finding.NOT_DECISIVE


def _plain(number: float) -> float | None:
    return None if np.isnan(number) else round(number, 6)
