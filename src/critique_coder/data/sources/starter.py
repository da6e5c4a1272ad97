"""The starter set: 475 small Python problems that come with critique-coder, with wrong solutions for each.

The problems are grouped in families (``metadata.family``); near relatives share a family, and train and held-out
problems are split by family. Difficulty runs from "1" (one obvious expression) to "4" (an algorithm).
"""

from __future__ import annotations

from importlib.resources import files

from critique_coder.data.sources import contract
from critique_coder.data.sources.corpus import Source


def read(path: str | None) -> Source:
    """Read the starter set from the package (``path`` None) or from a folder of the same shape."""
    return contract.read(path or str(files("critique_coder.data").joinpath("starter")))
