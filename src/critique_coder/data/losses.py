"""Why a problem is not used: never silently, always with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from critique_coder.records import Json


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a problem is not used. ``source``: the name of the set that it came from, for the counts."""

    problem_id: str
    reason: str
    detail: str
    source: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The row of ``quarantine.jsonl``."""
        return {"problem_id": self.problem_id, "reason": self.reason, "detail": self.detail}


def reasons(lost: Iterable[Loss]) -> dict[str, int]:
    """How many problems were lost for each reason."""
    return dict(sorted(Counter(loss.reason for loss in lost).items()))
