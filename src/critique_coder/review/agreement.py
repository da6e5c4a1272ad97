"""What the agreement page and its JSON show: people among each other, against the tests, and over time.

Only answers that were given blind count as independent. "Can't tell" is a missing value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from critique_coder.records import Json
from critique_coder.review.adjudication import Answer, Rating, Resolved
from critique_coder.review.bootstrap import Array, Interval, difference, interval, ratio, share, wilson
from critique_coder.review.cases import Case, Evidence, Question, asked
from critique_coder.review.coefficients import Unit, cohens_kappa, krippendorffs_alpha, percent_agreement


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """What is known of an item beside people's answers.

    ``tests`` is the label by tests (None where they give none), ``failed_tests`` which of the problem's tests failed,
    from 0, ``gold`` the known answer of a hidden gold item, ``in_random_slice`` whether it was drawn without regard to
    how uncertain it is, so that rates over such items hold for the whole build.
    """

    id: str
    problem_id: str
    source: str = ""
    tests: bool | None = None
    failed_tests: tuple[int, ...] = ()
    gold: bool | None = None
    in_random_slice: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """How far people agree on a group of items. ``agreement`` and ``alpha`` count items that two or more judged."""

    verdicts: int
    cant_tell: int
    agreement: Interval
    alpha: Interval

    def to_json(self) -> dict[str, Json]:
        """The figures of the group."""
        return {
            "verdicts": self.verdicts,
            "cant_tell": self.cant_tell,
            "agreement": self.agreement.to_json(),
            "alpha": self.alpha.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Person:
    """One person's figures. ``drift`` is gold accuracy of the second half of the time minus that of the first."""

    name: str
    verdicts: int
    cant_tell: int
    with_others: Interval
    with_tests: Interval
    gold: Interval
    drift: Interval

    def to_json(self) -> dict[str, Json]:
        """The figures of the person."""
        shares = {name: getattr(self, name).to_json() for name in ("with_others", "with_tests", "gold", "drift")}
        return {"name": self.name, "verdicts": self.verdicts, "cant_tell": self.cant_tell, **shares}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people on the items that both judged."""

    people: tuple[str, str]
    agreement: Interval
    kappa: Interval

    def to_json(self) -> dict[str, Json]:
        """The figures of the pair."""
        return {"people": list(self.people), "agreement": self.agreement.to_json(), "kappa": self.kappa.to_json()}


@dataclass(frozen=True, slots=True)
class SuspectProblem:
    """A problem whose tests people found wrong.

    ``too_weak``: solutions that pass and that people call incorrect; ``too_strict``: solutions that fail and that
    people call correct, and in ``tests`` how many of those each test (from 0) failed.
    """

    problem_id: str
    too_weak: int
    too_strict: int
    tests: Mapping[int, int]
    judged: int

    def to_json(self) -> dict[str, Json]:
        """The problem, with its tests as text keys."""
        return {
            "problem_id": self.problem_id,
            "too_weak": self.too_weak,
            "too_strict": self.too_strict,
            "tests": {str(place): count for place, count in sorted(self.tests.items())},
            "judged": self.judged,
        }


@dataclass(frozen=True, slots=True)
class AgainstTests:
    """People's labels beside the tests'.

    ``table`` counts items by (tests, people). ``differing`` is the share of all judged items on which they differ;
    the queue shows doubtful items first, so only ``differing_random``, over the random slice, estimates how many of all
    labels by tests are wrong.
    """

    table: Mapping[str, int]
    differing: Interval
    differing_random: Interval
    kappa: Interval
    problems: tuple[SuspectProblem, ...]

    def to_json(self) -> dict[str, Json]:
        """The figures and the problems, most doubtful first."""
        return {
            "table": dict(self.table),
            "differing": self.differing.to_json(),
            "differing_random": self.differing_random.to_json(),
            "kappa": self.kappa.to_json(),
            "problems": [problem.to_json() for problem in self.problems],
        }


@dataclass(frozen=True, slots=True)
class Agreement:
    """Everything the page shows for one question."""

    overall: Group
    by_source: Mapping[str, Group]
    by_tag: Mapping[str, Group]
    people: tuple[Person, ...]
    pairs: tuple[Pair, ...]
    tests: AgainstTests

    def to_json(self) -> dict[str, Json]:
        """The page's figures as JSON; what is not defined is null."""
        return {
            "overall": self.overall.to_json(),
            "by_source": {name: group.to_json() for name, group in self.by_source.items()},
            "by_tag": {name: group.to_json() for name, group in self.by_tag.items()},
            "people": [person.to_json() for person in self.people],
            "pairs": [pair.to_json() for pair in self.pairs],
            "tests": self.tests.to_json(),
        }


def agreement(
    items: Iterable[JudgedItem], ratings: Iterable[Rating], resolved: Mapping[str, Resolved], seed: int = 0
) -> Agreement:
    """The figures of one question. ``ratings`` holds one answer a person and item; ``resolved`` the items' labels."""
    known = {item.id: item for item in items}
    blind = [rating for rating in ratings if rating.blind and rating.item in known]
    names = sorted({rating.person for rating in blind})
    return Agreement(
        overall=_group(blind, seed),
        by_source=_grouped(blind, lambda rating: [known[rating.item].source], seed),
        by_tag=_grouped(_with_their_items(blind), lambda rating: list(rating.tags), seed),
        people=tuple(_person(name, known, blind, seed) for name in names),
        pairs=tuple(_pairs(names, blind, seed)),
        tests=against_tests(known, resolved, seed),
    )


def agreement_of(evidence: Evidence, seed: int = 0) -> dict[Question, Agreement]:
    """The figures of each question that is asked in a review. Only a question about a solution has tests beside it.

    A hidden gold item counts for its person, not against the tests; what the audit took out is no label of the build,
    so the random slice is told without it.
    """
    resolved = evidence.resolved()
    return {
        question: agreement(_items(evidence.cases, question), _of(question, evidence.ratings), resolved, seed)
        for question in Question
        if any(question in case.questions for case in evidence.cases)
    }


def _items(cases: Iterable[Case], question: Question) -> list[JudgedItem]:
    of_solution = question is Question.CORRECT
    return [
        JudgedItem(
            id=asked(case.id, question),
            problem_id=case.problem.id,
            source=case.problem.source or "",
            tests=case.tests if of_solution else None,
            failed_tests=case.failed_tests if of_solution else (),
            gold=case.gold if of_solution else None,
            in_random_slice=case.in_random_slice and case.quarantine is None,
        )
        for case in cases
        if question in case.questions
    ]


def _of(question: Question, ratings: Iterable[Rating]) -> list[Rating]:
    return [rating for rating in ratings if rating.item.endswith(f"?{question.value}")]


def _units(ratings: Iterable[Rating]) -> dict[str, dict[str, str]]:
    """By item, what each person who could tell said."""
    units: dict[str, dict[str, str]] = {}
    for rating in ratings:
        if rating.answer is not Answer.CANT_TELL:
            units.setdefault(rating.item, {})[rating.person] = rating.answer.value
    return units


def _group(ratings: Sequence[Rating], seed: int) -> Group:
    units: list[Unit] = list(_units(ratings).values())
    unsure = sum(rating.answer is Answer.CANT_TELL for rating in ratings)
    return Group(len(ratings), unsure, percent_agreement(units, seed), krippendorffs_alpha(units, seed))


def _grouped(ratings: Iterable[Rating], keys: Callable[[Rating], Iterable[str]], seed: int) -> dict[str, Group]:
    groups: dict[str, list[Rating]] = {}
    for rating in ratings:
        for key in keys(rating):
            groups.setdefault(key, []).append(rating)
    return {key: _group(groups[key], seed) for key in sorted(groups)}


def _with_their_items(ratings: Sequence[Rating]) -> list[Rating]:
    """Each rating with the tags that anybody gave to its item: a group by tag is a group of items."""
    tags: dict[str, set[str]] = {}
    for rating in ratings:
        tags.setdefault(rating.item, set()).update(rating.tags)
    return [
        Rating(rating.item, rating.person, rating.answer, rating.at, rating.blind, tuple(sorted(tags[rating.item])))
        for rating in ratings
    ]


def _person(name: str, items: Mapping[str, JudgedItem], ratings: Sequence[Rating], seed: int) -> Person:
    own = sorted((rating for rating in ratings if rating.person == name), key=lambda rating: (rating.at, rating.item))
    told = [rating for rating in own if rating.answer is not Answer.CANT_TELL]
    tested = [_says(rating, items[rating.item].tests) for rating in told if items[rating.item].tests is not None]
    gold = [_says(rating, items[rating.item].gold) for rating in told if items[rating.item].gold is not None]
    half = len(gold) // 2
    return Person(
        name=name,
        verdicts=len(own),
        cant_tell=len(own) - len(told),
        with_others=interval(_with_others(name, ratings), _mean, seed),
        with_tests=wilson(tested),
        gold=wilson(gold),
        drift=difference(gold[:half], gold[half:], share, seed),
    )


def _says(rating: Rating, label: bool | None) -> bool:
    return (rating.answer is Answer.YES) is label


def _with_others(name: str, ratings: Sequence[Rating]) -> list[float]:
    """For each item that the person and others judged, the share of the others who said the same."""
    shares = []
    for unit in _units(ratings).values():
        others = [value for person, value in unit.items() if person != name]
        if name in unit and others:
            shares.append(sum(value == unit[name] for value in others) / len(others))
    return shares


def _mean(patterns: Sequence[float], weights: Array) -> Array:
    return ratio(weights @ np.array(patterns), weights.sum(axis=1))


def _pairs(names: Sequence[str], ratings: Sequence[Rating], seed: int) -> Iterable[Pair]:
    units = list(_units(ratings).values())
    for one, other in combinations(names, 2):
        both = [(unit[one], unit[other]) for unit in units if one in unit and other in unit]
        if both:
            same = [first == second for first, second in both]
            yield Pair((one, other), wilson(same), cohens_kappa(both, seed))


def against_tests(items: Mapping[str, JudgedItem], resolved: Mapping[str, Resolved], seed: int = 0) -> AgainstTests:
    """People's labels beside the tests', and the problems whose tests they found wrong, most solutions first."""
    both = [
        (items[name], found.label, items[name].tests)
        for name, found in resolved.items()
        if name in items and found.label is not None and items[name].tests is not None
    ]
    table = Counter(f"tests_{_word(tests)}_people_{_word(label)}" for _, label, tests in both)
    cells = [f"tests_{one}_people_{other}" for one in _WORDS for other in _WORDS]
    differing = [(item, label != tests) for item, label, tests in both]
    return AgainstTests(
        table={cell: table[cell] for cell in cells},
        differing=wilson(differs for _, differs in differing),
        differing_random=wilson(differs for item, differs in differing if item.in_random_slice),
        kappa=cohens_kappa([(_word(tests), _word(label)) for _, label, tests in both], seed),
        problems=_suspects([(item, bool(label), bool(tests)) for item, label, tests in both]),
    )


_WORDS = ("correct", "incorrect")


def _word(label: bool | None) -> str:
    return _WORDS[0] if label else _WORDS[1]


def _suspects(both: Sequence[tuple[JudgedItem, bool, bool]]) -> tuple[SuspectProblem, ...]:
    judged = Counter(item.problem_id for item, _, _ in both)
    weak = Counter(item.problem_id for item, label, tests in both if tests and not label)
    strict = Counter(item.problem_id for item, label, tests in both if label and not tests)
    failed: dict[str, Counter[int]] = {}
    for item, label, tests in both:
        if label and not tests:
            failed.setdefault(item.problem_id, Counter()).update(item.failed_tests)
    found = [
        SuspectProblem(name, weak[name], strict[name], failed.get(name, Counter()), judged[name])
        for name in {*weak, *strict}
    ]
    return tuple(sorted(found, key=lambda one: (-one.too_weak - one.too_strict, one.problem_id)))
