"""From several people's answers to one label: who agrees, what is in conflict, what a third person decided.

An answer "can't tell" is kept and counted, and never becomes a label or a side of a conflict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from critique_coder.records import BadInput, Json, LabelSource
from critique_coder.storage import hash_fraction


class Answer(StrEnum):
    """What a person says to one question: is the solution correct; is the judgement, or the reason, right."""

    YES = "yes"
    NO = "no"
    CANT_TELL = "cant_tell"


class Rule(StrEnum):
    """When answers that differ still make a label without anybody deciding."""

    MAJORITY = "majority"
    UNANIMOUS = "unanimous"


@dataclass(frozen=True, slots=True)
class Rating:
    """The answer of one person to one question about one item, the last one that stands.

    ``item`` names item and question. ``at`` is when it was given, in seconds since 1970. ``blind`` says that it was
    given before the tests' verdict and other people's answers were shown.
    """

    item: str
    person: str
    answer: Answer
    at: float = 0.0
    blind: bool = True
    tags: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """How somebody settled an item, and why. Decisions are appended; the latest of an item counts."""

    item: str
    label: bool
    reason: str
    person: str
    at: float = 0.0

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise BadInput(f"item {self.item}, key 'reason': must not be empty; say in a sentence why you decided so")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What people make of one item. ``label`` is None while nobody knows or two sides stand against each other."""

    item: str
    label: bool | None
    source: LabelSource | None
    yes: int
    no: int
    cant_tell: int
    tags: tuple[str, ...] = ()
    note: str | None = None

    @property
    def in_conflict(self) -> bool:
        """Whether people gave different answers and nobody has decided yet."""
        return self.yes > 0 and self.no > 0 and self.source is not LabelSource.ADJUDICATED


def resolve(
    ratings: Iterable[Rating], decisions: Iterable[Decision] = (), rule: Rule = Rule.MAJORITY
) -> dict[str, Resolved]:
    """The label of every item that somebody judged, by item, in the order of the item names.

    A decision overrides the answers; else all, or with ``Rule.MAJORITY`` more than half, of those who could tell must
    agree. The label does not depend on the order of ``ratings``.
    """
    grouped: dict[str, list[Rating]] = {}
    for rating in ratings:
        grouped.setdefault(rating.item, []).append(rating)
    latest: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda decision: decision.at):
        latest[decision.item] = decision
    return {
        item: _resolved(item, grouped.get(item, []), latest.get(item), rule) for item in sorted({*grouped, *latest})
    }


def _resolved(item: str, ratings: Sequence[Rating], decision: Decision | None, rule: Rule) -> Resolved:
    count = Counter(rating.answer for rating in ratings)
    yes, no = count[Answer.YES], count[Answer.NO]
    label, source = None, None
    if decision is not None:
        label, source = decision.label, LabelSource.ADJUDICATED
    elif yes != no and (rule is Rule.MAJORITY or 0 in (yes, no)):
        label, source = yes > no, LabelSource.HUMAN
    backing = [rating for rating in ratings if label is not None and rating.answer is _answer(label)]
    tags = tuple(sorted({tag for rating in backing for tag in rating.tags}))
    notes = sorted({rating.note.strip() for rating in backing if rating.note.strip()})
    note = decision.reason if decision is not None else "\n".join(notes)
    return Resolved(item, label, source, yes, no, count[Answer.CANT_TELL], tags, note or None)


def _answer(label: bool) -> Answer:
    return Answer.YES if label else Answer.NO


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a conflict, without names."""

    answer: Answer
    people: int
    tags: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        """The side for a page."""
        return {
            "answer": self.answer.value,
            "people": self.people,
            "tags": list(self.tags),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item on which people differ. ``own``: the person who asks has judged it too, and should leave it to others."""

    item: str
    sides: tuple[Side, Side]
    cant_tell: int
    own: bool = False

    def to_json(self) -> dict[str, Json]:
        """The conflict for a page."""
        return {
            "item": self.item,
            "sides": [side.to_json() for side in self.sides],
            "cant_tell": self.cant_tell,
            "own": self.own,
        }


def conflicts(
    ratings: Iterable[Rating], decisions: Iterable[Decision] = (), person: str | None = None
) -> list[Conflict]:
    """The items on which people differ and nobody has decided, ties before majorities, for ``person`` to decide.

    Those that ``person`` judged come last. Yes always stands before no, and notes in an order that tells nothing of
    who wrote them.
    """
    everything = list(ratings)
    open_items = {name for name, found in resolve(everything, decisions).items() if found.in_conflict}
    grouped: dict[str, list[Rating]] = {}
    for rating in everything:
        if rating.item in open_items:
            grouped.setdefault(rating.item, []).append(rating)
    found = [_conflict(item, given, person) for item, given in grouped.items()]
    return sorted(found, key=lambda one: (one.own, abs(one.sides[0].people - one.sides[1].people), one.item))


def _conflict(item: str, ratings: Sequence[Rating], person: str | None) -> Conflict:
    yes, no = (_side(answer, ratings) for answer in (Answer.YES, Answer.NO))
    unsure = sum(rating.answer is Answer.CANT_TELL for rating in ratings)
    return Conflict(item, (yes, no), unsure, any(rating.person == person for rating in ratings))


def _side(answer: Answer, ratings: Sequence[Rating]) -> Side:
    own = [rating for rating in ratings if rating.answer is answer]
    notes = sorted((rating.note for rating in own if rating.note), key=hash_fraction)
    return Side(answer, len(own), tuple(sorted({tag for rating in own for tag in rating.tags})), tuple(notes))


def latest_ratings(ratings: Iterable[Rating]) -> list[Rating]:
    """The last answer of each person to each item, for verdicts that are appended and never overwritten."""
    last: dict[tuple[str, str], Rating] = {}
    for rating in sorted(ratings, key=lambda rating: rating.at):
        last[rating.item, rating.person] = rating
    return list(last.values())


def counts(resolved: Mapping[str, Resolved]) -> dict[str, int]:
    """How many items have which kind of label, or none and why."""
    named = Counter(
        found.source.value if found.source else "conflict" if found.in_conflict else "cant_tell"
        for found in resolved.values()
    )
    return {name: named[name] for name in ("human", "adjudicated", "conflict", "cant_tell")}
