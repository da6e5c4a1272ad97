"""Drop training problems that hold a task that models are measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from critique_coder.data.benchmarks import item_of, open_benchmarks
from critique_coder.data.contamination import Known, Match
from critique_coder.data.losses import Loss
from critique_coder.data.stage import SURVIVORS, Counts, Stage, Work
from critique_coder.progress import bar

_EXAMPLES = 20


def run(work: Work) -> Counts:
    """Write which training problems hold a benchmark's task; problems that are held out are never trained on."""
    settings = work.recipe.contamination
    opened = open_benchmarks(settings.against)
    known = Known.of({name: benchmark.items() for name, benchmark in opened.items()}, settings)
    found: Counter[str] = Counter()
    examples: list[Match] = []

    def lost() -> Iterator[Loss]:
        for match, source in _matches(work, known):
            found[match.benchmark] += 1
            if len(examples) < _EXAMPLES:
                examples.append(match)
            detail = f"holds {match.item} of {match.benchmark}: {match.share:.0%} of its {match.by}"
            yield Loss(match.problem_id, "contaminated", detail, source)

    work.write_losses(STAGE.name, lost())
    return {
        "contamination": {
            "checked": sorted(opened),
            "tasks": len(known),
            "found": dict(sorted(found.items())),
            "examples": [match.to_json() for match in examples],
        }
    }


def _matches(work: Work, known: Known) -> Iterator[tuple[Match, str | None]]:
    with bar("contamination", work.survivor_count(), "problems") as shown:
        for problem in work.survivors():
            match = known.look(item_of(problem)) if work.is_train(problem) else None
            shown.advance()
            if match is not None:
                yield match, problem.source


STAGE = Stage(
    name="contamination",
    run=run,
    reads=(SURVIVORS,),
    writes=(),
    settings=("contamination", "mix.heldout_share"),
    drops=True,
    wanted=lambda recipe: bool(recipe.contamination.against),
)
