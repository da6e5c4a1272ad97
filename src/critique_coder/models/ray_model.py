"""A model on many machines: a replica, or an endpoint's client, on every node of a Ray cluster.

A local model is loaded once a node; of an endpoint each node asks its own (``http://localhost:8000/v1`` is the node's
server), with ``batch_size`` requests in flight a node. What goes out is what one machine would ask for in one batch, so
that the same batch has the same seed and the same answers wherever it is drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from critique_coder.cluster import ATTEMPTS, NodeWorkers
from critique_coder.models.answers import AnswerCache, key_of
from critique_coder.models.base import Completion, Messages, ModelError, Progress, Sampling, TextModel


@dataclass(frozen=True, slots=True)
class Ask:
    """A batch: ``n`` answers for each prompt, drawn with one seed."""

    prompts: tuple[Messages, ...]
    n: int
    sampling: Sampling


class NodeModel:
    """What runs on a node: the model, opened when it is first asked; a replica has all of the node's processors."""

    def __init__(self, source: str | None, endpoint: str | None, batch_size: int, processors: int) -> None:
        self._source, self._endpoint, self._batch_size = source, endpoint, batch_size
        self._processors, self._lock = processors, threading.Lock()

    @cached_property
    def _opened(self) -> TextModel:
        from critique_coder.models import open_model

        if self._endpoint is None:
            import torch

            torch.set_num_threads(self._processors)  # Ray gives a worker one thread
        return open_model(self._source, self._endpoint, self._batch_size)

    def _model(self) -> TextModel:
        with self._lock:
            try:
                return self._opened
            except ModelError as error:
                raise _on_this_node(error) from None

    def name(self) -> str:
        """What the model is called."""
        return self._model().name

    def work(self, ask: Ask) -> list[list[Completion]]:
        """The answers to a batch; raises ModelError."""
        model = self._model()
        try:
            return model.sample(ask.prompts, ask.n, ask.sampling)
        except ModelError as error:
            raise _on_this_node(error) from None


def _on_this_node(error: ModelError) -> ModelError:
    from ray.util import get_node_ip_address

    return ModelError(f"node {get_node_ip_address()}: {error}")


class RayModel:
    """The model called ``source``, or the one behind ``endpoint``, on the nodes of the cluster at ``address``.

    ``cache`` keeps an endpoint's answers on this machine. Raises BadInput when there is no such cluster.
    """

    def __init__(
        self, address: str, source: str | None, endpoint: str | None, batch_size: int, cache: Path | None = None
    ) -> None:
        remote = endpoint is not None
        at_once, ahead = (batch_size, batch_size) if remote else (1, 2)
        self._cache = AnswerCache(cache) if cache is not None and remote else None
        self._workers: NodeWorkers[Ask, list[list[Completion]]] = NodeWorkers(
            address, NodeModel, lambda processors: (source, endpoint, batch_size, processors), at_once, ahead
        )

    @property
    def nodes(self) -> int:
        """Nodes at work."""
        return self._workers.nodes

    def close(self) -> None:
        """End the replicas on all nodes."""
        self._workers.close()

    @cached_property
    def name(self) -> str:
        """What the model is called; raises ModelError when it is not the same on all nodes."""
        names: list[str] = sorted(set(self._workers.ask_all("name")))
        if len(names) > 1:
            raise ModelError(f"the nodes of the cluster have different models ({', '.join(names)}); name one of them")
        return names[0]

    def sample(
        self,
        prompts: Sequence[Messages],
        n: int,
        sampling: Sampling,
        progress: Progress = lambda tokens, completions: None,
    ) -> list[list[Completion]]:
        """``n`` answers for each prompt, as one batch; raises ModelError."""
        (answers,) = self.each([Ask(tuple(prompts), n, sampling)], progress)
        return answers

    def stream(
        self,
        jobs: Iterable[tuple[Messages, int]],
        sampling: Sampling,
        progress: Progress = lambda tokens, completions: None,
    ) -> Iterator[Completion]:
        """An answer for each (messages, seed), in their order, as ``EndpointModel.stream`` gives them."""
        asks = (Ask((messages,), 1, replace(sampling, seed=seed)) for messages, seed in jobs)
        return (answer for ((answer,),) in self.each(asks, progress))

    def each(
        self, asks: Iterable[Ask], progress: Progress = lambda tokens, completions: None
    ) -> Iterator[list[list[Completion]]]:
        """The answers to each batch, in their order, spread over the nodes; raises ModelError."""

        def known(ask: Ask) -> list[list[Completion]] | None:
            answer = self._cache.get(self._key(ask)) if self._cache is not None else None
            if answer is None:
                return None
            progress(answer.tokens, 1)
            return [[answer]]

        def arrived(ask: Ask, answers: list[list[Completion]]) -> None:
            found = [answer for row in answers for answer in row]
            progress(sum(answer.tokens for answer in found), len(found))
            if self._cache is not None:
                self._cache.put(self._key(ask), found[0])

        _ = self.name  # a model that cannot be opened, or is not the same everywhere, shows before any work
        return self._workers.map(asks, _lost, known, arrived)

    def _key(self, ask: Ask) -> str:
        """The key of an endpoint's only answer to a batch of one."""
        return key_of(self.name, ask.prompts[0], ask.sampling, ask.sampling.seed)


def _lost(ask: Ask) -> list[list[Completion]]:
    raise ModelError(
        f"--ray: the model on a node was killed {ATTEMPTS} times over one batch of {len(ask.prompts)} prompts; is the "
        "node's memory too small? The same command goes on from here"
    )
