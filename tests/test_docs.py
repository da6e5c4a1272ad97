"""README.md and docs/*.md: links lead somewhere, figures are there, and every command and setting named exists."""

from __future__ import annotations

import itertools
import re
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from command_line import RECIPES, Run, running, verb_of, verbs
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.rows.settings import ExportSettings
from critique_coder.data.sources import SOURCES
from critique_coder.training.recipe import TrainRecipe

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_OURS = {"--max-old-space-size"}
"""Options of other people's programs, as text names them."""
NOT_SETTINGS = {"contamination.checked"}
"""Keys of a manifest that look like a setting's name."""
VERBS = dict(verbs())
GROUPS = {verb.split()[0] for verb in VERBS}
FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(params=PAGES, ids=lambda path: path.name)
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def spans(text: str) -> list[str]:
    """What stands between backticks, code blocks left out."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def lines_of_code(text: str) -> list[str]:
    """The lines of all code blocks, those that go on in the next as one."""
    return [line.strip() for block in FENCE.findall(text) for line in re.sub(r"\\\n\s*", " ", block).splitlines()]


def alternatives(words: list[str]) -> Iterator[list[str]]:
    r"""``data stats\|show`` as it stands in a table means two commands."""
    yield from map(list, itertools.product(*(word.split("|") for word in words)))


def commands(text: str) -> list[list[str]]:
    """Commands of ours as words, also those that text names without the program: ``review apply --yes``."""
    found: list[list[str]] = []
    for said in [*lines_of_code(text), *spans(text)]:
        mine = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*critique-coder (.*)", said)
        first = said.split(" ")[0]
        short = first in GROUPS and " " in said and re.match(r"[a-z]+ (-|[a-z]+( |$))", said) and said in spans(text)
        if mine or short:
            try:
                words = shlex.split((mine.group(1) if mine else said).replace(r"\|", "|"), comments=True)
            except ValueError:
                continue
            found += alternatives(words)
    return found


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        assert place.exists(), f"{page.name}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", FENCE.sub("", place.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in map(slug, titles), f"{page.name}: {target}"


def test_every_figure_is_shown_somewhere() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    figures = [path for ending in ("png", "svg") for path in (ROOT / "docs").rglob(f"*.{ending}")]
    assert figures and [path.name for path in figures if path.name not in text] == []


def options_of(verb: str) -> set[str]:
    return {"--help", "-h"} | {name for option in VERBS[verb].params for name in (*option.opts, *option.secondary_opts)}


def test_every_command_has_a_verb_and_options_that_there_are(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0].startswith("-") or (words == [words[0]] and words[0] in GROUPS):
            continue
        verb = verb_of(words)
        assert verb in VERBS, f"{page.name}: critique-coder {shlex.join(words)}"
        given = {word.strip("[]").split("=")[0] for word in words if word.startswith(("-", "[-"))}
        assert given <= options_of(verb), f"{page.name}: critique-coder {shlex.join(words)}"


def test_every_source_that_a_command_names_exists(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0] == "validate" and len(words) > 1 and re.fullmatch(r"[a-z-]+", words[1]):
            assert words[1] in SOURCES, f"{page.name}: critique-coder {shlex.join(words)}"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return running(monkeypatch, capsys)


def test_every_command_with_settings_can_be_resolved(page: Path, run: Run) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        spoken = any(word.isupper() or "..." in word for word in words)
        if verb_of(words) in RECIPES and len(words) > 2 and "--output" in words and not spoken:
            done = run(*words, "--print-config")
            assert done.code == 0, f"{page.name}: {done.err}"


def test_every_option_that_text_names_exists(page: Path) -> None:
    known = set().union(*(options_of(verb) for verb in VERBS), NOT_OURS, {"--version"})
    for script in (ROOT / "benchmarks").glob("*.py"):
        known |= set(re.findall(r'"(--[a-z-]+)"', script.read_text(encoding="utf-8")))
    for span in spans(page.read_text(encoding="utf-8")):
        if span.startswith("--"):
            assert re.split(r"[ =]", span)[0] in known, f"{page.name}: {span}"


def test_every_benchmark_and_its_options_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for said in [*lines_of_code(text), *spans(text)]:
        for name, rest in re.findall(r"(benchmarks/\w+\.py)([^;|&#(]*)", said):
            script = ROOT / name
            assert script.exists(), f"{page.name}: {said}"
            for option in re.findall(r"(?<!\S)--[a-z-]+", rest):
                assert f'"{option}"' in script.read_text(encoding="utf-8"), f"{page.name}: {said}"


def test_every_make_target_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    text = page.read_text(encoding="utf-8")
    for said in [*lines_of_code(text), *spans(text)]:
        named = re.match(r"make ([a-z][a-z-]*)", said)
        assert named is None or named.group(1) in targets, f"{page.name}: {said}"


def test_every_file_of_the_repository_that_text_names_exists(page: Path) -> None:
    for span in spans(page.read_text(encoding="utf-8")):
        if re.fullmatch(r"(src|docs|tests|benchmarks)/[\w./-]+", span):
            assert (ROOT / span).exists(), f"{page.name}: {span}"


def sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections of settings that a field holds, one or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from sections(part)


def settings_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """The dotted names of a recipe's settings and sections; an entry of a list has its place as a number."""
    for name, field in model.model_fields.items():
        yield f"{before}{name}"
        for section in sections(field.annotation):
            yield from settings_of(section, f"{before}{name}.")
            yield from settings_of(section, f"{before}{name}.0.")


def test_every_setting_that_text_names_exists(page: Path) -> None:
    known = {name for model in (BuildRecipe, TrainRecipe, ExportSettings) for name in settings_of(model)}
    heads = {name.split(".")[0] for name in known if "." in name}
    for span in spans(page.read_text(encoding="utf-8")):
        named = re.match(r"([a-z]+(?:\.[a-z_0-9]+)+)(?:=|$| )", span)
        if named and named.group(1).split(".")[0] in heads and not named.group(1).endswith((".py", ".json", ".jsonl")):
            assert named.group(1) in known | NOT_SETTINGS, f"{page.name}: {span}"
