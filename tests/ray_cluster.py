"""A real Ray cluster of two nodes on this machine, as a fixture."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from ray.cluster_utils import Cluster


@pytest.fixture(scope="module")
def _head() -> Iterator[Cluster]:
    source = str(Path(__file__).parents[1] / "src")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        # On a busy machine Ray's processes, which wait for all others by default, need more than a minute to start.
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_worker_register_timeout_seconds", "300")
        memory: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        one = Cluster(initialize_head=True, head_node_args=memory)
        yield one
        one.shutdown()


@pytest.fixture
def cluster(_head: Cluster) -> Cluster:
    """A head and a second node, of one processor each; the second is made anew where a test has lost it."""
    if not _head.worker_nodes:
        _head.add_node(num_cpus=1, object_store_memory=80 << 20)
    _head.wait_for_nodes()
    return _head


def soon(true: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something becomes true; a cluster takes a while to notice that a node is gone."""
    give_up = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.2)
    return True


@contextmanager
def node_lost(cluster: Cluster, ready: Callable[[], bool]) -> Iterator[None]:
    """The second node is killed as soon as ``ready``; at the end of the block at the latest."""
    stop = Event()

    def lose() -> None:
        while not stop.is_set() and not ready():
            stop.wait(0.01)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    killer = Thread(target=lose)
    killer.start()
    try:
        yield
    finally:
        stop.set()
        killer.join()
