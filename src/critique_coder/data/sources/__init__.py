"""Where problems come from: one small file a source, each giving the contract's records.

A source is a function ``read(path) -> Corpus``. To add one, write its file and name it in ``SOURCES``.
"""

from __future__ import annotations

from critique_coder.data.sources import (
    codecontests,
    contract,
    evalplus,
    humaneval,
    leetcode,
    mbpp,
    rllm,
    starter,
)
from critique_coder.data.sources.corpus import Corpus, Reader
from critique_coder.records import BadInput

SOURCES: dict[str, Reader] = {
    "starter": starter.read,
    "problems": contract.read,
    "humaneval": humaneval.read,
    "mbpp": mbpp.read,
    "humanevalplus": evalplus.read_humanevalplus,
    "mbppplus": evalplus.read_mbppplus,
    "codecontests": codecontests.read,
    "leetcode": leetcode.read,
    "rllm": rllm.read,
}


def read_source(name: str, path: str | None) -> Corpus:
    """Read the source called ``name`` from ``path`` (None: wherever it is found); raises BadInput."""
    if name not in SOURCES:
        raise BadInput(f"unknown problem source {name!r}; known: {', '.join(SOURCES)}")
    return SOURCES[name](path)


__all__ = ["SOURCES", "Corpus", "read_source"]
