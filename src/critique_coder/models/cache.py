"""A key/value cache that is written in place.

The cache of transformers copies itself for every token, and once more whenever rows leave the batch; on a processor
that costs as much as the model's own work. Here keys and values lie in buffers with room for the tokens to come, and a
row that leaves is overwritten by one from the end.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

_ROOM = 128
"""Tokens for which a buffer has room when it is made anew."""


class InPlaceLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, each (rows, heads, tokens, size): views of buffers that hold more tokens."""

    _key_buffer: Tensor
    _value_buffer: Tensor

    @classmethod
    def spread(cls, layer: DynamicLayer, owner: Tensor, room: int) -> InPlaceLayer:
        """Row i of the result continues row ``owner[i]`` of ``layer``; there is room for ``room`` more tokens."""
        spread = cls()
        spread.lazy_initialization(layer.keys, layer.values)
        length = layer.keys.shape[-2]
        spread._key_buffer = _buffer(layer.keys, len(owner), length + room)
        spread._value_buffer = _buffer(layer.values, len(owner), length + room)
        for row, source in enumerate(owner.tolist()):
            spread._key_buffer[row, :, :length] = layer.keys[source]
            spread._value_buffer[row, :, :length] = layer.values[source]
        spread._show(len(owner), length)
        return spread

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the states of new tokens behind the others; returns all keys and values."""
        rows, length = self.keys.shape[0], self.keys.shape[-2]
        wanted = length + key_states.shape[-2]
        if wanted > self._key_buffer.shape[-2]:
            self._key_buffer = _grown(self.keys, wanted + _ROOM)
            self._value_buffer = _grown(self.values, wanted + _ROOM)
        self._key_buffer[:rows, :, length:wanted] = key_states
        self._value_buffer[:rows, :, length:wanted] = value_states
        self._show(rows, wanted)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows ``indices``, in that order; only rows that change their place are copied."""
        moved = (indices != torch.arange(len(indices), device=indices.device)).nonzero()[:, 0]
        for states in (self.keys, self.values):
            states[moved] = states[indices[moved]]
        self._show(len(indices), self.keys.shape[-2])

    def _show(self, rows: int, length: int) -> None:
        self.keys = self._key_buffer[:rows, :, :length]
        self.values = self._value_buffer[:rows, :, :length]


def _buffer(like: Tensor, rows: int, tokens: int) -> Tensor:
    return like.new_empty((rows, like.shape[1], tokens, like.shape[3]))


def _grown(states: Tensor, tokens: int) -> Tensor:
    grown = _buffer(states, states.shape[0], tokens)
    grown[:, :, : states.shape[-2]] = states
    return grown


def spread_cache(cache: Any, owner: Tensor, most: int) -> Any:
    """The cache for rows that each continue a prompt: row i continues row ``owner[i]`` of ``cache``.

    At most ``most`` tokens will be added. Layers of another kind than full attention (a sliding window, a recurrent
    state) keep what transformers gives them.
    """
    for number, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[number] = InPlaceLayer.spread(layer, owner, min(most, _ROOM))
        else:
            layer.batch_select_indices(owner)
    return cache
