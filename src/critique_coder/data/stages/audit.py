"""Whether each problem can be trusted, found by running its reference and what is known to be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from critique_coder.data.audit import audit_problem, solutions_to_audit
from critique_coder.data.index import GroupIndex, problem_index, solution_of, verdict_index
from critique_coder.data.losses import Loss
from critique_coder.data.stage import AUDIT_VERDICTS, READ_PROBLEMS, SURVIVORS, WRONG_SOLUTIONS, Counts, Stage, Work
from critique_coder.data.verify import judge_solutions, open_verifier
from critique_coder.storage import count_lines, read_rows, write_jsonl

_SOLUTIONS = "stages/audit-solutions.jsonl"


def run(work: Work) -> Counts:
    """Judge what the audit needs and write which problems it loses."""
    wrong = GroupIndex(work.file(WRONG_SOLUTIONS), solution_of)
    settings, slowest = work.recipe.audit, work.recipe.filter.max_time_s
    write_jsonl(
        work.file(_SOLUTIONS),
        (
            solution.to_json()
            for problem in work.survivors()
            for solution in solutions_to_audit(problem, wrong[problem.id], settings)
        ),
    )
    _judge(work)
    verdicts = verdict_index(work.file(AUDIT_VERDICTS))

    def lost() -> Iterator[Loss]:
        for problem in work.survivors():
            loss = audit_problem(problem, wrong[problem.id], verdicts, settings, slowest)
            if loss is not None:
                yield replace(loss, source=problem.source)

    work.write_losses(STAGE.name, lost())
    return {}


def _judge(work: Work) -> None:
    problems = problem_index(work.file(READ_PROBLEMS))
    solutions = (solution_of(row, where) for where, row in read_rows(work.file(_SOLUTIONS)))
    total, output = count_lines(work.file(_SOLUTIONS)), work.file(AUDIT_VERDICTS)
    with open_verifier(work.recipe.judge, replace(work.options, first_failure=True)) as judge:
        most = work.recipe.judge.max_unscored
        judge_solutions(judge, problems, solutions, total, output, "audit of the problems", most)


STAGE = Stage(
    name="audit",
    run=run,
    reads=(SURVIVORS, WRONG_SOLUTIONS),
    writes=(AUDIT_VERDICTS,),
    settings=("audit", "judge", "filter.max_time_s"),
    drops=True,
)
