"""The loss: log-probabilities against a full forward pass, the clipped objective against TRL's own trainer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from datasets import Dataset
from trl import GRPOTrainer

from critique_coder.training.engine_trl import Trainer, config
from critique_coder.training.likelihood import answer_logprobs, chance_of_right
from critique_coder.training.logprobs import clipped_loss, completion_logprobs
from critique_coder.training.recipe import GrpoSettings
from critique_coder.training.warmup import Lean, collate, encode_row, soften, warmup_loss
from tiny_model import PAD, tiny_model, tiny_tokenizer

ROWS: list[dict[str, Any]] = [
    {"prompt": [5, 6, 7], "completion": [10, 11, 12, 1], "weights": [1.0, 2.0, 1.0, 1.0]},
    {"prompt": [8], "completion": [13, 1], "weights": [1.0, 1.0]},
    {"prompt": [9, 10, 11, 12, 13], "completion": [14, 15, 16, 17, 18, 1], "weights": [1.0] * 6},
]

BEGIN = [20, 21, 22, 23, 24, 25, 26, 27, 28]
LIKE_BEGUN = [{**row, "prompt": [*BEGIN, *row["prompt"]]} for row in ROWS]
GROUP = [{**row, "prompt": [*BEGIN, 5]} for row in ROWS]


def test_collate_lets_all_completions_begin_in_one_column() -> None:
    batch = collate(ROWS, PAD)
    assert batch["input_ids"].tolist() == [
        [0, 0, 5, 6, 7, 10, 11, 12, 1, 0, 0],
        [0, 0, 0, 0, 8, 13, 1, 0, 0, 0, 0],
        [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 1],
    ]
    assert batch["attention_mask"].tolist() == (batch["input_ids"] != 0).long().tolist()
    assert batch["weights"].tolist() == [[1, 2, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]]


def test_collate_keeps_a_token_that_looks_like_padding() -> None:
    batch = collate([{"prompt": [PAD, 4], "completion": [PAD], "weights": [1.0]}], PAD)
    assert batch["attention_mask"].tolist() == [[1, 1, 1]] and batch["weights"].tolist() == [[1]]


def test_what_decides_weighs_more_and_nothing_else_does() -> None:
    words = "w5 w6 w7 w8"
    row = {"prompt": [{"role": "user", "content": "w9"}], "completion": [{"role": "assistant", "content": words}]}
    tokenizer = tiny_tokenizer()
    assert encode_row(tokenizer, {**row, "decisive": [0, words.index("w7")]}, 20.0)["weights"] == [20, 1, 20, 1, 1]
    assert encode_row(tokenizer, {**row, "decisive": None}, 20.0)["weights"] == [1] * 5


JUDGED: dict[str, Any] = {
    "id": "a",
    "label": True,
    "prompt": [{"role": "user", "content": "w9"}],
    "completion": [{"role": "assistant", "content": "w5 w6 w7"}],
    "decisive": [3, 6],
    "otherwise": "w8",
}


def test_a_judgement_moves_from_its_label_towards_the_chance_of_being_right() -> None:
    rows = [JUDGED, {**JUDGED, "id": "b", "label": False}, {**JUDGED, "id": "c", "label": None}]
    found = [row.get("otherwise_share") for row in soften(rows, {"a": 0.75, "b": 0.75}, 0.5)]
    assert found == [pytest.approx(0.125), pytest.approx(0.375), None]
    assert [row["otherwise_share"] for row in soften(rows[:2], {"a": 0.75, "b": 0.75}, 0.0)] == [0, 0]


def test_the_place_that_judges_is_the_deciding_word_and_no_other() -> None:
    tokenizer = tiny_tokenizer()
    place, other, share, side = encode_row(tokenizer, {**JUDGED, "otherwise_share": 0.25}, 20.0)["judges"]
    assert (place, share, side) == (1, 0.25, 1) and tokenizer.decode([other]) == "w8"
    assert encode_row(tokenizer, {**JUDGED, "label": False}, 20.0)["judges"] == (1, other, 0.0, -1)
    for missing in ({"otherwise": None}, {"decisive": None, "label": None}):
        assert "judges" not in encode_row(tokenizer, {**JUDGED, **missing}, 20.0)


def test_a_tokenizer_that_knows_neither_word_judges_nowhere() -> None:
    unknown = {**JUDGED, "completion": [{"role": "assistant", "content": "w5 right"}], "decisive": [3, 3]}
    assert "judges" not in encode_row(tiny_tokenizer(), {**unknown, "otherwise": "wrong"}, 20.0)


def judging(share: float, side: int) -> dict[str, Any]:
    """A row whose second token decides between 14 and 17."""
    row = {"prompt": [8, 9], "completion": [13, 14, 1], "weights": [1.0, 20.0, 1.0]}
    return {**row, "judges": (1, 17, share, side)}


def logprobs_after(prompt: list[int], completion: list[int]) -> torch.Tensor:
    """Of every word at each place of ``completion``."""
    logits: torch.Tensor = tiny_model()(input_ids=torch.tensor([prompt + completion])).logits[0].detach()
    return logits.log_softmax(-1)[len(prompt) - 1 : -1]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_loss_of_a_softened_token_is_shared_between_both(share: float) -> None:
    with torch.no_grad():
        found = warmup_loss(tiny_model(), collate([judging(share, 1)], PAD))
    logp = logprobs_after([8, 9], [13, 14, 1])
    judged = (1 - share) * logp[1, 14] + share * logp[1, 17]
    assert float(found) == pytest.approx(float(-(logp[0, 13] + 20 * judged + logp[2, 1]) / 22), rel=1e-4)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_judgement_relative_to_the_lean_is_that_of_logits_moved_by_it(share: float, side: int) -> None:
    lean = Lean()
    lean.seen(torch.tensor([3.0, 1.0]), torch.tensor([1, -1]))
    assert lean.now == 2.0
    with torch.no_grad():
        found = warmup_loss(tiny_model(), collate([judging(share, side), ROWS[1]], PAD), lean)
    logp, plain = logprobs_after([8, 9], [13, 14, 1]), logprobs_after([8], [13, 1])
    odds = float(logp[1, 14] - logp[1, 17]) * side
    assert lean.now == pytest.approx(2.0 + 0.3 * (odds - (3.0 if side == 1 else 1.0)) / 2, rel=1e-4)
    moved = logp[1].clone()
    moved[14] -= side * lean.now / 2
    moved[17] += side * lean.now / 2
    moved = moved.log_softmax(-1)
    judged = (1 - share) * moved[14] + share * moved[17]
    total = logp[0, 13] + 20 * judged + logp[2, 1] + plain[0, 13] + plain[1, 1]
    assert float(found) == pytest.approx(float(-total / 24), rel=1e-4)


def test_where_both_labels_lie_apart_evenly_the_lean_is_their_middle_however_many_there_are_of_each() -> None:
    lean = Lean()
    assert lean.now == 0.0
    assert lean.seen(torch.tensor([-3.0, -3.2, -2.8]), torch.tensor([-1, -1, -1])) == pytest.approx(-3.0)
    for _ in range(40):
        lean.seen(torch.tensor([5.0, 1.0, 1.0, 1.0]), torch.tensor([1, -1, -1, -1]))
    assert lean.now == pytest.approx(3.0, abs=1e-3)


def test_the_likelihood_of_an_answer_is_that_of_its_tokens_alone() -> None:
    model, tokenizer = tiny_model(), tiny_tokenizer()
    counted: list[int] = []
    chat = [{"role": "user", "content": "w9"}, {"role": "assistant", "content": "w5 w6 w7"}]
    found = answer_logprobs(model, tokenizer, [chat, [*chat[:1], {**chat[1], "content": "w8"}]], counted.append)
    row = encode_row(tokenizer, {"prompt": chat[:1], "completion": chat[1:], "decisive": None}, 1.0)
    ids, begin = row["prompt"] + row["completion"][:-1], len(row["prompt"])
    with torch.no_grad():
        logp = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)[begin - 1 : -1]
    own = logp.gather(-1, torch.tensor(ids[begin:])[:, None])[:, 0]
    assert found.shape == (2, 2) and counted == [1, 1]
    assert found[0].tolist() == pytest.approx([float(own.mean()), float(own.sum())], rel=0.02)  # perhaps in bfloat16


def test_the_chance_of_being_right_follows_what_tells_the_labels_apart_whatever_their_numbers() -> None:
    generator = torch.Generator().manual_seed(2)
    labels = [number % 10 == 0 for number in range(20_000)]
    telling = torch.tensor([2.0 * label for label in labels]) + torch.randn(20_000, generator=generator)
    chances = chance_of_right(torch.stack([telling, torch.randn(20_000, generator=generator)], dim=1), labels)
    # two unit normals, two apart, equally often: the chance is the logistic function of 2 x - 2
    assert torch.allclose(chances, (2 * telling - 2).sigmoid(), atol=0.06)
    with pytest.raises(ValueError):
        chance_of_right(torch.ones(3, 1), [True] * 3)


def test_collate_puts_the_padding_behind_what_all_prompts_begin_with() -> None:
    batch = collate(LIKE_BEGUN, PAD)
    assert batch["input_ids"][1].tolist() == [*BEGIN, 0, 0, 0, 0, 8, 13, 1, 0, 0, 0, 0]
    assert batch["attention_mask"][1].tolist() == [1] * 9 + [0] * 4 + [1] * 3 + [0] * 4


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("rows", [ROWS, LIKE_BEGUN, GROUP, GROUP[:1]], ids=["apart", "like begun", "group", "one"])
def test_log_probabilities_are_those_of_a_full_forward_pass_of_each_row(
    rows: list[dict[str, Any]], temperature: float
) -> None:
    model = tiny_model()
    batch = collate(rows, PAD)
    length = batch["weights"].shape[1]
    with torch.no_grad():
        found, entropy = completion_logprobs(model, batch["input_ids"], batch["attention_mask"], length, temperature)
        for place, row in enumerate(rows):
            prompt, completion = row["prompt"], row["completion"]
            logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
            logp = (logits / temperature).log_softmax(-1)[len(prompt) - 1 : -1]
            wanted = logp.gather(-1, torch.tensor(completion)[:, None])[:, 0]
            assert torch.allclose(found[place, : len(completion)], wanted, atol=1e-4)
            assert torch.allclose(entropy[place, : len(completion)], -(logp.exp() * logp).sum(-1), atol=1e-4)


@pytest.mark.parametrize("rows", [LIKE_BEGUN, GROUP], ids=["like begun", "group"])
def test_the_gradient_flows_through_what_was_computed_once(rows: list[dict[str, Any]]) -> None:
    together, apart = tiny_model(), tiny_model()
    batch = collate(rows, PAD)
    found, _ = completion_logprobs(together, batch["input_ids"], batch["attention_mask"], 6)
    (found * (batch["weights"] > 0)).sum().backward()  # type: ignore[no-untyped-call]
    for row in rows:
        one = collate([row], PAD)
        length = one["weights"].shape[1]
        alone, _ = completion_logprobs(apart, one["input_ids"], one["attention_mask"], length)
        alone.sum().backward()  # type: ignore[no-untyped-call]
    for mine, theirs in zip(together.parameters(), apart.parameters(), strict=True):
        assert mine.grad is not None and theirs.grad is not None
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-4)


def loss_of_one(ratio: float, advantage: float, low: float = 0.2, high: float = 0.3) -> tuple[float, float]:
    """The loss of one token and its gradient by the log-probability."""
    old = torch.tensor([[-1.0]])
    new = (old + torch.tensor(ratio).log()).requires_grad_()
    one = torch.ones(1, 1)
    loss = clipped_loss(new, old, torch.tensor([advantage]), one, one.sum(), low, high)
    loss.backward()  # type: ignore[no-untyped-call]
    assert new.grad is not None
    return loss.item(), new.grad.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "gradient"),
    [
        (1.0, 2.0, -2.0, -2.0),
        (1.25, 2.0, -2.5, -2.5),
        (1.5, 2.0, -2.6, 0.0),
        (0.5, 2.0, -1.0, -1.0),
        (1.5, -2.0, 3.0, 3.0),
        (0.9, -2.0, 1.8, 1.8),
        (0.5, -2.0, 1.6, 0.0),
        (1.5, 0.0, 0.0, 0.0),
    ],
)
def test_the_ratio_is_clipped_on_the_side_where_it_would_pay(
    ratio: float, advantage: float, loss: float, gradient: float
) -> None:
    assert loss_of_one(ratio, advantage) == pytest.approx((loss, gradient), abs=1e-5)


def test_the_parts_of_a_batch_add_up_to_its_mean_over_tokens() -> None:
    generator = torch.Generator().manual_seed(0)
    new, old = (torch.randn(6, 5, generator=generator) * 0.3 - 1 for _ in range(2))
    advantages = torch.randn(6, generator=generator)
    mask = (torch.rand(6, 5, generator=generator) < 0.7).float()
    whole = clipped_loss(new, old, advantages, mask, mask.sum(), 0.2, 0.3)
    parts = [
        clipped_loss(new[k : k + 2], old[k : k + 2], advantages[k : k + 2], mask[k : k + 2], mask.sum(), 0.2, 0.3)
        for k in (0, 2, 4)
    ]
    assert torch.allclose(whole, torch.stack(parts).sum(), atol=1e-6)
    ratio = (new - old).exp()
    gain = torch.minimum(ratio * advantages[:, None], ratio.clamp(0.8, 1.3) * advantages[:, None])
    assert torch.allclose(whole, -(gain * mask).sum() / mask.sum(), atol=1e-6)


def test_a_batch_without_tokens_has_loss_zero() -> None:
    nothing = torch.zeros(2, 3)
    assert float(clipped_loss(nothing, nothing, torch.ones(2), nothing, nothing.sum(), 0.2, 0.3)) == 0


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """Our trainer around the tiny model, in full precision."""
    settings = GrpoSettings(steps=1, prompts=2, group_size=4, micro_batch_size=8, max_tokens=8, temperature=0.9)
    made = Trainer(
        model=tiny_model(),
        processing_class=tiny_tokenizer(),
        reward_funcs=[lambda completions, **columns: [0.0] * len(completions)],
        args=config(settings, 0, tmp_path_factory.mktemp("trainer")),
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "w5"}]}] * 2),
    )
    made.current_gradient_accumulation_steps = made.args.gradient_accumulation_steps
    made.accelerator.native_amp = False
    made.model.eval()
    return made


def inputs_of(advantages: list[float], off_policy: bool) -> dict[str, Any]:
    """Eight shuffled rollouts of two prompts with padding on both sides; the third was cut and is masked out."""
    generator = torch.Generator().manual_seed(5)
    prompts = torch.randint(4, 64, (2, 14), generator=generator)[[0, 1, 1, 0, 1, 0, 0, 1]]
    completions = torch.randint(4, 64, (8, 7), generator=generator)
    prompt_mask, mask = torch.ones(8, 14, dtype=torch.long), torch.zeros(8, 7, dtype=torch.long)
    for row in range(8):
        prompt_mask[row, : 2 * int(prompts[row, 0] == prompts[0, 0])] = 0
        mask[row, : 1 + (3 * row) % 6] = 1
    mask[2] = 0
    inputs: dict[str, Any] = {
        "prompt_ids": prompts * prompt_mask,
        "prompt_mask": prompt_mask,
        "completion_ids": completions * mask,
        "completion_mask": mask,
        "advantages": torch.tensor(advantages),
        "num_items_in_batch": mask.sum(),
    }
    if off_policy:
        inputs["old_per_token_logps"] = -2 - 4 * torch.rand(8, 7, generator=generator)
    return inputs


def gradient_of(trainer: Trainer, loss: torch.Tensor) -> torch.Tensor:
    trainer.model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    parts = [p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in trainer.model.parameters()]
    return torch.cat(parts)


MIXED = [1.0, -1.0, 0.5, 0.0, 0.0, 2.0, -0.5, 0.3]


@pytest.mark.parametrize("off_policy", [False, True])
@pytest.mark.parametrize("advantages", [MIXED, [0.7] * 8, [0.0] * 7 + [1.0]])
def test_loss_and_gradient_are_trls_own(trainer: Trainer, advantages: list[float], off_policy: bool) -> None:
    """Ours leaves out rows without an advantage and the padding; TRL's runs over all of it."""
    inputs = inputs_of(advantages, off_policy)
    ours = trainer.compute_loss(trainer.model, inputs)
    ours_gradient = gradient_of(trainer, ours)
    theirs = GRPOTrainer.compute_loss(trainer, trainer.model, inputs)
    theirs_gradient = gradient_of(trainer, theirs)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4, abs=1e-6)
    assert float(theirs_gradient.norm()) > 1e-4
    assert torch.allclose(ours_gradient, theirs_gradient, atol=1e-5, rtol=1e-3)


def test_skipping_rows_without_an_advantage_changes_nothing(trainer: Trainer) -> None:
    inputs = inputs_of(MIXED, True)
    skipped = gradient_of(trainer, trainer.compute_loss(trainer.model, inputs))
    whole = gradient_of(trainer, trainer._completion_loss(trainer.model, inputs))
    assert torch.allclose(skipped, whole, atol=1e-6, rtol=1e-4)


def test_a_batch_without_any_advantage_has_a_zero_that_can_be_differentiated(trainer: Trainer) -> None:
    loss = trainer.compute_loss(trainer.model, inputs_of([0.0] * 8, False))
    assert loss.item() == 0 and float(gradient_of(trainer, loss).abs().sum()) == 0


def test_the_entropy_of_the_tokens_learned_from_is_collected_and_taken_once(trainer: Trainer) -> None:
    trainer.take_entropy()
    trainer.compute_loss(trainer.model, inputs_of(MIXED, False))
    entropy = trainer.take_entropy()
    assert entropy is not None and 0 < entropy < 4.16
    assert trainer.take_entropy() is None
