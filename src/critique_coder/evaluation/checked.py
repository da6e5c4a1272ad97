"""No score for a benchmark whose tasks the training data may hold."""

from __future__ import annotations

from collections.abc import Iterable

from critique_coder.data.benchmarks import BENCHMARKS
from critique_coder.data.built import BuiltData
from critique_coder.records import BadInput


def unchecked(data: BuiltData, benchmarks: Iterable[str]) -> list[str]:
    """Those of the ``benchmarks`` that the build's training problems were not compared with.

    A set that is no benchmark (the starter set, a user's own problems) is held out by the build itself: its problems
    are never trained on.
    """
    checked = data.manifest.get("contamination", {}).get("checked", [])
    return sorted({name for name in benchmarks if name in BENCHMARKS} - set(checked))


def benchmarks_of(data: BuiltData) -> list[str]:
    """The sets that the build's held-out problems come from."""
    held = {row["problem_id"] for row in data.rows("heldout")}
    return sorted({problem.source for name, problem in data.problems.items() if name in held and problem.source})


def require_checked(data: BuiltData, benchmarks: Iterable[str]) -> None:
    """Raises BadInput when the training data was not checked against all of these benchmarks."""
    missing = unchecked(data, benchmarks)
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        raise BadInput(
            f"{data.folder}: the training data was not checked against {', '.join(missing)}, so a score would say "
            f"little; build it with contamination.against=[{names}], or give --unchecked"
        )
