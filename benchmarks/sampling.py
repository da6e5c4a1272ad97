"""Our sampling beside transformers' ``generate``, in one run: tokens a second, many samples of few prompts.

Run: ``.venv/bin/python benchmarks/sampling.py [--samples 16]``. The ratio counts; the rates are the machine's.
"""

from __future__ import annotations

import argparse
import time

import torch

from critique_coder.data.sources import read_source
from critique_coder.models.base import Sampling
from critique_coder.models.embedded import embedded_model
from critique_coder.models.local import LocalModel
from critique_coder.models.sampling import generate
from critique_coder.prompts import load_template, solve_prompt

PROMPTS, TOKENS = 8, 96


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=16, help="samples a prompt")
    samples = parser.parse_args().samples
    local = LocalModel.load(embedded_model())
    problems = read_source("starter", None).problems[:PROMPTS]
    prompts = [local.encode(solve_prompt(load_template("solve"), problem)) for problem in problems]
    rows = [prompt for prompt in prompts for _ in range(samples)]
    sampling = Sampling(temperature=0.8, top_k=20, top_p=1.0, max_tokens=TOKENS)

    begun = time.perf_counter()
    drawn = generate(local.model, rows, sampling, end_ids=local.end_ids, batch_size=len(rows))
    ours = sum(len(row.tokens) for row in drawn) / (time.perf_counter() - begun)

    width = max(map(len, rows))
    pad = local.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    begun = time.perf_counter()
    with torch.inference_mode():
        out = local.model.generate(
            input_ids=ids, attention_mask=mask, do_sample=True, temperature=0.8, top_k=20, max_new_tokens=TOKENS
        )
    written = int((out[:, width:] != pad).sum())
    theirs = written / (time.perf_counter() - begun)
    print(f"ours {ours:.0f} tokens/s, generate {theirs:.0f} tokens/s, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
