"""The report in a real Chromium: on a telephone and in the dark nothing is cut, covered or faint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from critique_coder.report import write_report
from review_browser import Browser, browser
from run_folders import EXAMPLES, make_build, make_run

LOOK = Path(__file__).with_name("report_look.js").read_text(encoding="utf-8")
LONG_NAME = "rl-without-critiques-by-the-long-recipe-2026-11-28"
UNBROKEN = {
    **EXAMPLES[0],
    "problem_id": "a/long/name/" + "p" * 80,
    "completion": "x" * 400,
    "solution": f"def f():\n    return {'y' * 300!r}\n",
    "tests": [{"test": f"f({'1' * 300})", "outcome": "wrong_answer", "message": f"expected {'9' * 300}"}],
}
"""An example whose texts have no place at which a line may end."""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as window:
        yield window


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of a run, of one that is not finished, and of three side by side, one of them with a long name."""
    place = tmp_path_factory.mktemp("reports")
    build = make_build(place / "build")
    demo = make_run(place / "demo", build, examples=[UNBROKEN, *EXAMPLES])
    begun = make_run(place / "begun", build, stages=("base", "warmup"), finished=False)
    others = [make_run(place / name, build, seed=seed, method="rl") for seed, name in enumerate((LONG_NAME, "crl"), 1)]
    runs = {"one": [demo], "begun": [begun], "compared": [demo, *others]}
    return {
        name: write_report(found, place / f"{name}.html", f"critique-coder report {name}")
        for name, found in runs.items()
    }


def show(window: Browser, page: Path, width: int, dark: bool) -> None:
    window.looks(width, 844, dark, narrow=width < 500)
    window.driver.get(f"file://{page}")
    window.run("document.querySelectorAll('details').forEach((part) => { part.open = true })")


@pytest.mark.parametrize("name", ["one", "begun", "compared"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_everything_can_be_read(window: Browser, pages: dict[str, Path], name: str, dark: bool, width: int) -> None:
    show(window, pages[name], width, dark)
    assert window.run(LOOK) == []
    assert window.poor_contrast() == []
    assert window.complaints() == []


def test_a_very_small_screen_does_not_scroll_sideways(window: Browser, pages: dict[str, Path]) -> None:
    for page in pages.values():
        show(window, page, 320, dark=False)
        assert window.run("return document.scrollingElement.scrollWidth <= innerWidth")


def test_the_dark_page_is_dark(window: Browser, pages: dict[str, Path]) -> None:
    """Else the tests above would see the light page twice."""
    shown = []
    for dark in (False, True):
        show(window, pages["one"], 390, dark)
        shown.append(window.run("return getComputedStyle(document.body).backgroundColor"))
    assert shown[0] != shown[1]


def test_a_long_name_is_whole_for_whoever_points_at_it(window: Browser, pages: dict[str, Path]) -> None:
    show(window, pages["compared"], 390, dark=False)
    names = window.run("return [...document.querySelectorAll('svg.chart text.name')].map((text) => text.textContent)")
    assert any("…" in name and LONG_NAME in name for name in names)
