"""Verdicts on a real Ray cluster of two nodes, one of which is killed in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from critique_coder.judge import Judge
from critique_coder.judge.ray_judge import RayJudge
from critique_coder.records import BadInput, Problem, Solution, TestCase, TestKind
from critique_coder.storage import sha256_file, write_jsonl
from ray_cluster import _head as _head
from ray_cluster import cluster as cluster
from ray_cluster import node_lost, soon
from small_build import small_build

PROBLEM = Problem("p", "s", tuple(TestCase(TestKind.CALL, args=(x,), expected=2 * x) for x in (1, 2)), entry_point="f")
CODES = ("def f(x): return 2 * x", "def f(x): return 2", "def f(:", "1 / 0")
SETTINGS = {"time_limit_s": 2, "memory_limit_mb": 128}


def pairs(count: int, sleep: float = 0) -> list[tuple[Problem, Solution]]:
    wait = f"import time\ntime.sleep({sleep})\n" if sleep else ""
    return [(PROBLEM, Solution(f"s{n}", "p", wait + CODES[n % len(CODES)])) for n in range(count)]


def test_two_nodes_give_what_one_machine_gives_and_a_lost_one_costs_nothing(
    cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    work = pairs(120, sleep=0.01)
    with Judge(workers=2, time_limit_s=2, memory_limit_mb=128) as judge:
        expected = [(v.solution_id, v.outcome) for v in judge.verify_many(work)]
    with RayJudge(cluster.address, SETTINGS) as judges:
        assert judges.nodes == 2 and judges.isolation.value in ("full", "light")
        assert list(judges.verify_many([])) == []
        got = []
        for verdict in judges.verify_many(work):
            got.append((verdict.solution_id, verdict.outcome))
            if len(got) == 20:
                cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        assert got == expected
        assert soon(lambda: judges.nodes == 1)
        left = judges.verify_many(work)
        assert next(left).solution_id == "s0"
    assert "was lost; the others do its work" in capfd.readouterr().err
    del left  # which asks Ray for nothing, or it would connect anew
    assert not ray.is_initialized()


def test_a_build_on_a_cluster_that_loses_a_node_is_the_one_made_here(cluster: Cluster, tmp_path: Path) -> None:
    from critique_coder.data.verify import JudgeOptions

    here = small_build(tmp_path / "here")
    log = tmp_path / "there" / "data" / "verdicts.jsonl"
    with node_lost(cluster, lambda: log.exists() and log.stat().st_size > 0):
        there = small_build(tmp_path / "there", options=JudgeOptions(ray=cluster.address))
    names = here.manifest["outputs"]
    assert {name: sha256_file(there.folder / name) for name in names} == {
        name: sha256_file(here.folder / name) for name in names
    }


def test_the_command_judges_on_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "problems.jsonl", [PROBLEM.to_json()])
    write_jsonl(tmp_path / "solutions.jsonl", [solution.to_json() for _, solution in pairs(20)])
    command = [
        "verify",
        "solutions.jsonl",
        "--problems",
        "problems.jsonl",
        "--output",
        "v.jsonl",
        "--ray",
        cluster.address,
    ]
    done = subprocess.run(
        [sys.executable, "-c", "from critique_coder.cli import main; main()", *command, "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["outcomes"]["passed"] == 5
    assert len((tmp_path / "v.jsonl").read_text().splitlines()) == 20


def test_the_command_builds_on_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    small_build(tmp_path)
    command = [sys.executable, "-c", "from critique_coder.cli import main; main()", "build", "demo"]
    command += ["--problems", "problems.jsonl", "candidates.path=solutions.jsonl", "judge.workers=2"]
    hashes = []
    for folder, more in (("here", []), ("there", ["--ray", cluster.address])):
        done = subprocess.run(
            [*command, "--output", folder, *more], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        outputs = json.loads((tmp_path / folder / "manifest.json").read_text())["outputs"]
        hashes.append({name: sha256_file(tmp_path / folder / name) for name in outputs})
    assert hashes[0] == hashes[1] and "rows/train.parquet" in hashes[0]


def test_no_cluster_is_told_in_one_line() -> None:
    with pytest.raises(BadInput, match="no cluster answers there") as caught:
        RayJudge("127.0.0.1:1", SETTINGS)
    assert "\n" not in str(caught.value)
