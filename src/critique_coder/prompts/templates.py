"""Prompt templates: Jinja files, named by the hash of their text in everything that was made with them.

A template is a chat of one user turn, or of several: a line ``<!-- assistant -->`` or ``<!-- user -->`` begins another.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

import jinja2
import jinja2.meta

from critique_coder.prompts.parse import after_thinking
from critique_coder.records import BadInput, Problem

_KNOWN = {
    "solve": frozenset({"statement", "starter_code", "entry_point", "language"}),
    "critique": frozenset({"statement", "question", "solution", "language"}),
    "revise": frozenset({"statement", "question", "solution", "critique", "language"}),
    "write_tests": frozenset({"statement", "starter_code", "entry_point", "language", "count"}),
}
_NEEDED: dict[str, list[tuple[str, ...]]] = {
    "solve": [("statement",)],
    "critique": [("statement", "question"), ("solution",)],
    "revise": [("statement", "question"), ("solution",), ("critique",)],
    "write_tests": [("statement",)],
}
"""Variables of which one of each group must be shown."""
_BUILT_IN: dict[str, tuple[str, ...]] = {
    "solve": ("solve", "solve_steps", "solve_thinking"),
    "critique": ("critique", "critique_chat", "critique_steps", "critique_thinking"),
    "revise": ("revise", "revise_thinking"),
    "write_tests": ("write_tests", "write_tests_thinking"),
}
_TURN = re.compile(r"^<!-- (user|assistant) -->\n", re.MULTILINE)
_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=False,
    autoescape=False,
)


_LANGUAGE_NAMES = {
    "cpp": "C++",
    "go": "Go",
    "java": "Java",
    "javascript": "JavaScript",
    "python": "Python",
    "rust": "Rust",
}


def language_name(language: str) -> str:
    """How people write a language's name; the filter of that name in templates. Unknown ones stay as they are."""
    return _LANGUAGE_NAMES.get(language, language)


_ENVIRONMENT.filters["language_name"] = language_name


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template: its name, its text, and the sha256 of the text that rows and manifests carry."""

    name: str
    text: str
    sha256: str

    def render(self, **values: str | None) -> list[dict[str, str]]:
        """The chat that this template makes of ``values``; what they hold is never read as a turn or a command."""
        first, *others = _TURN.split(self.text)
        turns = [("user", first), *zip(others[::2], others[1::2], strict=True)]
        return [{"role": role, "content": _compiled(text).render(values).strip()} for role, text in turns]


@lru_cache(maxsize=32)
def _compiled(text: str) -> jinja2.Template:
    """A turn's template; to compile it takes longer than to render it, and builds render many."""
    return _ENVIRONMENT.from_string(text)


def load_template(kind: str, path: str | Path | None = None) -> Template:
    """The template for ``kind`` (solve, critique, revise, write_tests): a built-in one by its name, or a user's file.

    ``solve`` and ``critique`` are short enough for a model of 135 million parameters. ``critique_chat`` shows statement
    and solution as the question and the answer of a chat. The ``_thinking`` ones have the paper's structure (appendix
    A) for a model that thinks before it answers; the ``_steps`` ones, ``revise`` and ``write_tests`` ask a model that
    does not to write its reasons down first.

    A file is checked before it is used: it must parse, use the variables without which the prompt has no sense, and no
    unknown ones; raises BadInput.
    """
    if path is None or str(path) in _BUILT_IN[kind]:
        return _built_in(str(path or kind))
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        built_in = ", ".join(_BUILT_IN[kind])
        raise BadInput(f"{path}: cannot read this prompt template (built in: {built_in}): {reason}") from None
    try:
        used = jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    except jinja2.TemplateSyntaxError as error:
        raise BadInput(f"{path}, line {error.lineno}: {error.message}") from None
    for name in sorted(used - _KNOWN[kind]):
        raise BadInput(f"{path}: unknown variable {name!r}; a {kind} template knows {', '.join(sorted(_KNOWN[kind]))}")
    for group in _NEEDED[kind]:
        if not used.intersection(group):
            wanted = " or ".join(f"{{{{ {name} }}}}" for name in group)
            raise BadInput(f"{path}: a {kind} template must show {wanted}")
    if kind == "write_tests" and not ("```input" in text and "```output" in text):
        raise BadInput(f"{path}: a write_tests template must show a test's two blocks, ```input and ```output")
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


def critique_prompt(template: Template, solve: Template, problem: Problem, solution: str) -> list[dict[str, str]]:
    """The chat that asks for a critique of ``solution``; ``solve`` is the template by which it was asked for."""
    return template.render(
        statement=problem.statement.strip(),
        question=solve_prompt(solve, problem)[-1]["content"],
        solution=solution.strip("\n"),
        language=problem.language,
    )


def revise_prompt(
    template: Template, solve: Template, problem: Problem, solution: str, critique: str
) -> list[dict[str, str]]:
    """The chat that asks for a better solution than ``solution``, given a critique of it without its thinking."""
    return template.render(
        statement=problem.statement.strip(),
        question=solve_prompt(solve, problem)[-1]["content"],
        solution=solution.strip("\n"),
        critique=(after_thinking(critique) or "").strip(),
        language=problem.language,
    )


def write_tests_prompt(template: Template, problem: Problem, count: int) -> list[dict[str, str]]:
    """The chat that asks for ``count`` tests of ``problem``."""
    return template.render(
        statement=problem.statement.strip(),
        starter_code=problem.starter_code.rstrip(),
        entry_point=problem.entry_point,
        language=problem.language,
        count=str(count),
    )


@cache
def _built_in(name: str) -> Template:
    return _template(name, files(__package__).joinpath("files", f"{name}.jinja").read_text(encoding="utf-8"))


def _template(name: str, text: str) -> Template:
    return Template(name, text, hashlib.sha256(text.encode()).hexdigest())
