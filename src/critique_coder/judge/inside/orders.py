"""What the caller and the zygote tell each other about a test: bytes of a fixed form, which take little to read."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

_FAILED, _ENDED = b"!", b"."


class Order(NamedTuple):
    """What one test may use, and the sizes of two of its files. Bytes and seconds.

    ``command_s`` is for the command of a project once its build is done; 0: it has no limit of its own.
    """

    job_bytes: int
    channel_bytes: int
    memory_bytes: int
    output_bytes: int
    time_s: float
    wall_s: float
    longest_s: float
    command_s: float


class Told(NamedTuple):
    """How the process of a test ended. ``killed`` names the limit for which it was killed, or is empty."""

    status: int
    cpu_s: float
    wall_s: float
    starved_s: float
    memory: int
    killed: str
    clean: bool


_ORDER, _TOLD = Struct("<4Q4d"), Struct("<i3dQ8s?")


def pack_order(order: Order) -> bytes:
    """Raises struct.error for numbers that no machine has."""
    return _ORDER.pack(*order)


def read_order(message: bytes) -> Order:
    """What ``pack_order`` has written."""
    return Order._make(_ORDER.unpack(message))


def pack_told(told: Told) -> bytes:
    """An answer."""
    status, cpu_s, wall_s, starved_s, memory, killed, clean = told
    return _ENDED + _TOLD.pack(status, cpu_s, wall_s, starved_s, memory, killed.encode(), clean)


def pack_failure(why: str) -> bytes:
    """The answer where a test could not be started."""
    return _FAILED + why.encode("utf-8", "replace")


def read_told(message: bytes) -> Told | str:
    """The answer, or why the test could not be started; raises struct.error for anything else."""
    if message.startswith(_FAILED):
        return message[1:].decode("utf-8", "replace")
    status, cpu_s, wall_s, starved_s, memory, killed, clean = _TOLD.unpack(message[1:])
    return Told(status, cpu_s, wall_s, starved_s, memory, killed.rstrip(b"\0").decode("ascii", "replace"), clean)
