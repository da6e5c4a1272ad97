"""float32 beside bfloat16 matrix products of the embedded model's shapes, in one run.

Run: ``.venv/bin/python benchmarks/precision.py``. The ratio counts; it is what ``models/precision.py`` goes by.
"""

from __future__ import annotations

import time

import torch

from critique_coder.models.precision import compute_dtype

SHAPES = ((128, 576, 1536), (128, 576, 49152), (1024, 576, 1536))
"""Rows of a batch, features in, features out: a layer when sampling, the output layer, a layer in training."""


def main() -> None:
    """Print billions of operations a second for each shape and both formats, and their ratio."""
    print(f"chosen here: {compute_dtype()}")
    for rows, inner, outer in SHAPES:
        rates = [rate(dtype, rows, inner, outer) for dtype in (torch.float32, torch.bfloat16)]
        print(f"{rows} x {inner} x {outer}: float32 {rates[0]:.0f}, bfloat16 {rates[1]:.0f}", end=" ")
        print(f"(bfloat16 is {rates[1] / rates[0]:.2f} times as fast)")


def rate(dtype: torch.dtype, rows: int, inner: int, outer: int) -> float:
    """Billions of operations a second of one linear layer."""
    inputs, weights = torch.randn(rows, inner).to(dtype), torch.randn(outer, inner).to(dtype)
    work = 2 * rows * inner * outer
    torch.nn.functional.linear(inputs, weights)
    repeats = max(3, int(2e10 / work))
    begun = time.perf_counter()
    for _ in range(repeats):
        torch.nn.functional.linear(inputs, weights)
    return repeats * work / (time.perf_counter() - begun) / 1e9


if __name__ == "__main__":
    main()
