"""The two rewards: each for its own rows alone, the pass rate and the agreement, and no reward without a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from critique_coder.judge import Judge
from critique_coder.records import Judgement, Outcome, Problem, Solution, Verdict
from critique_coder.training.rewards import Rewards, agrees
from making import a_problem, a_verdict

PROBLEM = a_problem("p", tests=4)
SOLVE, CRITIQUE = "solve", "critique"


def code(text: str) -> str:
    return f"```python\n{text}\n```"


def said(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "assistant", "content": text}] for text in texts]


def columns(kinds: list[str], labels: list[bool | None] | None = None, **others: Any) -> dict[str, Any]:
    rows = len(kinds)
    return {
        "kind": kinds,
        "problem_id": ["p"] * rows,
        "row_id": [f"r{n}" for n in range(rows)],
        "label": labels or [None] * rows,
        "prompts": [[]] * rows,
        **others,
    }


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1, time_limit_s=1) as judge:
        yield judge


@pytest.fixture
def rewards(judge: Judge) -> Rewards:
    return Rewards({"p": PROBLEM}, judge)


class BrokenJudge(Judge):
    """A judge whose machinery fails on some solutions."""

    def __init__(self) -> None:
        """Start nothing."""

    def verify_many(self, pairs: Any) -> Iterator[Verdict]:
        for number, (problem, solution) in enumerate(pairs):
            yield self.found(number, problem, solution)

    def found(self, number: int, problem: Problem, solution: Solution) -> Verdict:
        outcome = Outcome.UNSCORED if number % 2 else None
        return a_verdict(solution.id, problem.id, 3, 4, outcome)


def test_a_program_earns_the_share_of_its_tests_that_pass(rewards: Rewards) -> None:
    texts = [
        code("def double(n):\n    return 2 * n"),
        code("def double(n):\n    return n"),
        code("def double(n):\n    return -1"),
        code("def double(n):\n    return n * n"),
        "no code at all",
        code("def double(n"),
    ]
    assert rewards.solve(said(*texts), **columns([SOLVE] * 6)) == [1.0, 0.25, 0.0, 0.5, 0.0, 0.0]


def test_a_judgement_earns_one_where_it_agrees_and_nothing_else(rewards: Rewards) -> None:
    texts = [
        r"\conclusion{T}",
        r"\conclusion{F}",
        r"\conclusion{T}",
        r"\conclusion{F}",
        r"\conclusion{INCORRECT}",
        "hm",
    ]
    labels: list[bool | None] = [True, True, False, False, False, True]
    assert rewards.critique(said(*texts), **columns([CRITIQUE] * 6, labels)) == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]


def test_each_reward_is_none_for_the_rows_of_the_other(rewards: Rewards) -> None:
    texts = said(code("def double(n):\n    return 2 * n"), r"\conclusion{T}", code("x = 1"), r"\conclusion{T}")
    given = columns([SOLVE, CRITIQUE, SOLVE, CRITIQUE], [None, True, None, False])
    assert rewards.solve(texts, **given) == [1.0, None, 0.0, None]
    assert rewards.critique(texts, **given) == [None, 1.0, None, 0.0]


def test_the_critique_weight_scales_the_critique_reward_alone(judge: Judge) -> None:
    rewards = Rewards({"p": PROBLEM}, judge, critique_weight=0.8)
    texts = said(code("def double(n):\n    return 2 * n"), r"\conclusion{T}", r"\conclusion{F}")
    given = columns([SOLVE, CRITIQUE, CRITIQUE], [None, True, True])
    assert rewards.solve(texts, **given) == [1.0, None, None]
    assert rewards.critique(texts, **given) == [None, 0.8, 0.0]


def test_an_answer_cut_while_thinking_earns_nothing_where_the_chat_template_began_the_thought(judge: Judge) -> None:
    rewards = Rewards({"p": PROBLEM}, judge, opening="<think>\n")
    right = code("def double(n):\n    return 2 * n")
    texts = said(right, f"hm</think>{right}", r"so \conclusion{T}", r"hm</think>\conclusion{T}")
    given = columns([SOLVE, SOLVE, CRITIQUE, CRITIQUE], [None, None, True, True])
    assert rewards.solve(texts, **given) == [0.0, 1.0, None, None]
    assert rewards.critique(texts, **given) == [None, None, 0.0, 1.0]


def test_a_failure_of_the_machinery_is_no_reward_and_not_zero() -> None:
    rewards = Rewards({"p": PROBLEM}, BrokenJudge())
    logged: dict[str, float] = {}
    given = columns([SOLVE] * 4, log_metric=logged.__setitem__)
    assert rewards.solve(said(*["x"] * 4), **given) == [0.75, None, 0.75, None]
    assert logged["judge/unscored"] == 2 and logged["reward/solve"] == 0.75


def test_what_was_scored_is_kept_until_it_is_taken(rewards: Rewards) -> None:
    texts = said(code("def double(n):\n    return n"), r"\conclusion{T}")
    given = columns([SOLVE, CRITIQUE], [None, False])
    rewards.solve(texts, **given)
    rewards.critique(texts, **given)
    taken = rewards.take_scored()
    assert [(s.row_id, s.kind, s.reward, s.finding) for s in taken] == [
        ("r0", "solve", 0.25, "wrong_answer"),
        ("r1", "critique", 0.0, "correct"),
    ]
    assert taken[0].completion.startswith("```python") and taken[0].detail
    assert rewards.take_scored() == []


def test_metrics_of_a_step_are_told(rewards: Rewards) -> None:
    logged: dict[str, float] = {}
    texts = said(r"\conclusion{T}", r"\conclusion{F}", "hm", r"\conclusion{T}")
    rewards.critique(texts, **columns([CRITIQUE] * 4, [True] * 4, log_metric=logged.__setitem__))
    assert logged == {"reward/critique": 0.5, "critique/malformed": 0.25}


@pytest.mark.parametrize("label", [True, False])
def test_a_malformed_judgement_agrees_with_nothing(label: bool) -> None:
    assert not agrees(Judgement.MALFORMED, label)
    assert agrees(Judgement.CORRECT, label) is label
    assert agrees(Judgement.INCORRECT, label) is not label
