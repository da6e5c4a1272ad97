"""How hard each problem is for each model: the paper's Table 2 (pass@1, pass@2, pass@4, tokens a solution).

The paper has no filter by difficulty; a problem that is always or never solved gives every answer of a group the same
reward, and teaches nothing. The never solved ones are listed for people, since wrong tests gather there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import comb

from critique_coder.records import Json, Outcome, Solution, Verdict

KS = (1, 2, 4)
"""The k of pass@k that the paper's Table 2 shows."""


@dataclass(slots=True)
class Level:
    """What one model's solutions of one problem came to.

    ``rates`` and ``tokens`` are sums over its samples; of ``counted`` of them it is known how many tokens they took.
    """

    problem_id: str
    model: str
    samples: int = 0
    passed: int = 0
    rates: float = 0.0
    tokens: int = 0
    counted: int = 0

    def to_json(self) -> dict[str, Json]:
        """A line of ``difficulty.jsonl``."""
        return {
            "problem_id": self.problem_id,
            "model": self.model,
            "samples": self.samples,
            "passed": self.passed,
            "mean_pass_rate": round(self.rates / self.samples, 6),
            "mean_tokens": round(self.tokens / self.counted, 2) if self.counted else None,
        }


@dataclass(slots=True)
class _Never:
    """What the solutions of a problem that none of them solves have in common."""

    samples: int = 0
    best: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Difficulty:
    """Takes solutions with their verdicts one by one; holds numbers only. Unscored solutions count for nothing."""

    _levels: dict[tuple[str, str], Level] = field(default_factory=dict)
    _never: dict[str, _Never] = field(default_factory=dict)
    _solved: set[str] = field(default_factory=set)

    def add(self, solution: Solution, verdict: Verdict) -> None:
        """Count one solution."""
        if verdict.pass_rate is None:
            return
        key = (solution.problem_id, solution.author or "unknown")
        level = self._levels.setdefault(key, Level(*key))
        level.samples += 1
        level.passed += verdict.outcome is Outcome.PASSED
        level.rates += verdict.pass_rate
        if (tokens := solution.metadata.get("tokens")) is not None:
            level.tokens += int(tokens)
            level.counted += 1
        if verdict.outcome is Outcome.PASSED:
            self._solved.add(solution.problem_id)
            self._never.pop(solution.problem_id, None)
        elif solution.problem_id not in self._solved:
            self._fail(solution.problem_id, verdict)

    def _fail(self, problem_id: str, verdict: Verdict) -> None:
        never = self._never.setdefault(problem_id, _Never())
        never.samples += 1
        never.best = max(never.best, verdict.pass_rate or 0.0)
        never.outcomes[verdict.outcome.value] += 1
        never.failed.update(n for n, test in enumerate(verdict.tests, 1) if test.outcome is not Outcome.PASSED)

    def levels(self) -> Iterator[Level]:
        """The table: a line for each problem and model, in the order in which they came."""
        yield from self._levels.values()

    def never_solved(self) -> Iterator[dict[str, Json]]:
        """The lines of ``never_solved.jsonl``: nearly solved ones first, whose tests are the likeliest to be wrong.

        ``failed_by_all`` are the places of the tests, from 1, that no solution passes.
        """
        for name, never in sorted(self._never.items(), key=lambda item: (-item[1].best, item[0])):
            yield {
                "problem_id": name,
                "samples": never.samples,
                "best_pass_rate": round(never.best, 6),
                "outcomes": dict(never.outcomes.most_common()),
                "failed_by_all": sorted(n for n, count in never.failed.items() if count == never.samples),
            }

    def summary(self) -> dict[str, Json]:
        """The paper's Table 2 for each model, and how many problems nothing solves."""
        models = sorted({level.model for level in self._levels.values()})
        return {
            "models": {model: _summary([v for v in self._levels.values() if v.model == model]) for model in models},
            "never_solved": len(self._never),
        }


def _summary(levels: list[Level]) -> dict[str, Json]:
    samples = sum(level.samples for level in levels)
    found: dict[str, Json] = {"problems": len(levels), "samples": samples}
    for k in KS:
        known = [pass_at(level.samples, level.passed, k) for level in levels if level.samples >= k]
        found[f"pass@{k}"] = round(sum(known) / len(known), 6) if known else None
    counted = sum(level.counted for level in levels)
    found["tokens_per_solution"] = round(sum(level.tokens for level in levels) / counted, 1) if counted else None
    return found


def pass_at(samples: int, passed: int, k: int) -> float:
    """The unbiased estimate of pass@k from ``samples`` >= k draws: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021)."""
    return 1 - comb(samples - passed, k) / comb(samples, k)


def solved_shares(levels: Iterable[Mapping[str, Json]], model: str | None = None) -> dict[str, float]:
    """Each problem's share of solutions that pass every test, from the lines of ``difficulty.jsonl``.

    One model's, or with None all of them together.
    """
    sums: dict[str, tuple[int, int]] = {}
    for level in levels:
        if model is None or level["model"] == model:
            passed, samples = sums.get(level["problem_id"], (0, 0))
            sums[level["problem_id"]] = (passed + level["passed"], samples + level["samples"])
    return {name: passed / samples for name, (passed, samples) in sums.items()}


def outside(shares: Mapping[str, float], keep: tuple[float, float]) -> dict[str, float]:
    """The problems whose share of passing solutions lies outside the band; its bounds are inside."""
    low, high = keep
    return {name: share for name, share in shares.items() if not low <= share <= high}


def strata(shares: Mapping[str, float], problems: Iterable[str], bins: int = 5) -> dict[str, int]:
    """The stratum of each problem, from 0 (hardest): ``bins`` equal ranges of its share; -1 where none is known."""
    return {name: min(bins - 1, int(shares[name] * bins)) if name in shares else -1 for name in problems}
