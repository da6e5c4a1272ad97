"""The problems that are left after all losses, and the quarantine with everything that was lost."""

from __future__ import annotations

from collections import Counter

from critique_coder.data.stage import SURVIVORS, Counts, Stage, Work
from critique_coder.data.tables import TestTable
from critique_coder.storage import write_jsonl


def run(work: Work) -> Counts:
    """Write ``problems.jsonl`` and ``quarantine.jsonl``."""
    write_jsonl(work.file("problems.jsonl"), (problem.to_json() for problem in work.survivors()))
    lost = work.write_quarantine()
    table, kept = TestTable(), Counter[str]()
    for problem in work.problems():
        table.add(problem)
        kept[problem.source or work.sources[0][0]] += 1
    by_source: dict[str, Counter[str]] = {}
    for loss in work.lost_before(STAGE.name):
        by_source.setdefault(loss.source or work.sources[0][0], Counter())[loss.reason] += 1
    found = table.to_json()
    return {
        "problems": {
            "kept": found["questions"],
            "lost": lost,
            "tests_kept": found["tests"],
            "by_source": {
                name: {"kept": kept[name], "lost": dict(sorted(by_source.get(name, Counter()).items()))}
                for name in sorted(kept.keys() | by_source.keys())
            },
        },
        "table1": {"kept": found},
    }


STAGE = Stage(
    name="keep",
    run=run,
    reads=(SURVIVORS,),
    writes=("problems.jsonl", "quarantine.jsonl"),
    settings=(),
)
