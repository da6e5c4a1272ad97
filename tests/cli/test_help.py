"""Help: every verb shows an example of itself, and each example is a command that there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_line import RECIPES, Run, commands_in, running, verb_of, verbs
from review_page import Person, Served
from run_folders import make_build, make_run
from small_build import small_build

VERBS = [verb for verb, _ in verbs()]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return running(monkeypatch, capsys)


def examples(run: Run, verb: str) -> list[list[str]]:
    done = run(*verb.split(), "--help")
    assert done.code == 0 and "--json" in done.out
    return commands_in(done.out.partition("Example")[2].partition("Options:")[0])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_of_itself(run: Run, verb: str) -> None:
    assert verb in [verb_of(words) for words in examples(run, verb)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_example_is_a_command_with_options_and_settings_that_there_are(run: Run, verb: str) -> None:
    for words in examples(run, verb):
        done = run(*words, "--print-config" if verb_of(words) in RECIPES else "--help")
        assert done.code == 0, done.err


@pytest.mark.parametrize("group", ["data", "review"])
def test_a_group_shows_its_verbs_and_examples(run: Run, group: str) -> None:
    done = run(group, "--help")
    shown = commands_in(done.out.partition("Example")[2].partition("Options:")[0])
    assert done.code == 0 and len(shown) >= 3 and {words[0] for words in shown} == {group}
    hidden = {"review page"}
    assert all(f"\n  {verb.split()[1]} " in done.out for verb in VERBS if verb.startswith(group) and verb not in hidden)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_is_for(verb: str) -> None:
    for parameter in dict(verbs())[verb].params:
        said = parameter.param_type_name == "argument" or getattr(parameter, "help", None)
        assert said, f"{verb} {parameter.name}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the examples name: problems, solutions, two builds, four runs."""
    place = tmp_path_factory.mktemp("world")
    built = small_build(place).folder
    for name in ("data", "half"):
        shutil.copytree(built, place / "runs" / name)
    for seed, name in enumerate(("hybrid", "rl", "before", "after")):
        make_run(place / "runs" / name, make_build(place / "build"), seed=seed)
    return place


ELSEWHERE = ("starter", "--attack", "http://", "feedback=")
"""What an example names that a small folder does not have: a server, the starter problems, people's verdicts."""


@pytest.mark.parametrize("verb", ["verify", "validate", "report", "data stats", "data diff", "data export"])
def test_examples_work_when_they_are_typed(run: Run, world: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.chdir(world)
    typed = [words for words in examples(run, verb) if not any(name in word for word in words for name in ELSEWHERE)]
    assert typed
    for words in typed:
        assert run(*words).code == 0, words


def test_the_examples_of_reviewing_work_when_they_are_typed(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    with Served(world / "runs" / "data", "--person", "ann") as served, Person(served.links["ann"]) as ann:
        ann.judge(ann.part(), "yes", "k")
    for verb in ("review agreement", "review apply", "review export"):
        (words,) = [words for words in examples(run, verb) if verb_of(words) == verb]
        assert run(*words, *(["--yes"] if verb == "review apply" else [])).code == 0, words
    assert (world / "runs" / "data" / "feedback" / "labels.jsonl").exists()
