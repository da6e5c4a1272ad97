"""Verdicts on many machines: a judge on every node of a Ray cluster.

Work goes out in small batches (``cluster.py`` says how, and what becomes of a lost node's). A batch over which a judge
was killed three times is ``unscored``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from critique_coder.cluster import ATTEMPTS, NodeWorkers
from critique_coder.records import BadInput, Outcome, Problem, Solution, TestResult, Verdict

from .isolation import Isolation, IsolationError
from .judging import Judge

Pair = tuple[Problem, Solution]

_BATCH, _AHEAD = 8, 3


class NodeJudge:
    """What runs on a node: a judge with all of the node's processors."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._judge = Judge(**settings)

    def isolation(self) -> str:
        """The level under which programs run on this node."""
        return self._judge.isolation.value

    def work(self, pairs: list[Pair]) -> list[Verdict]:
        """The verdicts of a batch."""
        return list(self._judge.verify_many(pairs))


class RayJudge:
    """Judges on the nodes of the cluster at ``address`` ("auto" for the one that this machine belongs to).

    ``settings`` are those of ``Judge``. Raises BadInput when there is no such cluster, IsolationError when a node
    cannot isolate. Use it as a context manager; not for use by several threads.
    """

    def __init__(self, address: str, settings: Mapping[str, Any]) -> None:
        self._workers: NodeWorkers[list[Pair], list[Verdict]] = NodeWorkers(
            address, NodeJudge, lambda processors: ({**settings, "workers": processors},), _AHEAD, _AHEAD
        )
        try:
            levels = [Isolation(level) for level in self._workers.ask_all("isolation")]
        except BadInput as error:
            self.close()
            raise IsolationError(str(error)) from None
        self._isolation = max(levels, key=list(Isolation).index)

    @property
    def isolation(self) -> Isolation:
        """The weakest level among the nodes."""
        return self._isolation

    @property
    def nodes(self) -> int:
        """Nodes at work."""
        return self._workers.nodes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the judges on all nodes."""
        self._workers.close()

    def verify_many(self, pairs: Iterable[Pair]) -> Iterator[Verdict]:
        """Verdicts in the order of ``pairs``, which is read a little ahead only; raises BadInput."""
        for verdicts in self._workers.map(_batched(pairs), self._lost):
            yield from verdicts

    def _lost(self, pairs: list[Pair]) -> list[Verdict]:
        return [_unscored(pair, self._isolation) for pair in pairs]


def _batched(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    held: list[Pair] = []
    for pair in pairs:
        held.append(pair)
        if len(held) == _BATCH:
            yield held
            held = []
    if held:
        yield held


def _unscored(pair: Pair, isolation: Isolation) -> Verdict:
    problem, solution = pair
    result = TestResult(Outcome.UNSCORED, 0.0, f"the judge was killed {ATTEMPTS} times over it")
    return Verdict(
        solution_id=solution.id, problem_id=problem.id, outcome=Outcome.UNSCORED, passed=0, total=len(problem.tests),
        pass_rate=None, tests=(result,) * len(problem.tests), isolation=isolation.value, shared_process=False,
    )  # fmt: skip
