"""Critique-guided distillation (arXiv 2505.11628): from question, draft and critique to a refined answer.

The student's draft is a candidate solution of the build; a teacher criticises and refines it; the student learns the
refined answer given all three. After the training it is asked the question alone (``inference_prompt``). What departs:
refined answers that fail a test are left out unless ``verified = false``, and critiques that judge wrongly unless
``agree = false``.
"""

from __future__ import annotations

from collections.abc import Iterator

from critique_coder.data.asking import Answer, Question
from critique_coder.data.rows.cft import teachers_critiques
from critique_coder.data.rows.columns import extra_info, named, said, source_of
from critique_coder.data.rows.source import RowSource
from critique_coder.prompts import Template, extract_code, load_template, revise_prompt, solve_prompt
from critique_coder.records import CritiqueRow, Judgement, Outcome, Solution


def cgd(source: RowSource) -> Iterator[dict[str, object]]:
    """A row for each refined answer that may be learned from."""
    template = source.use(load_template("revise", source.settings.revise_template))
    drafts = {
        row.id: (row, answer, judgement)
        for row, answer in teachers_critiques(source)
        if (judgement := source.usable(row, answer)) is not None
    }
    prompts = {
        row.id: revise_prompt(
            template, source.templates.solve, source.data.problems[row.problem_id], row.solution, answer.completion
        )
        for row, answer, _ in drafts.values()
    }
    questions = [Question(name, prompt) for name, prompt in prompts.items()]
    refined = source.answers("revisions", source.settings.revisions, questions, "refined answers")
    passed = _passed(source, {name: (drafts[name][0], answer) for name, answer in refined.items()})
    for name, (row, _, judgement) in drafts.items():
        if name in passed:
            yield _columns(source, row, refined[name], prompts[name], judgement, template)


def _passed(source: RowSource, refined: dict[str, tuple[CritiqueRow, Answer]]) -> set[str]:
    """The names of the refined answers that may be learned from: whole, with code, and passing every test."""
    kept: dict[str, Solution] = {}
    for name, (row, answer) in refined.items():
        code = extract_code(answer.completion)
        if not answer.finished:
            source.lost["revision_cut_off"] += 1
        elif code is None:
            source.lost["revision_without_code"] += 1
        else:
            kept[name] = Solution(name, row.problem_id, code)
    if not source.settings.verified:
        return set(kept)
    verdicts = source.judged(
        "revision_verdicts", source.data.problems, list(kept.values()), "refined answers, verdicts"
    )
    failed = {name for name in kept if verdicts[name].outcome is not Outcome.PASSED}
    source.lost["revision_fails"] += len(failed)
    return set(kept) - failed


def _columns(
    source: RowSource,
    row: CritiqueRow,
    answer: Answer,
    prompt: list[dict[str, str]],
    judgement: Judgement,
    template: Template,
) -> dict[str, object]:
    completion = said(answer.completion)
    return {
        "id": f"cgd/{row.solution_id}",
        "problem_id": row.problem_id,
        "solution_id": row.solution_id,
        "data_source": source_of("cgd"),
        "prompt": prompt,
        "completion": completion,
        "messages": prompt + completion,
        "inference_prompt": solve_prompt(source.templates.solve, source.data.problems[row.problem_id]),
        "label": row.label,
        "label_source": row.label_source.value,
        "judgement": judgement.value,
        "author": answer.author,
        "extra_info": extra_info(f"cgd/{row.solution_id}", row.problem_id, source.settings.split),
        **named(template),
    }
