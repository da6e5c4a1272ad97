"""Batched sampling from a transformers model, made for many samples of few prompts.

``generate`` of transformers keeps every row of a batch until the longest has ended, encodes the same prompt once for
every sample of it, copies its key/value cache for every token, and draws from the whole vocabulary. Here a prompt is
encoded once and its cache shared out, rows that have ended leave the batch, the cache is written in place (``cache``),
and with ``top_k`` the draw is made among ``top_k`` tokens.
``benchmarks/sampling.py`` compares the two in one run.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

import torch

from critique_coder.models.base import Sampling
from critique_coder.models.cache import spread_cache

Tokens = list[int]

_SIDE_BY_SIDE = 2
"""Parts of a batch on a processor: between the products of one part lies much that does not use several cores."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One sampled continuation: its token ids (the end token included) and whether it ended by itself."""

    tokens: Tokens
    logprobs: list[float]
    finished: bool


def generate(
    model: Any,
    prompts: Sequence[Tokens],
    sampling: Sampling,
    *,
    end_ids: frozenset[int],
    batch_size: int = 64,
    on_tokens: Callable[[int, int], None] = lambda tokens, rows: None,
) -> list[Generated]:
    """Sample one continuation for each entry of ``prompts``; equal neighbours share their encoded prefix.

    ``batch_size`` rows are under way at a time; on a processor, in two halves with half of the cores each. The result
    has the order of ``prompts``. The same seed, prompts and ``batch_size`` give the same result on the same machine.
    ``on_tokens(tokens, rows)`` is told how many tokens were drawn and how many rows have ended since it was last
    called.
    """
    parts = _SIDE_BY_SIDE if model.device.type == "cpu" else 1
    batches = _batches(prompts, max(1, -(-min(batch_size, len(prompts)) // parts)))
    seeds = torch.randint(2**62, (len(batches),), generator=torch.Generator().manual_seed(sampling.seed)).tolist()
    stop, telling = Event(), Lock()

    @torch.inference_mode()
    def drawn(batch: list[int], seed: int) -> dict[int, Generated]:
        rows = _Batch(model, prompts, batch, sampling, end_ids, torch.Generator(model.device).manual_seed(seed))
        while rows.active and not stop.is_set():
            before = len(rows.active)
            rows.step()
            with telling:
                on_tokens(before, before - len(rows.active))
        return rows.results

    results: dict[int, Generated] = {}
    with _workers(min(parts, len(batches))) as pool:
        try:
            for found in pool.map(drawn, batches, seeds):
                results |= found
        finally:
            stop.set()  # after an error or Ctrl-C the other batches need not go on
    return [results[index] for index in range(len(prompts))]


@contextmanager
def _workers(most: int) -> Iterator[ThreadPoolExecutor]:
    """Up to ``most`` threads, among which the cores that torch may use are divided."""
    cores = torch.get_num_threads()
    count = max(1, min(most, cores))
    with ThreadPoolExecutor(count, "sampling", torch.set_num_threads, (cores // count,)) as pool:
        try:
            yield pool
        finally:
            torch.set_num_threads(cores)  # each thread has its own number; this one is for those that begin later
    _give_memory_back()


def _give_memory_back() -> None:
    """Return what was freed to the system, where the C library can (glibc): it keeps a reserve for every thread.

    Without it a run that samples and trains by turns grows from stage to stage.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _batches(prompts: Sequence[Tokens], batch_size: int) -> list[list[int]]:
    """Indices of rows to run together: equal prompts side by side, prompts of like length in one batch."""
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), prompts[i], i))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


class _Batch:
    """The rows that are being continued together; ``active`` holds the indices that have not ended."""

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Tokens],
        indices: list[int],
        sampling: Sampling,
        end_ids: frozenset[int],
        generator: torch.Generator,
    ) -> None:
        self._model, self._sampling, self._end_ids, self._generator = model, sampling, end_ids, generator
        self.active = list(indices)
        self.results: dict[int, Generated] = {}
        self._tokens: dict[int, Tokens] = {i: [] for i in indices}
        self._logprobs: dict[int, list[float]] = {i: [] for i in indices}
        self._encode([prompts[i] for i in indices])

    def _encode(self, prompts: list[Tokens]) -> None:
        """Run each distinct prompt once and share its cache out to all rows that begin with it."""
        distinct: list[Tokens] = []
        owner: list[int] = []
        for prompt in prompts:
            if not distinct or distinct[-1] != prompt:
                distinct.append(prompt)
            owner.append(len(distinct) - 1)
        width = max(len(prompt) for prompt in distinct)
        ids = self._tensor([[0] * (width - len(p)) + p for p in distinct])
        mask = self._tensor([[0] * (width - len(p)) + [1] * len(p) for p in distinct])
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        last = self._tensor([-1])  # by index: a slice would make torch copy the output layer for every row
        out = self._model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=last
        )
        rows = self._tensor(owner)
        self._cache = spread_cache(out.past_key_values, rows, self._sampling.max_tokens)
        self._mask = mask[rows]
        self._position = positions[rows, -1:]
        self._logits = out.logits[rows, -1]

    def _tensor(self, values: list[Any]) -> torch.Tensor:
        return torch.tensor(values, device=self._model.device)

    def step(self) -> None:
        """Draw one token for every active row; rows that ended leave the batch."""
        tokens, logprobs = draw(self._logits, self._sampling, self._generator)
        stay: list[int] = []
        for place, (index, token, logprob) in enumerate(
            zip(self.active, tokens.tolist(), logprobs.tolist(), strict=True)
        ):
            row = self._tokens[index]
            row.append(token)
            self._logprobs[index].append(logprob)
            ended = token in self._end_ids
            if ended or len(row) >= self._sampling.max_tokens:
                self.results[index] = Generated(row, self._logprobs[index], ended)
            else:
                stay.append(place)
        order = _holes_filled(stay)
        self._keep(order)
        if self.active:
            self._advance(tokens[self._tensor(order)])

    def _keep(self, order: list[int]) -> None:
        if len(order) == len(self.active):
            return
        self.active = [self.active[place] for place in order]
        if not order:
            return
        rows = self._tensor(order)
        self._cache.batch_select_indices(rows)
        self._mask, self._position = self._mask[rows], self._position[rows]

    def _advance(self, tokens: torch.Tensor) -> None:
        self._mask = torch.cat([self._mask, torch.ones_like(self._position)], dim=1)
        self._position = self._position + 1
        out = self._model(
            input_ids=tokens[:, None],
            attention_mask=self._mask,
            position_ids=self._position,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache, self._logits = out.past_key_values, out.logits[:, -1]


def _holes_filled(stay: list[int]) -> list[int]:
    """The places that stay, in an order in which few rows move: the last ones fill the holes of those that left."""
    count = len(stay)
    last = [place for place in stay if place >= count]
    kept = set(stay)
    return [place if place in kept else last.pop() for place in range(count)]


def draw(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token a row from ``logits`` (rows, vocabulary); returns ids (rows,) and their log-probabilities (rows,).

    The log-probability is that of the distribution the token was drawn from.
    """
    if sampling.temperature == 0:
        best = logits.argmax(-1)
        return best, torch.zeros(len(best), device=best.device)
    if sampling.top_k:
        values, ids = logits.topk(min(sampling.top_k, logits.shape[-1]), dim=-1)
    elif sampling.top_p < 1:
        values, ids = logits.sort(dim=-1, descending=True)
    else:
        return _pick((logits.float() / sampling.temperature).softmax(-1), generator)
    chances = (values.float() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        mass_before = chances.cumsum(-1) - chances
        chances = chances.masked_fill(mass_before >= sampling.top_p, 0.0)
        chances /= chances.sum(-1, keepdim=True)
    place, logprob = _pick(chances, generator)
    return ids.gather(-1, place[:, None])[:, 0], logprob


def _pick(chances: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A place drawn from each row of ``chances`` (rows, n), and the logarithm of its chance.

    By one random number a row: ``torch.multinomial`` draws one for every place, which over a whole vocabulary costs
    as much time as the model's matrix products.
    """
    below = chances.cumsum(-1)
    # from the upper end down, so that no place without a chance is hit: 1 - [0, 1) is never 0
    mark = (1 - torch.rand((len(chances), 1), generator=generator, device=chances.device)) * below[:, -1:]
    place = torch.searchsorted(below, mark)
    return place[:, 0], chances.gather(-1, place)[:, 0].log()
