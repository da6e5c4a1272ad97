"""Work spread over the nodes of a Ray cluster: one worker on every node, items handed out a few at a time.

The caller streams: neither it nor a node holds more than is handed out ahead, and results come in the order of the
items. What a lost node had in hand is done again by the others; its results, should they have been under way, are not
counted twice, for an item is answered by the call that was waited for. critique-coder must be installed on every node.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from critique_coder.records import BadInput

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 3
"""Nodes that may be lost over one item."""
_NEWS_S = 15.0
"""How long the cluster may take to say that a node is gone."""
_LAST_WAIT_S = 60.0
"""How long work under way is waited for when something else has failed for good."""


@dataclass(slots=True)
class _Held(Generic[T]):
    number: int
    item: T
    attempts: int = 0


@dataclass(slots=True)
class _Todo(Generic[T, R]):
    """The items that no node has yet: first those that were lost with a node."""

    items: Iterator[T]
    known: Callable[[T], R | None] | None
    again: deque[_Held[T]] = field(default_factory=deque)
    count: int = 0

    def next(self, done: dict[int, R]) -> _Held[T] | None:
        """The next item; its result is put into ``done`` where it is known. None when there is none."""
        if self.again:
            return self.again.popleft()
        for item in self.items:
            held = _Held(self.count, item)
            self.count += 1
            if self.known is not None and (result := self.known(item)) is not None:
                done[held.number] = result
            return held
        return None


_Running = dict[Any, tuple[str, _Held[T]]]
"""What nodes have in hand: the node and the item of each call."""


class NodeWorkers(Generic[T, R]):
    """A worker on each node of the cluster at ``address`` ("auto" for the one that this machine belongs to).

    ``worker`` is a class with a method ``work(item) -> result``; it is made from what ``arguments`` gives for the
    node's number of processors, and may be asked ``at_once`` things at the same time. Raises BadInput when there is no
    such cluster. Use it as a context manager; not for use by several threads.
    """

    def __init__(self, address: str, worker: type, arguments: Callable[[int], tuple[Any, ...]], at_once: int) -> None:
        try:
            import ray
        except ImportError:
            raise BadInput("--ray: ray is not installed; pip install 'critique-coder[ray]'") from None
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray, self._worker, self._arguments, self._at_once = ray, worker, arguments, at_once
        self._ours = not ray.is_initialized()
        if self._ours:
            _knock(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise BadInput(f"--ray {address}: no cluster answers there ({_first_line(error)})") from None
        self._actors: dict[str, Any] = {}
        self._join()

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
        """End the workers on all nodes."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()

    def ask_all(self, method: str) -> list[Any]:
        """What a method without arguments gives on each node; a node that is lost meanwhile is left out.

        Raises what the method raises, and BadInput when a node that is there cannot do the work, or none is left.
        """
        asked = {node: getattr(actor, method).remote() for node, actor in self._actors.items()}
        answers = []
        for node, answer in asked.items():
            try:
                answers.append(self._get(answer))
            except self._ray.exceptions.RayError as error:
                if not self._is_lost(node):
                    last = str(error).strip().splitlines()[-1]
                    raise BadInput(f"--ray: a node of the cluster cannot do the work: {last}") from None
                del self._actors[node]
        if not answers:
            raise BadInput("--ray: no node of the cluster is left")
        return answers

    def _is_lost(self, node: str) -> bool:
        """Whether a node whose worker failed is gone; the cluster takes a while to notice."""
        give_up = time.monotonic() + _NEWS_S
        while any(known["NodeID"] == node and known["Alive"] for known in self._ray.nodes()):
            if time.monotonic() > give_up:
                return False
            time.sleep(0.2)
        return True

    def map(
        self,
        items: Iterable[T],
        ahead: int,
        give_up: Callable[[T], R],
        known: Callable[[T], R | None] | None = None,
        arrived: Callable[[T, R], None] | None = None,
    ) -> Iterator[R]:
        """The results of ``items``, in their order; at most ``ahead`` items are with a node at a time.

        ``give_up`` gives (or raises) what stands for an item over which ``ATTEMPTS`` nodes were lost. ``known`` gives
        the result of an item that need not be sent, else None. ``arrived`` is told of each result as soon as it is
        there; then, after an error, what is under way is waited for. Raises what ``work`` raises, and BadInput when no
        node is left.
        """
        todo = _Todo(iter(items), known)
        running: _Running[T] = {}
        done: dict[int, R] = {}
        due = 0
        try:
            while True:
                self._hand_out(todo, running, done, ahead)
                if not running and not done:
                    return
                while due in done:
                    yield done.pop(due)
                    due += 1
                if running:
                    self._take_in(todo, running, done, give_up, arrived)
        except Exception:
            if arrived is not None:
                self._let_end(running, arrived)
            raise

    def _hand_out(self, todo: _Todo[T, R], running: _Running[T], done: dict[int, R], ahead: int) -> None:
        """Give every node work, as long as there is some and not too much is finished out of order."""
        busy = Counter(node for node, _ in running.values())
        most = 2 * ahead * len(self._actors)
        while todo.again or len(running) + len(done) < most:
            node = min(self._actors, key=lambda name: busy[name], default=None)
            if node is None:
                raise BadInput("--ray: no node of the cluster is left")
            if busy[node] >= ahead:
                return
            held = todo.next(done)
            if held is None:
                return
            if held.number not in done:
                running[self._actors[node].work.remote(held.item)] = (node, held)
                busy[node] += 1

    def _take_in(
        self,
        todo: _Todo[T, R],
        running: _Running[T],
        done: dict[int, R],
        give_up: Callable[[T], R],
        arrived: Callable[[T, R], None] | None,
    ) -> None:
        """Wait for the next result, and take what else is there."""
        self._ray.wait(list(running), num_returns=1)
        ready, _ = self._ray.wait(list(running), num_returns=len(running), timeout=0)
        for one in ready:
            node, held = running.pop(one)
            try:
                result = self._get(one)
            except self._ray.exceptions.RayError:
                self._actors.pop(node, None)
                self._join()
                held.attempts += 1
                if held.attempts < ATTEMPTS:
                    todo.again.append(held)
                    continue
                result = give_up(held.item)
            else:
                if arrived is not None:
                    arrived(held.item, result)
            done[held.number] = result

    def _let_end(self, running: _Running[T], arrived: Callable[[T, R], None]) -> None:
        """Take what still comes of the work under way, each result of which may have been paid for."""
        if not running:
            return
        ready, _ = self._ray.wait(list(running), num_returns=len(running), timeout=_LAST_WAIT_S)
        for one in ready:
            try:
                arrived(running[one][1].item, self._get(one))
            except Exception:  # it failed too, and one complaint is enough
                continue

    def _get(self, waited_for: Any) -> Any:
        """What a call gave; raises the error that came up in it, or a RayError when the node is lost."""
        try:
            return self._ray.get(waited_for)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None

    def _join(self) -> None:
        """A worker on every living node that has none."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        for node in self._ray.nodes():
            name = node["NodeID"]
            if node["Alive"] and name not in self._actors:
                processors = max(1, int(node["Resources"].get("CPU", 1)))
                there = NodeAffinitySchedulingStrategy(name, soft=False)
                made = self._ray.remote(self._worker).options(
                    num_cpus=0, max_concurrency=self._at_once, scheduling_strategy=there
                )
                self._actors[name] = made.remote(*self._arguments(processors))


def _knock(address: str) -> None:
    """Raises BadInput where nobody listens at ``host:port``: Ray would ask for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise BadInput(f"--ray {address}: no cluster answers there ({error.strerror or error})") from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
