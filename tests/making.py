"""Small records for the tests of all rooms."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import settings

from critique_coder.models import Completion, Messages, Progress, Sampling
from critique_coder.records import (
    BadInput,
    CritiqueRow,
    LabelSource,
    Outcome,
    Problem,
    Solution,
    TestCase,
    TestKind,
    TestResult,
    Verdict,
)

settings.register_profile("rooms", database=None, deadline=None, max_examples=60)
settings.load_profile("rooms")


def complaint(action: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The message of the BadInput that the call must raise; it must be one line."""
    with pytest.raises(BadInput) as caught:
        action(*args, **kwargs)
    message = str(caught.value)
    assert message.strip() and "\n" not in message
    return message


def kill_when(words: Sequence[str], ready: Callable[[], bool], seconds: float) -> None:
    """Run ``critique-coder words`` and kill it as soon as ``ready``; it must not have ended by itself."""
    command = [sys.executable, "-c", "from critique_coder.cli import main; main()", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + seconds
        while process.poll() is None and not ready():
            assert time.monotonic() < give_up
            time.sleep(0.002)
        assert process.poll() is None, "too fast to be killed"
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Go on without root's rights, who may write everywhere."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def a_problem(name: str = "p", tests: int = 4, **others: Any) -> Problem:
    """``double(n)``, with call tests."""
    cases = tuple(TestCase(TestKind.CALL, args=(n,), expected=2 * n) for n in range(tests))
    fields: dict[str, Any] = {"entry_point": "double", "reference": "def double(n):\n    return 2 * n\n"}
    statement = others.pop("statement", f"Write `double(n)`. ({name})")
    return Problem(name, statement, cases, **{**fields, **others})


def a_verdict(name: str, problem: str, passed: int, total: int = 10, outcome: Outcome | None = None) -> Verdict:
    """A verdict whose first ``passed`` tests passed; the others gave a wrong answer."""
    results = [TestResult(Outcome.PASSED, 0.01)] * passed
    results += [TestResult(Outcome.WRONG_ANSWER, 0.01, "expected 2, got 3")] * (total - passed)
    found = outcome or (Outcome.PASSED if passed == total else Outcome.WRONG_ANSWER)
    rate = None if found is Outcome.UNSCORED else passed / total
    return Verdict(name, problem, found, passed, total, rate, tuple(results))


def a_solution(name: str, problem: str, code: str | None = "x = 1\n") -> Solution:
    return Solution(name, problem, code)


def a_row(
    name: str, problem: str, label: bool, pass_rate: float | None = None, solution: str | None = None
) -> CritiqueRow:
    rate = pass_rate if pass_rate is not None else float(label)
    return CritiqueRow(
        f"critique/{name}", problem, name, "statement", solution or f"x = {name!r}", label, LabelSource.TESTS, rate
    )


class FakeModel:
    """Answers that follow from the prompt, the number and the seed; counts what it was asked."""

    name = "fake"

    def __init__(
        self, answer: Callable[[str, random.Random], str] | None = None, fail_after: int | None = None
    ) -> None:
        self.asked: list[str] = []
        self.samplings: list[Sampling] = []
        self._answer = answer or (lambda prompt, dice: f"```python\nx = {dice.randrange(10**9)}\n```")
        self._fail_after = fail_after

    def sample(
        self,
        prompts: Sequence[Messages],
        n: int,
        sampling: Sampling,
        progress: Progress = lambda tokens, completions: None,
    ) -> list[list[Completion]]:
        if self._fail_after is not None and len(self.asked) >= self._fail_after:
            raise KeyboardInterrupt
        answers = []
        for messages in prompts:
            prompt = messages[-1]["content"]
            self.asked.append(prompt)
            self.samplings.append(sampling)
            group = []
            for number in range(n):
                text = self._answer(prompt, random.Random(f"{sampling.seed}/{prompt}/{number}"))
                group.append(Completion(text, len(text.split()), True))
                progress(len(text.split()), 1)
            answers.append(group)
        return answers
