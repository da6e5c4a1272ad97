"""Where problems come from: one small file a source, each giving the contract's records.

A source is a function ``read(path) -> Source``, which finds its files and reads nothing yet. To add one, write its
file and name it in ``SOURCES`` and ``SourceName``. A published set's file says how a record is named and how it becomes
a problem, of which ``corpus.each`` makes ``problems_of(rows, lose)``, with one record in hand at a time, and has a
``Place`` that says where the set lies; ``corpus.reader`` makes the source of the two. A record that is not in the set's
shape raises BadInput; one that no test can be made of raises Unusable and is left out with that reason.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from critique_coder.data.sources import (
    apps,
    bigcodebench,
    codecontests,
    contract,
    deepcoder,
    evalplus,
    google_code_jam,
    humaneval,
    humanevalpack,
    kodcode,
    leetcode,
    livecodebench,
    mbpp,
    rllm,
    rstar_coder,
    starter,
)
from critique_coder.data.sources.corpus import Corpus, Reader, Source
from critique_coder.records import BadInput

SourceName: TypeAlias = Literal[
    "starter",
    "problems",
    "humaneval",
    "mbpp",
    "humanevalplus",
    "mbppplus",
    "humanevalpack-cpp",
    "humanevalpack-go",
    "humanevalpack-java",
    "humanevalpack-javascript",
    "humanevalpack-rust",
    "codecontests",
    "leetcode",
    "rllm",
    "deepcoder",
    "rstar-coder",
    "taco",
    "apps",
    "kodcode",
    "livecodebench",
    "bigcodebench",
    "google-code-jam",
]
"""What a recipe may name; the keys of ``SOURCES``."""

SOURCES: dict[str, Reader] = {
    "starter": starter.read,
    "problems": contract.read,
    "humaneval": humaneval.read,
    "mbpp": mbpp.read,
    "humanevalplus": evalplus.read_humanevalplus,
    "mbppplus": evalplus.read_mbppplus,
    **humanevalpack.readers(),
    "codecontests": codecontests.read,
    "leetcode": leetcode.read,
    "rllm": rllm.read,
    "deepcoder": deepcoder.read,
    "rstar-coder": rstar_coder.read,
    "taco": apps.read_taco,
    "apps": apps.read_apps,
    "kodcode": kodcode.read,
    "livecodebench": livecodebench.read,
    "bigcodebench": bigcodebench.read,
    "google-code-jam": google_code_jam.read,
}


def open_source(name: str, path: str | None) -> Source:
    """Find the source called ``name`` at ``path`` (None: wherever it lies); raises BadInput."""
    if name not in SOURCES:
        raise BadInput(f"unknown problem source {name!r}; known: {', '.join(SOURCES)}")
    return SOURCES[name](path)


def read_source(name: str, path: str | None) -> Corpus:
    """Read a source whole, which suits small ones; raises BadInput."""
    return open_source(name, path).corpus()


__all__ = ["SOURCES", "Corpus", "Source", "SourceName", "open_source", "read_source"]
