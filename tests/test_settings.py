"""Recipes: what they say is what one gets, and what they say wrongly is refused by place, key and nearest key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import critique_coder
from critique_coder.data.recipe import (
    BuildRecipe,
    CandidateSettings,
    FilterSettings,
    LabelSettings,
    MixSettings,
    SourceSettings,
)
from critique_coder.settings import find_recipe, load_settings, resolve, to_toml
from critique_coder.training.recipe import GrpoSettings, TrainRecipe
from making import complaint

RECIPES = Path(critique_coder.__file__).parent / "recipes"
DATA = sorted((RECIPES / "data").glob("*.toml"))
TRAINING = sorted((RECIPES / "training").glob("*.toml"))


def build(*overrides: str, **values: Any) -> BuildRecipe:
    start: dict[str, Any] = {"source": [{"name": "starter"}, {"name": "humaneval"}]}
    return resolve(BuildRecipe, start | values, overrides, "r.toml")


def refusal(*overrides: str) -> str:
    return complaint(build, *overrides)


def test_recipes_come_with_the_package() -> None:
    assert {"demo"} <= {path.stem for path in DATA} and {"demo"} <= {path.stem for path in TRAINING}


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_shipped_data_recipes_load(path: Path) -> None:
    assert load_settings(BuildRecipe, path) == load_settings(BuildRecipe, find_recipe(path.stem, "data"))


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_shipped_training_recipes_load_and_their_batches_divide(path: Path) -> None:
    grpo = load_settings(TrainRecipe, path).grpo
    assert grpo.prompts * grpo.group_size % grpo.micro_batch_size == 0


def test_a_recipe_is_a_file_or_a_shipped_name(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[source]]\nname = "starter"\n')
    assert find_recipe(str(mine), "data") == mine
    assert find_recipe("recipes/data/paper.toml", "data") == find_recipe("paper", "data")
    assert "recipes/training/paper.toml" in complaint(find_recipe, "recipes/training/paper.toml", "data")
    message = complaint(find_recipe, "demoo", "data")
    assert "demoo" in message and "demo" in message


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("mix.critique_share=0.5", ("mix", "critique_share"), 0.5),
        ("seed=7", ("seed",), 7),
        ("candidates.path=solutions.jsonl", ("candidates", "path"), "solutions.jsonl"),
        ("candidates.path='with = sign'", ("candidates", "path"), "with = sign"),
        ("candidates.endpoint=http://localhost:8000/v1", ("candidates", "endpoint"), "http://localhost:8000/v1"),
        ("audit.reference=false", ("audit", "reference"), False),
        ("source.1.path=x y.jsonl", ("source", 1, "path"), "x y.jsonl"),
        ("source.0.name='mbpp'", ("source", 0, "name"), "mbpp"),
        ("source=[{name = 'mbpp'}]", ("source", 0, "name"), "mbpp"),
    ],
)
def test_an_override_sets_what_it_names_and_nothing_else(
    override: str, place: tuple[str | int, ...], value: Any
) -> None:
    changed: Any = build(override).model_dump()
    expected: Any = build().model_dump()
    for part in place:
        changed, expected = changed[part], expected[part] if not isinstance(part, int) or part < len(expected) else None
    assert changed == value != expected
    if not override.startswith("source="):
        whole = build(override).model_dump()
        here: Any = whole
        for part in place[:-1]:
            here = here[part]
        here[place[-1]] = expected
        assert whole == build().model_dump()


def test_later_overrides_win() -> None:
    assert build("seed=1", "seed=2").seed == 2


def test_a_list_of_numbers_can_be_overridden() -> None:
    recipe = resolve(TrainRecipe, {}, ["grpo.keep_pass_rate=[0.1, 0.9]"], "t.toml")
    assert recipe.grpo.keep_pass_rate == (0.1, 0.9)


@pytest.mark.parametrize(
    "override", ["mix.critique_share", "=1", "mix.=1", ".seed=1", "mix critique=1", "source.-1.path=x", ""]
)
def test_an_override_of_no_known_form_is_refused_with_an_example(override: str) -> None:
    assert "section.key=value" in refusal(override)


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("mix.critique_shar=0.5", "did you mean 'critique_share'"),
        ("mixx.critique_share=0.5", "did you mean 'mix'"),
        ("source.0.nam='x'", "did you mean 'name'"),
        ("sed=1", "did you mean 'seed'"),
        ("zzz=1", "known here: seed"),
        ("mix.critique_share=abc", "mix.critique_share"),
        ("mix.critique_share=1.5", "less than or equal to 1"),
        ("mix.heldout_share=1", "less than 1"),
        ("candidates.n=0", "candidates.n"),
        ("candidates.n=2.5", "candidates.n"),
        ("candidates.path=3", "candidates.path"),
        ("audit.reference=maybe", "audit.reference"),
        ("mix=3", "mix"),
        ("source=[]", "source"),
        ("source.path=x", "source.0.path"),
        ("source.0.name='starters'", "source.0.name"),
        ("seed.x=1", "'seed'"),
        ("label.threshold=nan", "label.threshold"),
        ("seed=true", "it takes int"),
    ],
)
def test_a_wrong_override_is_refused_in_one_line_that_names_it(override: str, wanted: str) -> None:
    assert wanted in refusal(override)


def test_a_wrong_key_in_a_file_is_refused_by_line_and_nearest_key(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('seed = 1\n\n[[source]]\nname = "starter"\n\n[mix]\ncritique_shar = 0.5\n')
    message = complaint(load_settings, BuildRecipe, path)
    assert str(path) in message and "line 7" in message and "did you mean 'critique_share'" in message


def test_a_wrong_value_in_a_file_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('[[source]]\nname = "starter"\n[candidates]\nn = "many"\n')
    message = complaint(load_settings, BuildRecipe, path)
    assert f"{path}, line 4" in message and "'many'" in message


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("seed = 1\n")
    assert "'source'" in complaint(load_settings, BuildRecipe, path)


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe", b"[a]\n[a]\n"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    assert str(path) in complaint(load_settings, BuildRecipe, path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in complaint(load_settings, BuildRecipe, tmp_path / "none.toml")
    assert "cannot be read" in complaint(load_settings, BuildRecipe, tmp_path)


printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12)
recipes = st.builds(
    BuildRecipe,
    seed=st.integers(-(2**40), 2**40),
    source=st.lists(
        st.builds(SourceSettings, name=st.sampled_from(["starter", "mbpp"]), path=st.none() | printable),
        min_size=1,
        max_size=3,
    ),
    filter=st.builds(FilterSettings, max_tests=st.integers(1, 10**9)),
    candidates=st.builds(
        CandidateSettings,
        path=st.none() | printable,
        temperature=st.floats(0, 1e6),
        top_p=st.floats(0, 1, exclude_min=True),
    ),
    label=st.builds(LabelSettings, threshold=st.floats(0, 1)),
    mix=st.builds(MixSettings, solve_template=st.none() | printable),
)


@given(recipes, st.booleans())
def test_the_resolved_recipe_as_toml_says_the_same(recipe: BuildRecipe, help_texts: bool) -> None:
    assert BuildRecipe.model_validate(tomllib.loads(to_toml(recipe, help_texts))) == recipe


@given(st.floats(0, 1), st.floats(0, 1), st.floats(1e-12, 1))
def test_a_training_recipe_as_toml_says_the_same(low: float, high: float, rate: float) -> None:
    recipe = TrainRecipe(grpo=GrpoSettings(keep_pass_rate=(min(low, high), max(low, high)), learning_rate=rate))
    assert TrainRecipe.model_validate(tomllib.loads(to_toml(recipe))) == recipe


@pytest.mark.parametrize("model", [BuildRecipe, TrainRecipe])
def test_every_setting_is_explained(model: type[BaseModel]) -> None:
    def unexplained(section: type[BaseModel], path: str) -> list[str]:
        found = []
        for name, info in section.model_fields.items():
            inner = info.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found += unexplained(inner, f"{path}{name}.")
            elif not info.description and name != "source":
                found.append(path + name)
        return found

    assert unexplained(model, "") == []


def test_print_config_shows_each_key_with_its_help() -> None:
    text = to_toml(build())
    assert "# True when the pass rate is above this" in text and "threshold = 0.8" in text
    assert "# path is not set" in text


def test_a_recipe_does_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        build().seed = 3  # type: ignore[misc]
