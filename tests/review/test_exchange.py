"""Verdicts to other tools and back, and what trainers read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import making
from critique_coder.review.adjudication import Answer, Rating
from critique_coder.review.apply import plan
from critique_coder.review.cases import Case, Evidence, Question, asked
from critique_coder.review.exchange import (
    LABELLING,
    dump_label_studio,
    from_csv,
    from_label_studio,
    to_csv,
    to_label_studio,
)
from critique_coder.review.exports import cft_rows, grpo_rows, inspect_rows, kto_rows, verl_rows, verl_schema
from critique_coder.storage import read_rows, write_parquet

SOLUTIONS = [Case(f"s{n}", making.a_problem(f"p{n}"), f"p{n}#0", f"x = {n}\n", n % 2 == 0) for n in range(3)]
CRITIQUES = [
    Case(
        f"c{n}",
        making.a_problem(f"p{n}"),
        f"p{n}#0",
        f"x = {n}\n",
        row_id=f"critique/p{n}#0",
        completion=f"Well, {n}.\n\\conclusion{{T}}",
    )
    for n in range(3)
]
CASES = [*SOLUTIONS, *CRITIQUES]
KNOWN = {case.id: case for case in CASES}
places = [asked(case.id, question) for case in CASES for question in case.questions]
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
notes = st.text(st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from('\n\r\0",;|')), max_size=30)
ratings = st.lists(
    st.builds(
        Rating,
        item=st.sampled_from(places),
        person=words.filter(lambda text: bool(text.strip())),
        answer=st.sampled_from(list(Answer)),
        at=st.integers(0, 4 * 10**12).map(lambda number: number / 1000),
        blind=st.booleans(),
        tags=st.lists(st.sampled_from(["wrong_test", "flaky", "other"]), unique=True).map(tuple),
        note=notes,
    ),
    unique_by=lambda rating: (rating.item, rating.person),
)


def in_order(given_ratings: list[Rating]) -> list[Rating]:
    return sorted(given_ratings, key=lambda one: (one.item, one.at, one.person))


def prompt(case: Case) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Judge {case.solution_id}"}]


@given(ratings)
def test_csv_gives_back_what_it_got(tmp_path_factory: pytest.TempPathFactory, said: list[Rating]) -> None:
    path = tmp_path_factory.mktemp("csv") / "verdicts.csv"
    path.write_text(to_csv(CASES, said), encoding="utf-8", newline="")
    back = from_csv(path, KNOWN)
    assert back == in_order(said) and to_csv(CASES, back) == to_csv(CASES, said)


@given(ratings)
def test_label_studio_gives_back_what_it_got(tmp_path_factory: pytest.TempPathFactory, said: list[Rating]) -> None:
    path = tmp_path_factory.mktemp("label-studio") / "tasks.json"
    path.write_text(dump_label_studio(to_label_studio(CASES, said)), encoding="utf-8")
    back = from_label_studio(path, KNOWN)
    assert in_order(back) == in_order(said)
    assert to_label_studio(CASES, back) == to_label_studio(CASES, said)


def test_what_label_studio_itself_writes_is_read(tmp_path: Path) -> None:
    """The shape of an export of a project with our interface: ids of its own, a number for the person, skipped ones."""
    result = [
        {"from_name": "correct", "to_name": "solution", "id": "a1", "type": "choices", "value": {"choices": ["no"]}},
        {"from_name": "tags", "to_name": "solution", "id": "a2", "type": "choices", "value": {"choices": ["flaky"]}},
        {"from_name": "note", "to_name": "solution", "id": "a3", "type": "textarea", "value": {"text": ["a", "b"]}},
    ]
    common = {"created_at": "2026-03-09T22:16:08.728353Z", "ground_truth": False, "lead_time": 4.2, "task": 71}
    task = {
        "id": 71,
        "data": {"item": "s1"},
        "annotations": [
            {"id": 1001, "completed_by": 10, "result": result, "was_cancelled": False, **common},
            {"id": 1002, "completed_by": {"id": 3, "email": "b@x.org"}, "result": result, **common},
            {"id": 1003, "completed_by": 11, "result": [], "was_cancelled": True, **common},
        ],
        "predictions": [],
        "project": 83,
    }
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task]))
    one, other = from_label_studio(path, KNOWN)
    assert (one.person, other.person) == ("10", "b@x.org")
    assert (one.answer, one.tags, one.note, one.blind) == (Answer.NO, ("flaky",), "a\nb", True)
    assert one.at == pytest.approx(1773094568.728353)


def test_the_labelling_interface_asks_our_questions() -> None:
    names = {element.get("name") for element in ElementTree.fromstring(LABELLING).iter()}
    assert {question.value for question in Question} <= names
    values = {str(element.get("value")).removeprefix("$") for element in ElementTree.fromstring(LABELLING).iter("Text")}
    assert values <= to_label_studio(CASES, [])[0]["data"].keys()


HEAD = "item,question,person,answer,at,blind\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: column 'item' is missing"),
        ("item,question,person\ns1,correct,ann\n", "column 'answer' is missing"),
        (HEAD + "gone,correct,ann,yes,0,true\n", "line 2: item 'gone' is not in this review"),
        (HEAD + "s1,reason,ann,yes,0,true\n", "question 'reason' is not asked about 's1'"),
        (HEAD + "s1,correct,ann,maybe,0,true\n", "answer 'maybe' is not known"),
        (HEAD + "s1,correct,,yes,0,true\n", "says not who"),
        (HEAD + "s1,correct,ann,yes,inf,true\n", "column 'at'"),
        (HEAD + "s1,correct,ann,yes,0,often\n", "column 'blind'"),
        (HEAD + "s1\n", "question None"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "v.csv"
    path.write_text(text)
    assert complaint in making.complaint(from_csv, path, KNOWN)


@pytest.mark.parametrize("value", [{}, [1], [{"annotations": [1]}], [{"annotations": [{"result": [4]}], "data": {}}]])
def test_bad_label_studio(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "v.json"
    path.write_text(json.dumps(value))
    assert str(path) in making.complaint(from_label_studio, path, KNOWN)
    path.write_text("{")
    assert "not a readable JSON" in making.complaint(from_label_studio, path, KNOWN)


def evidence() -> Evidence:
    yes, no = Answer.YES, Answer.NO
    said = [
        Rating("s0?correct", "ann", yes),
        Rating("s1?correct", "ann", no, tags=("other",), note="loops"),
        Rating("s2?correct", "ann", yes),
        Rating("s2?correct", "bo", no),
        Rating("c0?judgement", "ann", yes),
        Rating("c0?reason", "ann", yes),
        Rating("c1?judgement", "ann", yes),
        Rating("c1?reason", "ann", no),
    ]
    return Evidence(tuple(CASES), tuple(said))


def test_trl_takes_the_rows_for_what_they_are() -> None:
    from datasets import Dataset
    from trl.data_utils import is_conversational

    given_evidence = evidence()
    kto = kto_rows(plan(given_evidence), CASES, prompt)
    assert [row["label"] for row in kto] == [True, False]
    assert [row["completion"][0]["content"] for row in kto] == [CRITIQUES[0].completion, CRITIQUES[1].completion]
    cft = cft_rows(plan(given_evidence), CASES, prompt)
    grpo = grpo_rows(given_evidence, prompt)
    assert [(row["solution_id"], row["label"]) for row in grpo] == [("p0#0", True), ("p1#0", False)]
    for rows in (kto, cft, grpo):
        assert is_conversational(next(iter(Dataset.from_list(rows))))
    assert len(cft) == 1 and "label" not in cft[0]


def test_verl_rows_survive_parquet(tmp_path: Path) -> None:
    rows = verl_rows(evidence(), prompt)
    write_parquet(tmp_path / "verl.parquet", rows, verl_schema())
    assert [row for _, row in read_rows(tmp_path / "verl.parquet")] == rows
    assert [row["reward_model"]["ground_truth"] for row in rows] == ["T", "F"]
    assert set(pq.read_schema(tmp_path / "verl.parquet").names) >= {"data_source", "prompt", "reward_model"}


def test_inspect_records() -> None:
    first, second = inspect_rows(evidence())
    assert (first["id"], first["value"], second["value"], second["explanation"]) == ("p0#0", "C", "I", "loops")
    assert second["metadata"]["votes"] == {"correct": 0, "incorrect": 1, "cant_tell": 0}
    assert json.loads(json.dumps([first, second])) == [first, second]
