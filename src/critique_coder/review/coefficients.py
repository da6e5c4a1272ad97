"""How far people agree: percent agreement, Cohen's kappa, Krippendorff's alpha, each with its interval.

A *unit* is what several people judged: a mapping from person to value, where a missing person said nothing. All values
are nominal: two of them are equal or they are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from critique_coder.review.bootstrap import Array, Interval, interval, ratio

Unit = Mapping[str, str]
Counts = tuple[tuple[str, int], ...]
"""How many people gave each value to one unit, sorted by value."""


def percent_agreement(units: Iterable[Unit], seed: int = 0) -> Interval:
    """The chance that two people drawn from those who judged a unit gave it the same value, as a mean over units.

    Units that fewer than two people judged say nothing and are left out.
    """
    return interval(_pairable(units), _agreement, seed)


def cohens_kappa(pairs: Iterable[tuple[str, str]], seed: int = 0) -> Interval:
    """Cohen's kappa of two raters, (p_o - p_e) / (1 - p_e) (Cohen 1960, eq. 1), over the units that both judged.

    ``pairs`` holds the values that the first and the second gave to each unit. NaN when both gave one and the same
    value throughout, since chance alone would then agree as well.
    """
    return interval(pairs, _kappa, seed)


def krippendorffs_alpha(units: Iterable[Unit], seed: int = 0) -> Interval:
    """Krippendorff's alpha for nominal values, any number of raters, missing values allowed.

    Computed from the coincidence matrix: alpha = 1 - (n - 1) * sum_{c != k} o_ck / sum_{c != k} n_c n_k
    (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C). NaN when only one value occurs.
    """
    return interval(_pairable(units), _alpha, seed)


def _pairable(units: Iterable[Unit]) -> list[Counts]:
    return [tuple(sorted(Counter(unit.values()).items())) for unit in units if len(unit) > 1]


def _table(patterns: Sequence[Counts]) -> Array:
    """How often each value was given in each pattern, shape (patterns, values)."""
    values = sorted({value for pattern in patterns for value, _ in pattern})
    table = np.zeros((len(patterns), len(values)))
    for row, pattern in enumerate(patterns):
        for value, count in pattern:
            table[row, values.index(value)] = count
    return table


def _agreement(patterns: Sequence[Counts], weights: Array) -> Array:
    table = _table(patterns)
    raters = table.sum(axis=1)
    same = (table * (table - 1)).sum(axis=1) / (raters * (raters - 1))
    return ratio(weights @ same, weights.sum(axis=1))


def _alpha(patterns: Sequence[Counts], weights: Array) -> Array:
    table = _table(patterns)
    raters = table.sum(axis=1)
    differing = (raters**2 - (table**2).sum(axis=1)) / (raters - 1)
    given = weights @ table
    total = given.sum(axis=1)
    alpha: Array = 1 - (total - 1) * ratio(weights @ differing, total**2 - (given**2).sum(axis=1))
    return alpha


def _kappa(patterns: Sequence[tuple[str, str]], weights: Array) -> Array:
    values = sorted(set(chain.from_iterable(patterns)))
    first = np.array([[pair[0] == value for value in values] for pair in patterns], dtype=np.float64)
    second = np.array([[pair[1] == value for value in values] for pair in patterns], dtype=np.float64)
    total = weights.sum(axis=1)
    observed = weights @ np.array([float(one == other) for one, other in patterns])
    expected = ((weights @ first) * (weights @ second)).sum(axis=1) / total
    return ratio(observed - expected, total - expected)
