"""The wire between the process of a solution and that of its check: two pipes, a line of JSON a request and an answer.

The check holds ``Remote`` objects in the place of the solution's functions and objects. Using one sends a request to
the solution's process, which does what is asked and answers with plain data, or with the number of an object that it
keeps. So nothing of the solution is ever executed beside the check: no ``__eq__``, no frame, no patched module. What
the solution sends is taken as data by exact type; whatever it sends, it can do no more than return that value.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from . import values

REQUESTS, ANSWERS = 4, 5
"""Descriptors of the two pipes, in both processes."""

_BLOCK = 1 << 16
_ANATOMY = "told_by_the_solutions_process"
_HOLDING = (list, tuple, dict, set, bytearray)


class Gone(BaseException):
    """The solution's process is no longer there, or has stopped to answer in our terms."""


class CannotCross(BaseException):
    """The check passes on something that has no form on the wire. The check's fault, not the solution's."""


def _pack_stdlib(value: Any) -> Any:
    """The form of values of the standard library that checks and solutions exchange; raises NotAValue."""
    kind = type(value)
    if kind is range:
        return {"$range": [value.start, value.stop, value.step]}
    if kind is slice:
        return {"$slice": values.encode((value.start, value.stop, value.step), 0, _pack_stdlib)}
    if kind is bytearray:
        return {"$bytearray": values.encode(bytes(value))}
    name = f"{kind.__module__}.{kind.__qualname__}"
    form = _FORMS.get(name)
    if form is None or getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is not kind:
        raise values.NotAValue(f"an object of type {name:.60}")
    return {"$" + name: values.encode(form(value), 0, _pack_stdlib)}


def _unpack_stdlib(tag: str, body: Any) -> Any:
    if tag == "$range":
        return range(*map(int, body))
    if tag == "$slice":
        return slice(*values.decode(body, _unpack_stdlib))
    if tag == "$bytearray":
        return bytearray(values.decode(body))
    module, _, name = tag[1:].partition(".")
    if tag[1:] not in _FORMS:
        raise ValueError(f"unknown tag {tag}")
    return getattr(__import__(module), name)(*values.decode(body, _unpack_stdlib))


_FORMS: dict[str, Callable[[Any], Any]] = {
    "collections.deque": lambda value: (list(value), value.maxlen),
    "decimal.Decimal": lambda value: (str(value),),
    "fractions.Fraction": lambda value: (value.numerator, value.denominator),
    "datetime.date": lambda value: (value.year, value.month, value.day),
    "datetime.timedelta": lambda value: (value.days, value.seconds, value.microseconds),
    "datetime.datetime": lambda value: (value.year, value.month, value.day, value.hour, value.minute, value.second,
                                        value.microsecond, value.tzinfo),
    "datetime.time": lambda value: (value.hour, value.minute, value.second, value.microsecond, value.tzinfo),
    "datetime.timezone": lambda value: (value.utcoffset(None),),
}  # fmt: skip
"""Full name of a type: the arguments that make an equal value."""


class Server:
    """The solution's side: does what it is asked until the other side hangs up."""

    def __init__(self, names: dict[str, Any], describe: Callable[[BaseException], tuple[Any, ...]]) -> None:
        self._names, self._describe = names, describe
        self._kept: list[Any] = []

    def serve(self) -> None:
        """Answer requests one after the other."""
        write, to_text = os.write, json.dumps
        for line in os.fdopen(REQUESTS, "rb", closefd=False):
            view = memoryview(to_text(self._answer(json.loads(line))).encode("ascii") + b"\n")
            try:
                while view:
                    view = view[write(ANSWERS, view) :]
            except BrokenPipeError:  # the answer was longer than the check would read
                return

    def _answer(self, request: list[Any]) -> list[Any]:
        action, *rest = request
        given = [values.decode(item, self._unpack) for item in rest]
        try:
            if action == "find":
                found = [name for name in given if name in self._names]
                return ["value", self._pack({name: self._names[name] for name in found}), None]
            result = self._do(action, given)
            return ["value", self._pack(result), self._changes(given, rest) if action == "call" else None]
        except BaseException as error:
            if action == "next" and isinstance(error, StopIteration):
                return ["end"]
            names = [kind.__name__ for kind in type(error).__mro__]
            return ["raised", names, _text_of(error), *self._describe(error)]

    def _do(self, action: str, given: list[Any]) -> Any:
        if action == "call":
            function, args, kwargs = given
            return function(*args, **kwargs)
        if action == "set":
            return setattr(*given)
        return _ACTIONS[action](*given)

    def _changes(self, given: list[Any], before: list[Any]) -> Any:
        """The arguments as they are after the call, for a function may sort a list in place; None when unchanged."""
        after = [self._pack(given[1]), self._pack(given[2])]
        return None if after == before[1:] else after

    def _pack(self, value: Any) -> Any:
        return values.encode(value, 0, self._number)

    def _number(self, value: Any) -> Any:
        for form in (_pack_stdlib, lambda value: values.encode(values.from_numpy_scalar(value))):
            with contextlib.suppress(values.NotAValue):
                return form(value)
        self._kept.append(value)
        return {"$kept": len(self._kept) - 1}

    def _unpack(self, tag: str, body: Any) -> Any:
        return self._kept[body] if tag == "$kept" else _unpack_stdlib(tag, body)


_ACTIONS: dict[str, Callable[..., Any]] = {
    "get": getattr, "item": lambda found, key: found[key], "iter": iter, "next": next, "len": len, "str": str,
    "repr": repr, "true": bool, "has": lambda found, item: item in found,
}  # fmt: skip


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except BaseException:
        return ""


class Client:
    """The check's side. ``broken`` says why there will be no more answers; a check cannot pass after that."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._buffer = most_bytes, bytearray()
        self.broken: str | None = None

    def find(self, names: list[str]) -> dict[str, Any]:
        """The solution's values of these names, as far as it has them; raises Gone."""
        found = self.ask("find", *names)
        if type(found) is not dict:
            self._break("the solution's process answered nonsense")
        return found

    def ask(self, action: str, *given: Any) -> Any:
        """Send a request and wait; raises what the solution raised, Gone or CannotCross. ``END`` ends an iteration."""
        try:
            request = [action, *(values.encode(item, 0, _pack_remote) for item in given)]
        except values.NotAValue as error:
            raise CannotCross(str(error)) from None
        answer = self._exchange(json.dumps(request).encode("ascii") + b"\n")
        try:
            raised, result = self._understood(answer, given)
        except (ValueError, TypeError, LookupError, RecursionError, AttributeError, ArithmeticError):
            self._break("the solution's process answered nonsense")
        if raised is not None:
            raise raised
        return result

    def anatomy(self, error: BaseException | None) -> tuple[Any, ...]:
        """Description, whether memory ran out and whether the sandbox had refused something, for an exception here."""
        told: tuple[Any, ...] | None = getattr(error, _ANATOMY, None)
        return told or (f"{type(error).__name__}: {error}"[:300], False, False)

    def _understood(self, answer: list[Any], given: tuple[Any, ...]) -> tuple[BaseException | None, Any]:
        kind, *rest = answer
        if kind == "value":
            result, changes = rest
            if changes is not None:
                _update(given[1:], [self._unpacked(item) for item in changes])
            return None, self._unpacked(result)
        if kind == "end":
            return None, END
        if kind != "raised":
            raise ValueError(kind)
        names, text, *anatomy = rest
        raised = _rebuilt(names, str(text))
        setattr(raised, _ANATOMY, tuple(anatomy))
        return raised, None

    def _unpacked(self, tagged: Any) -> Any:
        return values.decode(tagged, self._unpack)

    def _unpack(self, tag: str, body: Any) -> Any:
        return Remote(self, int(body)) if tag == "$kept" else _unpack_stdlib(tag, body)

    def _exchange(self, request: bytes) -> Any:
        if self.broken:
            raise Gone(self.broken)
        try:
            view = memoryview(request)
            while view:
                view = view[os.write(REQUESTS, view) :]
            return json.loads(self._line())
        except OSError:
            self._break("the process left before the function returned")
        except (ValueError, RecursionError):
            self._break("the solution's process answered nonsense")

    def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            block = os.read(ANSWERS, _BLOCK)
            if not block:
                self._break("the process left before the function returned")
            self._buffer += block
            if len(self._buffer) > self._most:
                self._break("too long")
        line, self._buffer = bytes(self._buffer[:end]), self._buffer[end + 1 :]
        return line

    def _break(self, why: str) -> NoReturn:
        self.broken = self.broken or why
        raise Gone(why)


END = object()


class Remote:
    """A function or object that lives in the solution's process. Equal to itself alone."""

    __slots__ = ("_client", "_number")

    def __init__(self, client: Client, number: int) -> None:
        object.__setattr__(self, "_client", client)
        object.__setattr__(self, "_number", number)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it in its own process; arguments that it changes are changed here too."""
        return self._client.ask("call", self, list(args), kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._client.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._client.ask("set", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._client.ask("item", self, key)

    def __contains__(self, item: Any) -> bool:
        return bool(self._client.ask("has", self, item))

    def __iter__(self) -> Iterator[Any]:
        iterator = self._client.ask("iter", self)
        while (item := self._client.ask("next", iterator)) is not END:
            yield item

    def __next__(self) -> Any:
        item = self._client.ask("next", self)
        if item is END:
            raise StopIteration
        return item

    def __len__(self) -> int:
        return int(self._client.ask("len", self))

    def __bool__(self) -> bool:
        return bool(self._client.ask("true", self))

    def __str__(self) -> str:
        return str(self._client.ask("str", self))

    def __repr__(self) -> str:
        return str(self._client.ask("repr", self))


def _pack_remote(value: Any) -> Any:
    return {"$kept": value._number} if type(value) is Remote else _pack_stdlib(value)


def _update(old: Any, new: Any) -> None:
    """Bring a mutable argument to the state it has in the solution's process; what it holds stays the same objects."""
    if isinstance(old, dict):
        merged = {key: _merged(old.get(key), item) for key, item in new.items()}
        old.clear()
        old.update(merged)
    elif isinstance(old, (set, bytearray)):
        old.clear()
        old.update(new) if isinstance(old, set) else old.extend(new)
    elif isinstance(old, (list, tuple)):
        same = len(old) == len(new)
        merged_items = [_merged(old[place] if same else None, item) for place, item in enumerate(new)]
        if isinstance(old, list):
            old[:] = merged_items


def _merged(old: Any, new: Any) -> Any:
    """``old`` brought up to date where it can be, else ``new``."""
    if type(old) is type(new) and type(old) in _HOLDING:
        _update(old, new)
        return old
    return new


def _rebuilt(names: list[str], text: str) -> BaseException:
    """An exception of the first builtin class among ``names``, with this text."""
    for name in map(str, names):
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            try:
                return kind(text)
            except TypeError:
                continue
    return Exception(text)
