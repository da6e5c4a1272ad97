"""Work spread over the nodes of a Ray cluster by Ray Data, with one worker on every node.

Ray Data hands the items out, bounds what is under way and does a lost node's work again. What it does not know is here:
a worker (a judge, a model) is made once a node and outlives a dataset, results come in the order of the items, and
nothing is held but a window of them. critique-coder must be installed on every node.

Ray Data runs in an actor on this machine, never in the calling process. Threads of a dataset that was left (its
scheduler, which is waited for two seconds only, and two that fetch) may outlive it; when one of them asks for anything
after ``ray.shutdown``, it connects the process anew, or Ray ends it. The actor is killed with whatever it still runs.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from critique_coder.records import BadInput

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 3
"""How often the worker of a node may be killed over one item."""
_WINDOW_ITEMS, _WINDOW_BYTES = 10_000, 64 << 20
"""The most that one dataset takes: what the caller's machine holds, and what waits for the slowest at its end."""
_NEWS_S = 15.0
"""How long the cluster may take to say that a node is gone."""
_LOOK_EVERY_S = 2.0
"""Seconds between two looks at which nodes are there."""
_LAST_WAIT_S = 60.0
"""How long work under way is waited for when something else has failed for good."""


class _Stopped(Exception):
    """Stands for an item that is not begun any more, since another has failed."""


class _NodeWorker:
    """The actor on a node: the worker, and the numbers of what it has begun."""

    def __init__(self, worker: type, arguments: tuple[Any, ...]) -> None:
        self._worker = worker(*arguments)
        self._begun: deque[int] = deque(maxlen=_WINDOW_ITEMS)
        self._stopped_before = 0

    def call(self, method: str) -> Any:
        return getattr(self._worker, method)()

    def work(self, number: int, item: Any) -> Any:
        if number < self._stopped_before:
            raise _Stopped
        self._begun.append(number)
        return self._worker.work(item)

    def stop(self, before: int) -> list[int]:
        self._stopped_before = before
        return list(self._begun)


class _Hand:
    """What Ray Data runs on a node: it gives an item to the worker of the node and brings back what came of it."""

    def __init__(self, workers: dict[str, Any]) -> None:
        import ray

        self._ray, self._worker = ray, workers[ray.get_runtime_context().get_node_id()]

    def __call__(self, block: Any) -> Any:
        import pyarrow as pa

        numbers = block["number"].to_pylist()
        results = [self._result(number, item) for number, item in zip(numbers, block["item"].to_pylist(), strict=True)]
        return pa.table({"number": numbers, "result": pa.array(results, pa.large_binary())})

    def _result(self, number: int, item: bytes) -> bytes:
        try:
            result = self._ray.get(self._worker.work.remote(number, pickle.loads(item)))
        except self._ray.exceptions.RayTaskError as error:
            result = error.cause
        except self._ray.exceptions.RayError:
            result = None  # the worker was killed ATTEMPTS times
        return pickle.dumps(result)


class _Spread:
    """The actor on the caller's machine in which Ray Data runs: one dataset at a time."""

    def __init__(self) -> None:
        # Ray Data reports nothing of its use and says nothing: what matters is said in one line by the caller.
        os.environ["RAY_DATA_USAGE_DISABLED"] = "1"
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.execution_no_progress_timeout_s = -1
        self._data = ray.data
        self._blocks: Iterator[Any] = iter(())

    def begin(self, rows: list[dict[str, Any]], workers: dict[str, Any], ahead: int) -> None:
        """Take a window's rows as the dataset; ``workers`` are the nodes' workers, ``ahead`` the items with each."""
        pool = self._data.ActorPoolStrategy(
            size=min(len(workers), len(rows)), max_concurrent_calls_per_actor=ahead,
            max_tasks_in_flight_per_actor=ahead, enable_true_multi_threading=True,
        )  # fmt: skip
        dataset = self._data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Hand, fn_constructor_args=(workers,), batch_size=None, batch_format="pyarrow", compute=pool,
            # What asks for nothing may be put beside another; a byte makes Ray spread the pool over the nodes.
            num_cpus=0, memory=1, label_selector={"ray.io/node-id": f"in({','.join(workers)})"},
        )  # fmt: skip
        self._blocks = iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))

    def more(self, begun: None = None) -> list[tuple[int, bytes]]:
        """The numbers and results of the rows that came next; nothing when all have. Raises what ``begin`` raised."""
        for block in self._blocks:
            if found := list(zip(block["number"].to_pylist(), block["result"].to_pylist(), strict=True)):
                return found
        return []


@dataclass(slots=True)
class _Window(Generic[T, R]):
    """The items that one dataset takes, by their numbers; those whose results are known are in ``done`` at once."""

    first: int
    items: dict[int, T] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    done: dict[int, R] = field(default_factory=dict)


class NodeWorkers(Generic[T, R]):
    """A worker on each node of the cluster at ``address`` ("auto" for the one that this machine belongs to).

    ``worker`` is a class with a method ``work(item) -> result``; it is made from what ``arguments`` gives for the
    node's number of processors, and is asked for ``at_once`` things at the same time; ``ahead`` are with its node.
    Raises BadInput when there is no such cluster. Use it as a context manager; not for use by several threads.
    """

    def __init__(
        self, address: str, worker: type, arguments: Callable[[int], tuple[Any, ...]], at_once: int, ahead: int
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # Ray's own lines; what matters is said in one here
        try:
            import ray
        except ImportError:
            raise BadInput("--ray: ray is not installed; pip install 'critique-coder[ray]'") from None
        self._ray = ray
        self._worker, self._arguments, self._at_once, self._ahead = worker, arguments, at_once, ahead
        self._ours = not ray.is_initialized()
        if self._ours:
            _knock(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise BadInput(f"--ray {address}: no cluster answers there ({_first_line(error)})") from None
        self._actors: dict[str, Any] = {}
        self._looked = 0.0
        self._count = 0
        self._look()
        self._spreads = [self._new_spread()]  # to be ready when the workers are
        self._idle = list(self._spreads)

    @property
    def nodes(self) -> int:
        """Nodes at work, as far as the cluster knows."""
        self._look()
        return len(self._actors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers on all nodes."""
        for actor in (*self._spreads, *self._actors.values()):
            self._ray.kill(actor)
        self._spreads.clear()
        self._idle.clear()
        self._actors.clear()
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()

    def ask_all(self, method: str) -> list[Any]:
        """What a method without arguments gives on each node; a node that is lost meanwhile is left out.

        Raises what the method raises, and BadInput when a node that is there cannot do the work, or none is left.
        """
        asked = {node: actor.call.remote(method) for node, actor in self._actors.items()}
        answers = []
        for node, answer in asked.items():
            try:
                answers.append(self._ray.get(answer))
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayError as error:
                if not self._is_lost(node):
                    last = str(error).strip().splitlines()[-1]
                    raise BadInput(f"--ray: a node of the cluster cannot do the work: {last}") from None
        if not answers:
            raise BadInput("--ray: no node of the cluster is left")
        return answers

    def _is_lost(self, node: str) -> bool:
        """Whether a node whose worker failed is gone; the cluster takes a while to notice."""
        give_up = time.monotonic() + _NEWS_S
        while node in self._actors:
            if time.monotonic() > give_up:
                return False
            time.sleep(0.2)
            self._look()
        return True

    def _look(self) -> None:
        """See which nodes are there: a worker on each that has none, and a line on each that is gone."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._looked = time.monotonic()
        for node in self._ray.nodes():
            name = node["NodeID"]
            if not node["Alive"]:
                if self._actors.pop(name, None) is not None:
                    where = node["NodeManagerAddress"]
                    print(f"--ray: node {where} was lost; the others do its work", file=sys.stderr, flush=True)
            elif name not in self._actors:
                processors = max(1, int(node["Resources"].get("CPU", 1)))
                made = self._ray.remote(concurrency_groups={"control": 1})(_NodeWorker).options(
                    num_cpus=0, max_concurrency=self._at_once,
                    max_restarts=-1, max_task_retries=ATTEMPTS - 1,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(name, soft=False),
                )  # fmt: skip
                self._actors[name] = made.remote(self._worker, self._arguments(processors))

    def _new_spread(self) -> Any:
        """The actor in which Ray Data runs, on this machine."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        return self._ray.remote(_Spread).options(num_cpus=0, scheduling_strategy=here).remote()

    def map(
        self,
        items: Iterable[T],
        give_up: Callable[[T], R],
        known: Callable[[T], R | None] | None = None,
        arrived: Callable[[T, R], None] | None = None,
    ) -> Iterator[R]:
        """The results of ``items``, in their order.

        ``give_up`` gives (or raises) what stands for an item over which a worker was killed ``ATTEMPTS`` times.
        ``known`` gives the result of an item that need not be sent, else None. ``arrived`` is told of each result as
        soon as it is there; then, after an error, what is under way is waited for. Raises what ``work`` raises.
        """
        rest = iter(items)
        while (window := self._window(rest, known)).done or window.items:
            with closing(self._results(window, give_up, arrived)) as results:
                for due in range(window.first, self._count):
                    while due not in window.done:
                        number, result = next(results)
                        window.done[number] = result
                    yield window.done.pop(due)

    def _window(self, rest: Iterator[T], known: Callable[[T], R | None] | None) -> _Window[T, R]:
        """The next items, as rows of a dataset; empty when there are no more."""
        window, size = _Window[T, R](self._count), 0
        for item in islice(rest, _WINDOW_ITEMS):
            number, self._count = self._count, self._count + 1
            if known is not None and (result := known(item)) is not None:
                window.done[number] = result
                continue
            window.items[number] = item
            window.rows.append({"number": number, "item": pickle.dumps(item)})
            size += len(window.rows[-1]["item"])
            if size > _WINDOW_BYTES:
                break
        return window

    def _results(
        self, window: _Window[T, R], give_up: Callable[[T], R], arrived: Callable[[T, R], None] | None
    ) -> Generator[tuple[int, R], None, None]:
        """The numbers and results of the items that were not known, as they come; raises the first error."""
        with closing(self._dataset(window.rows)) as came:
            for one in came:
                if one is None:
                    continue
                number, result = one
                item = window.items.pop(number)
                if isinstance(result, Exception):
                    if arrived is not None:
                        self._let_end(came, window, arrived)
                    raise result
                if result is None:
                    result = give_up(item)
                elif arrived is not None:
                    arrived(item, result)
                yield number, result

    def _let_end(
        self, came: Iterable[tuple[int, Any] | None], window: _Window[T, R], arrived: Callable[[T, R], None]
    ) -> None:
        """Begin nothing more, and take what still comes of the work under way, each of which may have been paid for."""
        missing = self._stop() & window.items.keys()
        until = time.monotonic() + _LAST_WAIT_S
        if not missing:
            return
        for one in came:
            if one is not None:
                number, result = one
                missing.discard(number)
                item = window.items.pop(number)
                if result is not None and not isinstance(result, Exception):
                    arrived(item, result)
            if not missing or time.monotonic() > until:
                return

    def _dataset(self, rows: list[dict[str, Any]]) -> Generator[tuple[int, Any] | None, None, None]:
        """The numbers and results of a window's rows, as Ray Data brings them; None when nothing came for a while.

        A dataset that is left before its end is ended with the actor that runs it.
        """
        if not rows:
            return
        if not self._idle:
            self._spreads.append(self._new_spread())
            self._idle.append(self._spreads[-1])
        spread = self._idle.pop()
        try:
            self._look()
            asked = spread.begin.remote(rows, dict(self._actors), self._ahead)
            rows.clear()
            asked = spread.more.remote(asked)
            while (came := self._get_soon(asked)) != []:
                if came is None:
                    yield None
                    continue
                asked = spread.more.remote()
                for number, result in came:
                    yield number, pickle.loads(result)
        except BaseException:
            if spread in self._spreads:  # or the workers have ended before
                self._spreads.remove(spread)
                self._ray.kill(spread)
            raise
        self._idle.append(spread)

    def _get_soon(self, asked: Any) -> list[tuple[int, bytes]] | None:
        """What Ray Data answers, None when it takes a while; raises BadInput when it cannot go on."""
        if time.monotonic() > self._looked + _LOOK_EVERY_S:
            self._look()
        try:
            found: list[tuple[int, bytes]] = self._ray.get(asked, timeout=_LOOK_EVERY_S)
        except self._ray.exceptions.GetTimeoutError:
            return None
        except self._ray.exceptions.RayError as error:
            last = str(error).strip().splitlines()[-1]
            raise BadInput(f"--ray: Ray Data cannot go on: {last}") from None
        return found

    def _stop(self) -> set[int]:
        """No worker begins anything more of this window; the numbers of what they have begun."""
        begun: set[int] = set()
        for actor in self._actors.values():
            asked = actor.stop.options(concurrency_group="control").remote(self._count)
            try:
                begun.update(self._ray.get(asked, timeout=_NEWS_S))
            except self._ray.exceptions.RayError:
                continue  # its node is lost
        return begun


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
