"""``evaluate`` with a model folder, and ``report`` on what it wrote: nothing in it is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from critique_coder.cli import evaluate, report
from critique_coder.storage import read_json
from small_build import small_build
from tiny_model import tiny_model, tiny_tokenizer


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [(["--temperature", "0.3"], (0.3, 0.3)), (["--critique-temperature", "0"], (0.6, 0.0))],
)
def test_temperatures(tmp_path: Path, asked: list[str], wanted: tuple[float, float]) -> None:
    data = small_build(tmp_path)
    tiny_model().save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    words = [str(tmp_path / "model"), "--data", str(data.folder), "--output", str(tmp_path / "again"), *asked]
    done = CliRunner().invoke(evaluate.command, [*words, "--samples", "1", "--max-tokens", "4"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    settings = read_json(tmp_path / "again" / "evaluation.json")["settings"]
    assert (settings["temperature"], settings["critique_temperature"]) == wanted


def test_what_evaluate_wrote_is_a_report_of_its_own(tmp_path: Path) -> None:
    data = small_build(tmp_path)
    model, again = tmp_path / "model", tmp_path / "again"
    tiny_model().save_pretrained(model)
    tiny_tokenizer().save_pretrained(model)
    asked = [str(model), "--data", str(data.folder), "--output", str(again), "--samples", "1", "--max-tokens", "4"]
    for _ in range(2):  # the same command a second time finds everything there
        done = CliRunner().invoke(evaluate.command, asked, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    settings = read_json(again / "evaluation.json")["settings"]
    assert (settings["temperature"], settings["critique_temperature"]) == (0.6, 0.6)
    manifest = read_json(again / "manifest.json")
    assert (manifest["kind"], manifest["model"]["source"]) == ("evaluation", str(model))
    assert manifest["data"]["folder"] == str(data.folder.resolve())
    page = tmp_path / "page.html"
    written = CliRunner().invoke(report.command, [str(again), "--output", str(page)], catch_exceptions=False)
    assert written.exit_code == 0, written.output
    text = page.read_text(encoding="utf-8")
    assert "Measured on 2 held-out problems:" in text and "double" in text, "numbers, and examples to read"
