"""What execution finds for every candidate solution."""

from __future__ import annotations

from collections import Counter

from critique_coder.data.index import problem_index, solution_of
from critique_coder.data.stage import READ_PROBLEMS, SURVIVORS, Counts, Stage, Work
from critique_coder.data.verify import judge_solutions, open_verifier
from critique_coder.records import Outcome, Verdict
from critique_coder.storage import count_lines, read_rows


def run(work: Work) -> Counts:
    """Write ``verdicts.jsonl``; goes on where it was."""
    problems, given, output = work.file(READ_PROBLEMS), work.file("solutions.jsonl"), work.file("verdicts.jsonl")
    solutions = (solution_of(row, where) for where, row in read_rows(given))
    most = work.recipe.judge.max_unscored
    with open_verifier(work.recipe.judge, work.options) as judge:
        judge_solutions(judge, problem_index(problems), solutions, count_lines(given), output, max_unscored=most)
    outcomes: Counter[str] = Counter()
    scored, rates = 0, 0.0
    for where, row in read_rows(output):
        verdict = Verdict.from_json(row, where)
        outcomes[verdict.outcome.value] += 1
        if verdict.pass_rate is not None:
            scored, rates = scored + 1, rates + verdict.pass_rate
    return {
        "solutions": {
            "total": outcomes.total(),
            "outcomes": dict(sorted(outcomes.items())),
            "mean_pass_rate": round(rates / scored, 6) if scored else None,
            "passed": round(outcomes[Outcome.PASSED.value] / scored, 6) if scored else None,
        }
    }


STAGE = Stage(
    name="verdicts",
    run=run,
    reads=(SURVIVORS, "solutions.jsonl"),
    writes=("verdicts.jsonl",),
    settings=("judge",),
)
