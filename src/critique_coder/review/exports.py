"""What trainers and evaluation tools read of a review: TRL, verl, inspect_ai.

The prompt of a critique comes from the build's templates, which this room does not know, as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from critique_coder.records import Json
from critique_coder.review.apply import Plan
from critique_coder.review.cases import Case, Evidence, Question, asked, solutions_of

Prompt = Callable[[Case], list[dict[str, str]]]
"""The chat that asks for a critique of a case's solution."""

LETTERS = {True: "C", False: "I"}
"""inspect_ai's values for correct and incorrect."""


def grpo_rows(evidence: Evidence, prompt: Prompt) -> list[dict[str, Json]]:
    """TRL, prompt-only: ``prompt`` and, for the reward, people's ``label`` with where it comes from."""
    return [
        {"prompt": prompt(case), "label": label, "label_source": source, **_names(case)}
        for case, label, source in _labelled(evidence)
    ]


def verl_rows(evidence: Evidence, prompt: Prompt, data_source: str = "critique-coder") -> list[dict[str, Json]]:
    """verl's Parquet rows: the truth is the letter that the critique's verdict line must hold."""
    return [
        {
            "data_source": data_source,
            "prompt": prompt(case),
            "ability": "critique",
            "reward_model": {"style": "rule", "ground_truth": "T" if label else "F"},
            "extra_info": {"index": place, "label_source": source, **_names(case)},
        }
        for place, (case, label, source) in enumerate(_labelled(evidence))
    ]


def verl_schema() -> Any:
    """The pyarrow schema of ``verl_rows``."""
    import pyarrow as pa

    text = pa.string()
    message = pa.struct([("role", text), ("content", text)])
    return pa.schema(
        [
            ("data_source", text),
            ("prompt", pa.list_(message)),
            ("ability", text),
            ("reward_model", pa.struct([("style", text), ("ground_truth", text)])),
            (
                "extra_info",
                pa.struct([("index", pa.int64()), ("label_source", text), ("problem_id", text), ("solution_id", text)]),
            ),
        ]
    )


def kto_rows(made: Plan, cases: Iterable[Case], prompt: Prompt) -> list[dict[str, Json]]:
    """TRL, unpaired preference: ``label`` is True for a critique that is right in judgement and reason."""
    by_row = _by_row(cases)
    return [
        {
            "prompt": prompt(by_row[one.row_id, one.completion]),
            "completion": [{"role": "assistant", "content": one.completion}],
            "label": bool(one.judgement_right and one.reason_right),
        }
        for one in made.kto
    ]


def cft_rows(made: Plan, cases: Iterable[Case], prompt: Prompt) -> list[dict[str, Json]]:
    """TRL, prompt-completion: the critiques that people found right, to imitate (critique fine-tuning)."""
    by_row = _by_row(cases)
    return [
        {
            "prompt": prompt(by_row[one.row_id, one.completion]),
            "completion": [{"role": "assistant", "content": one.completion}],
        }
        for one in made.cft
    ]


def _by_row(cases: Iterable[Case]) -> dict[tuple[str, str], Case]:
    return {(case.row_id, case.completion): case for case in cases if case.row_id and case.completion}


def inspect_rows(evidence: Evidence) -> list[dict[str, Json]]:
    """Records for inspect_ai's scorer ``precomputed_scores``: ``id`` is the solution's, ``value`` C or I."""
    resolved = evidence.resolved()
    rows = []
    for case, label, source in _labelled(evidence):
        found = resolved[asked(case.id, Question.CORRECT)]
        metadata = {
            "problem_id": case.problem.id,
            "label_source": source,
            "votes": {"correct": found.yes, "incorrect": found.no, "cant_tell": found.cant_tell},
            "tags": list(found.tags),
        }
        rows.append({"id": case.solution_id, "value": LETTERS[label], "explanation": found.note, "metadata": metadata})
    return rows


def _labelled(evidence: Evidence) -> Iterator[tuple[Case, bool, str]]:
    """The solutions that have a label by people, the label, and its source; each once, and none of the quarantine."""
    resolved = evidence.resolved()
    seen: set[str] = set()
    used = [case for case in solutions_of(evidence.cases) if case.quarantine is None]
    for case in sorted(used, key=lambda case: (case.problem.id, case.solution_id)):
        found = resolved.get(asked(case.id, Question.CORRECT))
        if found is not None and found.label is not None and found.source and case.solution_id not in seen:
            seen.add(case.solution_id)
            yield case, found.label, found.source.value


def _names(case: Case) -> dict[str, Json]:
    return {"problem_id": case.problem.id, "solution_id": case.solution_id}
