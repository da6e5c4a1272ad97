"""What verdicts amount to: labels, problems, critiques; the folder that a build reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import making
from critique_coder.feedback import CritiqueReview, PersonLabel, ProblemAction, ProblemReview, code_sha256
from critique_coder.records import LabelSource, TestCase, TestKind
from critique_coder.review.adjudication import Answer, Decision, Rating
from critique_coder.review.apply import AMBIGUOUS, WRONG_TEST, Plan, describe, differs, plan, write_feedback
from critique_coder.review.cases import AddedTest, Case, Evidence, Question, asked
from critique_coder.storage import read_all, read_rows

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.CANT_TELL
CORRECT = Question.CORRECT


def a_case(name: str, problem: str = "p", tests: bool | None = True, **others: Any) -> Case:
    return Case(name, making.a_problem(problem), f"{problem}#{name}", f"code of {name}", tests, **others)


def said(case: Case, *answers: Answer, tags: tuple[str, ...] = (), question: Question = CORRECT) -> list[Rating]:
    return [
        Rating(asked(case.id, question), f"person{n}", answer, float(n), tags=tags) for n, answer in enumerate(answers)
    ]


def planned(cases: list[Case], ratings: list[Rating], **others: Any) -> Plan:
    return plan(Evidence(tuple(cases), tuple(ratings), **others))


def test_labels_with_their_votes_and_what_they_change() -> None:
    cases = [a_case("a"), a_case("b"), a_case("c", tests=False), a_case("d"), a_case("e"), a_case("f", tests=None)]
    a, b, c, d, e, f = cases
    ratings = [*said(a, YES, UNSURE), *said(b, NO), *said(c, YES, NO), *said(d, YES, NO), *said(e, UNSURE)]
    made = planned(cases, [*ratings, *said(f, YES)], decisions=(Decision(asked("c", CORRECT), True, "looked", "x"),))
    assert {one.solution_id: (one.label, one.label_source) for one in made.labels} == {
        "p#a": (True, LabelSource.HUMAN),
        "p#b": (False, LabelSource.HUMAN),
        "p#c": (True, LabelSource.ADJUDICATED),
        "p#f": (True, LabelSource.HUMAN),
    }
    assert [one.solution_id for one in made.changed] == ["p#b", "p#c"]
    assert made.labels[0].votes.to_json() == {"correct": 1, "incorrect": 0, "cant_tell": 1}
    assert made.labels[0].code_sha256 == code_sha256("code of a")
    assert made.open == {"conflict": 1, "cant_tell": 1}


def test_gold_items_make_no_labels() -> None:
    gold = a_case("g", gold=True)
    assert planned([gold], said(gold, NO)).labels == ()


def test_a_wrong_test_is_left_out_and_the_others_stay() -> None:
    case = a_case("a", tests=False, failed_tests=(1, 2))
    (review,) = planned([case], said(case, YES, tags=(WRONG_TEST,))).problems
    assert review.action is ProblemAction.REPLACE_TESTS and review.reason == "2 wrong tests left out"
    assert review.tests == (case.problem.tests[0], case.problem.tests[3])


def test_a_wrong_test_is_left_out_even_where_the_others_outweigh_it() -> None:
    case = a_case("a", tests=True, failed_tests=(2,))
    made = planned([case], said(case, YES, tags=(WRONG_TEST,)))
    assert made.changed == () and len(made.problems[0].tests) == 3


def test_a_label_against_the_tests_without_a_tag_changes_no_problem() -> None:
    case = a_case("a", tests=False, failed_tests=(1,))
    assert planned([case], said(case, YES)).problems == ()


@pytest.mark.parametrize(
    ("tests", "failed", "answer", "tag", "reason"),
    [
        (False, (0, 1, 2, 3), YES, WRONG_TEST, "no test is left that people trust"),
        (True, (), NO, WRONG_TEST, "tests accept what people call incorrect"),
        (True, (), YES, AMBIGUOUS, "people call the statement ambiguous"),
    ],
)
def test_quarantine(tests: bool, failed: tuple[int, ...], answer: Answer, tag: str, reason: str) -> None:
    case = a_case("a", tests=tests, failed_tests=failed)
    (review,) = planned([case], said(case, answer, tags=(tag,))).problems
    assert (review.action, review.reason, review.tests) == (ProblemAction.QUARANTINE, reason, ())


def test_a_problem_may_need_more_than_one_persons_word() -> None:
    case = a_case("a", tests=False, failed_tests=(1,))
    tags = (WRONG_TEST,)
    alone, both = (Evidence((case,), tuple(said(case, *answers, tags=tags))) for answers in ((YES,), (YES, YES)))
    assert plan(alone, min_people=2).problems == () and len(plan(alone, min_people=2).labels) == 1
    assert plan(both, min_people=2).problems == plan(both).problems != ()
    decided = replace(alone, decisions=(Decision(asked("a", CORRECT), True, "looked", "x"),))
    assert len(plan(decided, min_people=2).problems) == 1


def test_a_kept_test_mends_weak_tests_and_says_whose_it_is() -> None:
    case = a_case("a")
    new = TestCase(TestKind.CALL, args=(-3,), expected=-6)
    added = (AddedTest("p", new, "ann"), AddedTest("p", new, "bo"), AddedTest("p", case.problem.tests[0], "bo"))
    (review,) = planned([case], said(case, NO, tags=(WRONG_TEST,)), added_tests=added).problems
    assert review.tests == (*case.problem.tests, new) and "added by ann, bo" in review.reason


def test_a_kept_test_needs_as_many_people_as_are_asked_for() -> None:
    case = a_case("a", tests=True)
    new, other = (TestCase(TestKind.CALL, args=(n,), expected=2 * n) for n in (9, 10))
    by_ann = (AddedTest("p", new, "ann", "a", 1.0), AddedTest("p", new, "ann", "b", 2.0), AddedTest("p", other, "ann"))
    alone = Evidence((case,), added_tests=by_ann)
    assert plan(alone).problems[0].tests[-2:] == (new, other) and plan(alone).waiting == ()
    kept = plan(alone, min_people=2)
    assert kept.problems == () and kept.summary()["tests_waiting"] == 2, "one person, though twice"
    assert describe(kept)[-1].strip().startswith("2 kept tests that too few people kept")
    both = plan(Evidence((case,), added_tests=(*by_ann, AddedTest("p", new, "bo"))), min_people=2)
    (review,) = both.problems
    assert review.tests == (*case.problem.tests, new) and review.reason == "1 test added by ann, bo"
    assert [one.test for one in both.waiting] == [other]
    elsewhere = plan(Evidence((case, a_case("b", "q")), added_tests=(*by_ann, AddedTest("q", new, "bo"))), min_people=2)
    assert elsewhere.problems == (), "the same test of another problem is no second word"


def test_weak_tests_are_not_mended_by_a_test_that_too_few_people_kept() -> None:
    case = a_case("a", tests=True)
    ratings = tuple(said(case, NO, NO, tags=(WRONG_TEST,)))
    added = (AddedTest("p", TestCase(TestKind.CALL, args=(9,), expected=18), "person0"),)
    (review,) = plan(Evidence((case,), ratings, added_tests=added), min_people=2).problems
    assert review.action is ProblemAction.QUARANTINE
    assert plan(Evidence((case,), ratings, added_tests=added)).problems[0].action is ProblemAction.REPLACE_TESTS


def test_the_tag_of_the_side_that_lost_changes_nothing() -> None:
    case = a_case("a", tests=False, failed_tests=(1,))
    ratings = [*said(case, NO, NO), Rating(asked("a", CORRECT), "late", YES, tags=(WRONG_TEST,))]
    assert planned([case], ratings).problems == ()


def test_critiques_go_where_their_reason_says() -> None:
    cases = [
        a_case(name, row_id=f"critique/{name}", completion=f"text {name} \\conclusion{{T}}", judgement=True)
        for name in "abcd"
    ]
    a, b, c, d = cases
    judgement, reason = Question.JUDGEMENT, Question.REASON
    ratings = [
        *said(a, YES, question=judgement),
        *said(a, YES, question=reason),
        *said(b, YES, question=judgement),
        *said(b, NO, question=reason),
        *said(c, NO, question=judgement),
        *said(c, UNSURE, question=reason),
        *said(d, UNSURE, question=judgement),
        *said(d, YES, question=reason),
    ]
    made = planned(cases, ratings)
    assert [(one.row_id, one.judgement_right, one.reason_right) for one in made.critiques] == [
        ("critique/a", True, True),
        ("critique/b", True, False),
        ("critique/c", False, None),
    ]
    assert [one.row_id for one in made.cft] == ["critique/a"]
    assert [one.row_id for one in made.kto] == ["critique/a", "critique/b", "critique/c"]


def test_the_same_code_twice_with_different_labels_makes_none() -> None:
    one, other = a_case("a"), replace(a_case("b"), code="code of a")
    assert planned([one, other], [*said(one, YES), *said(other, NO)]).labels == ()
    decided = (Decision(asked("b", CORRECT), False, "why", "x"),)
    (label,) = planned([one, other], [*said(one, YES), *said(other, NO)], decisions=decided).labels
    assert (label.label, label.label_source) == (False, LabelSource.ADJUDICATED)


evidences = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["ann", "bo", "cy"]),
        st.sampled_from(list(Answer)),
        st.sampled_from([(), (WRONG_TEST,), (AMBIGUOUS,), ("other", WRONG_TEST)]),
    ),
    unique_by=lambda entry: entry[:2],
)
CASES = [a_case(n, f"p{k // 2}", tests=k % 2 == 0, failed_tests=(k % 4,) * (k % 2)) for k, n in enumerate("abcdef")]


@given(evidences)
def test_what_is_written_is_read_back_and_written_once(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.mktemp("feedback")
    ratings = [Rating(asked(item, CORRECT), who, answer, tags=tags) for item, who, answer, tags in data]
    made = planned(CASES, ratings)
    assert differs(made, folder)
    assert len(write_feedback(made, folder)) == 3
    assert not differs(made, folder) and write_feedback(planned(CASES, ratings[::-1]), folder) == []
    read: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
        ("labels.jsonl", PersonLabel.from_json, made.labels),
        ("problem_reviews.jsonl", ProblemReview.from_json, made.problems),
        ("critique_reviews.jsonl", CritiqueReview.from_json, made.critiques),
    ]
    for name, parse, records in read:
        assert tuple(parse(row, where) for where, row in read_rows(folder / name)) == records
    if made.labels:
        assert len(read_all(folder / "labels.jsonl", PersonLabel.from_json, lambda one: one.solution_id))


def test_the_plan_in_words() -> None:
    cases = [a_case(f"s{n:02}", tests=True) for n in range(15)]
    lines = describe(planned(cases, [rating for case in cases for rating in said(case, NO)]))
    assert lines[0] == "labels     15 (15 human, 0 adjudicated), 15 of them against the tests"
    assert lines[11].strip() == "and 5 more" and "left open  0 in conflict" in lines[-1]


def test_a_folder_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    made = planned([a_case("a")], said(a_case("a"), YES))
    (tmp_path / "file").write_text("")
    assert "cannot be" in making.complaint(write_feedback, made, tmp_path / "file")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "labels.jsonl").mkdir()
    assert "labels.jsonl" in making.complaint(write_feedback, made, tmp_path / "odd")


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = planned([a_case("a")], said(a_case("a"), YES))

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    assert "no space left" in making.complaint(write_feedback, made, tmp_path)
    assert list(tmp_path.iterdir()) == []
