"""Who may use the page: links and sessions that are signed with the store's secret, and how often a person may ask.

A link holds a name and its signature, so it stays valid when the server starts again and nothing of it is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from critique_coder.records import BadInput

LONGEST_NAME = 60


def checked_names(names: Collection[str]) -> tuple[str, ...]:
    """The names of the people who judge, each once; raises BadInput for one that cannot be shown or told apart."""
    for name in names:
        if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise BadInput(
                f"--person {name!r}: a name has 1 to {LONGEST_NAME} printable characters and no space at its ends"
            )
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class Keys:
    """Signs names for different purposes and knows its own signatures again. ``people``: the names that count."""

    secret: bytes = field(repr=False)
    people: tuple[str, ...]

    @property
    def cookie(self) -> str:
        """The session cookie's name: two servers on one machine share its cookies and must not mix theirs up."""
        return "review-" + self._signature("cookie", "")[:8]

    def token(self, purpose: str, name: str) -> str:
        """A name and its signature."""
        return f"{_base64(name.encode())}.{self._signature(purpose, name)}"

    def person(self, purpose: str, token: str) -> str | None:
        """Whose token this is; None when it was not signed here for this purpose, or the name does not count."""
        for name in self.people:
            if hmac.compare_digest(self.token(purpose, name).encode(), token.encode("utf-8", "replace")):
                return name
        return None

    def csrf(self, name: str) -> str:
        """What a page of ours sends along with every write of this person."""
        return self._signature("write", name)

    def is_csrf(self, name: str, given: str) -> bool:
        """Whether a write carries what our page gave this person."""
        return hmac.compare_digest(self.csrf(name).encode(), given.encode("utf-8", "replace"))

    def _signature(self, purpose: str, name: str) -> str:
        return _base64(hmac.digest(self.secret, f"{purpose}\0{name}".encode(), hashlib.sha256)[:24])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Pace:
    """How often each person may ask: ``burst`` at once and ``per_s`` a second in the long run."""

    def __init__(self, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, person: str, cost: float = 1.0) -> float:
        """Seconds to wait before this is allowed; 0 when it is, and then it is counted."""
        now = self._clock()
        left, then = self._left.get(person, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._per_s)
        missing = cost - left
        self._left[person] = (left - cost if missing <= 0 else left, now)
        return max(0.0, missing / self._per_s)
