"""Markdown of statements and models as HTML that can load nothing: no HTML, images or links, and safe formulas.

Formulas stand between dollar signs, one, two or three. They become MathML, which browsers draw by themselves; one that
cannot be read stays as it was written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markupsafe import Markup, escape
from mdit_py_plugins.dollarmath import dollarmath_plugin

from critique_coder.look import highlighted

_OFF = ("image", "link", "autolink", "linkify", "html_inline", "html_block", "reference")
_CODE_OR_FORMULA = re.compile(r"```.*?```|~~~.*?~~~|\${3}([^$\n]+)\${3}", re.DOTALL)
_LONGEST = 60_000
_LONGEST_FORMULA = 2_000
_DEEPEST = 60
# fmt: off
_TAGS = frozenset((
    "math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "msup", "msub", "msubsup", "mfrac", "msqrt", "mroot",
    "mover", "munder", "munderover", "mtable", "mtr", "mtd", "mlabeledtr", "menclose", "mpadded", "mphantom",
    "mstyle", "mfenced", "mmultiscripts", "mprescripts", "none",
))
_ATTRIBUTES = frozenset((
    "display", "displaystyle", "scriptlevel", "mathvariant", "stretchy", "fence", "form", "separator", "lspace",
    "rspace", "accent", "accentunder", "linethickness", "columnalign", "rowspacing", "columnspacing", "width",
    "height", "depth", "minsize", "maxsize", "movablelimits", "notation", "columnlines", "rowlines", "symmetric",
    "largeop",
))
# fmt: on


@lru_cache(maxsize=256)
def prose(text: str, language: str = "") -> Markup:
    """Markdown as HTML; code blocks that name no language are taken to be in ``language``."""
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + f"\n\n… ({len(text) - _LONGEST:,} more characters)"
    return Markup(_markdown().render(_plain_dollars(cut), {"language": language}))


def _plain_dollars(text: str) -> str:
    """Formulas between three dollar signs, as Codeforces writes them, between one; code blocks stay as they are."""
    return _CODE_OR_FORMULA.sub(lambda found: f"${found[1].strip()}$" if found[1] else found[0], text)


@cache
def _markdown() -> MarkdownIt:
    found = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    found.disable([name for name in _OFF if name in _rules(found)])
    found.use(dollarmath_plugin, double_inline=True, allow_digits=False, allow_space=False)
    for name, rule in _RULES.items():
        found.add_render_rule(name, rule)
    return found


def _rules(markdown: MarkdownIt) -> set[str]:
    return {name for names in markdown.get_all_rules().values() for name in names}


def _fence(
    self: RendererProtocol, tokens: Sequence[Token], place: int, options: Mapping[str, Any], env: Mapping[str, Any]
) -> str:
    named = tokens[place].info.strip().split(maxsplit=1)
    language = named[0] if named else str(env.get("language", ""))
    return f'<pre class="code"><code>{highlighted(tokens[place].content, language)}</code></pre>\n'


def _formula(
    self: RendererProtocol, tokens: Sequence[Token], place: int, options: Mapping[str, Any], env: Mapping[str, Any]
) -> str:
    return str(formula(tokens[place].content, tokens[place].type != "math_inline"))


_RULES = {
    "fence": _fence,
    "code_block": _fence,
    "math_inline": _formula,
    "math_inline_double": _formula,
    "math_block": _formula,
    "math_block_label": _formula,
}


def formula(latex: str, block: bool = False) -> Markup:
    """LaTeX as MathML of known tags and attributes; as it was written where it cannot be read."""
    try:
        if len(latex) > _LONGEST_FORMULA:
            raise ValueError("too long")
        return _mathml(convert_to_element(latex.strip("$"), display="block" if block else "inline"))
    except Exception:  # the converter raises errors of many types on a formula that is none
        return Markup("<code>{}</code>").format(latex)


def _mathml(element: Element, depth: int = 0) -> Markup:
    """The element written anew: the converter's own writing does not escape what a formula quotes."""
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    inside = Markup("").join(
        [escape(html.unescape(element.text or "")), *(_mathml(child, depth + 1) for child in element)]
    )
    if element.tag not in _TAGS:
        return inside
    attributes = Markup("").join(
        Markup(' {}="{}"').format(name, html.unescape(value))
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(element.tag), attributes, inside)
