r"""Strict parsers of what a model answers: the code of a solution, the judgement of a critique.

Both look only at what stands after the end of thinking. An answer cut off while thinking has neither code nor a
judgement, whatever it wrote on the way: rewarding a ``\conclusion{T}`` that a truncated answer merely mentioned is one
of the faults that these parsers exist to avoid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from critique_coder.records import Judgement

CONCLUSIONS = {r"\conclusion{T}": Judgement.CORRECT, r"\conclusion{F}": Judgement.INCORRECT}
"""The two verdict lines that a critique may end in, and what each says."""

_THINK_START, _THINK_END = "<think>", "</think>"
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_VERDICT = "\\conclusion{"


def after_thinking(text: str) -> str | None:
    """What follows the last ``</think>``; the whole text when there was no thinking; None when it never ended."""
    _, end, answer = text.rpartition(_THINK_END)
    if _THINK_START in answer:
        return None
    return answer if end else text


def extract_code(completion: str) -> str | None:
    """The last complete fenced block after any thinking, without its fences; None when there is none.

    A fence is a line of three or more backticks or tildes (CommonMark); it is closed by a line of at least as many of
    the same kind. An empty block is no code.
    """
    blocks = [block for _, block in _blocks(completion)]
    return blocks[-1] if blocks and blocks[-1].strip() else None


def parse_tests(completion: str) -> list[tuple[str, str]]:
    """The tests of an answer, as (input, output): each block called ``input`` that a block called ``output`` follows.

    An input without its output is left out, as is whatever stands in thinking.
    """
    tests: list[tuple[str, str]] = []
    given: str | None = None
    for name, block in _blocks(completion):
        if name == "output" and given is not None:
            tests.append((given, block))
        given = block if name == "input" else None
    return tests


def _blocks(completion: str) -> Iterator[tuple[str, str]]:
    """Name (the first word behind the fence) and text of each complete fenced block after any thinking."""
    fence = name = ""
    block: list[str] = []
    for line in (after_thinking(completion) or "").replace("\r\n", "\n").split("\n"):
        match = _FENCE.match(line)
        if not fence:
            if match:
                fence, name, block = match[1], match[2].strip().partition(" ")[0], []
        elif match and match[1][0] == fence[0] and len(match[1]) >= len(fence) and not match[2].strip():
            yield name, "\n".join(block) + "\n"
            fence = ""
        else:
            block.append(line)


def parse_judgement(critique: str) -> Judgement:
    r"""What a critique concludes: its last ``\conclusion{...}`` after any thinking.

    The braces must hold exactly ``T`` or ``F``. Anything else in the last one, such as ``\conclusion{INCORRECT}`` or
    ``\conclusion{t}``, is malformed, and so is a critique without one.
    """
    answer = after_thinking(critique)
    place = -1 if answer is None else answer.rfind(_VERDICT)
    if answer is None or place < 0:
        return Judgement.MALFORMED
    return CONCLUSIONS.get(answer[place : place + len(_VERDICT) + 2], Judgement.MALFORMED)
