"""What people said of the problems and solutions of a build, read from the folder that the review tool writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from critique_coder.data.losses import Loss
from critique_coder.feedback import (
    CRITIQUE_REVIEWS_FILE,
    LABELS_FILE,
    PROBLEM_REVIEWS_FILE,
    CritiqueReview,
    PersonLabel,
    ProblemAction,
    ProblemReview,
    code_sha256,
)
from critique_coder.records import BadInput, Json, LabelSource, Problem
from critique_coder.storage import read_rows

T = TypeVar("T")

FILES = (LABELS_FILE, PROBLEM_REVIEWS_FILE, CRITIQUE_REVIEWS_FILE)


@dataclass(frozen=True, slots=True)
class People:
    """People's labels by problem and hash of the code, and their reviews of problems by problem."""

    labels: Mapping[tuple[str, str], PersonLabel] = field(default_factory=dict)
    problems: Mapping[str, ProblemReview] = field(default_factory=dict)

    def label_of(self, problem_id: str, code: str) -> PersonLabel | None:
        """What people said of this very code for this problem, whatever the solution is called now."""
        return self.labels.get((problem_id, code_sha256(code))) if self.labels else None

    def reviewed(self, problems: Iterable[Problem]) -> Iterator[Problem | Loss]:
        """The problems with the tests that people gave them; a Loss for each that they took out."""
        for problem in problems:
            review = self.problems.get(problem.id)
            if review is None:
                yield problem
            elif review.action is ProblemAction.QUARANTINE:
                yield Loss(problem.id, "person_quarantined", review.reason)
            else:
                yield replace(problem, tests=review.tests)


def feedback_files(folder: str | Path) -> list[Path]:
    """The files of a feedback folder that are there; raises BadInput when it is none."""
    place = Path(folder)
    found = [place / name for name in FILES if (place / name).is_file()]
    if not found:
        raise BadInput(f"{folder}: is not a feedback folder; expected {', '.join(FILES[:-1])} or {FILES[-1]} in it")
    return found


def read_people(folder: str | Path | None) -> People:
    """Labels and problem reviews of a feedback folder; nothing at all for None. Raises BadInput."""
    if folder is None:
        return People()
    feedback_files(folder)
    return People(_labels(Path(folder) / LABELS_FILE), _problem_reviews(Path(folder) / PROBLEM_REVIEWS_FILE))


def read_critique_reviews(folder: str | Path) -> Iterator[CritiqueReview]:
    """People's verdicts on critiques, in the order of the file; raises BadInput when there are none."""
    place = Path(folder) / CRITIQUE_REVIEWS_FILE
    for _, review in _records(place, CritiqueReview.from_json, needed=True):
        yield review


def _records(place: Path, parse: Callable[[Json, str], T], needed: bool = False) -> Iterator[tuple[str, T]]:
    if needed or place.is_file():
        for where, row in read_rows(place):
            yield where, parse(row, where)


def _labels(place: Path) -> dict[tuple[str, str], PersonLabel]:
    """An adjudicated label takes the place of others; two people's lines that differ without one are refused."""
    found: dict[tuple[str, str], PersonLabel] = {}
    for where, label in _records(place, PersonLabel.from_json):
        key = (label.problem_id, label.code_sha256)
        old = found.get(key)
        if old is not None and old.label is not label.label and old.label_source is label.label_source:
            raise BadInput(
                f"{where}: solution {label.solution_id!r} of problem {label.problem_id!r} is labelled true and false; "
                "keep one line, or add one with label_source 'adjudicated'"
            )
        if old is None or label.label_source is LabelSource.ADJUDICATED:
            found[key] = label
    return found


def _problem_reviews(place: Path) -> dict[str, ProblemReview]:
    found: dict[str, ProblemReview] = {}
    for where, review in _records(place, ProblemReview.from_json):
        if found.get(review.problem_id, review) != review:
            raise BadInput(
                f"{where}: problem {review.problem_id!r} is reviewed twice, in different ways; keep one line"
            )
        found[review.problem_id] = review
    return found
