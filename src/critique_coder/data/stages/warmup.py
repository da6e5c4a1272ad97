"""What a small model is shown before reinforcement learning: critiques made from execution, and its own solutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from critique_coder.data.audit import reference_id, reference_of
from critique_coder.data.index import RecordIndex, problem_index, verdict_index
from critique_coder.data.label import critique_row_of
from critique_coder.data.mix import Origin, RowKind, Split, critique_row, solve_row
from critique_coder.data.stage import AUDIT_VERDICTS, Counts, Stage, Work
from critique_coder.data.stages.critiques import critiques
from critique_coder.data.synthesis import Synthesised, each_synthesised
from critique_coder.prompts import solve_prompt
from critique_coder.records import CritiqueRow, Json, Outcome, Problem, Verdict
from critique_coder.storage import write_jsonl

_ENOUGH_TRUE = 16
"""Correct solutions of the model's own below which the references join the warm-up."""


def run(work: Work) -> Counts:
    """Write ``warmup.jsonl``: critiques, passing solutions and references, of training problems only."""
    warmup = _Warmup(work)
    write_jsonl(work.file("warmup.jsonl"), warmup.lines())
    counts = {"critiques": warmup.critiques, "critiques_true": warmup.true, "solutions": warmup.solutions}
    return {"warmup": {**counts, "references": warmup.references}}


@dataclass
class _Warmup:
    """The lines, and how many of each kind went by."""

    work: Work
    critiques: int = 0
    true: int = 0
    solutions: int = 0
    references: int = 0

    @cached_property
    def problems(self) -> RecordIndex[Problem]:
        """The problems by id."""
        return problem_index(self.work.file("problems.jsonl"))

    @cached_property
    def verdicts(self) -> RecordIndex[Verdict]:
        """The candidates' verdicts by the id of the solution."""
        return verdict_index(self.work.file("verdicts.jsonl"))

    @cached_property
    def audited(self) -> RecordIndex[Verdict]:
        """The verdicts on the references by ``reference_id``."""
        return verdict_index(self.work.file(AUDIT_VERDICTS))

    def lines(self) -> Iterator[dict[str, Json]]:
        """Critiques first, with those of references where the model solves hardly anything; then ``_solutions``."""
        yield from self._critiques(each_synthesised(self._own(), self.problems, self.verdicts, self.work.recipe.seed))
        if self.true < _ENOUGH_TRUE:
            # they are told by the verdicts of the audit, under the reference's own id
            rows = _reference_rows(self.work, self.audited)
            yield from self._critiques(each_synthesised(rows, self.problems, self.audited, self.work.recipe.seed))
        yield from self._solutions()

    def _solutions(self) -> Iterator[dict[str, Json]]:
        """The model's own that passed, and the references of the problems it did not solve."""
        solved = set()
        for row in self._own():
            if row.label and self.verdicts[row.solution_id].outcome is Outcome.PASSED:  # and no person found it wrong
                self.solutions += 1
                solved.add(row.problem_id)
                name = f"solved/{row.solution_id}"
                yield _solution_row(self.work, row, self.problems[row.problem_id], name, Origin.OWN)
        for row in _reference_rows(self.work, self.audited):
            passed = self.audited[row.solution_id].outcome is Outcome.PASSED  # which not every build's audit asks for
            if passed and row.problem_id not in solved:
                self.references += 1
                name = f"reference/{row.problem_id}"
                yield _solution_row(self.work, row, self.problems[row.problem_id], name, Origin.REFERENCE)

    def _own(self) -> Iterator[CritiqueRow]:
        return (row for row in critiques(self.work) if self.work.is_train(self.problems[row.problem_id]))

    def _critiques(self, made: Iterator[Synthesised]) -> Iterator[dict[str, Json]]:
        for item in made:
            self.critiques += 1
            self.true += item.row.label
            yield _warmup_row(self.work, item, self.problems[item.row.problem_id])


def _reference_rows(work: Work, audited: RecordIndex[Verdict]) -> Iterator[CritiqueRow]:
    """Critique rows of the training problems' references.

    As critiques they are for a model that solves hardly anything: they look unlike what a small model writes, which it
    would learn as the mark of a correct solution. The known wrong solutions stay out: they differ from a right one by a
    sign, which a model that learns its first words of criticism cannot see, and would teach it that good code is as
    likely wrong as right.
    """
    for problem in work.problems():
        reference = reference_of(problem)
        if reference is not None and work.is_train(problem):
            row = critique_row_of(problem, reference, audited[reference_id(problem)], work.recipe.label)
            if row is not None:
                yield row


def _solution_row(work: Work, row: CritiqueRow, problem: Problem, name: str, origin: Origin) -> dict[str, Json]:
    """A solution that passed every test, as the bare code block that the prompt asks for.

    Without the model's own the warm-up teaches critiques alone, and a small model answers every prompt with one
    afterwards. References show what its own cannot.
    """
    asked = solve_row(problem, work.templates, Split.TRAIN)
    kept = ("problem_id", "prompt", "template", "template_hash")
    return {
        "id": name,
        "kind": RowKind.SOLVE.value,
        "solution_id": row.solution_id,
        "label": None,
        "origin": origin.value,
        "completion": [_answer(problem, row.solution)],
        **{key: asked[key] for key in kept},
    }


def _answer(problem: Problem, solution: str) -> dict[str, str]:
    """The solution as the bare code block that the prompt asks for."""
    return {"role": "assistant", "content": f"```{problem.language}\n{solution.strip()}\n```"}


def _warmup_row(work: Work, item: Synthesised, problem: Problem) -> dict[str, Json]:
    row = critique_row(item.row, problem, work.templates, Split.TRAIN)
    return {
        "id": row["id"],
        "kind": row["kind"],
        "problem_id": row["problem_id"],
        "solution_id": row["solution_id"],
        "label": row["label"],
        "prompt": row["prompt"],
        "completion": [{"role": "assistant", "content": item.text}],
        "decisive": item.decisive,
        "otherwise": item.otherwise,
        "answer": [*solve_prompt(work.templates.solve, problem), _answer(problem, item.row.solution)],
        "template": row["template"],
        "template_hash": row["template_hash"],
    }


STAGE = Stage(
    name="warmup",
    run=run,
    reads=("problems.jsonl", "critiques.jsonl", "verdicts.jsonl", AUDIT_VERDICTS),
    writes=("warmup.jsonl",),
    settings=("seed", "mix", "label"),
    version=6,
)
