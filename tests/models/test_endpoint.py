"""An endpoint over real HTTP: what is asked, what is understood, and what is tried again."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from critique_coder.models import ModelError, Sampling, open_model
from critique_coder.models.answers import AnswerCache
from critique_coder.models.endpoint import EndpointModel
from critique_coder.prompts import extract_code, parse_judgement
from critique_coder.records import Judgement
from openai_server import Reply, completion, cut, serve

CHAT = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are written down instead of waited for; no key is in the environment."""
    pauses: list[float] = []
    monkeypatch.setattr("critique_coder.models.endpoint.time.sleep", pauses.append)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return pauses


def refusal(url: str, model: str | None = "m") -> str:
    with pytest.raises(ModelError) as caught:
        EndpointModel(url, model).sample([CHAT], 1, Sampling())
    assert "\n" not in str(caught.value) and url in str(caught.value)
    return str(caught.value)


def test_settings_reach_the_server_and_answers_keep_their_order() -> None:
    def answer(number: int, body: Any) -> Reply:
        return completion(f"{body['messages'][0]['content']} {body['seed']}")

    chats = [[{"role": "user", "content": f"chat {n}"}] for n in range(5)]
    with serve(answer) as served:
        model = open_model("m", served.url, 3)
        groups = model.sample(chats, 2, Sampling(0.3, 0.8, 0, 77, seed=10))
        assert [[a.text for a in group] for group in groups] == [[f"chat {n} 10", f"chat {n} 11"] for n in range(5)]
        assert served.most_at_once <= 3 and len(served.requests) == 10
        body = served.requests[0][2]
    assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == ("m", 0.3, 0.8, 77)


def test_progress_and_lengths_are_told() -> None:
    calls: list[tuple[int, int]] = []
    with serve(lambda number, body: completion("x", tokens=7)) as served:
        ((answer,),) = EndpointModel(served.url, "m").sample([CHAT], 1, Sampling(), lambda t, c: calls.append((t, c)))
    assert (answer.tokens, answer.finished, calls) == (7, True, [(7, 1)])


def test_an_answer_that_was_cut_is_not_finished() -> None:
    with serve(lambda number, body: completion("x", finish="length")) as served:
        ((answer,),) = EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
    assert not answer.finished


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thinking_is_kept_apart_from_the_answer(key: str) -> None:
    with serve(lambda number, body: completion(r"\conclusion{F}", "stop", 3, **{key: r"\conclusion{T}"})) as served:
        ((answer,),) = EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
    assert parse_judgement(answer.text) is Judgement.INCORRECT and r"\conclusion{T}" in answer.text


def test_thinking_without_an_answer_is_no_answer() -> None:
    thoughts = "```python\nx = 1\n```\n" + r"\conclusion{T}"
    with serve(lambda number, body: completion(None, finish="length", reasoning_content=thoughts)) as served:  # type: ignore[arg-type]
        ((answer,),) = EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
    assert parse_judgement(answer.text) is Judgement.MALFORMED and extract_code(answer.text) is None


def test_the_server_says_which_model_it_serves() -> None:
    with serve(lambda number, body: completion("x")) as served:
        assert EndpointModel(served.url, None).name == "served-model"
        assert EndpointModel(served.url + "/", "mine").name == "mine"


def test_a_key_is_sent_only_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda number, body: completion("x")) as served:
        EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
        headers = [headers.get("Authorization") for _, headers, _ in served.requests]
    assert headers == [None, "Bearer secret"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_asked_again_with_growing_pauses(status: int, quick: list[float]) -> None:
    with serve(
        lambda number, body: completion("at last") if number >= 3 else (status, {}, {"error": "busy"})
    ) as served:
        ((answer,),) = EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
        assert answer.text == "at last" and len(served.requests) == 4
    assert len(quick) == 3 and all(pause > 0 for pause in quick) and quick[2] > quick[0]


def test_retry_after_is_obeyed(quick: list[float]) -> None:
    with serve(lambda number, body: completion("x") if number else (429, {"Retry-After": "7"}, {})) as served:
        EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
    assert quick == [7]


def date_in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [(40, 10, 40), (-40, 0, 0), (1e6, 120, 120), ("9999", 120, 120), ("-3", 0, 0)],
)
def test_a_retry_after_is_a_date_or_a_number_and_has_a_bound(
    quick: list[float], said: str | float, least: float, most: float
) -> None:
    """A number here is a date that many seconds from now."""
    header = said if isinstance(said, str) else date_in(said)
    with serve(lambda number, body: completion("x") if number else (503, {"Retry-After": header}, {})) as served:
        EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
    assert len(quick) == 1 and least <= quick[0] <= most


def test_a_retry_after_that_says_nothing_does_no_harm(quick: list[float]) -> None:
    with serve(lambda number, body: completion("x") if number else (503, {"Retry-After": "soon"}, {})) as served:
        EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
    assert len(quick) == 1 and 0 < quick[0] < 60


def test_an_answer_that_breaks_off_is_asked_again(quick: list[float]) -> None:
    with serve(lambda number, body: completion("whole") if number else cut(completion("whole"))) as served:
        ((answer,),) = EndpointModel(served.url, "m").sample([CHAT], 1, Sampling())
    assert answer.text == "whole" and answer.prompt_tokens == 10 and len(quick) == 1


def test_a_slow_answer_holds_up_no_other() -> None:
    done: list[str] = []

    def answer(number: int, body: Any) -> Reply:
        name = body["messages"][0]["content"]
        give_up = time.monotonic() + 20
        while name == "slow" and len(done) < 7 and time.monotonic() < give_up:
            threading.Event().wait(0.01)
        done.append(name)
        return completion(name)

    chats = [[{"role": "user", "content": name}] for name in ("slow", *(f"quick {n}" for n in range(7)))]
    with serve(answer) as served:
        groups = EndpointModel(served.url, "m", concurrency=2).sample(chats, 1, Sampling())
    assert [group[0].text for group in groups] == [chat[0]["content"] for chat in chats] and done[-1] == "slow"


def test_what_was_answered_is_never_asked_again(tmp_path: Path) -> None:
    chats = [[{"role": "user", "content": f"chat {n}"}] for n in range(6)]

    def model(url: str) -> EndpointModel:
        return EndpointModel(url, "m", concurrency=1, cache=AnswerCache(tmp_path / "answers.sqlite"))

    with serve(lambda number, body: (400, {}, {}) if number == 4 else completion(f"answer {number}")) as served:
        with pytest.raises(ModelError):
            model(served.url).sample(chats, 1, Sampling())
        before = len(served.requests)
        groups = model(served.url).sample(chats, 1, Sampling())
        assert [group[0].text for group in groups[:4]] == [f"answer {n}" for n in range(4)]
        assert len(served.requests) - before <= 2
        after = len(served.requests)
        assert model(served.url).sample(chats, 1, Sampling()) == groups and len(served.requests) == after
        model(served.url).sample(chats[:1], 2, Sampling())
        model(served.url).sample(chats[:1], 1, Sampling(temperature=0.1))
        assert len(served.requests) == after + 2


def test_a_dead_server_ends_a_long_list_of_questions_at_once() -> None:
    with serve(lambda number, body: completion("x")) as served:
        url = served.url
    chats = [[{"role": "user", "content": f"chat {n}"}] for n in range(500)]
    with pytest.raises(ModelError, match="same command goes on"):
        EndpointModel(url, "m", concurrency=4).sample(chats, 1, Sampling())


def test_a_file_that_is_no_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_text("this is not a database, and long enough to be looked at as one" * 50)
    with pytest.raises(ModelError, match=r"answers\.sqlite"):
        AnswerCache(tmp_path / "answers.sqlite")


def test_a_server_that_stays_busy_is_given_up(quick: list[float]) -> None:
    with serve(lambda number, body: (500, {}, {})) as served:
        assert "HTTP 500" in refusal(served.url)
        assert 2 < len(served.requests) < 20


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_told_at_once(status: int, quick: list[float]) -> None:
    with serve(lambda number, body: (status, {}, {"error": {"message": "no such\nmodel"}})) as served:
        message = refusal(served.url)
        assert str(status) in message and "no such" in message and len(served.requests) == 1
    assert quick == []


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b"", {}, {"choices": []}, {"choices": [{}]}, [1], {"choices": [{"message": None}]}]
)
def test_an_answer_of_another_shape_is_refused(body: Any) -> None:
    with serve(lambda number, _: (200, {}, body)) as served:
        refusal(served.url)


def test_a_server_that_is_not_there_is_told_quickly() -> None:
    with serve(lambda number, body: completion("x")) as served:
        url = served.url
    begun = time.monotonic()
    assert "running" in refusal(url)
    assert time.monotonic() - begun < 10


def test_an_url_without_scheme_is_refused() -> None:
    assert "/v1" in refusal("localhost:8000")
