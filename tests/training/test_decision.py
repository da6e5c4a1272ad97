"""The word by which a critique judges: found, and brought into balance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from critique_coder.data.built import BuiltData
from critique_coder.records import Json
from critique_coder.settings import resolve
from critique_coder.storage import write_json
from critique_coder.training import run
from critique_coder.training.decision import ROUNDS, Decision, balanced, centre, decisions, log_odds
from critique_coder.training.recipe import TrainRecipe, WarmupSettings
from tiny_model import tiny_model, tiny_tokenizer

RIGHT, WRONG = 10, 11


def row(label: bool | None, question: str) -> dict[str, Json]:
    """A warm-up row whose critique is ``w5 w10`` or ``w5 w11`` and more."""
    own, other = ("w10", "w11") if label else ("w11", "w10")
    return {
        "label": label,
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": f"w5 {own} w6"}],
        "decisive": (3, 6) if label is not None else None,
        "otherwise": other if label is not None else None,
    }


ROWS = [row(label, f"w{7 + n} w{20 + n % 5} w30") for n in range(12) for label in (True, False)]


def test_the_place_and_both_words_are_found_whatever_the_label() -> None:
    """The tokens end before the word; right and wrong do not depend on which of them was written."""
    true, false = decisions(tiny_tokenizer(), [row(True, "w7 w8"), row(None, "w7"), row(False, "w7 w8")])
    assert true == Decision([7, 8, 2, 5], RIGHT, WRONG, True)
    assert false == Decision([7, 8, 2, 5], RIGHT, WRONG, False)


def test_log_odds_are_those_of_the_logits_whatever_stands_beside() -> None:
    """In a batch of unlike lengths as alone."""
    model = tiny_model()
    found = [Decision([7, 8, 2, 5], RIGHT, WRONG, True), Decision([9, 2, 5], RIGHT, WRONG, False)]
    together = log_odds(model, found)
    for entry, odds in zip(found, together, strict=True):
        logits = model(torch.tensor([entry.tokens])).logits[0, -1].detach()
        assert odds.item() == pytest.approx(float(logits[RIGHT] - logits[WRONG]), abs=0.15)  # bfloat16 where it is fast
        assert log_odds(model, [entry]).item() == pytest.approx(odds.item(), abs=0.15)


def test_as_many_of_either_label_are_taken() -> None:
    """And no more than asked for."""
    found = decisions(tiny_tokenizer(), [*ROWS[::2], *ROWS[1:8:2]])
    assert [entry.label for entry in balanced(found, 100)] == [True, False] * 4
    assert [entry.label for entry in balanced(found, 5)] == [True, False] * 2
    assert balanced(found[:3], 100) == []


def test_the_mean_is_centred_and_the_differences_stay() -> None:
    """A lean far larger than what the model tells apart goes; the order of the solutions hardly changes."""
    model = tiny_model().float()
    for value in (model.get_input_embeddings().weight, *model.base_model.layers[0].parameters()):
        value.requires_grad_(False)
    before = {name: value.clone() for name, value in model.named_parameters()}
    found = balanced(decisions(tiny_tokenizer(), ROWS), 100)
    odds = log_odds(model, found).detach()
    means = centre(model, found, 5)
    after = log_odds(model, found).detach()
    assert means[0] == pytest.approx(odds.mean().item(), abs=1e-3) and abs(means[0]) > 0.2
    assert abs(after.mean()) < 0.1 * abs(means[0])
    assert len(means) == ROUNDS + 1 and means[-1] == pytest.approx(after.mean().item(), abs=1e-3)
    assert torch.corrcoef(torch.stack([odds, after]))[0, 1] > 0.8
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith(("model.layers.1", "model.norm")) for name in changed)


def test_the_last_step_of_a_warm_up_is_that_into_balance(tmp_path: Path) -> None:
    """It tells how far the judgement was off before and after it, under a number of its own."""

    class MadeUp(BuiltData):
        def warmup(self) -> list[dict[str, Json]]:
            return [{"id": f"w{n}", "problem_id": f"p{n}", **row} for n, row in enumerate(ROWS)]

    tiny_model().save_pretrained(tmp_path / "tiny")
    tiny_tokenizer().save_pretrained(tmp_path / "tiny")
    write_json(tmp_path / "manifest.json", {})
    values = {"warmup": {"rows": 24, "solve_rows": 0, "batch_size": 4, "micro_batch_size": 2, "learning_rate": 1e-2}}
    recipe = resolve(TrainRecipe, values, [], "r")
    steps: list[tuple[int, dict[str, float]]] = []
    source, work = str(tmp_path / "tiny"), tmp_path / "work"
    run.warmed_up(recipe, MadeUp.open(tmp_path), source, work, lambda step, metrics: steps.append((step, metrics)))
    assert [step for step, _ in steps] == list(range(1, 8))
    assert all({"warmup/loss", "warmup/lean"} == set(metrics) for _, metrics in steps[:-1])
    last = steps[-1][1]
    assert set(last) == {"warmup/off_balance_before", "warmup/off_balance"}
    assert abs(last["warmup/off_balance"]) < 0.1 + 0.2 * abs(last["warmup/off_balance_before"])


def test_nothing_to_balance_by_changes_nothing() -> None:
    """Critiques of one label, say."""
    model = tiny_model()
    before = [value.clone() for value in model.parameters()]
    assert run._centred(model, tiny_tokenizer(), ROWS[::2], WarmupSettings()) == []
    assert all(map(torch.equal, before, model.parameters()))
