"""LiveCodeBench's private tests: base64 of zlib of a pickle that holds the text of JSON.

They come from elsewhere, so nothing of the pickle is run: its opcodes are read, and only those that put one text on the
stack are accepted. There is no unpickler that a global, a reduce or a huge memo could reach.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
import zlib

MAX_BYTES = 256 * 2**20
"""The most that the private tests of one problem may unpack to."""

_TEXT = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})
_AROUND = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"})


class Refused(Exception):
    """Packed tests that are damaged, or hold more than a text; the message says which."""


class TooLarge(Refused):
    """Packed tests that unpack to more than is allowed."""


def unpack(packed: str, most: int = MAX_BYTES) -> str:
    """The text of JSON within; raises TooLarge beyond ``most`` bytes, and Refused."""
    return text_of_pickle(_inflated(packed, most))


def _inflated(packed: str, most: int) -> bytes:
    try:
        data = base64.b64decode(packed, validate=True)
        inflater = zlib.decompressobj()
        found = inflater.decompress(data, most + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise Refused(f"is neither JSON nor packed tests ({error})") from None
    if len(found) > most:
        raise TooLarge(f"unpacks to more than {most / 2**20:g} MiB")
    if not inflater.eof:
        raise Refused("is cut short")
    return found


def text_of_pickle(data: bytes) -> str:
    """The text that a pickle of one text holds; raises Refused for every other pickle."""
    found: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in _TEXT:
                found.append(str(argument))
            elif opcode.name not in _AROUND:
                raise Refused(f"its pickle holds more than a text ({opcode.name}), which could run code; not loaded")
    except (ValueError, OverflowError) as error:
        raise Refused(f"its pickle is damaged ({str(error).splitlines()[0][:80]})") from None
    if len(found) != 1:
        raise Refused("its pickle does not hold one text")
    return found[0]
