"""A model behind an OpenAI-compatible server (vLLM, SGLang, a hosted one), asked over HTTP."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

import httpx

from critique_coder.models.answers import AnswerCache, key_of
from critique_coder.models.base import Completion, Messages, ModelError, Progress, Sampling

_ATTEMPTS = 6
_AHEAD = 4
"""Requests that are begun or wait in line, for each that may be in flight."""
_LONGEST_PAUSE_S = 120.0
_RETRY_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}


class EndpointModel:
    """Asks ``<base>/chat/completions``. The key comes from ``OPENAI_API_KEY``; without one no key is sent.

    ``model`` None asks the server which model it serves. ``concurrency`` bounds the requests in flight. What ``cache``
    has is not asked again, and what comes is in it at once.
    """

    def __init__(
        self,
        base: str,
        model: str | None,
        concurrency: int = 32,
        timeout_s: float = 600,
        cache: AnswerCache | None = None,
    ) -> None:
        key = os.environ.get("OPENAI_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._base = base.rstrip("/")
        self._client = httpx.Client(
            headers=headers, timeout=timeout_s, limits=httpx.Limits(max_connections=concurrency)
        )
        self._concurrency, self._cache = concurrency, cache
        self._failed = threading.Event()
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
        answers = list(self.stream(jobs, sampling, progress))
        return [answers[start : start + n] for start in range(0, len(answers), n)]

    def stream(
        self,
        jobs: Iterable[tuple[Messages, int]],
        sampling: Sampling,
        progress: Progress = lambda tokens, completions: None,
    ) -> Iterator[Completion]:
        """An answer for each (messages, seed), in their order; ``jobs`` is read a little ahead.

        When one fails for good the others that are under way are let end, so that what they bring is in the cache.
        """
        self._failed.clear()
        waiting: deque[Future[Completion]] = deque()
        rest = iter(jobs)
        with ThreadPoolExecutor(self._concurrency) as pool:
            try:
                while True:
                    for messages, seed in islice(rest, _AHEAD * self._concurrency - len(waiting)):
                        waiting.append(pool.submit(self._answer, messages, sampling, seed))
                    if not waiting:
                        return
                    answer = waiting.popleft().result()
                    progress(answer.tokens, 1)
                    yield answer
            except BaseException:
                self._failed.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _answer(self, messages: Messages, sampling: Sampling, seed: int) -> Completion:
        key = key_of(self._model, messages, sampling, seed)
        known = self._cache.get(key) if self._cache is not None else None
        if known is not None:
            return known
        answer = self._ask(messages, sampling, seed)
        if self._cache is not None:
            self._cache.put(key, answer)
        return answer

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
            usage = reply.get("usage") or {}
            tokens, read = (int(usage.get(key) or 0) for key in ("completion_tokens", "prompt_tokens"))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ModelError(f"endpoint {self._base}: the answer is not a chat completion ({error!r})") from None
        if thinking:
            text = f"<think>{thinking}</think>{text}"
        return Completion(text, tokens, choice.get("finish_reason") != "length", read)

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
            if self._failed.is_set():
                break
            if attempt + 1 < _ATTEMPTS:
                time.sleep(pause)
        raise ModelError(
            f"endpoint {self._base}: no answer ({reason}); is the server running, and is the URL its /v1 base? "
            "The same command goes on from here"
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
    """Seconds to wait: as ``Retry-After`` says (a number, or a date), at most two minutes."""
    said = response.headers.get("Retry-After", "")
    try:
        return min(_LONGEST_PAUSE_S, max(0.0, float(said)))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return otherwise
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(_LONGEST_PAUSE_S, max(0.0, (until - datetime.now(UTC)).total_seconds()))
