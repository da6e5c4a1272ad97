"""People's verdicts as files: what goes out comes in the same, and a bad line is told with its key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.feedback import CritiqueReview, PersonLabel, ProblemAction, ProblemReview, Votes, code_sha256
from critique_coder.records import LabelSource, TestCase, TestKind
from making import complaint

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
people = st.sampled_from([LabelSource.HUMAN, LabelSource.ADJUDICATED])
counts = st.integers(0, 9)
labels = st.builds(
    PersonLabel,
    names,
    names,
    names,
    st.booleans(),
    people,
    st.builds(Votes, counts, counts, counts),
    st.lists(names, max_size=3).map(tuple),
    st.none() | names,
)
reviews = st.builds(CritiqueReview, names, names, names, names, st.booleans(), st.none() | st.booleans(), people)
TESTS = (TestCase(TestKind.CALL, args=(1,), expected=2),)
problems = st.builds(ProblemReview, names, st.just(ProblemAction.QUARANTINE), names) | st.builds(
    ProblemReview, names, st.just(ProblemAction.REPLACE_TESTS), names, st.just(TESTS)
)


@given(labels | reviews | problems)
def test_each_record_comes_back_from_its_json(record: PersonLabel | CritiqueReview | ProblemReview) -> None:
    line = json.loads(json.dumps(record.to_json()))
    assert type(record).from_json(line, "x") == record


LABEL = PersonLabel("p", "s", code_sha256("x = 1\n"), True).to_json()
REVIEW = CritiqueReview("r", "p", "s", "bad", True).to_json()
PROBLEM = ProblemReview("p", ProblemAction.REPLACE_TESTS, "wrong test", TESTS).to_json()


@pytest.mark.parametrize(
    ("record", "good", "key", "value"),
    [
        (PersonLabel, LABEL, "label", "yes"),
        (PersonLabel, LABEL, "label", None),
        (PersonLabel, LABEL, "label_source", "tests"),
        (PersonLabel, LABEL, "tags", "slow"),
        (PersonLabel, LABEL, "votes", {"correct": 1.5}),
        (PersonLabel, LABEL, "votes", {"yes": 1}),
        (PersonLabel, LABEL, "code_sha256", ""),
        (CritiqueReview, REVIEW, "judgement_right", 1),
        (CritiqueReview, REVIEW, "reason_right", "no"),
        (ProblemReview, PROBLEM, "action", "delete"),
        (ProblemReview, PROBLEM, "tests", []),
        (ProblemReview, PROBLEM | {"action": "quarantine"}, "tests", [TESTS[0].to_json()]),
    ],
)
def test_a_bad_value_is_told_with_place_and_key(record: Any, good: dict[str, Any], key: str, value: Any) -> None:
    message = complaint(record.from_json, good | {key: value}, "labels.jsonl, line 3")
    assert message.startswith("labels.jsonl, line 3") and (key in message or "unknown key" in message)
