"""Sampling candidates: written down as they come, and after a kill the same bytes as without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critique_coder.data.candidates import SamplingPlan, Spent, plan_of_candidates, sample_solutions
from critique_coder.data.recipe import AuthorSettings
from critique_coder.models import ModelError, Sampling, TextModel, open_model
from critique_coder.prompts import load_template
from critique_coder.records import Solution
from making import FakeModel, a_problem
from openai_server import Reply, completion, serve

PROBLEMS = [a_problem(f"p{n}") for n in range(7)]
PLAN = SamplingPlan(2, Sampling(seed=3), 4)
"""Two problems a chunk."""


def never() -> TextModel:
    raise AssertionError("the model must not be opened")


def sample(place: Path, model: FakeModel | None = None, plan: SamplingPlan = PLAN) -> list[Solution]:
    opened = never if model is None else lambda: model
    return sample_solutions(opened, PROBLEMS, plan, load_template("solve"), place)


def test_each_problem_gets_its_solutions_in_order(tmp_path: Path) -> None:
    model = FakeModel()
    solutions = sample(tmp_path / "s.jsonl", model)
    assert [s.id for s in solutions] == [f"p{n}#{k}" for n in range(7) for k in range(2)]
    assert all(s.author == "fake" and s.code and s.code in (s.completion or "") for s in solutions)
    assert len({s.code for s in solutions}) == 14
    assert len(model.asked) == 7


def test_an_answer_without_code_is_kept_as_such(tmp_path: Path) -> None:
    solutions = sample(tmp_path / "s.jsonl", FakeModel(lambda prompt, dice: "I do not know."))
    assert all(s.code is None and s.completion == "I do not know." for s in solutions)


def test_finished_work_does_not_open_the_model(tmp_path: Path) -> None:
    first = sample(tmp_path / "s.jsonl", FakeModel())
    before = (tmp_path / "s.jsonl").read_bytes()
    assert sample(tmp_path / "s.jsonl") == first
    assert (tmp_path / "s.jsonl").read_bytes() == before


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_a_file_cut_anywhere_is_completed_to_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = sample(folder / "whole.jsonl", FakeModel())
    data = (folder / "whole.jsonl").read_bytes()
    (folder / "cut.jsonl").write_bytes(data[: cut % (len(data) + 1)])
    assert sample(folder / "cut.jsonl", FakeModel()) == whole
    assert (folder / "cut.jsonl").read_bytes() == data


def test_a_stop_in_the_middle_keeps_finished_chunks_and_goes_on_behind_them(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sample(tmp_path / "s.jsonl", FakeModel(fail_after=4))
    model = FakeModel()
    resumed = sample(tmp_path / "s.jsonl", model)
    assert len(model.asked) == 3
    assert resumed == sample(tmp_path / "other.jsonl", FakeModel())


def test_chunks_and_seeds_are_drawn_differently(tmp_path: Path) -> None:
    model = FakeModel()
    one = sample(tmp_path / "one.jsonl", model)
    assert len({sampling.seed for sampling in model.samplings}) == 4
    other = sample(tmp_path / "two.jsonl", FakeModel(), SamplingPlan(2, Sampling(seed=4), 4))
    assert {s.code for s in one}.isdisjoint({s.code for s in other})


def test_the_settings_of_a_draw_reach_the_model(tmp_path: Path) -> None:
    model = FakeModel()
    sample(tmp_path / "s.jsonl", model, SamplingPlan(1, Sampling(0.3, 0.7, 9, 55, 1), 100))
    (found,) = {(s.temperature, s.top_p, s.top_k, s.max_tokens) for s in model.samplings}
    assert found == (0.3, 0.7, 9, 55)


def test_more_solutions_a_problem_than_rows_a_batch_still_works(tmp_path: Path) -> None:
    assert len(sample(tmp_path / "s.jsonl", FakeModel(), SamplingPlan(5, Sampling(), 2))) == 35


def through(url: str, place: Path, cache: Path | None, author: int | None = None) -> list[Solution]:
    plan = plan_of_candidates({**SETTINGS, "endpoint": url}, 3, 5, author)
    opened = lambda: open_model("m", url, 4, cache)  # noqa: E731
    return sample_solutions(opened, PROBLEMS, plan, load_template("solve"), place)


SETTINGS = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "max_tokens": 99, "batch_size": 4}


def told(number: int, body: Any) -> Reply:
    return completion(f"```python\nx = {body['seed']}\n```", tokens=7)


def test_an_endpoint_gives_each_problem_its_own_seeds(tmp_path: Path) -> None:
    with serve(told) as served:
        solutions = through(served.url, tmp_path / "s.jsonl", None)
        assert served.most_at_once <= 4 and len(served.requests) == 21
        assert [s.id for s in solutions] == [f"p{n}#{k}" for n in range(7) for k in range(3)]
        assert len({s.code for s in solutions}) == 21
        plan = plan_of_candidates({**SETTINGS, "endpoint": served.url}, 3, 5)
        opened = open_model("m", served.url, 4)
        fewer = sample_solutions(lambda: opened, PROBLEMS[3:], plan, load_template("solve"), tmp_path / "fewer.jsonl")
    assert [s.code for s in fewer] == [s.code for s in solutions[9:]]
    spent = Spent(AuthorSettings(prompt_price=2, completion_price=10))
    for solution in solutions:
        spent.add(solution)
    assert spent.to_json() == {
        "author": "m", "solutions": 21, "prompt_tokens": 210, "completion_tokens": 147,
        "cost": round((420 + 1470) / 1e6, 6),
    }  # fmt: skip


def test_an_endpoint_that_dies_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    paid = tmp_path / "answers.sqlite"
    with serve(told) as served:
        whole = through(served.url, tmp_path / "whole.jsonl", None)
    asked: list[int] = []

    def dying(number: int, body: Any) -> Reply:
        asked.append(body["seed"])
        return (401, {}, {"error": "no credit"}) if len(asked) == 10 else told(number, body)

    with serve(dying) as served:
        with pytest.raises(ModelError, match="no credit"):
            through(served.url, tmp_path / "s.jsonl", paid)
        assert len((tmp_path / "s.jsonl").read_text().splitlines()) >= 1
        assert through(served.url, tmp_path / "s.jsonl", paid) == whole
    assert (tmp_path / "s.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert len(asked) == 22 and len(set(asked)) == 21


def test_several_authors_have_ids_of_their_own(tmp_path: Path) -> None:
    with serve(told) as served:
        solutions = through(served.url, tmp_path / "s.jsonl", None, author=1)
    assert [s.id for s in solutions[:3]] == ["p0#1.0", "p0#1.1", "p0#1.2"]
