"""Which number format is fastest here."""

from __future__ import annotations

import torch

_FAST = ("amx_bf16", "avx512_bf16")
"""What a processor must offer one of to multiply bfloat16 faster than float32."""


def compute_dtype() -> torch.dtype:
    """bfloat16 where the hardware multiplies it (a GPU, a processor with AMX or AVX512-BF16), else float32.

    Where it does not, bfloat16 products take about twice the time of float32 ones; where it does, about a third
    (``benchmarks/precision.py``, docs/demo.md).
    """
    offers = torch.cpu.get_capabilities()
    fast = torch.cuda.is_available() or any(offers.get(name, False) for name in _FAST)
    return torch.bfloat16 if fast else torch.float32
