"""Values as bytes: the contract's tagged JSON, in both rooms.

``encode`` runs beside the solution: it takes a value apart by exact type only, so that no method of a solution's class
is ever called. ``decode`` builds arguments. The caller compares the tagged form itself (``compare_values``), and never
builds an object of a solution's choosing.
"""

from __future__ import annotations

import binascii
import collections
import math
import sys
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 200
_PLAIN_INT = 1 << 62
_FLOAT_NAMES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_DICTS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
PLAIN_TYPES = (type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, *_DICTS)
_SEQUENCES: dict[type, str] = {tuple: "$tuple", set: "$set", frozenset: "$frozenset"}


class NotAValue(Exception):
    """The returned object is not plain data; the message says what it is."""


def encode(value: Any, depth: int = 0, other: Callable[[Any], Any] | None = None) -> Any:
    """Tagged JSON of a plain value; raises NotAValue.

    ``other`` gives the tagged JSON of what is not plain, where the two sides have agreed on a form for it.

    Beyond the contract's tags there is ``{"$int": hex}`` for integers that JSON readers may refuse. The dictionaries
    of ``collections`` count as dictionaries, because correct programs return them.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -_PLAIN_INT < value < _PLAIN_INT else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if depth > MAX_DEPTH:
        raise NotAValue(f"a value nested more than {MAX_DEPTH} deep")
    if kind is list:
        return [encode(item, depth + 1, other) for item in value]
    if kind in _SEQUENCES:
        return {_SEQUENCES[kind]: [encode(item, depth + 1, other) for item in value]}
    if kind in _DICTS:
        pairs = dict.items(value)
        return {"$dict": [[encode(k, depth + 1, other), encode(v, depth + 1, other)] for k, v in pairs]}
    if kind is bytes:
        return {"$bytes": binascii.b2a_base64(value, newline=False).decode()}
    if kind is complex:
        return {"$complex": [encode(value.real), encode(value.imag)]}
    if other is not None:
        return other(value)
    return encode(_from_numpy(value), depth + 1)


def _from_numpy(value: Any) -> Any:
    """The Python value of a numpy scalar or array, where numpy is loaded; raises NotAValue for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return numpy.ndarray.tolist(value)
    return from_numpy_scalar(value)


def from_numpy_scalar(value: Any) -> Any:
    """The Python value of a numpy scalar, where numpy is loaded; raises NotAValue for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    raise NotAValue(
        f"an object of type {type.__getattribute__(type(value), '__name__')!s:.60}, which is not a plain value"
    )


def decode(tagged: Any, other: Callable[[str, Any], Any] | None = None) -> Any:
    """The Python value of tagged JSON; raises ValueError, TypeError or KeyError where it is malformed.

    ``other`` is asked about tags that are none of ours.
    """
    if isinstance(tagged, list):
        return [decode(item, other) for item in tagged]
    if not isinstance(tagged, dict):
        return tagged
    if len(tagged) != 1 or not next(iter(tagged)).startswith("$"):
        return {key: decode(item, other) for key, item in tagged.items()}
    ((tag, body),) = tagged.items()
    return decode_tag(tag, body, other)


def decode_tag(tag: str, body: Any, other: Callable[[str, Any], Any] | None = None) -> Any:
    """What one tag stands for; raises as ``decode`` does."""
    if tag == "$dict":
        return {decode(key, other): decode(item, other) for key, item in body}
    if tag in ("$tuple", "$set", "$frozenset"):
        items = [decode(item, other) for item in body]
        return {"$tuple": tuple, "$set": set, "$frozenset": frozenset}[tag](items)
    if tag == "$bytes":
        return binascii.a2b_base64(body, strict_mode=True)
    if tag == "$complex":
        real, imaginary = map(decode, body)
        return complex(real, imaginary)
    if tag == "$int":
        return int(body, 16)
    if other is not None and tag != "$float":
        return other(tag, body)
    return _FLOAT_NAMES[{"$float": str(body)}[tag].lower()]
