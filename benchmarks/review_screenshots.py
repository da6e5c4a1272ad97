"""The pictures of docs/review.md: the review page in Chromium, on a small build that is judged for them.

Run: ``PYTHONPATH=src:tests .venv/bin/python benchmarks/review_screenshots.py --output docs/images``; it takes a minute
and needs Debian's chromium and chromium-driver. To add a page, add a function to ``PICTURES``: it is given the browser
and the server's address, brings the page to where it shall be shown, and what is on the screen is kept as
``review-NAME.png``. They run in this order on one and the same review, so that later ones find what earlier ones said.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from review_samples import CRITIQUES, PROBLEMS, SOLUTIONS
from selenium.webdriver.common.keys import Keys

from critique_coder.data.build import build
from critique_coder.data.recipe import BuildRecipe
from critique_coder.settings import resolve
from critique_coder.storage import read_rows, write_jsonl
from review_browser import Browser, browser
from review_page import Person, Served, a_run

PEOPLE = ("--person", "ann", "--person", "ben", "--person", "cat")
WIDE, TALL, PHONE = (1280, 800), (1280, 1000), (390, 844)
MOST_BYTES = 150_000


def sample_run(folder: Path) -> Path:
    """A build of the samples, judged, and a run whose rollouts hold critiques of them."""
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in PROBLEMS))
    rows = [
        {"id": name, "problem_id": name.split("#")[0], "code": code, "author": "a 7B model, step 120"}
        for name, code in SOLUTIONS.items()
    ]
    write_jsonl(folder / "solutions.jsonl", rows)
    recipe = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "judge": {"workers": 2},
        "mix": {"critique_share": 1.0},
    }
    data = folder / "intervals"
    build(resolve(BuildRecipe, recipe, [], "recipe"), data)
    rows_of = {row["solution_id"]: row["id"] for _, row in read_rows(data / "critiques.jsonl")}
    critiques = {rows_of[name]: text for name, text in CRITIQUES.items() if name in rows_of}
    return a_run(folder / "grpo-run", data, critiques)


def find(page: Browser, address: str, problem: str, code: str = "", critique: bool = False) -> None:
    """Go to the item of a problem, by a piece of its code."""
    for _ in range(20):
        text = page.text("#part")
        if text.startswith("Judge a critique" if critique else "Judge a solution") and problem in text and code in text:
            return
        before = page.ref()
        page.keys("n")
        page.until(lambda: page.ref() != before)  # noqa: B023
    raise SystemExit(f"no item of {problem} with {code!r}: {address}")


def item(page: Browser, address: str) -> None:
    """A solution, with a line marked and a reason chosen."""
    page.looks(*WIDE)
    find(page, address, "widest-gap", "values.sort()")
    page.keys("m", Keys.ARROW_DOWN, Keys.ARROW_DOWN, "m", Keys.ESCAPE, "o")


def note(page: Browser, address: str) -> None:
    """The same with a note, in the dark."""
    page.looks(*WIDE, dark=True)
    page.keys("e", "It sorts the caller's list, which the statement forbids; no test looks.")


def reveal(page: Browser, address: str) -> None:
    """The next item, above it what stood against the verdict."""
    page.looks(*WIDE)
    page.keys(Keys.ESCAPE)
    page.judge("2")
    page.until(lambda: page.text("#reveal").startswith("You said"))


def diff(page: Browser, address: str) -> None:
    """A solution beside the reference."""
    page.looks(*TALL)
    find(page, address, "widest-gap", "set(values)")
    page.keys("d")
    page.until(lambda: page.one(".compared").is_displayed())


def own(page: Browser, address: str) -> None:
    """An input of one's own and the tests, run just now."""
    page.keys("d", "x", "[4, 4]", Keys.TAB, "0", Keys.ESCAPE, "r")
    page.until(lambda: "just now" in page.text(".tests"))
    page.run("document.querySelector('[data-do=own]').click()")
    page.until(lambda: "Running" not in page.text(".tried") and page.text(".tried"))
    page.run("document.activeElement.blur(); scrollTo(0, document.body.scrollHeight)")


def critique(page: Browser, address: str) -> None:
    """A critique, its judgement already answered."""
    page.looks(*TALL)
    page.keys("n")
    find(page, address, "longest-run", critique=True)
    time.sleep(0.3)
    page.keys("1")


def sheet(page: Browser, address: str) -> None:
    """All keys."""
    page.looks(*WIDE)
    page.keys("?")


def phone(page: Browser, address: str) -> None:
    """A solution on a telephone."""
    page.keys("?")
    page.looks(*PHONE, narrow=True)
    find(page, address, "reading-rooms")


def end(page: Browser, address: str) -> None:
    """What stands after the last item."""
    page.looks(*WIDE)
    while page.ref():
        both = bool(page.run("return document.querySelector('.item.critique')"))
        page.judge(*("11" if both else "2"))
    page.saved()
    page.until(lambda: page.text("#reveal"))


def second_opinion(link: str) -> None:
    """Another person judges the same items, and differs in some."""
    notes = {"yes": "All inputs of the statement come out right.", "no": "An empty list is no run; I see no fault."}
    with Person(link) as person:
        for number in range(20):
            part = person.part()
            if part["ref"] is None:
                return
            answer = "no" if number % 3 == 0 else "yes"
            answered = person.judge(part, answer, f"k{number}", tags=["other"], note=notes[answer])
            assert answered.status_code == 200, answered.text


def adjudicate(page: Browser, address: str) -> None:
    """A conflict, a side chosen and the reason begun."""
    page.looks(*TALL)
    page.open(f"{address}/adjudicate")
    page.keys("1", "Of an empty list it gives 1 and not 0, as the critique says.")


def agreement(page: Browser, address: str) -> None:
    """How far people agree."""
    page.looks(*TALL)
    page.driver.get(f"{address}/agreement")


SETTLING: tuple[Callable[[Browser, str], None], ...] = (adjudicate, agreement)
"""Pictures of what is done when several people have judged; they are taken as a third person sees it."""

PICTURES: tuple[Callable[[Browser, str], None], ...] = (
    item, note, reveal, diff, own, critique, sheet, phone, end,
)  # fmt: skip


def save(page: Browser, path: Path) -> None:
    """The screen as a small PNG."""
    time.sleep(0.4)
    image = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")
    image.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < MOST_BYTES, f"{path}: {path.stat().st_size:,} bytes; show less"
    print(f"{path}  {path.stat().st_size:,} bytes")


def main() -> None:
    """Make all pictures."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--output", type=Path, default=Path("docs/images"))
    output = words.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        Served(sample_run(Path(place)), *PEOPLE, "--overlap-share", "1") as served,
        browser() as page,
    ):
        link = served.links["ann"]
        page.looks(*WIDE)
        page.open(link)
        for picture in PICTURES:
            picture(page, link.split("/enter/")[0])
            save(page, output / f"review-{picture.__name__}.png")
        second_opinion(served.links["ben"])
        page.forget()
        page.open(served.links["cat"])
        for picture in SETTLING:
            picture(page, link.split("/enter/")[0])
            save(page, output / f"review-{picture.__name__}.png")


if __name__ == "__main__":
    main()
