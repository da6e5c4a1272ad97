"""What people said, in one SQLite file that only grows: verdicts, decisions and tests that they kept.

A verdict is appended and never overwritten; triggers refuse it. To undo is to append a retraction. Every write carries
a key of the caller's choice, so that sending it twice, after a kill or over a bad line, counts once. The items
themselves stay in the build or run folder; a verdict carries the hash of the item as it was shown.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from critique_coder.records import BadInput, Json, TestCase
from critique_coder.review.adjudication import Answer, Decision, Rating
from critique_coder.review.cases import AddedTest, Case, Evidence, Question, asked
from critique_coder.storage import dumps

FILE = "review.sqlite"
"""The store's name inside a build or run folder."""

MIGRATIONS = (
    """
    CREATE TABLE verdicts (
      seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, item TEXT NOT NULL, person TEXT NOT NULL,
      answers TEXT NOT NULL, tags TEXT NOT NULL, note TEXT NOT NULL, marks TEXT NOT NULL,
      at REAL NOT NULL, blind INTEGER NOT NULL, item_sha256 TEXT NOT NULL,
      retracts TEXT UNIQUE REFERENCES verdicts(key)
    );
    CREATE INDEX verdicts_by_person ON verdicts(person, item);
    CREATE TABLE decisions (
      seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, item TEXT NOT NULL, label INTEGER NOT NULL,
      reason TEXT NOT NULL, person TEXT NOT NULL, at REAL NOT NULL
    );
    CREATE TABLE added_tests (
      seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, problem_id TEXT NOT NULL, test TEXT NOT NULL,
      kept_by TEXT NOT NULL, at REAL NOT NULL
    );
    CREATE TABLE outcomes_seen (item TEXT NOT NULL, person TEXT NOT NULL, at REAL NOT NULL, UNIQUE (item, person));
    CREATE TABLE drafts (item TEXT NOT NULL, person TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (item, person));
    CREATE TRIGGER verdicts_stay BEFORE UPDATE ON verdicts
      BEGIN SELECT RAISE(ABORT, 'verdicts are never changed'); END;
    CREATE TRIGGER verdicts_remain BEFORE DELETE ON verdicts
      BEGIN SELECT RAISE(ABORT, 'verdicts are never deleted'); END;
    CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions
      BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
    CREATE TRIGGER decisions_remain BEFORE DELETE ON decisions
      BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
    """,
    """
    CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE places (person TEXT PRIMARY KEY, item TEXT NOT NULL);
    """,
    "ALTER TABLE added_tests ADD COLUMN item TEXT NOT NULL DEFAULT '';",
)
"""Numbered from 1; ``PRAGMA user_version`` holds how many a file has seen. Append to this, never change an entry."""


class StoreTrouble(BadInput):
    """The store's file cannot be read or written now. The message is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Given:
    """One verdict. ``marks`` are line numbers of the solution, from 1; ``at`` seconds since 1970."""

    key: str
    item: str
    person: str
    answers: Mapping[Question, Answer]
    item_sha256: str
    blind: bool = True
    tags: tuple[str, ...] = ()
    note: str = ""
    marks: tuple[int, ...] = ()
    at: float = field(default_factory=time.time)


def item_sha256(case: Case) -> str:
    """The hash of an item as shown: statement, tests, code and critique, so that a later change is noticed."""
    tests: list[Json] = [test.to_json() for test in case.problem.tests]
    shown = dumps([case.problem.statement, tests, case.code, case.completion])
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()


class ReviewStore:
    """A store file, made when it is not there. Safe for several threads, and for several processes at once.

    Every method raises StoreTrouble, which names the remedy, when the file is locked, read-only or damaged, or when the
    disk is full.
    """

    def __init__(self, path: str | Path, wait_s: float = 5.0) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        if not self.path.parent.is_dir():
            raise BadInput(f"{self.path.parent}: no such folder; give a build or a run")
        with self._told():
            self._base = sqlite3.connect(self.path, timeout=wait_s, check_same_thread=False, isolation_level=None)
        try:
            with self._told():
                self._prepare()
        except BaseException:
            self._base.close()
            raise

    def _prepare(self) -> None:
        version = self._base.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise BadInput(
                f"{self.path}: has schema {version}, this version knows up to {len(MIGRATIONS)}; update critique-coder"
            )
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.execute("BEGIN IMMEDIATE")
        try:
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            for number, script in enumerate(MIGRATIONS[version:], version + 1):
                for statement in _statements(script):
                    self._base.execute(statement)
                self._base.execute(f"PRAGMA user_version = {number}")
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as one line with its remedy."""
        try:
            with self._lock:
                yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise StoreTrouble(f"{self.path}: {_remedy(str(error))}") from None

    def _append(self, statement: str, values: tuple[object, ...]) -> bool:
        """Whether the row was new; a row with a known key is left as it is."""
        with self._told():
            return self._base.execute(statement, values).rowcount == 1

    def give(self, verdict: Given) -> bool:
        """Append a verdict; False when its key was there already."""
        if not verdict.answers:
            raise BadInput(f"item {verdict.item}: a verdict answers at least one question")
        answers = dumps({question.value: answer.value for question, answer in verdict.answers.items()})
        return self._append(
            "INSERT INTO verdicts (key, item, person, answers, tags, note, marks, at, blind, item_sha256)"
            " VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (key) DO NOTHING",
            (
                verdict.key, verdict.item, verdict.person, answers, dumps(list(verdict.tags)), verdict.note,
                dumps(list(verdict.marks)), verdict.at, verdict.blind, verdict.item_sha256,
            ),
        )  # fmt: skip

    def retract(self, key: str, verdict: str, person: str) -> bool:
        """Append the retraction of a person's own verdict; False when there is no such verdict or it is retracted."""
        return self._append(
            "INSERT INTO verdicts (key, item, person, answers, tags, note, marks, at, blind, item_sha256, retracts)"
            " SELECT ?, item, person, '{}', '[]', '', '[]', ?, blind, item_sha256, key FROM verdicts"
            " WHERE key = ? AND person = ? AND retracts IS NULL ON CONFLICT DO NOTHING",
            (key, time.time(), verdict, person),
        )

    def standing(self, person: str | None = None) -> list[Given]:
        """The verdicts that are not retracted, of all people or of one, in the order in which they came."""
        with self._told():
            rows = self._base.execute(
                "SELECT key, item, person, answers, item_sha256, blind, tags, note, marks, at FROM verdicts AS given"
                " WHERE retracts IS NULL AND (? IS NULL OR person = ?)"
                " AND NOT EXISTS (SELECT 1 FROM verdicts AS undone WHERE undone.retracts = given.key) ORDER BY seq",
                (person, person),
            ).fetchall()
        return [_given(row) for row in rows]

    def changes(self, after: int) -> tuple[int, list[Given | str]]:
        """What was appended behind number ``after``: verdicts, and the keys of those retracted; and the last number."""
        with self._told():
            rows = self._base.execute(
                "SELECT key, item, person, answers, item_sha256, blind, tags, note, marks, at, retracts, seq"
                " FROM verdicts WHERE seq > ? ORDER BY seq",
                (after,),
            ).fetchall()
        return rows[-1][11] if rows else after, [row[10] or _given(row[:10]) for row in rows]

    def ratings(self) -> list[Rating]:
        """The last answer of each person to each question that stands."""
        last: dict[tuple[str, str], Rating] = {}
        for given in sorted(self.standing(), key=lambda given: given.at):
            for question, answer in given.answers.items():
                name = asked(given.item, question)
                last[name, given.person] = Rating(
                    name, given.person, answer, given.at, given.blind, given.tags, given.note
                )
        return list(last.values())

    def take_in(self, ratings: Iterable[Rating]) -> int:
        """Import answers from another tool; returns how many were new. The same ones again change nothing."""
        return sum(self.give(_imported(rating)) for rating in ratings)

    def decide(self, key: str, decision: Decision) -> bool:
        """Append how somebody settled a question; False when the key was there already."""
        return self._append(
            "INSERT INTO decisions (key, item, label, reason, person, at) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (key, decision.item, decision.label, decision.reason, decision.person, decision.at or time.time()),
        )

    def decisions(self) -> list[Decision]:
        """All decisions, in the order in which they came."""
        with self._told():
            rows = self._base.execute("SELECT item, label, reason, person, at FROM decisions ORDER BY seq").fetchall()
        return [Decision(item, bool(label), reason, person, at) for item, label, reason, person, at in rows]

    def keep_test(self, key: str, added: AddedTest) -> bool:
        """Append a test that a person kept; False when the key was there already."""
        return self._append(
            "INSERT INTO added_tests (key, problem_id, test, kept_by, item, at) VALUES (?,?,?,?,?,?)"
            " ON CONFLICT DO NOTHING",
            (key, added.problem_id, dumps(added.test.to_json()), added.kept_by, added.item, added.at or time.time()),
        )

    def added_tests(self) -> list[AddedTest]:
        """The tests that people kept."""
        with self._told():
            rows = self._base.execute(
                "SELECT problem_id, test, kept_by, item, at FROM added_tests ORDER BY seq"
            ).fetchall()
        return [
            AddedTest(problem, TestCase.from_json(json.loads(test), f"{self.path}, added test"), person, item, at)
            for problem, test, person, item, at in rows
        ]

    def show_outcomes(self, item: str, person: str) -> None:
        """Note that a person saw what the tests said; a verdict after that is not blind."""
        self._append("INSERT INTO outcomes_seen VALUES (?,?,?) ON CONFLICT DO NOTHING", (item, person, time.time()))

    def saw_outcomes(self, item: str, person: str) -> bool:
        """Whether a person saw what the tests said of an item."""
        with self._told():
            seen = self._base.execute("SELECT 1 FROM outcomes_seen WHERE item = ? AND person = ?", (item, person))
            return seen.fetchone() is not None

    def save_draft(self, item: str, person: str, body: Json) -> None:
        """Keep what a person has begun to write."""
        self._append(
            "INSERT INTO drafts VALUES (?,?,?) ON CONFLICT (item, person) DO UPDATE SET body = excluded.body",
            (item, person, dumps(body)),
        )

    def draft(self, item: str, person: str) -> Json:
        """What a person had begun to write, or None."""
        with self._told():
            rows = self._base.execute("SELECT body FROM drafts WHERE item = ? AND person = ?", (item, person))
            found = rows.fetchone()
        return json.loads(found[0]) if found else None

    def secret(self, name: str, renew: bool = False) -> bytes:
        """32 random bytes that stay the same for this file; ``renew`` makes new ones."""
        then = "UPDATE SET value = excluded.value" if renew else "NOTHING"
        self._append(f"INSERT INTO secrets VALUES (?,?) ON CONFLICT (name) DO {then}", (name, secrets.token_bytes(32)))
        with self._told():
            found: bytes = self._base.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()[0]
        return found

    def save_place(self, person: str, item: str) -> None:
        """Keep at which item a person is."""
        self._append(
            "INSERT INTO places VALUES (?,?) ON CONFLICT (person) DO UPDATE SET item = excluded.item", (person, item)
        )

    def place(self, person: str) -> str | None:
        """The item at which a person was, or None."""
        with self._told():
            found = self._base.execute("SELECT item FROM places WHERE person = ?", (person,)).fetchone()
        return found[0] if found else None

    def evidence(self, cases: Iterable[Case]) -> Evidence:
        """Everything said about ``cases``, for agreement, apply and the exports."""
        return Evidence(tuple(cases), tuple(self.ratings()), tuple(self.decisions()), tuple(self.added_tests()))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; a trigger holds semicolons of its own."""
    begun = ""
    for line in script.splitlines():
        begun += line + "\n"
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""


def _remedy(problem: str) -> str:
    known = {
        "locked": "another process holds the database locked; end it, or wait and try again",
        "readonly": "cannot be written; give yourself the right to write the file and its folder",
        "full": "no space left on the disk; make room and run the command again",
        "unable to open": "cannot be opened; check that it is a file that you may read and write",
        "not a database": "is not a review store; move it away and start again",
        "malformed": "is damaged; bring back a copy of it",
    }
    return next((remedy for words, remedy in known.items() if words in problem), f"database error: {problem}")


def _given(row: tuple[str, str, str, str, str, int, str, str, str, float]) -> Given:
    key, item, person, answers, sha256, blind, tags, note, marks, at = row
    said = {Question(question): Answer(answer) for question, answer in json.loads(answers).items()}
    return Given(
        key, item, person, said, sha256, bool(blind), tuple(json.loads(tags)), note, tuple(json.loads(marks)), at
    )


def _imported(rating: Rating) -> Given:
    item, _, question = rating.item.rpartition("?")
    what = dumps([rating.item, rating.person, rating.answer.value, rating.at, list(rating.tags), rating.note])
    key = "import/" + hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
    return Given(
        key, item, rating.person, {Question(question): rating.answer}, "", rating.blind, rating.tags, rating.note,
        at=rating.at,
    )  # fmt: skip
