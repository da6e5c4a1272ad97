"""Verdicts on many machines: a judge on every node of a Ray cluster.

Work goes out in small batches, a few for each node at a time, so that neither the caller nor a node holds more than it
can chew. What a lost node had in hand is done again by the others; its verdicts, should they have been under way, are
not counted twice, for a batch is answered by the call that was waited for. A batch over which three nodes were lost is
``unscored``. critique-coder must be installed on every node.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from critique_coder.records import BadInput, Outcome, Problem, Solution, TestResult, Verdict

from .isolation import Isolation, IsolationError
from .judging import Judge

Pair = tuple[Problem, Solution]

_BATCH, _AHEAD, _ATTEMPTS = 8, 3, 3


class NodeJudge:
    """What runs on a node: a judge with all of the node's processors."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._judge = Judge(**settings)

    def isolation(self) -> str:
        """The level under which programs run on this node."""
        return self._judge.isolation.value

    def verify(self, pairs: list[Pair]) -> list[Verdict]:
        """The verdicts of a batch."""
        return list(self._judge.verify_many(pairs))


@dataclass(slots=True)
class _Batch:
    number: int
    pairs: list[Pair]
    attempts: int = 0


class RayJudge:
    """Judges on the nodes of the cluster at ``address`` ("auto" for the one that this machine belongs to).

    ``settings`` are those of ``Judge``. Raises BadInput when there is no such cluster, IsolationError when a node
    cannot isolate. Use it as a context manager; not for use by several threads.
    """

    def __init__(self, address: str, settings: Mapping[str, Any]) -> None:
        try:
            import ray
        except ImportError:
            raise BadInput("--ray: ray is not installed; pip install 'critique-coder[ray]'") from None
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray = ray
        self._settings = dict(settings)
        self._ours = not ray.is_initialized()
        if self._ours:
            _knock(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise BadInput(f"--ray {address}: no cluster answers there ({_first_line(error)})") from None
        self._actors: dict[str, Any] = {}
        self._join()
        asked = [actor.isolation.remote() for actor in self._actors.values()]
        try:
            levels = [Isolation(level) for level in ray.get(asked)]
        except ray.exceptions.RayError as error:
            self.close()
            raise IsolationError(f"a node of the cluster cannot judge: {str(error).strip().splitlines()[-1]}") from None
        self._isolation = max(levels, key=list(Isolation).index)

    @property
    def isolation(self) -> Isolation:
        """The weakest level among the nodes."""
        return self._isolation

    @property
    def nodes(self) -> int:
        """Nodes at work."""
        return len(self._actors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the judges on all nodes."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()

    def verify_many(self, pairs: Iterable[Pair]) -> Iterator[Verdict]:
        """Verdicts in the order of ``pairs``, which is read a little ahead only; raises BadInput."""
        batches = _batched(pairs)
        again: deque[_Batch] = deque()
        running: dict[Any, tuple[str, _Batch]] = {}
        done: dict[int, list[Verdict]] = {}
        due = 0
        while True:
            self._hand_out(batches, again, running, room=2 * _AHEAD * len(self._actors) - len(done))
            if not running and not again:
                break
            if running:
                self._take_in(running, again, done)
            while due in done:
                yield from done.pop(due)
                due += 1

    def _hand_out(
        self, batches: Iterator[_Batch], again: deque[_Batch], running: dict[Any, tuple[str, _Batch]], room: int
    ) -> None:
        """Give every node work, as long as there is some and not too much is finished out of order."""
        while len(running) < max(room, 1):
            busy = [node for node, _ in running.values()]
            node = min(self._actors, key=busy.count, default=None)
            if node is None:
                raise BadInput("--ray: no node of the cluster is left")
            if busy.count(node) >= _AHEAD:
                return
            batch = again.popleft() if again else next(batches, None)
            if batch is None:
                return
            running[self._actors[node].verify.remote(batch.pairs)] = (node, batch)

    def _take_in(
        self, running: dict[Any, tuple[str, _Batch]], again: deque[_Batch], done: dict[int, list[Verdict]]
    ) -> None:
        (first, *_), _ = self._ray.wait(list(running), num_returns=1)
        node, batch = running.pop(first)
        try:
            done[batch.number] = self._get(first)
        except self._ray.exceptions.RayError:
            self._actors.pop(node, None)
            self._join()
            batch.attempts += 1
            if batch.attempts < _ATTEMPTS:
                again.append(batch)
            else:
                done[batch.number] = [_unscored(pair, self._isolation) for pair in batch.pairs]

    def _get(self, waited_for: Any) -> Any:
        """What a call gave; raises the error that came up in it, or a RayError when the node is lost."""
        try:
            return self._ray.get(waited_for)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None

    def _join(self) -> None:
        """A judge on every living node that has none."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        for node in self._ray.nodes():
            name = node["NodeID"]
            if node["Alive"] and name not in self._actors:
                workers = max(1, int(node["Resources"].get("CPU", 1)))
                there = NodeAffinitySchedulingStrategy(name, soft=False)
                made = self._ray.remote(NodeJudge).options(
                    num_cpus=0, max_concurrency=_AHEAD, scheduling_strategy=there
                )
                self._actors[name] = made.remote({**self._settings, "workers": workers})


def _knock(address: str) -> None:
    """Raises BadInput where nobody listens at ``host:port``: Ray would ask for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise BadInput(f"--ray {address}: no cluster answers there ({error.strerror or error})") from None


def _batched(pairs: Iterable[Pair]) -> Iterator[_Batch]:
    number, held = 0, []
    for pair in pairs:
        held.append(pair)
        if len(held) == _BATCH:
            yield _Batch(number, held)
            number, held = number + 1, []
    if held:
        yield _Batch(number, held)


def _unscored(pair: Pair, isolation: Isolation) -> Verdict:
    problem, solution = pair
    result = TestResult(Outcome.UNSCORED, 0.0, f"{_ATTEMPTS} nodes were lost over it")
    return Verdict(
        solution_id=solution.id, problem_id=problem.id, outcome=Outcome.UNSCORED, passed=0, total=len(problem.tests),
        pass_rate=None, tests=(result,) * len(problem.tests), isolation=isolation.value, shared_process=False,
    )  # fmt: skip


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
