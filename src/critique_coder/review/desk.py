"""What a server holds in memory: the items, each person's order through them, and who judged what.

The items' texts lie here once; pages are made when they are asked for. An order is a list of numbers and two flags an
item (open to this person; judged by this person), so the next item is found at once among tens of thousands.
"""

from __future__ import annotations

import hashlib
import threading
import time
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from pathlib import Path
from typing import Self

from critique_coder.records import Outcome
from critique_coder.review.access import Keys
from critique_coder.review.cases import Case, Evidence
from critique_coder.review.from_build import build_of
from critique_coder.review.queue import Queued, is_open, order_for
from critique_coder.review.recorded import Recorded
from critique_coder.review.rerun import Reruns
from critique_coder.review.shown import Found
from critique_coder.review.store import Given, ReviewStore

_HELD_S = 600.0
"""For how long an item that somebody looks at is offered to nobody else, where others are left."""
_MOST_HELD = 5
"""Items that a person holds at once: the one on the screen, the one before, and those that the page fetches ahead."""
_POLL_S = 1.0
_PAUSE_S = 300.0
"""A longer gap between two verdicts is a pause and does not count into the pace."""


def ref_of(item: str) -> str:
    """A case's name in addresses; its own would tell who wrote the solution."""
    return hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Progress:
    """``judged`` of ``total`` items that a person judged or may judge; ``per_hour`` without pauses, None at first."""

    judged: int
    total: int
    per_hour: float | None


class _Way:
    """One person's order: the places of the items, and at each place whether it is open and whether it is judged."""

    def __init__(self, order: array[int]) -> None:
        self.order = order
        self.place = array("L", bytes(order.itemsize * len(order)))
        for place, number in enumerate(order):
            self.place[number] = place
        self.open = bytearray(b"\x01") * len(order)
        self.own = bytearray(len(order))


class Desk:
    """The state of a server. Safe for several threads. Close it at the end, or use ``with``.

    ``name``: stays the same for a store file, so that what a browser has kept for it is found again.
    """

    def __init__(
        self,
        folder: Path,
        store: ReviewStore,
        items: Sequence[Queued],
        people: Sequence[str],
        seed: int = 0,
        allow_no_isolation: bool = False,
    ) -> None:
        self.folder, self.store, self.people, self.seed = folder, store, tuple(people), seed
        self.reruns = Reruns.of_folder(folder, allow_no_isolation)
        self._recorded = Recorded(build_of(folder))
        self.name = store.secret("name")[:6].hex()
        self.keys = Keys(store.secret("links"), self.people)
        self.items = tuple(items)
        self._lock = threading.RLock()
        self._number = {item.case.id: number for number, item in enumerate(self.items)}
        self._by_ref = {ref_of(name): number for name, number in self._number.items()}
        self._of_problem: dict[str, list[int]] = {}
        for number, item in enumerate(self.items):
            self._of_problem.setdefault(item.case.problem.id, []).append(number)
        self._given: dict[str, dict[str, list[Given]]] = {}
        self._by_key: dict[str, Given] = {}
        self._by_person: dict[str, list[Given]] = {}
        self._ways: dict[str, _Way] = {}
        self._held: dict[int, dict[str, float]] = {}
        self._latest: dict[str, list[int]] = {}
        self._seq, self._polled = 0, 0.0
        self.refresh(now=True)

    def close(self) -> None:
        """End the programs that run for people, and close the store."""
        self.reruns.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self, now: bool = False) -> None:
        """Take in what was appended to the store, by this server or another process; at most once a second."""
        with self._lock:
            if not now and time.monotonic() - self._polled < _POLL_S:
                return
            self._seq, rows = self.store.changes(self._seq)
            self._polled = time.monotonic()
            for row in rows:
                self._take_back(row) if isinstance(row, str) else self._take_in(row)

    def _take_in(self, given: Given) -> None:
        self._by_key[given.key] = given
        self._given.setdefault(given.item, {}).setdefault(given.person, []).append(given)
        self._by_person.setdefault(given.person, []).append(given)
        self._changed(given.item)

    def _take_back(self, key: str) -> None:
        given = self._by_key.pop(key, None)
        if given is not None:
            people = self._given[given.item]
            people[given.person].remove(given)
            self._by_person[given.person].remove(given)
            if not people[given.person]:
                del people[given.person]
            self._changed(given.item)

    def _changed(self, name: str) -> None:
        number = self._number.get(name)
        if number is not None:
            for person, way in self._ways.items():
                self._flag(way, person, number)

    def _flag(self, way: _Way, person: str, number: int) -> None:
        item = self.items[number]
        judged_by = self._given.get(item.case.id, {})
        place = way.place[number]
        way.own[place] = person in judged_by
        way.open[place] = is_open(item, person, judged_by)

    def _way(self, person: str) -> _Way:
        way = self._ways.get(person)
        if way is None:
            ordered = order_for(person, self.items, self.seed)
            way = self._ways[person] = _Way(array("L", (self._number[item.case.id] for item in ordered)))
            for name in self._given:
                if name in self._number:
                    self._flag(way, person, self._number[name])
        return way

    def find(self, ref: str) -> Queued | None:
        """The item of a reference; None when there is none."""
        number = self._by_ref.get(ref)
        return None if number is None else self.items[number]

    def ref(self, item: Queued) -> str:
        """An item's name in addresses."""
        return ref_of(item.case.id)

    def author(self, case: Case) -> str | None:
        """Who wrote a solution, where the build says so."""
        return self._recorded.author(case.solution_id)

    def found(self, case: Case) -> dict[int, Found]:
        """What the build recorded of each test of a solution, by place from 0; empty where it recorded nothing.

        A solution that stands in no verdicts file, as a hidden gold item, looks like any other.
        """
        verdict = self._recorded.verdict(case.solution_id)
        if verdict is not None:
            return {place: Found(one.outcome, message=one.message) for place, one in enumerate(verdict.tests)}
        if case.tests is None or case.tests is bool(case.failed_tests):
            return {}
        results = {True: Found(Outcome.WRONG_ANSWER), False: Found(Outcome.PASSED)}
        return {place: results[place in case.failed_tests] for place in range(len(case.problem.tests))}

    def item(self, name: str) -> Queued | None:
        """The item of a case's name; None when the folder has it no more."""
        number = self._number.get(name)
        return None if number is None else self.items[number]

    def of_problem(self, problem_id: str) -> list[Case]:
        """The cases of a problem, solutions and critiques."""
        return [self.items[number].case for number in self._of_problem.get(problem_id, ())]

    def evidence(self) -> Evidence:
        """Everything said about the items of this folder; raises StoreTrouble."""
        return self.store.evidence(item.case for item in self.items)

    def open_problems(self, person: str) -> set[str]:
        """The problems of which a person is still to judge something."""
        with self._lock:
            self.refresh()
            way = self._way(person)
            return {self.items[number].case.problem.id for number in compress(way.order, way.open)}

    def current(self, person: str) -> Queued | None:
        """Where a person goes on: at the item that was on the screen last, else at the first open one."""
        with self._lock:
            self.refresh()
            way = self._way(person)
            number = self._number.get(self.store.place(person) or "")
            if number is not None and way.open[way.place[number]]:
                return self.items[number]
            return self.next_open(person)

    def next_open(self, person: str, after: Queued | None = None, leaving: Collection[str] = ()) -> Queued | None:
        """The next item that a person is to judge, behind ``after`` and then from the start; None when all are judged.

        ``leaving``: references of items to pass over, whose verdicts are on their way. Items that others look at come
        last.
        """
        with self._lock:
            self.refresh()
            way = self._way(person)
            start = way.place[self._number[after.case.id]] if after is not None else -1
            passed = {self._by_ref.get(ref) for ref in leaving}
            found, second = -1, None
            for low, high in ((start + 1, len(way.open)), (0, max(start, 0))):
                found = way.open.find(1, low, high)
                while found >= 0:
                    number = way.order[found]
                    if number not in passed:
                        if not self._taken(number, person):
                            return self.items[number]
                        second = self.items[number] if second is None else second
                    found = way.open.find(1, found + 1, high)
            return second

    def _taken(self, number: int, person: str) -> bool:
        """Whether the people who look at an item now are as many as it still needs."""
        item, holders = self.items[number], self._held.get(number)
        if not holders or item.case.gold is not None:
            return False
        fresh = time.monotonic() - _HELD_S
        judged_by = self._given.get(item.case.id, {})
        others = sum(at > fresh and name != person and name not in judged_by for name, at in holders.items())
        return others + len(judged_by) >= item.needed

    def hold(self, person: str, item: Queued) -> None:
        """Note that a person has an item before them, on the screen or as one of the next."""
        number = self._number[item.case.id]
        with self._lock:
            latest = self._latest.setdefault(person, [])
            if number in latest:
                latest.remove(number)
            latest.append(number)
            self._held.setdefault(number, {})[person] = time.monotonic()
            while len(latest) > _MOST_HELD:
                self._release(person, latest.pop(0))

    def _release(self, person: str, number: int) -> None:
        holders = self._held.get(number, {})
        holders.pop(person, None)
        if not holders:
            self._held.pop(number, None)

    def be_at(self, person: str, item: Queued) -> None:
        """Note that a person has an item on the screen; that is where they go on."""
        self.hold(person, item)
        self.store.save_place(person, item.case.id)

    def before(self, person: str, item: Queued) -> Queued | None:
        """The item before one on a person's way, judged by this person or still open; None at the start."""
        with self._lock:
            way = self._way(person)
            place = way.place[self._number[item.case.id]]
            found = max(way.own.rfind(1, 0, place), way.open.rfind(1, 0, place))
            return None if found < 0 else self.items[way.order[found]]

    def behind(self, person: str, item: Queued) -> Queued | None:
        """The item behind one on a person's way, judged by this person or still open; None at the end."""
        with self._lock:
            way = self._way(person)
            place = way.place[self._number[item.case.id]] + 1
            found = [place for place in (way.own.find(1, place), way.open.find(1, place)) if place >= 0]
            return self.items[way.order[min(found)]] if found else None

    def give(self, given: Given) -> bool:
        """Append a verdict; False when its key was there already. What the person sees after it is no secret any more.

        Raises StoreTrouble, and then nothing counts.
        """
        new = self.store.give(given)
        self.store.show_outcomes(given.item, given.person)
        self.refresh(now=True)
        return new

    def retract(self, key: str, verdict: str, person: str) -> bool:
        """Take a person's own verdict back; False when there is none that stands."""
        done = self.store.retract(key, verdict, person)
        self.refresh(now=True)
        return done

    def verdict(self, key: str) -> Given | None:
        """The verdict of a key, when it stands."""
        with self._lock:
            return self._by_key.get(key)

    def verdicts_of(self, person: str) -> list[Given]:
        """A person's verdicts that stand on items of this folder."""
        with self._lock:
            return [given for given in self._by_person.get(person, []) if given.item in self._number]

    def given(self, item: Queued) -> dict[str, Given]:
        """The last verdict that stands, by person."""
        with self._lock:
            return {person: verdicts[-1] for person, verdicts in self._given.get(item.case.id, {}).items()}

    def last_of(self, person: str) -> Given | None:
        """A person's last verdict that stands on an item of this folder."""
        with self._lock:
            own = reversed(self._by_person.get(person, []))
            return next((given for given in own if given.item in self._number), None)

    def progress(self, person: str) -> Progress:
        """How far a person is, and how fast."""
        with self._lock:
            way = self._way(person)
            judged = way.own.count(1)
            both = int.from_bytes(way.own) | int.from_bytes(way.open)
            return Progress(
                judged, both.bit_count(), _pace([given.at for given in self._by_person.get(person, [])[-50:]])
            )


def _pace(times: Sequence[float]) -> float | None:
    """Verdicts an hour over the last fifty, without pauses; None for fewer than three gaps."""
    recent = sorted(times)
    gaps = [later - earlier for earlier, later in pairwise(recent) if later - earlier < _PAUSE_S]
    return len(gaps) / max(sum(gaps), 1.0) * 3600 if len(gaps) >= 3 else None
