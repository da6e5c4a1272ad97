"""Whether the label can be told from the style: author, length and comments of correct and of wrong solutions.

A critic that is trained on data where one author, or the longer program, is mostly right learns that instead of
reading the program. Each effect size says how far the two classes lie apart by one such sign alone.
"""

from __future__ import annotations

import io
import math
import re
import symtable
import sys
import tokenize
import warnings
from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from critique_coder.records import CritiqueRow, Json

SIGNS = ("characters", "lines", "comment_share")
_SUSPECT_AUC = 0.65
_SUSPECT_V = 0.3
"""Above these a sign is named as one by which a model could tell the label."""


@dataclass(slots=True)
class Skew:
    """Takes rows one by one; keeps three numbers of each."""

    _values: dict[bool, dict[str, array[float]]] = field(
        default_factory=lambda: {label: {sign: array("d") for sign in SIGNS} for label in (True, False)}
    )
    _authors: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def add(self, row: CritiqueRow, author: str | None) -> None:
        """Count one labelled solution."""
        own = self._values[row.label]
        own["characters"].append(len(row.solution))
        own["lines"].append(row.solution.strip().count("\n") + 1)
        own["comment_share"].append(comment_share(row.solution))
        self._authors[author or "unknown", row.label] += 1

    def to_json(self) -> dict[str, Json]:
        """What the manifest shows: for each sign both means and the effect sizes, for authors their shares of True.

        ``auc`` is the probability that a correct solution has more of the sign than a wrong one (0.5: no skew), and
        ``cohen_d`` the difference of the means in standard deviations. ``cramer_v`` lies in [0, 1] (0: no skew).
        Effect sizes are None when a class is empty. ``suspects`` names the signs with a large one.
        """
        signs = {sign: self._compare(sign) for sign in SIGNS}
        v = _cramer_v(self._authors)
        suspects = [
            s for s, found in signs.items() if found["auc"] is not None and abs(found["auc"] - 0.5) > _SUSPECT_AUC - 0.5
        ]
        if v is not None and v > _SUSPECT_V:
            suspects.append("author")
        return {**signs, "author": {"cramer_v": v, "authors": self._shares()}, "suspects": suspects}

    def _compare(self, sign: str) -> dict[str, Json]:
        true, false = (np.frombuffer(self._values[label][sign], dtype=float) for label in (True, False))
        if not len(true) or not len(false):
            means = [round(float(side.mean()), 4) if len(side) else None for side in (true, false)]
            return {"mean_true": means[0], "mean_false": means[1], "auc": None, "cohen_d": None}
        return {
            "mean_true": round(float(true.mean()), 4),
            "mean_false": round(float(false.mean()), 4),
            "auc": round(_auc(true, false), 4),
            "cohen_d": round(_cohen_d(true, false), 4),
        }

    def _shares(self) -> dict[str, Json]:
        names = sorted({author for author, _ in self._authors})
        return {
            name: {
                "solutions": self._authors[name, True] + self._authors[name, False],
                "true": self._authors[name, True],
            }
            for name in names
        }


def comment_share(code: str) -> float:
    """Characters in comments, as a share of all characters that are not white space; in [0, 1].

    Code that Python's tokenizer cannot read counts the lines that begin with ``#`` or ``//``.
    """
    if not ("#" in code or "//" in code):
        return 0.0
    whole = _characters(code)
    return _comment_characters(code) / whole if whole else 0.0


def _comment_characters(code: str) -> int:
    """Characters of comments.

    The tokenizer takes a millisecond a program, and a corpus has millions of them. Where it reads a program, its
    comments are those that an expression finds; where it does not, whole lines count. Only when the two differ does it
    matter which holds: then the parser says whether Python reads the program, in a fraction of that time.
    """
    by_line = sum(_characters(line) for line in code.splitlines() if line.lstrip().startswith(("#", "//")))
    if not _NOT_FOR_EXPRESSIONS.search(code):
        found = sum(_characters(part) for part in _STRING_OR_COMMENT.findall(code) if part.startswith("#"))
        if found == by_line or _is_python(code):
            return found
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return by_line
    return sum(_characters(token.string) for token in tokens if token.type == tokenize.COMMENT)


_STRING_OR_COMMENT = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*"""|'{3}(?:[^'\\]|\\.|'(?!''))*'{3}'''
    r"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|#[^\n]*"""
)
_NOT_FOR_EXPRESSIONS = re.compile(
    r"\\\r?\n|\r(?!\n)" + (r"""|\b(?:[fF][rR]?|[rR][fF])["']""" if sys.version_info >= (3, 12) else "")
)
"""A line that goes on after a backslash, a lone carriage return and, since they nest, formatted strings."""


def _is_python(code: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):  # the author's business, not that of who builds
            symtable.symtable(code, "solution", "exec")  # the parser without the tree that ast.parse would build
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _characters(text: str) -> int:
    """How many characters are not white space."""
    return sum(map(len, text.split()))


def _auc(true: np.ndarray, false: np.ndarray) -> float:
    """The Mann-Whitney statistic as a probability; ties count half."""
    ordered = np.sort(false)
    below = np.searchsorted(ordered, true, "left") + np.searchsorted(ordered, true, "right")
    return float(below.sum()) / (2 * len(true) * len(false))


def _cohen_d(true: np.ndarray, false: np.ndarray) -> float:
    """The difference of the means over the pooled standard deviation; 0 when nothing varies."""
    degrees = len(true) + len(false) - 2
    if degrees <= 0:
        return 0.0
    pooled = math.sqrt((true.var() * len(true) + false.var() * len(false)) / degrees)
    return float(true.mean() - false.mean()) / pooled if pooled > 0 else 0.0


def _cramer_v(counts: Counter[tuple[str, bool]]) -> float | None:
    """Cramér's V of author and label, bias-corrected (Bergsma 2013): many authors with few rows each show no skew."""
    names = sorted({author for author, _ in counts})
    table = np.array([[counts[name, True], counts[name, False]] for name in names], dtype=float).reshape(-1, 2)
    total = table.sum()
    if total < 2 or (table.sum(0) == 0).any():
        return None
    if len(names) < 2:
        return 0.0
    expected = np.outer(table.sum(1), table.sum(0)) / total
    phi2 = ((table - expected) ** 2 / expected).sum() / total
    rows = len(names)
    corrected = max(0.0, phi2 - (rows - 1) / (total - 1))
    smaller = min(rows - (rows - 1) ** 2 / (total - 1), 2 - 1 / (total - 1)) - 1
    return round(math.sqrt(corrected / smaller), 4) if smaller > 0 else 0.0
