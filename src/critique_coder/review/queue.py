"""Which item a person judges next: doubtful ones first, between them a fair sample and hidden gold items.

All choices follow from the items' names, so they are the same after a restart. Items fall into four lanes, which are
merged so that each lane is spread evenly over the whole order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from critique_coder.review.cases import Case
from critique_coder.storage import hash_fraction

_BLOCK = 20
"""Items that several people see are shuffled within blocks of this many, so that the same ones come up at the time."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Shares are of all items. ``people``: how many judge an item of the overlap slice; others are judged by one.

    ``gold``: a file of items whose answer is certain (``review/gold.py``). ``gold_share``: how many more are made from
    what the build's audit found, 0 for none.
    """

    random_share: float = 0.1
    overlap_share: float = 0.15
    people: int = 2
    seed: int = 0
    gold_share: float = 0.05
    gold: str | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """An item's place in the queue. ``doubt`` in [0, 1]: how likely it is that a person changes something."""

    case: Case
    doubt: float
    needed: int = 1


def doubt_of(case: Case, pass_rate: float | None, threshold: float, solvable: bool, critics: Sequence[bool]) -> float:
    """How doubtful the tests' label is, from 0 to 1.

    ``critics`` are models' judgements of the same solution (True: correct); ``solvable`` says that some solution of
    the problem passed. No pass rate means that the machinery failed or the result changes: full doubt.
    """
    if pass_rate is None or case.tests is None:
        return 1.0
    against = sum(judgement is not case.tests for judgement in critics) / max(1, len(critics))
    borderline = max(0.0, 1 - abs(pass_rate - threshold) / 0.5) if 0 < pass_rate < 1 else 0.0
    return max(against, borderline, 0.0 if solvable else 0.6)


def mark_slices(cases: Sequence[Case], settings: QueueSettings) -> list[Case]:
    """The cases with ``in_random_slice`` set for a share drawn by name alone, whatever the doubt."""
    share = settings.random_share
    return [
        replace(case, in_random_slice=True) if hash_fraction(settings.seed, "random", case.id) < share else case
        for case in cases
    ]


def queue(cases: Sequence[Case], doubts: Mapping[str, float], settings: QueueSettings) -> list[Queued]:
    """The items with their doubt, and how many people each needs; gold items are for everybody."""
    return [
        Queued(case, doubts.get(case.id, 0.0), settings.people if _overlaps(case, settings) else 1)
        for case in mark_slices(cases, settings)
    ]


def _overlaps(case: Case, settings: QueueSettings) -> bool:
    return hash_fraction(settings.seed, "overlap", case.id) < settings.overlap_share


def order_for(person: str, items: Sequence[Queued], seed: int = 0) -> list[Queued]:
    """All items in the order in which ``person`` sees them."""
    lanes: dict[str, list[Queued]] = {"gold": [], "overlap": [], "random": [], "doubt": []}
    for item in items:
        lanes[_lane(item)].append(item)
    for lane, found in lanes.items():
        found.sort(key=lambda item: _rank(lane, item, person, seed))
    lanes["overlap"] = _shuffled_blocks(lanes["overlap"], person, seed)
    placed = [
        ((place + 0.5) / len(found), lane, item) for lane, found in lanes.items() for place, item in enumerate(found)
    ]
    return [item for _, _, item in sorted(placed, key=lambda entry: entry[:2])]


def _lane(item: Queued) -> str:
    if item.case.gold is not None:
        return "gold"
    if (
        item.case.in_random_slice
    ):  # before the overlap, where doubt decides what comes first: part of it must be fair too
        return "random"
    return "overlap" if item.needed > 1 else "doubt"


def _rank(lane: str, item: Queued, person: str, seed: int) -> tuple[float, float]:
    shared = lane == "overlap"
    chance = hash_fraction(seed, "shared" if shared else person, item.case.id)
    return (-round(item.doubt, 1) if lane in ("doubt", "overlap") else 0.0, chance)


def _shuffled_blocks(items: Sequence[Queued], person: str, seed: int) -> list[Queued]:
    blocks = [items[start : start + _BLOCK] for start in range(0, len(items), _BLOCK)]
    return [
        item
        for block in blocks
        for item in sorted(block, key=lambda item: hash_fraction(seed, "block", person, item.case.id))
    ]


def is_open(item: Queued, person: str, judged_by: Collection[str]) -> bool:
    """Whether ``person`` is still to judge an item that ``judged_by`` have judged."""
    return person not in judged_by and (item.case.gold is not None or len(judged_by) < item.needed)
