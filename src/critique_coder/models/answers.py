"""Answers of paid endpoints, kept by content, so that nothing is paid for twice.

One SQLite file; an answer is in it as soon as it has come, whatever happens to the run afterwards. The key is the hash
of all that the answer depends on: model, sampling, messages and seed.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from dataclasses import asdict
from pathlib import Path

from critique_coder.models.base import Completion, Messages, ModelError, Sampling
from critique_coder.storage import dumps


class AnswerCache:
    """A cache that many threads and processes may use at the same time; raises ModelError when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT NOT NULL, "
                "tokens INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, finished INTEGER NOT NULL)"
            )
        except (OSError, sqlite3.Error) as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> ModelError:
        return ModelError(f"{self._path}: the cache of answers cannot be used ({error}); move it away or name another")

    def get(self, key: str) -> Completion | None:
        """The answer under a key; None when there is none."""
        try:
            with self._lock:
                row = self._base.execute(
                    "SELECT text, tokens, finished, prompt_tokens FROM answers WHERE key = ?", (key,)
                ).fetchone()
        except sqlite3.Error as error:
            raise self._broken(error) from None
        return None if row is None else Completion(row[0], row[1], bool(row[2]), row[3])

    def put(self, key: str, answer: Completion) -> None:
        """Keep an answer; an older one under the same key stays."""
        values = (key, answer.text, answer.tokens, answer.prompt_tokens, int(answer.finished))
        try:
            with self._lock:
                self._base.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", values)
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """Close the file."""
        self._base.close()


def key_of(model: str, messages: Messages, sampling: Sampling, seed: int) -> str:
    """The hash of all that an answer depends on, as hex."""
    parts = {"model": model, "messages": list(messages), "sampling": {**asdict(sampling), "seed": seed}}
    return hashlib.sha256(dumps(parts).encode()).hexdigest()
