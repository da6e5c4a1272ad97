"""What every page of ours looks like: the colours, code in colours, and other people's text kept text."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_FORMATTER = HtmlFormatter(nowrap=True)


def visible(text: str) -> str:
    """Control characters (terminal codes, text direction, lone surrogates) as signs that do nothing."""
    return _CONTROLS.sub(_sign, text.replace("\r\n", "\n"))


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\N{SYMBOL FOR DELETE}" if code == 0x7F else f"⟨U+{code:04X}⟩"


def colours() -> str:
    """The style sheet that all pages begin with: colours by light and dark, type faces, code."""
    return files(__package__).joinpath("colours.css").read_text(encoding="utf-8")


def highlighted(code: str, language: str) -> Markup:
    """Escaped code with classes for the colours of ``colours.css``; a language that nobody knows stays plain."""
    return Markup(highlight(code, _lexer(language), _FORMATTER))


@cache
def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False, ensurenl=False)
