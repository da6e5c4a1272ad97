"""The store: nothing lost, nothing doubled, nothing changed, and one line when the file cannot be used."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from critique_coder.records import BadInput, TestCase, TestKind
from critique_coder.review.adjudication import Answer, Decision, Rating
from critique_coder.review.cases import AddedTest, Case, Question
from critique_coder.review.store import Given, ReviewStore, item_sha256
from making import a_problem, complaint

YES = {Question.CORRECT: Answer.YES}
NO = {Question.CORRECT: Answer.NO}


def test_a_verdict_sent_twice_counts_once_and_comes_back_whole(tmp_path: Path) -> None:
    given = Given("k1", "i", "ann", NO, "hash", False, ("wrong_test",), "</script>\x1b[31m", (3, 4), 12.5)
    with ReviewStore(tmp_path / "review.sqlite") as store:
        assert (store.give(given), store.give(given)) == (True, False)
    with ReviewStore(tmp_path / "review.sqlite") as again:
        assert again.standing() == [given]
        assert again.ratings() == [Rating("i?correct", "ann", Answer.NO, 12.5, False, given.tags, given.note)]


def test_undo_appends_and_the_verdict_before_stands_again(tmp_path: Path) -> None:
    with ReviewStore(tmp_path / "review.sqlite") as store:
        store.give(Given("k1", "i", "ann", YES, "", at=1))
        store.give(Given("k2", "i", "ann", NO, "", at=2))
        assert not store.retract("u0", "k2", "ben")
        assert store.retract("u1", "k2", "ann") and not store.retract("u1", "k2", "ann")
        assert not store.retract("u2", "k2", "ann")
        assert [rating.answer for rating in store.ratings()] == [Answer.YES]
    rows = sqlite3.connect(tmp_path / "review.sqlite").execute("SELECT count(*) FROM verdicts").fetchone()
    assert rows == (3,)


def test_nobody_can_change_or_delete_a_verdict(tmp_path: Path) -> None:
    with ReviewStore(tmp_path / "review.sqlite") as store:
        store.give(Given("k1", "i", "ann", YES, ""))
    base = sqlite3.connect(tmp_path / "review.sqlite")
    for statement in ("UPDATE verdicts SET note = 'x'", "DELETE FROM verdicts"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            base.execute(statement)


def test_imports_decisions_tests_drafts_and_what_was_seen(tmp_path: Path) -> None:
    rating = Rating("i?correct", "ann", Answer.NO, 5.0)
    added = AddedTest("p", TestCase(TestKind.CALL, args=(1,), expected=2), "ann", "i", 7.0)
    with ReviewStore(tmp_path / "review.sqlite") as store:
        assert (store.take_in([rating]), store.take_in([rating])) == (1, 0)
        decision = Decision("i?correct", True, "the test is wrong", "cat", 9.0)
        assert (store.decide("d", decision), store.decide("d", decision)) == (True, False)
        assert (store.keep_test("t", added), store.keep_test("t", added)) == (True, False)
        assert not store.saw_outcomes("i", "ann")
        store.show_outcomes("i", "ann")
        assert store.saw_outcomes("i", "ann") and not store.saw_outcomes("i", "ben")
        store.save_draft("i", "ann", {"note": "a"})
        store.save_draft("i", "ann", {"note": "ab"})
        assert store.draft("i", "ann") == {"note": "ab"} and store.draft("i", "ben") is None
        evidence = store.evidence([Case("i", a_problem(), "s", "x = 1")])
    assert (evidence.ratings, evidence.decisions, evidence.added_tests) == ((rating,), (decision,), (added,))
    assert evidence.resolved()["i?correct"].label is True


def test_the_hash_changes_with_what_is_shown() -> None:
    case = Case("i", a_problem(), "s", "x = 1")
    other = Case("i", a_problem(tests=3), "s", "x = 1")
    assert item_sha256(case) == item_sha256(Case("other", a_problem(), "t", "x = 1")) != item_sha256(other)


def test_many_threads_and_a_second_store_write_at_once(tmp_path: Path) -> None:
    with ReviewStore(tmp_path / "review.sqlite") as one, ReviewStore(tmp_path / "review.sqlite") as two:

        def write(store: ReviewStore, name: str) -> None:
            for number in range(20):
                store.give(Given(f"{name}/{number}", f"i{number}", name, YES, ""))

        threads = [
            threading.Thread(target=write, args=(store, f"p{n}")) for n, store in enumerate((one, two, one, two))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(one.standing()) == len(two.standing()) == 80


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom critique_coder.review.store import *\nfrom critique_coder.review.cases import Question\n"
        "from critique_coder.review.adjudication import Answer\nstore = ReviewStore(sys.argv[1])\nn = 0\n"
        "while True:\n  store.give(Given(f'k{n}', 'i', 'ann', {Question.CORRECT: Answer.YES}, ''))\n"
        "  print(n, flush=True)\n  n += 1\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "review.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(30)]
        process.kill()
        told += [int(line) for line in process.stdout.read().split("\n") if line]
    with ReviewStore(tmp_path / "review.sqlite") as store:
        kept = [given.key for given in store.standing()]
    assert kept[: len(told)] == [f"k{n}" for n in told] and len(kept) <= len(told) + 1


def test_one_line_with_its_remedy(tmp_path: Path) -> None:
    assert "give a build or a run" in complaint(ReviewStore, tmp_path / "gone" / "review.sqlite")
    (tmp_path / "text.sqlite").write_text("hello " * 300)
    assert "not a review store" in complaint(ReviewStore, tmp_path / "text.sqlite")
    path = tmp_path / "review.sqlite"
    ReviewStore(path).close()
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("BEGIN IMMEDIATE")
    assert "locked; end it" in complaint(ReviewStore, path, wait_s=0.05)
    base.execute("ROLLBACK")
    base.execute("PRAGMA user_version = 99")
    assert "schema 99" in complaint(ReviewStore, path) and "update" in complaint(ReviewStore, path)


def test_a_full_disk_is_told_and_loses_nothing_before_it(tmp_path: Path) -> None:
    with ReviewStore(tmp_path / "review.sqlite") as store:
        store.give(Given("k1", "i", "ann", YES, ""))
        pages = store._base.execute("PRAGMA page_count").fetchone()[0]
        store._base.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(BadInput, match="no space left"):
            store.give(Given("k2", "i", "ann", YES, "", note="x" * 100_000))
        assert [given.key for given in store.standing()] == ["k1"]
