"""Numbers about solutions and critiques.

Every metric here is a ratio of sums over problems, or the mean of two such ratios; ``Counts`` keeps the sums a problem,
so that the bootstrap can draw problems again (``statistics``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from critique_coder.records import Judgement

Array = npt.NDArray[np.float64]


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The unbiased estimate 1 - C(n-c, k) / C(n, k) that one of k samples passes (Chen et al. 2021, eq. 1).

    ``samples`` n were drawn and ``passed`` c of them passed; raises ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} needs 0 <= passed <= samples and k <= samples, not {passed} of {samples}")
    return 1.0 - comb(samples - passed, k) / comb(samples, k)


@dataclass(frozen=True, slots=True)
class Judged:
    """One critique: which problem, the truth, what the critique said."""

    problem_id: str
    label: bool
    judgement: Judgement

    @property
    def hit(self) -> bool:
        """Whether the critique is right; a malformed one never is."""
        return self.judgement is (Judgement.CORRECT if self.label else Judgement.INCORRECT)


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums a problem: ``columns[name]`` has one number for each of ``problems``."""

    problems: tuple[str, ...]
    columns: dict[str, Array]


def solve_counts(results: Iterable[tuple[str, float | None]]) -> Counts:
    """From (problem, pass rate) of each sample: ``samples``, ``passed`` (all tests) and ``rate``, summed a problem.

    Samples without a verdict (None) are left out; a problem that has none left is left out too.
    """
    sums: dict[str, list[float]] = {}
    for problem_id, rate in results:
        if rate is not None:
            row = sums.setdefault(problem_id, [0.0, 0.0, 0.0])
            row[0] += 1
            row[1] += rate == 1.0
            row[2] += rate
    return _counts(sums, ("samples", "passed", "rate"))


def critique_counts(results: Iterable[Judged]) -> Counts:
    """The confusion table a problem: ``true``/``false`` (labels) and how many of each were judged how."""
    names = ("true", "true_hit", "true_malformed", "false", "false_hit", "false_malformed")
    sums: dict[str, list[float]] = {}
    for result in results:
        row = sums.setdefault(result.problem_id, [0.0] * len(names))
        start = 0 if result.label else 3
        row[start] += 1
        row[start + 1] += result.hit
        row[start + 2] += result.judgement is Judgement.MALFORMED
    return _counts(sums, names)


def _counts(sums: dict[str, list[float]], names: Sequence[str]) -> Counts:
    problems = tuple(sorted(sums))
    table = np.array([sums[problem] for problem in problems], dtype=np.float64).reshape(len(problems), len(names))
    return Counts(problems, {name: table[:, number] for number, name in enumerate(names)})


def solve_metrics(counts: Counts, weights: Array) -> dict[str, Array]:
    """``solve/pass@1`` (mean over problems of the share that passed) and ``solve/pass_rate`` (mean share of tests).

    ``weights`` (draws, problems) says how often each problem counts; each metric has shape (draws,).
    """
    samples = counts.columns["samples"]
    total = weights.sum(axis=1)
    return {
        "solve/pass@1": _ratio(weights @ (counts.columns["passed"] / samples), total),
        "solve/pass_rate": _ratio(weights @ (counts.columns["rate"] / samples), total),
    }


def critique_metrics(counts: Counts, weights: Array) -> dict[str, Array]:
    """Balanced accuracy (malformed counts as wrong), precision and recall of each class, malformed rate.

    Shapes as in ``solve_metrics``. Precision is NaN where a class was never named.
    """
    column = {name: weights @ values for name, values in counts.columns.items()}
    true, false = column["true"], column["false"]
    recall_true, recall_false = _ratio(column["true_hit"], true), _ratio(column["false_hit"], false)
    said_true = column["true_hit"] + false - column["false_hit"] - column["false_malformed"]
    said_false = column["false_hit"] + true - column["true_hit"] - column["true_malformed"]
    return {
        "critique/balanced_accuracy": (recall_true + recall_false) / 2,
        "critique/recall_correct": recall_true,
        "critique/recall_incorrect": recall_false,
        "critique/precision_correct": _ratio(column["true_hit"], said_true),
        "critique/precision_incorrect": _ratio(column["false_hit"], said_false),
        "critique/malformed": _ratio(column["true_malformed"] + column["false_malformed"], true + false),
    }


def _ratio(upper: Array, lower: Array) -> Array:
    ratio: Array = np.divide(upper, lower, out=np.full(upper.shape, np.nan), where=lower != 0)
    return ratio
