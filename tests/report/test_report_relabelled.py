"""Runs whose builds differ by what people said: all are scored by the newest labels, and the page says so in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from critique_coder.evaluation.metrics import Judged, critique_counts, critique_metrics
from critique_coder.evaluation.statistics import differences, estimates
from critique_coder.records import Judgement
from critique_coder.report import write_report
from critique_coder.report.reading import Run, read_run
from critique_coder.report.relabelled import OneExam, one_exam
from critique_coder.storage import write_json
from run_folders import make_build, make_evaluation, make_run

JUDGES = "critique/balanced_accuracy"
CHANGED = {f"critique/mbpp/{601 + place}#0": False for place in range(12)}
CONFIRMED = {"critique/mbpp/640#0": True, "critique/mbpp/641#1": False}


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    return make_build(tmp_path / "data"), make_build(tmp_path / "data-2", people={**CHANGED, **CONFIRMED})


@pytest.fixture
def runs(tmp_path: Path, builds: tuple[Path, Path]) -> list[Run]:
    named = zip("ab", builds, (0, 1), strict=True)
    return [read_run(make_run(tmp_path / name, build, seed=seed)) for name, build, seed in named]


def scored(run: Run, labels: dict[str, bool]) -> list[Judged]:
    """A run's stored judgements beside labels, worked out here from the files."""
    path = run.folder / "evaluation" / run.final.name / "critiques.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        Judged(
            row["row_id"][9:-2], labels.get(row["row_id"], row["row_id"].endswith("#0")), Judgement(row["judgement"])
        )
        for row in rows
    ]


def exam_of(runs: list[Run]) -> OneExam:
    found = one_exam(runs, [run.name for run in runs])
    assert found is not None
    return found


def test_both_runs_are_scored_by_the_newer_labels(runs: list[Run]) -> None:
    found = exam_of(runs)
    old, new = (critique_counts(scored(run, CHANGED)) for run in runs)
    for metrics, counts in zip(found.metrics, (old, new), strict=True):
        for name, estimate in estimates(counts, critique_metrics).items():
            assert metrics[name] == estimate
    expected = differences(old, new, critique_metrics)
    assert {name: found.compared[0].metrics[name] for name in expected} == expected
    own = estimates(critique_counts(scored(runs[0], {})), critique_metrics)[JUDGES]
    assert found.metrics[0][JUDGES].value != own.value, "else nothing is tested"


def test_the_newer_labels_count_whatever_the_order(runs: list[Run]) -> None:
    there, back = exam_of(runs), exam_of(runs[::-1])
    assert there.metrics == back.metrics[::-1]
    assert there.compared[0].metrics[JUDGES].change.value == -back.compared[0].metrics[JUDGES].change.value


def test_it_is_said_what_people_changed_and_what_that_did(runs: list[Run]) -> None:
    own = estimates(critique_counts(scored(runs[0], {})), critique_metrics)[JUDGES].value
    new = estimates(critique_counts(scored(runs[0], CHANGED)), critique_metrics)[JUDGES].value
    words = ". ".join(exam_of(runs).said)
    assert "people's verdicts are the labels of 14 of the 168 solutions of data-2" in words
    assert "of the 168 labels that data has too they changed 12: 12 by the verdict itself, 0 by mended tests" in words
    assert "12 of the 12 are of held-out problems" in words
    assert "scored by the labels of data-2" in words
    assert "168 held-out pairs that all of them judged; the label of 12 of these pairs changed" in words
    assert f"balanced accuracy of a is {own:.3f} by the labels of data and {new:.3f} by those of data-2" in words
    assert "pass@1" not in words and "more than people's feedback" not in words


def test_the_page_has_the_words_and_the_numbers(tmp_path: Path, runs: list[Run]) -> None:
    page = write_report([run.folder for run in runs], tmp_path / "page.html").read_text(encoding="utf-8")
    found = exam_of(runs)
    assert "What people changed between the builds." in page and "by the newest labels" in page
    assert found.said[0][1:].replace("'", "&#39;") in page
    side_by_side = page[page.index("Side by side") : page.index("Learning curves")]
    for metrics in found.metrics:
        assert f"{metrics[JUDGES].value:.3f}" in side_by_side
    assert "not compared" not in page


def test_labels_by_mended_tests_are_told_apart_and_pass_at_1_leaves_these_problems_out(tmp_path: Path) -> None:
    mended = {"critique/mbpp/650#1": True}
    builds = make_build(tmp_path / "data"), make_build(tmp_path / "data-2", people=CHANGED, mended=mended)
    runs = [read_run(make_run(tmp_path / name, build)) for name, build in zip("ab", builds, strict=True)]
    words = ". ".join(exam_of(runs).said)
    assert "changed 13: 12 by the verdict itself, 1 by mended tests" in words
    assert "pass@1 is compared on the 83 problems that have the same tests in all builds" in words


def test_only_pairs_that_all_judged_count(tmp_path: Path, builds: tuple[Path, Path]) -> None:
    folders = [make_run(tmp_path / name, build) for name, build in zip("ab", builds, strict=True)]
    path = folders[1] / "evaluation" / "grpo" / "critiques.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:100]))
    found = exam_of([read_run(folder) for folder in folders])
    assert any("on the 100 held-out pairs" in sentence for sentence in found.said)
    path.write_text("")
    nothing = exam_of([read_run(folder) for folder in folders])
    assert JUDGES not in nothing.compared[0].metrics and "solve/pass@1" in nothing.compared[0].metrics
    assert any("critiques not compared" in sentence for sentence in nothing.said)


def test_what_else_differs_between_the_builds_is_named(tmp_path: Path, builds: tuple[Path, Path]) -> None:
    manifest = json.loads((builds[1] / "manifest.json").read_text())
    manifest["settings"]["label"]["threshold"] = 0.5
    write_json(builds[1] / "manifest.json", manifest)
    runs = [read_run(make_run(tmp_path / name, build)) for name, build in zip("ab", builds, strict=True)]
    assert "the builds differ in more than people's feedback: label.threshold" in exam_of(runs).said


def test_without_the_older_build_nothing_is_guessed(tmp_path: Path, builds: tuple[Path, Path], runs: list[Run]) -> None:
    (builds[0] / "manifest.json").unlink()
    assert one_exam(runs, ["a", "b"]) is None
    page = write_report([run.folder for run in runs], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "since people judged in between, and a build folder that tells which is gone or was changed" in page


def test_runs_of_one_build_keep_their_own_numbers(tmp_path: Path, builds: tuple[Path, Path]) -> None:
    runs = [read_run(make_run(tmp_path / name, builds[1], seed=seed)) for seed, name in enumerate("ab")]
    assert one_exam(runs, ["a", "b"]) is None


def test_builds_that_differ_without_people_are_no_one_exam(tmp_path: Path, builds: tuple[Path, Path]) -> None:
    other = make_build(tmp_path / "other", problems=50)
    runs = [read_run(make_run(tmp_path / name, build)) for name, build in (("a", builds[0]), ("b", other))]
    assert one_exam(runs, ["a", "b"]) is None


@pytest.mark.parametrize("noted", [True, False])
def test_an_evaluation_stands_beside_a_run(tmp_path: Path, builds: tuple[Path, Path], noted: bool) -> None:
    """A model measured again by the newer build, beside the run of that build: the same exam."""
    again = make_evaluation(tmp_path / "again", builds[1], seed=3, noted=noted)
    run = make_run(tmp_path / "b", builds[1])
    page = write_report([again, run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "b against again:" in page and "not compared" not in page
    assert "different stages" not in page and "different evaluation settings" not in page
    assert "not finished" not in page and "The recipes are the same" not in page
    alone = write_report([again], tmp_path / "alone.html").read_text(encoding="utf-8")
    assert "Measured on 84 held-out problems:" in alone and "Learning curves" not in alone
    assert "There is nothing to compare" not in alone and "recipe not named yet" not in alone


def test_an_evaluation_by_the_older_build_is_scored_by_the_newer(tmp_path: Path, builds: tuple[Path, Path]) -> None:
    folders = [make_evaluation(tmp_path / "old", builds[0]), make_run(tmp_path / "b", builds[1])]
    assert any("scored by the labels of data-2" in said for said in exam_of([read_run(f) for f in folders]).said)
