"""How the process of a solution tells its caller what happened: lines of JSON in a mapped file without a descriptor.

The mapping is shared memory that only this process and the caller see. No descriptor leads to it, so that a solution
that writes to, closes or duplicates whatever it finds does not disturb it. A solution may dig it out of memory all the
same; then it can report a value, which is what returning one does.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Callable

HEADER_BYTES = 8
_TO_TEXT: Callable[[object], str] = json.JSONEncoder(check_circular=False, allow_nan=False).encode
_PACK = struct.Struct("<Q").pack


class Channel:
    """Appends reports to the mapping; the count at its head is written last."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._map = mmap.mmap(descriptor, size)
        self._size = size
        self._end = HEADER_BYTES
        self._to_text, self._pack = _TO_TEXT, _PACK

    def send(self, *report: object) -> bool:
        """Append one report; False when it does not fit."""
        line = self._to_text(report).encode("ascii") + b"\n"
        end = self._end + len(line)
        if end > self._size:
            return False
        self._map[self._end : end] = line
        self._map[0:HEADER_BYTES] = self._pack(end - HEADER_BYTES)
        self._end = end
        return True
