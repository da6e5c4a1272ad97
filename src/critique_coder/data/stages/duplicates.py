"""Drop problems that are there twice."""

from __future__ import annotations

from collections.abc import Iterator

from critique_coder.data.duplicates import Statements
from critique_coder.data.losses import Loss
from critique_coder.data.stage import SURVIVORS, Counts, Stage, Work
from critique_coder.progress import bar


def run(work: Work) -> Counts:
    """Write which problems repeat another. Held-out ones go first, so that the training one is dropped of a pair."""
    work.write_losses(STAGE.name, _lost(work))
    return {}


def _lost(work: Work) -> Iterator[Loss]:
    known = Statements(work.recipe.duplicates)
    with bar("duplicates", work.survivor_count(), "problems") as shown:
        for train in (False, True):
            for problem in work.survivors():
                if work.is_train(problem) is not train:
                    continue
                found = known.add(problem.id, problem.statement)
                shown.advance()
                if found is not None:
                    reason = "duplicate" if found.likeness == 1 else "near_duplicate"
                    detail = f"{found.likeness:.0%} the same as {found.of}"
                    yield Loss(problem.id, reason, detail, problem.source)


STAGE = Stage(
    name="duplicates",
    run=run,
    reads=(SURVIVORS,),
    writes=(),
    settings=("duplicates", "mix.heldout_share"),
    drops=True,
    wanted=lambda recipe: recipe.duplicates.exact or recipe.duplicates.near > 0,
)
