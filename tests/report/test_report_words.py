"""How numbers are said, and what the charts make of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from critique_coder.evaluation.statistics import Estimate
from critique_coder.report import charts, tables, words
from critique_coder.report.reading import read_run
from critique_coder.storage import write_json
from run_folders import COUNTS, make_build, make_run

NOTHING = Estimate(math.nan, math.nan, math.nan)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.44, "0.4 s"),
        (42, "42 s"),
        (65.2, "1 min 05 s"),
        (3599.6, "1 h 00 min"),
        (5012.4, "1 h 23 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_shares_and_changes() -> None:
    assert words.percent(0.01) == "1\N{NO-BREAK SPACE}%"
    assert words.percent(0.994) == "99.4\N{NO-BREAK SPACE}%"
    assert words.points(-0.0512) == "\N{MINUS SIGN}5.1"
    assert words.points(0.051) == "+5.1"
    assert words.interval(Estimate(0.63, 0.56, 0.7)) == "0.560 to 0.700"
    assert (words.value(math.nan), words.points(math.nan), words.interval(NOTHING)) == (
        words.UNKNOWN,
        words.UNKNOWN,
        "",
    )


@pytest.mark.parametrize(
    ("low", "high", "said", "finding"),
    [
        (0.56, 0.70, "judges better than chance", "better"),
        (0.45, 0.60, "judging is not told apart from chance", "not decisive"),
        (0.50, 0.60, "judging is not told apart from chance", "not decisive"),
        (0.20, 0.40, "judges worse than chance", "worse"),
    ],
)
def test_the_verdict_says_whether_chance_is_excluded(
    tmp_path: Path, low: float, high: float, said: str, finding: str
) -> None:
    run = make_run(tmp_path / "demo", make_build(tmp_path / "build"))
    found = json.loads((run / "evaluation.json").read_text())
    found["stages"][-1]["metrics"][words.JUDGES] = {"value": (low + high) / 2, "low": low, "high": high}
    write_json(run / "evaluation.json", found)
    claims = {claim.about: claim for sentence in words.verdict(read_run(run)) for claim in sentence.claims}
    assert claims[said].finding == finding
    assert ("excludes 0.5" in claims[said].numbers) is (finding != "not decisive")


def test_the_verdict_tells_the_warm_up_from_reinforcement_learning(tmp_path: Path) -> None:
    sentences = words.verdict(read_run(make_run(tmp_path / "demo", make_build(tmp_path / "build"))))
    assert [sentence.lead for sentence in sentences] == [
        "Against the base model on 84 held-out problems",
        "What reinforcement learning added to the warm-up",
    ]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (0, 1), (0.1, 0.43), (-3, 7), (0, 1e-6), (5, 5), (-2, -2), (0, 123456), (0.4999, 0.5)]
)
def test_ticks_hold_the_data(low: float, high: float) -> None:
    marks = charts.ticks(low, high)
    assert marks[0] <= low and marks[-1] >= high
    assert 2 <= len(marks) <= 8
    assert marks == sorted(set(marks))


def test_the_moving_average() -> None:
    flat = tuple((step, 2.0) for step in range(40))
    assert charts.smoothed(flat) == flat
    short = ((1, 0.0), (2, 4.0))
    assert charts.smoothed(short) == short
    assert charts.smooth_window(80) == 11


def test_a_curve_of_one_step_is_a_dot() -> None:
    assert "<circle" in charts.line_chart("loss", [charts.Line("loss", ((1, 0.5),), 1)])


def test_dots_without_an_interval_are_drawn() -> None:
    drawn = charts.interval_panel(
        "pass@1", [charts.Dot("base", NOTHING, 0), charts.Dot("<b>", Estimate(0.5, 0.4, 0.6), 1)]
    )
    assert drawn.count("<circle") == 1
    assert "&lt;b&gt;" in drawn and "<b>" not in drawn


def test_what_people_changed_is_shown_when_they_did() -> None:
    counts: dict[str, Any] = dict(COUNTS)
    critiques = {**counts["critiques"], "by_source": {"human": 24, "adjudicated": 6}, "doubtful": {"contradicted": 9}}
    problems = {**counts["problems"], "lost": {"person_quarantined": 2}}
    (found,) = (
        table
        for table in tables.data_tables({**counts, "critiques": critiques, "problems": problems})
        if table.title == "What people changed"
    )
    assert {row.name: row.amount for row in found.rows} == {
        "labels by people": 24,
        "labels settled by one of them": 6,
        "labels that are not what the tests say": 9,
        "problems taken out": 2,
    }


def test_counts_of_the_build_are_shown_as_they_are() -> None:
    found = {table.title: {row.name: row.amount for row in table.rows} for table in tables.data_tables(COUNTS)}
    assert found["Problems"] == {"problems kept of 410": 388, f"tests kept of {words.count(4213)}": 3907}
    assert found["Quarantine"] == {"reference fails": 14, "tests too long": 8}
    assert found[f"Critique rows ({words.count(1508)})"] == {"of correct solutions": 433, "of wrong solutions": 1075}
    assert found["Held-out rows"] == {"solve": 84, "critique": 168}
    assert "What people changed" not in found
    assert tables.data_tables(None) == [] and tables.data_tables({"problems": 3, "rows": []}) == []
