"""The output layer that does not blur what bfloat16 would."""

from __future__ import annotations

import torch

from critique_coder.models.precision import ExactHead, sharpen
from tiny_model import tiny_model


def close_words(bias: bool) -> torch.nn.Linear:
    """A layer in which word 5 is likeliest, by less than bfloat16 shows at that height, and word 3 the next."""
    head = torch.nn.Linear(8, 100, bias=bias, dtype=torch.bfloat16)
    with torch.no_grad():
        head.weight.fill_(0.01)
        head.weight[3] = 2.5
        head.weight[5] = 2.5
        head.weight[5, 0] = 2.515625
        if bias:
            head.bias.zero_()
            head.bias[3] = 0.005
    return head


def test_words_that_bfloat16_cannot_tell_apart_are_told_apart() -> None:
    """A tie there goes to the smaller number; the exact logits are those of float32."""
    states = torch.ones(2, 3, 8, dtype=torch.bfloat16)
    for bias in (False, True):
        head = close_words(bias)
        assert head(states).argmax(-1).unique().tolist() == [3]
        logits = ExactHead(head, exact=4)(states)
        assert logits.dtype is torch.float32 and logits.shape == (2, 3, 100)
        assert logits.argmax(-1).unique().tolist() == [5]
        exact = head.float()(states.float())
        assert torch.equal(logits[..., [3, 5]], exact[..., [3, 5]])
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(ExactHead(close_words(bias), exact=4)(states), logits)


def test_a_model_keeps_its_weights_and_its_answers() -> None:
    """In bfloat16 its own logits come back, but for their rounding; in float32 nothing is touched."""
    ids = torch.tensor([[5, 6, 7]])
    model = tiny_model()
    head = model.get_output_embeddings()
    assert sharpen(model) is model and model.get_output_embeddings() is head
    model = model.to(torch.bfloat16)
    rounded, names = model(ids).logits.float(), len(list(model.parameters()))
    sharp = sharpen(model)
    assert isinstance(sharp.get_output_embeddings(), ExactHead) and len(list(sharp.parameters())) == names
    torch.testing.assert_close(sharp(ids).logits, rounded, rtol=0.01, atol=0.01)
    assert sharp.get_output_embeddings().weight is sharp.get_input_embeddings().weight
