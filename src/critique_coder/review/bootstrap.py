"""Percentile intervals by a bootstrap that draws items: the verdicts on one item count as the related things they are.

Items with the same verdicts are alike to every statistic here, so a draw of n items is a multinomial draw over the
few patterns that occur: 20,000 items cost as much as 20.

A plain share of items has Wilson's interval instead: a bootstrap of 0 out of 20 says 0 to 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from critique_coder.records import Json

Array = npt.NDArray[np.float64]
P = TypeVar("P", bound=Hashable)
Statistic = Callable[[Sequence[P], Array], Array]
"""From the patterns and how often each was drawn, shape (draws, patterns), to a value a draw, shape (draws,)."""

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval, and over how many items it was taken. NaN: not defined here."""

    value: float
    low: float
    high: float
    items: int

    def to_json(self) -> dict[str, Json]:
        """The numbers; NaN becomes null."""
        plain = {name: _plain(getattr(self, name)) for name in ("value", "low", "high")}
        return {**plain, "items": self.items}


NOTHING = Interval(math.nan, math.nan, math.nan, 0)


def interval(patterns: Iterable[P], statistic: Statistic[P], seed: int = 0) -> Interval:
    """The statistic of all items, with its interval; ``patterns`` has one entry an item, in any order."""
    counted = Counter(patterns)
    if not counted:
        return NOTHING
    known = sorted(counted, key=repr)
    once = np.array([[counted[pattern] for pattern in known]], dtype=np.float64)
    return between(float(statistic(known, once)[0]), statistic(known, _draws(once[0], seed)), counted.total())


def wilson(found: Iterable[bool]) -> Interval:
    """The share of True, with Wilson's score interval (Wilson 1927; Brown, Cai and DasGupta 2001, eq. 4)."""
    hits = list(found)
    if not hits:
        return NOTHING
    number, part = len(hits), sum(hits) / len(hits)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    middle = (part + z * z / (2 * number)) / (1 + z * z / number)
    reach = z / (1 + z * z / number) * math.sqrt(part * (1 - part) / number + z * z / (4 * number * number))
    return Interval(part, max(0.0, middle - reach), min(1.0, middle + reach), number)


def difference(one: Iterable[P], other: Iterable[P], statistic: Statistic[P], seed: int = 0) -> Interval:
    """``other`` minus ``one``, two groups of different items, each drawn by itself."""
    groups = [Counter(one), Counter(other)]
    if not all(groups):
        return NOTHING
    points, drawn = [], []
    for number, counted in enumerate(groups):
        known = sorted(counted, key=repr)
        once = np.array([[counted[pattern] for pattern in known]], dtype=np.float64)
        points.append(float(statistic(known, once)[0]))
        drawn.append(statistic(known, _draws(once[0], seed + number)))
    return between(points[1] - points[0], drawn[1] - drawn[0], sum(counted.total() for counted in groups))


def between(value: float, drawn: Array, items: int) -> Interval:
    """The percentile interval of ``drawn`` around ``value``; draws in which it is not defined are left out."""
    known = drawn[~np.isnan(drawn)]
    if math.isnan(value) or len(known) == 0:
        return Interval(value, math.nan, math.nan, items)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), items)


def share(patterns: Sequence[bool], weights: Array) -> Array:
    """The statistic "share of items that are so"."""
    hit = np.array([float(pattern) for pattern in patterns])
    return ratio(weights @ hit, weights.sum(axis=1))


def ratio(upper: Array, lower: Array) -> Array:
    """``upper / lower``, NaN where that is not defined."""
    quotient: Array = np.divide(upper, lower, out=np.full(upper.shape, np.nan), where=lower != 0)
    return quotient


def _draws(counts: Array, seed: int) -> Array:
    generator = np.random.default_rng(seed)
    total = int(counts.sum())
    return generator.multinomial(total, counts / total, size=DRAWS).astype(np.float64)


def _plain(number: float) -> float | None:
    return None if math.isnan(number) else round(number, 6)
