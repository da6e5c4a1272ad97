"""A model behind an OpenAI-compatible server (vLLM, SGLang, a hosted one), asked over HTTP."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from critique_coder.models.base import Completion, Messages, ModelError, Progress, Sampling

_ATTEMPTS = 6
_RETRY_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}


class EndpointModel:
    """Asks ``<base>/chat/completions``. The key comes from ``OPENAI_API_KEY``; without one no key is sent.

    ``model`` None asks the server which model it serves. ``concurrency`` bounds the requests in flight.
    """

    def __init__(self, base: str, model: str | None, concurrency: int = 32, timeout_s: float = 600) -> None:
        key = os.environ.get("OPENAI_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._base = base.rstrip("/")
        self._client = httpx.Client(
            headers=headers, timeout=timeout_s, limits=httpx.Limits(max_connections=concurrency)
        )
        self._concurrency = concurrency
        self._model = model or self._served_model()

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return self._model

    def sample(
        self,
        prompts: Sequence[Messages],
        n: int,
        sampling: Sampling,
        progress: Progress = lambda tokens, completions: None,
    ) -> list[list[Completion]]:
        """``n`` answers for each prompt; each is a request of its own with a seed of its own."""
        jobs = [(messages, sampling.seed + number) for messages in prompts for number in range(n)]

        def ask(job: tuple[Messages, int]) -> Completion:
            answer = self._ask(job[0], sampling, job[1])
            progress(answer.tokens, 1)
            return answer

        with ThreadPoolExecutor(self._concurrency) as pool:
            answers = list(pool.map(ask, jobs))
        return [answers[start : start + n] for start in range(0, len(answers), n)]

    def _ask(self, messages: Messages, sampling: Sampling, seed: int) -> Completion:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": list(messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": seed,
        }
        reply = self._request("POST", "/chat/completions", body)
        try:
            choice = reply["choices"][0]
            text = choice["message"].get("content") or ""
            thinking = choice["message"].get("reasoning_content") or choice["message"].get("reasoning")
            tokens = int((reply.get("usage") or {}).get("completion_tokens") or 0)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ModelError(f"endpoint {self._base}: the answer is not a chat completion ({error!r})") from None
        if thinking:
            text = f"<think>{thinking}</think>{text}"
        return Completion(text, tokens, choice.get("finish_reason") != "length")

    def _served_model(self) -> str:
        try:
            return str(self._request("GET", "/models")["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            raise ModelError(
                f"endpoint {self._base}: does not say which model it serves; name one with --model"
            ) from None

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request, repeated with growing pauses (or as ``Retry-After`` says) while the server is busy."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            try:
                response = self._client.request(method, self._base + path, json=body)
            except httpx.HTTPError as error:
                reason = f"{type(error).__name__}: {error}"
                if isinstance(error, httpx.UnsupportedProtocol | httpx.ConnectError) and attempt >= 1:
                    break
                response = None
            if response is not None and response.status_code not in _RETRY_STATUS:
                return self._json(response)
            pause = min(30.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.5)
            if response is not None:
                reason = f"HTTP {response.status_code}"
                pause = _retry_after(response, pause)
            if attempt + 1 < _ATTEMPTS:
                time.sleep(pause)
        raise ModelError(
            f"endpoint {self._base}: no answer ({reason}); is the server running, and is the URL its /v1 base?"
        )

    def _json(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise ModelError(
                f"endpoint {self._base}: HTTP {response.status_code}: {' '.join(response.text[:200].split())}"
            )
        try:
            return response.json()
        except ValueError:
            raise ModelError(
                f"endpoint {self._base}: answered something that is not JSON; is the URL its /v1 base?"
            ) from None


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    try:
        return min(120.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return otherwise
