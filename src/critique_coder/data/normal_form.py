"""Texts and programs without what can be changed without effect, cut into overlapping pieces that can be compared.

Of a text the words stay, in small letters, and every number is the same. Of a program its syntax tree stays, without
docstrings, annotations and imports, with every name of the author's own and every constant the same: a program with
renamed variables and other numbers has the same pieces.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[^\W\d_]+|\d+")
_KNOWN = frozenset(dir(builtins))


def words(text: str) -> list[str]:
    """The words of a text in small letters; every number is ``#``."""
    return ["#" if word[0].isdigit() else word.lower() for word in _WORD.findall(text)]


def pieces(tokens: Sequence[str], length: int) -> set[int]:
    """Hashes (64 bits) of all runs of ``length`` tokens; of all tokens together where there are fewer."""
    if not tokens:
        return set()
    last = max(1, len(tokens) - length + 1)
    return {_hash("\x1f".join(tokens[start : start + length])) for start in range(last)}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def code_tokens(code: str) -> list[str]:
    """The syntax tree of a Python program in normal form, node by node; empty when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
        return list(_tokens(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _tokens(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import() | ast.ImportFrom():
            return
        case ast.Expr(value=ast.Constant(value=str())):
            return  # a docstring
        case ast.Name(id=name):
            yield name if name in _KNOWN else "name"
            return
        case ast.Constant(value=value):
            yield f"constant:{type(value).__name__}"
            return
        case ast.Attribute(attr=name):
            yield f"attribute:{name}"
        case ast.arg():
            yield "argument"
            return
        case ast.Load() | ast.Store() | ast.Del():
            return
        case ast.AnnAssign(target=target, value=value):
            yield "Assign"
            for part in (target, value):
                if part is not None:
                    yield from _tokens(part)
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield "def"
            yield from _tokens(node.args)
            for statement in node.body:
                yield from _tokens(statement)
            return
        case _:
            yield type(node).__name__
    for child in ast.iter_child_nodes(node):
        yield from _tokens(child)
