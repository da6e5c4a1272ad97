"""The rewards of a hybrid run, in the form that verl calls them (``reward.custom_reward_function``).

verl runs on many machines; programs are judged where ``critique-coder serve`` runs. The rewards are those of
``training.rewards``: a critique earns 1 when its judgement is the label, a program its share of tests passed.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import httpx

from critique_coder.data.rows.columns import source_of
from critique_coder.prompts import parse_judgement
from critique_coder.training.rewards import agrees

_ATTEMPTS = 8
_PAUSE_S = 0.5


class JudgeUnreachable(Exception):
    """The judge's server does not answer; no reward is made up in its place."""


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
    judge: str | None = None,
    token: str | None = None,
    critique_weight: float = 1.0,
    **others: Any,
) -> dict[str, Any]:
    """The score of one answer in [0, 1], times ``critique_weight`` for a critique.

    ``judge`` is the base URL of the judge's server (else ``CRITIQUE_CODER_JUDGE``), ``token`` its token (else
    ``CRITIQUE_CODER_TOKEN``). An answer that the judge could not score gets 0 and ``unscored`` 1: verl has no row
    without a reward. Raises ValueError for rows of another source, JudgeUnreachable.
    """
    if data_source == source_of("critique"):
        judgement = parse_judgement(solution_str)
        hit = agrees(judgement, ground_truth == "T")
        return _score(critique_weight * hit, judgement.value, False)
    if data_source != source_of("solve"):
        raise ValueError(f"data source {data_source!r}: these rewards are for rows that critique-coder exported")
    address = judge or os.environ.get("CRITIQUE_CODER_JUDGE")
    if not address:
        raise ValueError(
            "the judge's address is missing: reward_kwargs.judge=http://HOST:PORT of `critique-coder serve`"
        )
    verdict = await _verdict(address, token or os.environ.get("CRITIQUE_CODER_TOKEN"), ground_truth, solution_str)
    return _score(verdict["pass_rate"] or 0.0, verdict["outcome"], verdict["pass_rate"] is None)


def _score(score: float, finding: str, unscored: bool) -> dict[str, Any]:
    return {"score": float(score), "finding": finding, "unscored": int(unscored)}


async def _verdict(address: str, token: str | None, problem: str, completion: str) -> dict[str, Any]:
    """Ask the judge, again after a pause while it is busy or not there."""
    body = {"problem": json.loads(problem), "solutions": [{"id": "rollout", "completion": completion}]}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    reason = ""
    async with httpx.AsyncClient(timeout=600, headers=headers) as client:
        for attempt in range(_ATTEMPTS):
            try:
                response = await client.post(address.rstrip("/") + "/v1/verify", json=body)
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if response.status_code == 200:
                    verdict: dict[str, Any] = response.json()["verdicts"][0]
                    return verdict
                reason = f"HTTP {response.status_code}: {response.text[:200]}"
                if response.status_code not in (429, 500, 502, 503, 504):
                    break
            await asyncio.sleep(_PAUSE_S * 2**attempt)
    raise JudgeUnreachable(f"{address}: {' '.join(reason.split())}; is `critique-coder serve` running there?")
