"""``critique-coder data``: what it shows of a real small build, and what it says of bad names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from critique_coder.cli.main import cli
from critique_coder.data.built import BuiltData
from critique_coder.storage import alone_in, read_rows, sha256_file, write_jsonl
from making import complaint, kill_when
from small_build import small_build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltData:
    return small_build(tmp_path_factory.mktemp("build"))


def run(*words: object, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["data", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    return result


def summary(*words: object, exit_code: int = 0) -> dict[str, Any]:
    return dict(json.loads(run(*words, "--json", exit_code=exit_code).stdout.splitlines()[-1]))


def test_stats_count_what_is_there(built: BuiltData, tmp_path: Path) -> None:
    found = summary("stats", built.folder, "--html", tmp_path / "stats.html")
    assert found["problems"]["by_licence"] == {"MIT": 6} and found["problems"]["tests"]["median"] == 4
    assert [(source["read"], source["kept"]) for source in found["lost"].values()] == [(6, 6)]
    assert found["table1"]["kept"]["questions"] == 6
    assert found["difficulty"]["never_solved"] == 0 and sum(found["difficulty"]["histogram"]) == 6
    assert found["difficulty"]["histogram"][4] == 6
    assert {name: author["solutions"] for name, author in found["authors"].items()} == {"author 0": 18, "author 1": 12}
    passes = ("pass@1", "pass@2", "pass@4")
    assert [[author[key] for key in passes] for author in found["authors"].values()] == [
        [0.333333, 0.666667, None],
        [0.5, 1.0, None],
    ]
    assert found["outcomes"] == {"passed": 12, "wrong_answer": 12, "compile_error": 6}
    assert found["labels"]["total"] == 30 and found["labels"]["true"] == 12
    assert found["rows"]["train"]["by_kind"] == {"critique": 2, "solve": 2} or found["rows"]["train"]["by_kind"] == {
        "solve": 2,
        "critique": 2,
    }
    page = (tmp_path / "stats.html").read_text()
    assert "<html" in page and "author 0" in page and "http" not in page.split("<body>")[1]


def test_stats_print_tables(built: BuiltData) -> None:
    text = run("stats", built.folder).stdout
    assert "40 % to 50 %" in text and "avg tests" in text and "pass@4" in text
    assert "never solved" in text and "author 1" in text and "Cramér" in text and "█" in text


@pytest.mark.parametrize("name", ["critique/p0#2", "p0#2"])
def test_show_renders_a_critique_row_with_tests_and_verdicts(built: BuiltData, name: str) -> None:
    text = run("show", built.folder, name).stdout
    assert "return n\n" in text.replace(" ", "").replace("returnn", "return n") or "return n" in text
    assert "double(3)" in text and "wrong_answer" in text and "label wrong, by tests" in text
    found = summary("show", built.folder, name)
    assert found["verdict"]["passed"] == 1 and found["row"]["kind"] == "critique"


@pytest.mark.parametrize("name", ["solve/p1", "p1"])
def test_show_renders_a_solve_row(built: BuiltData, name: str) -> None:
    assert "double(3)" in run("show", built.folder, name).stdout
    found = summary("show", built.folder, name)
    assert found["row"]["kind"] == "solve" and found["verdict"] is None and found["problem"]["id"] == "p1"


def test_shown_rows_are_the_ones_that_training_reads(built: BuiltData) -> None:
    for row in built.rows("train"):
        assert summary("show", built.folder, row["id"])["row"] == row


def test_an_unknown_row_is_told_with_the_nearest(built: BuiltData) -> None:
    assert "'p1'" in complaint(run, "show", built.folder, "solve/p1x")


def test_what_became_of_a_problem_or_a_solution_without_a_row_is_told(built: BuiltData, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(built.folder, folder)
    write_jsonl(folder / "quarantine.jsonl", [{"problem_id": "p9", "reason": "duplicate", "detail": "of p1"}])
    labelled = [row for _, row in read_rows(folder / "critiques.jsonl")]
    write_jsonl(folder / "critiques.jsonl", [row for row in labelled if row["solution_id"] != "p0#1"])
    assert "was lost: duplicate (of p1)" in complaint(run, "show", folder, "p9")
    assert "has no label (passed, 4 of 4 tests passed)" in complaint(run, "show", folder, "critique/p0#1")


def test_a_build_does_not_differ_from_itself(built: BuiltData) -> None:
    found = summary("diff", built.folder, built.folder)
    assert found["same"] and found["settings"] == {} and found["moved"] == {}


def test_another_share_moves_problems(built: BuiltData, tmp_path: Path) -> None:
    small_build(tmp_path, "mix.critique_share=0")
    found = summary("diff", built.folder, tmp_path / "data", exit_code=1)
    assert found["settings"] == {"mix.critique_share": [0.5, 0], "source": found["settings"]["source"]} | {
        key: value for key, value in found["settings"].items() if key.startswith("candidates")
    }
    assert found["moved"] == {"critique -> solve": 2} and found["labels"]["changed"] == []
    assert "2 problems moved" in run("diff", built.folder, tmp_path / "data", exit_code=1).stdout


def test_changed_labels_and_lost_problems_are_named(built: BuiltData, tmp_path: Path) -> None:
    shutil.copytree(built.folder, tmp_path / "data")
    for name, change in (("critiques.jsonl", lambda row: {**row, "label": True}), ("problems.jsonl", lambda row: row)):
        rows = [change(row) for _, row in read_rows(tmp_path / "data" / name)]
        write_jsonl(tmp_path / "data" / name, rows[1:] if name == "problems.jsonl" else rows)
    found = summary("diff", built.folder, tmp_path / "data", exit_code=1)
    assert found["problems"]["gone"] == ["p0"] and len(found["labels"]["changed"]) == 18
    assert found["labels"]["changed_in"] == {"label": 18}


def test_export_writes_and_says_what_was_left_out(built: BuiltData, tmp_path: Path) -> None:
    critiques = [
        {"row_id": row["id"], "completion": r"\conclusion{T}"} for _, row in read_rows(built.folder / "critiques.jsonl")
    ]
    write_jsonl(tmp_path / "c.jsonl", critiques)
    words = ("export", built.folder, f"critiques={tmp_path / 'c.jsonl'}", "--kind", "cft")
    text = run(*words, "--output", tmp_path / "out").stdout
    assert "rows       8 (cft)" in text and "left out   8: wrong_judgement" in text
    assert (tmp_path / "out" / "README.md").exists()


def test_export_settings_are_shown_and_unknown_ones_refused(built: BuiltData, tmp_path: Path) -> None:
    text = run("export", built.folder, "agree=false", "--kind", "cft", "--print-config").stdout
    assert "agree = false" in text and "[teacher]" in text
    assert "agree" in complaint(run, "export", built.folder, "agre=false", "--kind", "cft", "-o", tmp_path / "o")


@pytest.fixture(scope="module")
def long_statements(tmp_path_factory: pytest.TempPathFactory) -> BuiltData:
    return small_build(tmp_path_factory.mktemp("long"), statement_bytes=2_000_000)


@pytest.mark.parametrize("format_", ["parquet", "jsonl"])
def test_an_export_killed_within_a_shard_leaves_whole_files_and_goes_on_to_the_same_bytes(
    format_: str, long_statements: BuiltData, tmp_path: Path
) -> None:
    words = ["export", str(long_statements.folder), "--kind", "rl", "--format", format_, "shard_rows=1", "--output"]
    run(*words, tmp_path / "whole")
    out = tmp_path / "killed"
    shard = f"train-00002.{format_}"
    kill_when(["data", *words, str(out)], lambda: any((out / "data").glob(f".{shard}.*")), 100)
    assert any((out / "data").glob(f".{shard}.*")), "killed between two shards, not within one"
    found = {name: sha256 for name, sha256 in contents(out).items() if not Path(name).name.startswith(".")}
    whole = contents(tmp_path / "whole")
    assert found.keys() == {"settings.json", f"data/train-00000.{format_}", f"data/train-00001.{format_}"}
    assert found.items() <= whole.items()
    run(*words, out)
    assert contents(out) == whole


def test_a_shard_for_which_there_is_no_room_is_told_and_not_left_behind(
    long_statements: BuiltData, tmp_path: Path
) -> None:
    words = ["data", "export", str(long_statements.folder), "--kind", "rl", "--output", str(tmp_path / "out")]
    code = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
    code += "from critique_coder.cli import main\nmain()"
    full = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=100)
    assert full.returncode == 2 and full.stderr.count("\n") == 1
    assert "train-00000.parquet: larger than files may be here" in full.stderr
    assert contents(tmp_path / "out").keys() == {"settings.json"}
    run(*words[1:])
    run(*words[1:-1], tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def contents(folder: Path) -> dict[str, str]:
    """The hash of each file, by its path in the folder."""
    return {str(file.relative_to(folder)): sha256_file(file) for file in folder.rglob("*") if file.is_file()}


def test_a_folder_in_which_another_process_exports_is_refused(built: BuiltData, tmp_path: Path) -> None:
    run("export", built.folder, "--kind", "rl", "--output", tmp_path / "out")
    with alone_in(tmp_path / "out"):
        refused = complaint(run, "export", built.folder, "--kind", "rl", "--output", tmp_path / "out")
    assert "another process is writing to it" in refused
