"""The two rewards, in the form TRL calls them: one number a completion, None for a row that is not the reward's own.

solve: the share of tests passed (paper, section 2.3: R_rl = K/N). critique: 1 when the judgement agrees with the label
(R_crl), 0 when it does not or is malformed. A solution that the judge could not score has no reward at all: TRL leaves
it out of the group's baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from critique_coder.data.mix import RowKind
from critique_coder.judge import Judge
from critique_coder.prompts import extract_code, parse_judgement
from critique_coder.records import Judgement, Outcome, Problem, Solution, Verdict

LogMetric = Callable[[str, float], None]
Completions = Sequence[Sequence[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Scored:
    """One rollout with what it earned; ``finding`` is the verdict's outcome or the judgement."""

    row_id: str
    kind: str
    problem_id: str
    completion: str
    reward: float | None
    finding: str
    detail: str


@dataclass(slots=True)
class Rewards:
    """Both rewards over one judge. ``scored`` collects the rollouts of the step until somebody takes them.

    ``opening`` is what the chat template has already written of every answer (see ``models.local.opening_of``).
    """

    problems: Mapping[str, Problem]
    judge: Judge
    critique_weight: float = 1.0
    opening: str = ""
    scored: list[Scored] = field(default_factory=list)

    def solve(self, completions: Completions, kind: Sequence[str], **columns: Any) -> list[float | None]:
        """The pass rate of each solve row's program; None for other rows and for programs without a verdict."""
        own = [place for place, value in enumerate(kind) if value == RowKind.SOLVE]
        verdicts = self._judge(own, completions, columns["problem_id"])
        rewards: list[float | None] = [None] * len(kind)
        for place, verdict in zip(own, verdicts, strict=True):
            rewards[place] = verdict.pass_rate
            detail = next((t.message or "" for t in verdict.tests if t.outcome is not Outcome.PASSED), "")
            self._keep(columns, place, RowKind.SOLVE, completions, verdict.pass_rate, verdict.outcome.value, detail)
        unscored = sum(verdict.outcome is Outcome.UNSCORED for verdict in verdicts)
        _log(columns, "judge/unscored", float(unscored))
        known = [verdict for verdict in verdicts if verdict.pass_rate is not None]
        if known:
            _log(columns, "reward/solve", sum(v.pass_rate or 0.0 for v in known) / len(known))
            _log(columns, "solve/passed", sum(v.outcome is Outcome.PASSED for v in known) / len(known))
            _log(columns, "solve/no_code", sum(v.outcome is Outcome.NO_CODE for v in known) / len(known))
        return rewards

    def critique(self, completions: Completions, kind: Sequence[str], **columns: Any) -> list[float | None]:
        """1 (times the weight) where the judgement agrees with the label, else 0; None for other rows."""
        rewards: list[float | None] = [None] * len(kind)
        judgements: list[Judgement] = []
        hits = 0
        for place in (n for n, value in enumerate(kind) if value == RowKind.CRITIQUE):
            judgement = parse_judgement(self._text(completions, place))
            hit = agrees(judgement, columns["label"][place])
            rewards[place] = self.critique_weight if hit else 0.0
            judgements.append(judgement)
            hits += hit
            self._keep(columns, place, RowKind.CRITIQUE, completions, rewards[place], judgement.value, "")
        if judgements:
            _log(columns, "reward/critique", hits / len(judgements))
            malformed = sum(judgement is Judgement.MALFORMED for judgement in judgements)
            _log(columns, "critique/malformed", malformed / len(judgements))
        return rewards

    def take_scored(self) -> list[Scored]:
        """The rollouts since the last call."""
        taken, self.scored = self.scored, []
        return taken

    def _judge(self, own: list[int], completions: Completions, problem_ids: Sequence[str]) -> list[Verdict]:
        pairs = []
        for place in own:
            problem = self.problems[problem_ids[place]]
            text = self._text(completions, place)
            pairs.append((problem, Solution(f"rollout#{place}", problem.id, extract_code(text), text)))
        return list(self.judge.verify_many(pairs))

    def _text(self, completions: Completions, place: int) -> str:
        return self.opening + completions[place][-1]["content"]

    def _keep(
        self,
        columns: Mapping[str, Any],
        place: int,
        kind: RowKind,
        completions: Completions,
        reward: float | None,
        finding: str,
        detail: str,
    ) -> None:
        self.scored.append(
            Scored(
                row_id=columns["row_id"][place],
                kind=kind.value,
                problem_id=columns["problem_id"][place],
                completion=self._text(completions, place),
                reward=reward,
                finding=finding,
                detail=detail,
            )
        )


def agrees(judgement: Judgement, label: bool) -> bool:
    """Whether a judgement is the right one; a malformed one never is."""
    return judgement is (Judgement.CORRECT if label else Judgement.INCORRECT)


def _log(columns: Mapping[str, Any], name: str, value: float) -> None:
    log: LogMetric | None = columns.get("log_metric")
    if log is not None:
        log(name, value)
