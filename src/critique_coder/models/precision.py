"""Which number format is fastest here."""

from __future__ import annotations

import torch


def compute_dtype() -> torch.dtype:
    """bfloat16 where the hardware multiplies it fast (a GPU, a processor with AMX), else float32.

    On a processor without AMX bfloat16 products are slower than float32 ones (``benchmarks/precision.py``).
    """
    fast = torch.cuda.is_available() or torch.cpu.get_capabilities().get("amx_bf16", False)
    return torch.bfloat16 if fast else torch.float32
