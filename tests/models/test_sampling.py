"""Sampling: the distribution that was asked for, and the same tokens as transformers' own ``generate``."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers.cache_utils import DynamicLayer

from critique_coder.models import Sampling
from critique_coder.models.cache import InPlaceLayer
from critique_coder.models.local import LocalModel
from critique_coder.models.sampling import Generated, draw, generate
from critique_coder.prompts import extract_code
from tiny_model import END, PAD, tiny_model, tiny_tokenizer

GREEDY = Sampling(temperature=0, top_p=1, top_k=0, max_tokens=12)
FREE = Sampling(temperature=1, top_p=1, top_k=0, max_tokens=12, seed=1)
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13, 14], [5, 6, 7, 8, 9], [20, 21]]
LOGITS = torch.tensor([2.0, 1.5, 1.0, 0.0, -1.0, -3.0])


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_model()


def wanted(temperature: float, top_k: int, top_p: float) -> torch.Tensor:
    """The exact distribution: temperature, then the ``top_k`` likeliest, then the smallest set of mass ``top_p``."""
    chances = (LOGITS / temperature).softmax(0)
    if top_k:
        chances[LOGITS.argsort(descending=True)[top_k:]] = 0
        chances = chances / chances.sum()
    order = chances.argsort(descending=True)
    kept, mass = torch.zeros_like(chances), 0.0
    for token in order.tolist():
        if mass < top_p:
            kept[token] = chances[token]
        mass += float(chances[token])
    return kept / kept.sum()


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1, 0, 1), (0.5, 0, 1), (2, 0, 1), (1, 3, 1), (1, 100, 1), (1, 0, 0.7), (0.6, 4, 0.9), (1, 0, 0.05), (1, 1, 1)],
)
def test_draws_have_the_distribution_that_was_asked_for(temperature: float, top_k: int, top_p: float) -> None:
    rows = 20_000
    sampling = Sampling(temperature, top_p, top_k)
    tokens, logprobs = draw(LOGITS.repeat(rows, 1), sampling, torch.Generator().manual_seed(3))
    chances = wanted(temperature, top_k, top_p)
    found = torch.bincount(tokens, minlength=len(LOGITS)) / rows
    assert torch.allclose(found, chances, atol=0.012)
    assert bool((found[chances == 0] == 0).all())
    assert torch.allclose(logprobs, chances[tokens].log(), atol=1e-5)


def test_temperature_zero_takes_the_likeliest() -> None:
    tokens, _ = draw(torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]]), GREEDY, torch.Generator())
    assert tokens.tolist() == [1, 0]


def tokens_of(rows: list[Generated]) -> list[list[int]]:
    return [row.tokens for row in rows]


def greedy_by_transformers(model: Any, prompts: list[list[int]], end: int) -> list[list[int]]:
    width = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    out = model.generate(
        input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=12, eos_token_id=end, pad_token_id=PAD
    )
    rows = out[:, width:].tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def test_greedy_is_what_transformers_generates(model: Any) -> None:
    found = generate(model, PROMPTS, GREEDY, end_ids=frozenset({END}))
    assert tokens_of(found) == greedy_by_transformers(model, PROMPTS, END)


def an_early_end(model: Any) -> int:
    """A token that some greedy continuations write early, some late or never."""
    rows = tokens_of(generate(model, PROMPTS, GREEDY, end_ids=frozenset()))
    places = {token: [row.index(token) if token in row else 99 for row in rows] for row in rows for token in row}
    return max(places, key=lambda token: len(set(places[token])))


def test_a_row_that_ends_early_does_not_disturb_the_others(model: Any) -> None:
    end = an_early_end(model)
    found = generate(model, PROMPTS, GREEDY, end_ids=frozenset({end}))
    assert len({len(row.tokens) for row in found}) > 1
    assert tokens_of(found) == greedy_by_transformers(model, PROMPTS, end)
    for row in found:
        assert row.finished is (row.tokens[-1] == end) and end not in row.tokens[:-1]
        assert len(row.logprobs) == len(row.tokens)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_batches_and_shared_prefixes_change_no_greedy_result(model: Any, batch_size: int) -> None:
    prompts = [prompt for prompt in PROMPTS for _ in range(3)]
    alone = [generate(model, [prompt], GREEDY, end_ids=frozenset({END}))[0].tokens for prompt in prompts]
    found = generate(model, prompts, GREEDY, end_ids=frozenset({END}), batch_size=batch_size)
    assert tokens_of(found) == alone


def test_prompts_in_any_order_get_their_own_answers(model: Any) -> None:
    found = generate(model, PROMPTS, GREEDY, end_ids=frozenset({END}))
    back = generate(model, PROMPTS[::-1], GREEDY, end_ids=frozenset({END}))
    assert tokens_of(back)[::-1] == tokens_of(found)


def test_the_same_seed_gives_the_same_and_another_another(model: Any) -> None:
    prompts = PROMPTS * 3
    first, again = (tokens_of(generate(model, prompts, FREE, end_ids=frozenset({END}), batch_size=4)) for _ in range(2))
    other = Sampling(1, 1, 0, 12, seed=2)
    assert first == again != tokens_of(generate(model, prompts, other, end_ids=frozenset({END}), batch_size=4))


def test_one_core_draws_what_two_draw(model: Any) -> None:
    cores, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(tokens_of(generate(model, PROMPTS * 4, FREE, end_ids=frozenset({END}), batch_size=5)))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(cores)
    assert found[0] == found[1]


def test_what_goes_wrong_while_drawing_ends_the_drawing(model: Any) -> None:
    calls: list[int] = []

    def full(tokens: int, rows: int) -> None:
        calls.append(tokens)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(model, PROMPTS * 4, FREE, end_ids=frozenset(), batch_size=4, on_tokens=full)
    assert len(calls) <= 2 * torch.get_num_threads()


def test_no_prompts_get_no_answers(model: Any) -> None:
    assert generate(model, [], FREE, end_ids=frozenset()) == []


def test_equal_prompts_get_different_samples(model: Any) -> None:
    rows = tokens_of(generate(model, [PROMPTS[0]] * 8, FREE, end_ids=frozenset()))
    assert len({tuple(row) for row in rows}) == 8


def test_log_probabilities_are_those_of_the_model(model: Any) -> None:
    for row, prompt in zip(generate(model, PROMPTS, FREE, end_ids=frozenset()), PROMPTS, strict=True):
        with torch.no_grad():
            logp = model(input_ids=torch.tensor([prompt + row.tokens])).logits[0].log_softmax(-1)
        places = range(len(prompt) - 1, len(prompt) + len(row.tokens) - 1)
        assert row.logprobs == pytest.approx(
            [float(logp[p, t]) for p, t in zip(places, row.tokens, strict=True)], abs=1e-4
        )


def test_progress_counts_every_token_and_every_row(model: Any) -> None:
    calls: list[tuple[int, int]] = []
    rows = generate(
        model,
        PROMPTS,
        FREE,
        end_ids=frozenset({END}),
        batch_size=2,
        on_tokens=lambda tokens, done: calls.append((tokens, done)),
    )
    assert sum(tokens for tokens, _ in calls) == sum(len(row.tokens) for row in rows)
    assert sum(done for _, done in calls) == len(PROMPTS)


def test_a_local_model_answers_chats_in_order(model: Any) -> None:
    local = LocalModel(model, tiny_tokenizer(), "tiny", batch_size=3)
    chats = [[{"role": "user", "content": f"w{n} w{n + 1}"}] for n in (5, 30, 7)]
    groups = local.sample(chats, 2, Sampling(temperature=0, max_tokens=6))
    assert [len(group) for group in groups] == [2, 2, 2]
    for chat, group in zip(chats, groups, strict=True):
        ids = local.encode(chat)
        assert ids[-1] == 2
        (alone,) = generate(model, [ids], Sampling(temperature=0, max_tokens=6), end_ids=local.end_ids)
        assert {answer.text for answer in group} == {local.tokenizer.decode(alone.tokens, skip_special_tokens=True)}
        assert {(answer.tokens, answer.finished) for answer in group} == {(len(alone.tokens), alone.finished)}


def test_an_answer_tells_of_the_thinking_that_the_chat_template_began(model: Any) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = tokenizer.chat_template.replace("w2{% endif %}", "w2 <think>{% endif %}")
    local = LocalModel(model, tokenizer, "tiny")
    ((answer,),) = local.sample([[{"role": "user", "content": "w5"}]], 1, Sampling(temperature=0, max_tokens=6))
    assert answer.text.startswith("<think>\n")
    assert extract_code(answer.text + "```\nx\n```") is None


def test_a_model_may_have_several_end_tokens(model: Any) -> None:
    tokenizer = tiny_tokenizer()
    several = tiny_model()
    several.generation_config.eos_token_id = [END, 7]
    assert LocalModel(several, tokenizer, "tiny").end_ids == {END, 7}
    assert LocalModel(model, tokenizer, "tiny").end_ids == {END}


def test_a_cache_that_is_full_grows_and_keeps_what_it_holds() -> None:
    plain = DynamicLayer()
    first = torch.randn(2, 3, 4, 5)
    plain.update(first, first)
    owner = torch.tensor([0, 0, 1])
    ours = InPlaceLayer.spread(plain, owner, room=1)
    plain.batch_select_indices(owner)
    for length in (1, 2, 3):
        added = torch.randn(3, 3, length, 5)
        for mine, wanted in zip(ours.update(added, -added), plain.update(added, -added), strict=True):
            assert torch.equal(mine, wanted)
    for layer in (ours, plain):
        layer.batch_select_indices(torch.tensor([2, 1]))
    assert torch.equal(ours.keys, plain.keys) and torch.equal(ours.values, plain.values)
