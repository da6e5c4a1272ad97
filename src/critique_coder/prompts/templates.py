"""Prompt templates: Jinja files, named by the hash of their text in everything that was made with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
import jinja2.meta

from critique_coder.records import BadInput, Problem

_KNOWN = {
    "solve": frozenset({"statement", "starter_code", "entry_point", "language"}),
    "critique": frozenset({"statement", "solution", "language"}),
}
_NEEDED = {"solve": frozenset({"statement"}), "critique": frozenset({"statement", "solution"})}
_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=False,
    autoescape=False,
)


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template: its name, its text, and the sha256 of the text that rows and manifests carry."""

    name: str
    text: str
    sha256: str

    def render(self, **values: str | None) -> list[dict[str, str]]:
        """The chat with one user message that this template makes of ``values``."""
        return [{"role": "user", "content": _ENVIRONMENT.from_string(self.text).render(values).strip()}]


def load_template(kind: str, path: str | Path | None = None) -> Template:
    """The template for ``kind`` ("solve" or "critique"): the built-in one, or the user's own file.

    A file is checked before it is used: it must parse, use the variables without which the prompt has no sense, and
    no unknown ones; raises BadInput.
    """
    if path is None:
        return _built_in(kind)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot read this prompt template: {error}") from None
    try:
        used = jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    except jinja2.TemplateSyntaxError as error:
        raise BadInput(f"{path}, line {error.lineno}: {error.message}") from None
    for name in sorted(used - _KNOWN[kind]):
        raise BadInput(f"{path}: unknown variable {name!r}; a {kind} template knows {', '.join(sorted(_KNOWN[kind]))}")
    for name in sorted(_NEEDED[kind] - used):
        raise BadInput(f"{path}: a {kind} template must show {{{{ {name} }}}}")
    if kind == "critique" and not (r"\conclusion{T}" in text and r"\conclusion{F}" in text):
        raise BadInput(
            f"{path}: a critique template must name both verdict lines, \\conclusion{{T}} and \\conclusion{{F}}"
        )
    template = _template(Path(path).stem, text)
    try:
        template.render(**dict.fromkeys(_KNOWN[kind], "text"))
    except (jinja2.TemplateError, TypeError) as error:
        raise BadInput(f"{path}: cannot be rendered: {error}") from None
    return template


def solve_prompt(template: Template, problem: Problem) -> list[dict[str, str]]:
    """The chat that asks for a solution of ``problem``."""
    return template.render(
        statement=problem.statement.strip(),
        starter_code=problem.starter_code.rstrip(),
        entry_point=problem.entry_point,
        language=problem.language,
    )


def critique_prompt(template: Template, statement: str, solution: str, language: str) -> list[dict[str, str]]:
    """The chat that asks for a critique of ``solution``."""
    return template.render(statement=statement.strip(), solution=solution.strip("\n"), language=language)


@cache
def _built_in(kind: str) -> Template:
    return _template(kind, files(__package__).joinpath("files", f"{kind}.jinja").read_text(encoding="utf-8"))


def _template(name: str, text: str) -> Template:
    return Template(name, text, hashlib.sha256(text.encode()).hexdigest())
