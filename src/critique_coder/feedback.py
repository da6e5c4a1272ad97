"""What people said, as the review tool writes it and a build reads it: three files in one folder.

``labels.jsonl``: whether a solution is correct. ``problem_reviews.jsonl``: what is wrong with a problem.
``critique_reviews.jsonl``: whether a critique's judgement and its reasons are right. Plain data, like the records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from critique_coder.fields import BadInput, Fields, Json, type_name
from critique_coder.records import LabelSource, TestCase

LABELS_FILE = "labels.jsonl"
PROBLEM_REVIEWS_FILE = "problem_reviews.jsonl"
CRITIQUE_REVIEWS_FILE = "critique_reviews.jsonl"


class ProblemAction(StrEnum):
    """What a person wants done with a problem."""

    QUARANTINE = "quarantine"
    REPLACE_TESTS = "replace_tests"


@dataclass(frozen=True, slots=True)
class Votes:
    """How many people said what of one solution."""

    correct: int = 0
    incorrect: int = 0
    cant_tell: int = 0

    def to_json(self) -> dict[str, Json]:
        """The object under ``votes``."""
        return {"correct": self.correct, "incorrect": self.incorrect, "cant_tell": self.cant_tell}

    @classmethod
    def from_json(cls, value: Json, where: str) -> Votes:
        """Read the object under ``votes``; a missing count is 0. Raises BadInput."""
        fields = Fields(value, where, known=("correct", "incorrect", "cant_tell"))
        correct, incorrect, cant_tell = (_count(fields, key, where) for key in ("correct", "incorrect", "cant_tell"))
        return cls(correct, incorrect, cant_tell)


@dataclass(frozen=True, slots=True)
class PersonLabel:
    """People's label of one solution, True for correct.

    ``code_sha256`` is the hash of the very code that was judged (see ``code_sha256``): a label whose code has changed
    since is not used. ``label_source`` is HUMAN when the people agreed or one alone judged, ADJUDICATED when somebody
    settled a disagreement.
    """

    problem_id: str
    solution_id: str
    code_sha256: str
    label: bool
    label_source: LabelSource = LabelSource.HUMAN
    votes: Votes = field(default_factory=Votes)
    tags: tuple[str, ...] = ()
    note: str | None = None

    def to_json(self) -> dict[str, Json]:
        """A line of ``labels.jsonl``."""
        return {
            "problem_id": self.problem_id,
            "solution_id": self.solution_id,
            "code_sha256": self.code_sha256,
            "label": self.label,
            "label_source": self.label_source.value,
            "votes": self.votes.to_json(),
            "tags": list(self.tags),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Json, where: str) -> PersonLabel:
        """Read a line of ``labels.jsonl``; raises BadInput."""
        known = ("problem_id", "solution_id", "code_sha256", "label", "label_source", "votes", "tags", "note")
        fields = Fields(value, where, known)
        tags = value.get("tags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise BadInput(f"{where}, key 'tags': must be a list of texts")
        return cls(
            problem_id=fields.text("problem_id", empty=False),
            solution_id=fields.text("solution_id", empty=False),
            code_sha256=fields.text("code_sha256", empty=False),
            label=_flag(value, "label", where),
            label_source=_by_people(fields, where),
            votes=Votes.from_json(value.get("votes") or {}, f"{where}, key 'votes'"),
            tags=tuple(tags),
            note=fields.text_or_none("note"),
        )


@dataclass(frozen=True, slots=True)
class ProblemReview:
    """What a person found wrong with a problem. ``tests`` replace the problem's own (REPLACE_TESTS only)."""

    problem_id: str
    action: ProblemAction
    reason: str
    tests: tuple[TestCase, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """A line of ``problem_reviews.jsonl``."""
        row: dict[str, Json] = {"problem_id": self.problem_id, "action": self.action.value, "reason": self.reason}
        if self.action is ProblemAction.REPLACE_TESTS:
            row["tests"] = [test.to_json() for test in self.tests]
        return row

    @classmethod
    def from_json(cls, value: Json, where: str) -> ProblemReview:
        """Read a line of ``problem_reviews.jsonl``; raises BadInput."""
        fields = Fields(value, where, known=("problem_id", "action", "reason", "tests"))
        action = fields.choice("action", ProblemAction)
        tests = fields.items("tests") if action is ProblemAction.REPLACE_TESTS else []
        if action is ProblemAction.REPLACE_TESTS and not tests:
            raise BadInput(
                f"{where}, key 'tests': is empty; give the tests that replace the problem's, or quarantine it"
            )
        if action is ProblemAction.QUARANTINE and value.get("tests"):
            raise BadInput(f"{where}, key 'tests': belongs to the action 'replace_tests' only")
        return cls(
            problem_id=fields.text("problem_id", empty=False),
            action=action,
            reason=fields.text("reason", empty=False),
            tests=tuple(TestCase.from_json(test, f"{where}, test {n}") for n, test in enumerate(tests, 1)),
        )


@dataclass(frozen=True, slots=True)
class CritiqueReview:
    """People's verdict on one critique: is its judgement right, and are its reasons.

    ``reason_right`` is None where nobody said. ``row_id`` names the critique row that ``completion`` answers.
    """

    row_id: str
    problem_id: str
    solution_id: str
    completion: str
    judgement_right: bool
    reason_right: bool | None = None
    label_source: LabelSource = LabelSource.HUMAN

    def to_json(self) -> dict[str, Json]:
        """A line of ``critique_reviews.jsonl``."""
        return {
            "row_id": self.row_id,
            "problem_id": self.problem_id,
            "solution_id": self.solution_id,
            "completion": self.completion,
            "judgement_right": self.judgement_right,
            "reason_right": self.reason_right,
            "label_source": self.label_source.value,
        }

    @classmethod
    def from_json(cls, value: Json, where: str) -> CritiqueReview:
        """Read a line of ``critique_reviews.jsonl``; raises BadInput."""
        known = ("row_id", "problem_id", "solution_id", "completion", "judgement_right", "reason_right", "label_source")
        fields = Fields(value, where, known)
        return cls(
            row_id=fields.text("row_id", empty=False),
            problem_id=fields.text("problem_id", empty=False),
            solution_id=fields.text("solution_id", empty=False),
            completion=fields.text("completion", empty=False),
            judgement_right=_flag(value, "judgement_right", where),
            reason_right=None if value.get("reason_right") is None else _flag(value, "reason_right", where),
            label_source=_by_people(fields, where),
        )


def code_sha256(code: str) -> str:
    """The hash by which people's labels name the code they judged: sha256 of its UTF-8 text, as hex."""
    return hashlib.sha256(code.encode()).hexdigest()


def _flag(value: Mapping[str, Json], key: str, where: str) -> bool:
    flag = value.get(key)
    if not isinstance(flag, bool):
        found = "missing" if flag is None else f"must be true or false, not {type_name(flag)}"
        raise BadInput(f"{where}, key {key!r}: {found}")
    return flag


def _count(fields: Fields, key: str, where: str) -> int:
    number = fields.number(key, default=0, minimum=0)
    if number is None or number != int(number):
        raise BadInput(f"{where}, key {key!r}: must be a whole number")
    return int(number)


def _by_people(fields: Fields, where: str) -> LabelSource:
    source = fields.choice("label_source", LabelSource)
    if source is LabelSource.TESTS:
        raise BadInput(f"{where}, key 'label_source': must be 'human' or 'adjudicated'; these are people's labels")
    return source
