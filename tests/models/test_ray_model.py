"""Sampling on a real Ray cluster of two nodes, one of which is killed in the middle."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from critique_coder.data.candidates import SamplingPlan, write_samples
from critique_coder.data.verify import JudgeOptions
from critique_coder.models import ModelError, Sampling, open_model
from critique_coder.models.ray_model import RayModel
from critique_coder.prompts import load_template
from critique_coder.storage import sha256_file
from making import a_problem
from openai_server import Reply, completion, serve
from ray_cluster import _head as _head
from ray_cluster import cluster as cluster
from ray_cluster import node_lost, soon
from small_build import RIGHT, WRONG, small_build
from tiny_model import tiny_model, tiny_tokenizer

PROBLEMS = [replace(a_problem(f"p{n}"), statement=f"w{n + 3} w9 w{n + 7}") for n in range(16)]


def lines(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def test_replicas_of_a_model_on_two_nodes_draw_what_one_draws_here(cluster: Cluster, tmp_path: Path) -> None:
    folder = str(tmp_path / "tiny")
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    template = load_template("solve")
    plan = SamplingPlan(3, Sampling(seed=5, max_tokens=24), 6)
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    write_samples(lambda: open_model(folder, batch_size=6), PROBLEMS, plan, template, here)
    model = RayModel(cluster.address, folder, None, 6)
    try:
        assert model.nodes == 2 and model.name == folder
        with node_lost(cluster, lambda: lines(there) > 0):
            write_samples(lambda: model, PROBLEMS, plan, template, there)
        assert there.read_bytes() == here.read_bytes() and lines(here) == 48
        asked = [{"role": "user", "content": "w5 w6"}], [{"role": "user", "content": "w7"}]
        assert model.sample(asked, 2, plan.sampling) == open_model(folder, batch_size=6).sample(asked, 2, plan.sampling)
        assert soon(lambda: model.nodes == 1)
    finally:
        model.close()


def program(number: int, body: Any) -> Reply:
    """One of five programs, by the seed; not at once, so that a node can be lost before all is done."""
    time.sleep(0.05)
    code = (*RIGHT, *WRONG)[body["seed"] % 5]
    return completion(f"```python\n{code}```", tokens=7)


def test_a_build_whose_nodes_ask_an_endpoint_is_the_one_made_here(cluster: Cluster, tmp_path: Path) -> None:
    def built(folder: Path, url: str, cache: Path, options: JudgeOptions = JudgeOptions()) -> dict[str, str]:
        author = (
            f'candidates={{endpoint = "{url}", model = "m", n = 5, heldout_n = 4, batch_size = 5, cache = "{cache}"}}'
        )
        data = small_build(folder, author, options=options)
        return {name: sha256_file(data.folder / name) for name in data.manifest["outputs"]}

    with serve(program) as served:
        expected = built(tmp_path / "here", served.url, tmp_path / "one.sqlite")
        asked = len(served.requests)
        folder, cache = tmp_path / "there", tmp_path / "two.sqlite"
        with node_lost(cluster, lambda: lines(folder / "data" / "candidates" / "train.jsonl") > 0):
            assert built(folder, served.url, cache, JudgeOptions(ray=cluster.address)) == expected
        assert served.most_at_once <= 10
        again = len(served.requests)
        assert asked == 28 and again <= 2 * asked + 10  # what the lost node had in hand is asked for once more
        assert built(tmp_path / "again", served.url, cache) == expected  # the answers of the nodes lie here
        assert len(served.requests) == again


def test_a_node_that_is_lost_before_it_has_answered_is_left_out(cluster: Cluster, tmp_path: Path) -> None:
    with serve(program) as served:
        model = RayModel(cluster.address, "m", served.url, 2, tmp_path / "answers.sqlite")
        try:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
            plan = SamplingPlan(2, Sampling(), 2, endpoint=True)
            write_samples(lambda: model, PROBLEMS, plan, load_template("solve"), tmp_path / "s.jsonl")
            assert lines(tmp_path / "s.jsonl") == 32
            assert soon(lambda: model.nodes == 1)
        finally:
            model.close()


def test_what_goes_wrong_on_a_node_is_told_in_one_line(cluster: Cluster, tmp_path: Path) -> None:
    plan = SamplingPlan(2, Sampling(), 2, endpoint=True)

    def refused(number: int, body: Any) -> Reply:
        return (401, {}, {"error": "no credit"}) if number == 9 else program(number, body)

    def sampled(url: str) -> None:
        model = RayModel(cluster.address, "m", url, 2, tmp_path / "answers.sqlite")
        try:
            write_samples(lambda: model, PROBLEMS, plan, load_template("solve"), tmp_path / "s.jsonl")
        finally:
            model.close()

    with serve(refused) as served:
        with pytest.raises(ModelError, match=r"^node .*no credit") as caught:
            sampled(served.url)
        assert "\n" not in str(caught.value)
        assert "ray.data" not in sys.modules  # its threads would outlive the connection, and end this process
        sampled(served.url)
        assert lines(tmp_path / "s.jsonl") == 32
        assert len(served.requests) == 33  # what was paid for is not asked for again
    missing = RayModel(cluster.address, str(tmp_path / "none"), None, 2)
    try:
        with pytest.raises(ModelError, match=r"^node .*cannot be loaded"):
            missing.sample([[{"role": "user", "content": "w5"}]], 1, Sampling())
    finally:
        missing.close()
