"""Rows for reinforcement learning: solve (rl), judge (crl), or the build's mix of both (hybrid).

The paper's section 2: one GRPO run over the mix, in which a problem is of one kind only.
"""

from __future__ import annotations

from collections.abc import Iterator

from critique_coder.data.mix import Split, critique_row, solve_row
from critique_coder.data.rows.columns import rl_columns
from critique_coder.data.rows.source import RowSource


def rl(source: RowSource) -> Iterator[dict[str, object]]:
    """Every problem of the split asks for a solution, whatever the build's mix."""
    split = Split(source.settings.split)
    for problem in source.problems():
        yield rl_columns(solve_row(problem, source.templates, split), problem)


def crl(source: RowSource) -> Iterator[dict[str, object]]:
    """Every labelled solution of the split asks for a critique, balanced within each problem."""
    split = Split(source.settings.split)
    for row in source.critiques:
        problem = source.data.problems[row.problem_id]
        yield rl_columns(critique_row(row, problem, source.templates, split), problem)


def hybrid(source: RowSource) -> Iterator[dict[str, object]]:
    """The rows of the build, in its mix."""
    for row in source.data.rows(source.settings.split):
        source.used[row["template"]] = row["template_hash"]
        yield rl_columns(row, source.data.problems[row["problem_id"]])
