"""How the process of a solution tells its caller what happened: lines of JSON in a mapped file without a descriptor.

The mapping is shared memory that only this process and the caller see. No descriptor leads to it, so that a solution
that writes to, closes or duplicates whatever it finds does not disturb it. A solution may dig it out of memory all the
same; then it can report a value, which is what returning one does.
"""

from __future__ import annotations

import json.encoder
from collections.abc import Callable
from typing import Any, Protocol

HEADER_BYTES = 8


class Memory(Protocol):
    """What a channel writes to: a mapping, or as good as one."""

    def __setitem__(self, key: slice, value: bytes, /) -> None:
        """Replace bytes by as many."""


def _no_form(value: object) -> object:
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _compiled_encoder() -> Callable[[object, int], tuple[str, ...]]:
    """The encoder below ``json``, made once: a process that was just forked pays for every page that it touches."""
    make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
    text: Any = json.encoder.encode_basestring_ascii
    encoder: Callable[[object, int], tuple[str, ...]] = make(None, _no_form, text, None, ":", ",", False, False, False)
    return encoder


to_chunks = _compiled_encoder()
"""``to_chunks(value, 0)``: the pieces of its JSON; raises ValueError for numbers that JSON does not have."""


class Channel:
    """Appends reports to the mapping; the count at its head is written last."""

    def __init__(self, memory: Memory, size: int) -> None:
        self._map = memory
        self._size = size
        self._end = HEADER_BYTES
        self._to_chunks = to_chunks

    def send(self, *report: object) -> bool:
        """Append one report; False when it does not fit."""
        line = "".join(self._to_chunks(report, 0)).encode("ascii") + b"\n"
        end = self._end + len(line)
        if end > self._size:
            return False
        self._map[self._end : end] = line
        self._map[0:HEADER_BYTES] = (end - HEADER_BYTES).to_bytes(HEADER_BYTES, "little")
        self._end = end
        return True
