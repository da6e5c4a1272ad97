"""What is refused, and with which line; what is read from a run folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from critique_coder.records import BadInput
from critique_coder.report import write_report
from critique_coder.report.reading import read_run
from critique_coder.storage import write_json, write_text
from run_folders import make_build, make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "demo", make_build(tmp_path / "build"))


def complaint(*runs: Path, output: Path | None = None) -> str:
    """The line with which a report is refused."""
    with pytest.raises(BadInput) as caught:
        write_report(list(runs), output or runs[0].parent / "report.html")
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run folder given"):
        write_report([], tmp_path / "report.html")


def test_the_same_run_twice(run: Path) -> None:
    assert "given twice" in complaint(run, run.parent / "." / run.name)


def test_folders_that_are_not_runs(tmp_path: Path, run: Path) -> None:
    assert "no such run folder" in complaint(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "is not a run folder (no settings.json)" in complaint(tmp_path / "empty")
    write_json(tmp_path / "built" / "settings.json", {"recipe": {}, "inputs": {}})
    assert "is it a build folder?" in complaint(tmp_path / "built")
    write_json(run / "manifest.json", {"kind": "build"})
    assert "key 'kind': must be 'run', not 'build'" in complaint(run)


def test_nothing_measured_yet(run: Path) -> None:
    write_json(run / "evaluation.json", {"settings": {}, "stages": [], "comparisons": []})
    assert "nothing was measured yet" in complaint(run)
    (run / "evaluation.json").unlink()
    assert "holds no evaluation.json: nothing was measured yet" in complaint(run)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("evaluation.json", "{", "not a readable JSON file"),
        ("evaluation.json", "[]", "expected an object"),
        ("evaluation.json", '{"stages": [{"stage": "base"}]}', "stage 1, key 'metrics'"),
        (
            "evaluation.json",
            '{"stages": [{"stage": "base", "metrics": {"a/b": {"value": "x"}}}]}',
            "'a/b', key 'value'",
        ),
        ("manifest.json", "", "is empty; expected JSON"),
        ("metrics.jsonl", '{"stage": \n{}\n', "metrics.jsonl, line 1: not valid JSON"),
        ("metrics.jsonl", '{"stage": "grpo", "step": 1}\n', "line 1, key 'metrics'"),
        ("timing.jsonl", '{"what": 3, "seconds": 1}\n', "line 1, key 'what': expected text"),
        ("examples.json", '{"kind": "solve"}', "expected a list"),
        ("examples.json", '[{"kind": "poem", "stage": "", "problem_id": "", "completion": ""}]', "not one of: solve"),
        ("settings.json", "[]", "expected an object"),
    ],
)
def test_damaged_files_are_named(run: Path, name: str, text: str, said: str) -> None:
    write_text(run / name, text)
    line = complaint(run)
    assert name in line and said in line


def test_a_finding_that_is_not_known(run: Path) -> None:
    found = json.loads((run / "evaluation.json").read_text())
    found["comparisons"][0]["metrics"]["solve/pass@1"]["finding"] = "splendid"
    write_json(run / "evaluation.json", found)
    assert "'splendid' is not one of: better, worse, not decisive" in complaint(run)


def test_damaged_rollouts_are_named(run: Path) -> None:
    (run / "examples.json").unlink()
    (run / "rollouts" / "step-00031.parquet").write_bytes(b"PAR1")
    assert "step-00031.parquet: not a readable Parquet file" in complaint(run)


def test_a_page_that_cannot_be_written(tmp_path: Path, run: Path) -> None:
    (tmp_path / "taken").mkdir()
    assert "cannot be written" in complaint(run, output=tmp_path / "taken")


def test_times_of_one_name_add_up(run: Path) -> None:
    found = read_run(run)
    assert found.timing["GRPO"] == pytest.approx(3320.4)
    assert found.seconds == 5012.4


def test_a_resumed_run_took_what_its_parts_took(run: Path) -> None:
    manifest: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    write_json(run / "manifest.json", manifest | {"seconds": 60.0})
    found = read_run(run)
    assert found.seconds == pytest.approx(sum(found.timing.values()))


def test_a_step_done_again_counts_once(run: Path) -> None:
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"stage": "grpo", "step": 80, "metrics": {"reward/solve": 0.75, "reward/std": NaN}}\n')
    found = read_run(run)
    assert found.curve("grpo", "reward/solve")[-1] == (80, 0.75)
    assert len(found.curve("grpo", "reward/solve")) == 80
    assert found.curve("grpo", "reward/std") == ()


def test_without_examples_the_newest_rollouts_are_shown(run: Path) -> None:
    (run / "examples.json").unlink()
    chosen = read_run(run).examples
    assert [example.finding for example in chosen if example.kind == "solve"] == ["wrong_answer", "passed", "unscored"]
    assert {example.stage for example in chosen} == {"training step 31"}


def test_held_out_problems_are_counted(run: Path) -> None:
    assert read_run(run).heldout_problems == 84
    shutil.rmtree(run / "evaluation")
    assert read_run(run).heldout_problems == 0


def test_a_run_is_called_like_its_folder_and_a_demos_run_like_the_demo(tmp_path: Path) -> None:
    build = make_build(tmp_path / "data")
    for folder, name in ((tmp_path / "first", "first"), (tmp_path / "demo-1" / "run", "demo-1")):
        assert read_run(make_run(folder, build)).name == name
