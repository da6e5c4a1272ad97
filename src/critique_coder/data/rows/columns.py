"""The columns of exported rows: those that TRL and verl look for, side by side in one table.

TRL's trainers find ``prompt`` (GRPO), ``prompt`` and ``completion`` (SFT), and those with ``label`` (KTO). verl's
readers find ``data_source``, ``prompt``, ``ability``, ``reward_model`` and ``extra_info`` (RL), or ``messages`` (SFT).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from critique_coder.data.mix import RowKind
from critique_coder.prompts import Template
from critique_coder.records import Json, Problem
from critique_coder.storage import dumps

_TEXT, _FLAG, _REAL = pa.string(), pa.bool_(), pa.float64()
_CHAT = pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)]))
_NAMES = [("id", _TEXT), ("problem_id", _TEXT), ("solution_id", _TEXT), ("data_source", _TEXT)]
_TEMPLATE = [("template", _TEXT), ("template_hash", _TEXT)]
_EXTRA = pa.struct([("index", pa.int64()), ("split", _TEXT), ("row_id", _TEXT), ("problem_id", _TEXT)])

RL_SCHEMA = pa.schema(
    [
        *_NAMES,
        ("kind", _TEXT),
        ("prompt", _CHAT),
        ("label", _FLAG),
        ("label_source", _TEXT),
        ("ability", _TEXT),
        ("reward_model", pa.struct([("style", _TEXT), ("ground_truth", _TEXT)])),
        ("extra_info", _EXTRA),
        *_TEMPLATE,
    ]
)
"""rl, crl, hybrid: a prompt, and what its answers are rewarded by."""

SFT_SCHEMA = pa.schema(
    [
        *_NAMES,
        ("prompt", _CHAT),
        ("completion", _CHAT),
        ("messages", _CHAT),
        ("inference_prompt", _CHAT),
        ("label", _FLAG),
        ("label_source", _TEXT),
        ("judgement", _TEXT),
        ("author", _TEXT),
        ("extra_info", _EXTRA),
        *_TEMPLATE,
    ]
)
"""cft, cgd, ctrl: a prompt and the answer to learn. ``inference_prompt`` is what is asked after the training."""

KTO_SCHEMA = pa.schema(
    [
        *_NAMES,
        ("prompt", _CHAT),
        ("completion", _CHAT),
        ("label", _FLAG),
        ("judgement_right", _FLAG),
        ("reason_right", _FLAG),
        ("label_source", _TEXT),
        ("extra_info", _EXTRA),
        *_TEMPLATE,
    ]
)
"""kto: an answer, and whether it is wanted."""

CURE_SCHEMA = pa.schema(
    [
        *_NAMES,
        ("kind", _TEXT),
        ("prompt", _CHAT),
        ("completion", _CHAT),
        ("reward", _REAL),
        ("advantage", _REAL),
        ("passes", pa.list_(_FLAG)),
        ("author", _TEXT),
        ("extra_info", _EXTRA),
        *_TEMPLATE,
    ]
)
"""cure: codes and tests of a problem with their rewards; ``passes`` is the row or column of the matrix."""


def source_of(kind: str) -> str:
    """verl's ``data_source``, by which a reward function tells rows apart."""
    return f"critique-coder/{kind}"


def extra_info(row_id: str, problem_id: str, split: str) -> dict[str, Json]:
    """verl's ``extra_info``; the place of the row is filled in when it is written."""
    return {"index": 0, "split": split, "row_id": row_id, "problem_id": problem_id}


def rl_columns(row: dict[str, Json], problem: Problem) -> dict[str, Any]:
    """A build's training row with the columns of verl.

    ``ground_truth`` is ``T`` or ``F`` for a critique; for a solution it is the problem as JSON, with its tests, as the
    judge's server takes it.
    """
    if row["kind"] == RowKind.CRITIQUE:
        truth = "T" if row["label"] else "F"
    else:
        truth = dumps(problem.to_json())
    return {
        **row,
        "data_source": source_of(row["kind"]),
        "ability": "code",
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": extra_info(row["id"], row["problem_id"], row["split"]),
    }


def named(template: Template) -> dict[str, str]:
    """The columns that say by which template a prompt was made."""
    return {"template": template.name, "template_hash": template.sha256}


def said(text: str) -> list[dict[str, str]]:
    """A completion as chat."""
    return [{"role": "assistant", "content": text}]
