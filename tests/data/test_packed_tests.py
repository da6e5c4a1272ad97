"""LiveCodeBench's published records: their packed private tests are read, and nothing in them is ever run."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.data.sources import Corpus, read_source
from critique_coder.data.sources.packed_tests import Refused, TooLarge, unpack
from critique_coder.judge import Judge
from critique_coder.records import Outcome, Solution
from critique_coder.storage import write_jsonl
from making import complaint

ADD = "class Solution:\n    def add(self, a: int, b: Optional[int]) -> int:\n        return {}\n"


def lcb_row(**others: Any) -> dict[str, Any]:
    return {
        "question_title": "add", "question_content": "Add.", "platform": "leetcode", "question_id": "1",
        "contest_id": "c", "contest_date": "2025-01-04T00:00:00", "difficulty": "easy",
        "starter_code": "class Solution:\n    def add(self, a: int, b: int) -> int:\n        ",
        "public_test_cases": '[{"input": "1\\n2", "output": "3", "testtype": "functional"}]',
        "metadata": '{"func_name": "add"}', **others,
    }  # fmt: skip


def pack(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.place}",)


def read_lcb(tmp_path: Path, **others: Any) -> Corpus:
    write_jsonl(tmp_path / "test.jsonl", [lcb_row(**others)])
    return read_source("livecodebench", str(tmp_path / "test.jsonl"))


@pytest.mark.parametrize("packed", [True, False])
def test_private_tests_are_unpacked(packed: bool, tmp_path: Path) -> None:
    private = json.dumps([{"input": "3\n4", "output": "7", "testtype": "functional"}])
    (problem,) = read_lcb(tmp_path, private_test_cases=pack(private) if packed else private).problems
    assert [test.code for test in problem.tests] == [
        "assert Solution().add(1, 2) == 3\n",
        "assert Solution().add(3, 4) == 7\n",
    ]
    assert (problem.released, problem.metadata["split"]) == ("2025-01-04", "eval")
    with Judge() as judge:
        right, wrong = (judge.verify(problem, Solution("s", "p", ADD.format(code))) for code in ("a + b", "3"))
    assert (right.outcome, wrong.passed, wrong.total) == (Outcome.PASSED, 1, 2)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_every_pickled_text_is_read_back(text: str, protocol: int) -> None:
    packed = base64.b64encode(zlib.compress(pickle.dumps(text, protocol))).decode()
    assert unpack(packed) == text


def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    message = complaint(read_lcb, tmp_path, private_test_cases=pack(Hostile(planted)))
    assert "test.jsonl, line 1" in message and "'private_test_cases'" in message and "could run code" in message
    assert not planted.exists()


@pytest.mark.parametrize("value", [b"x", ["x"], 3, None, ("x", "y")])
def test_a_pickle_of_anything_but_one_text_is_refused(value: object) -> None:
    with pytest.raises(Refused):
        unpack(pack(value))


@given(st.binary(max_size=200))
def test_damaged_packing_is_refused_and_nothing_else_happens(data: bytes) -> None:
    for packed in (
        data.decode("latin-1"),
        base64.b64encode(data).decode(),
        base64.b64encode(zlib.compress(data)).decode(),
    ):
        with pytest.raises(Refused):
            unpack(packed)


def test_a_bomb_is_left_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = base64.b64encode(zlib.compress(pickle.dumps("0" * (40 * 2**20)), 9)).decode()
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        unpack(bomb, 2**20)
    monkeypatch.setattr("critique_coder.data.sources.packed_tests.MAX_BYTES", 2**20)
    monkeypatch.setattr("critique_coder.data.sources.livecodebench.unpack", lambda text: unpack(text, 2**20))
    corpus = read_lcb(tmp_path, private_test_cases=bomb)
    assert corpus.problems == () and "more than 1 MiB" in corpus.lost[0].reason


def test_a_pickle_with_a_huge_memo_takes_no_memory() -> None:
    pickled = b"\x80\x04\x8c\x01[r\xff\xff\xff\xff."
    assert unpack(base64.b64encode(zlib.compress(pickled)).decode()) == "["
