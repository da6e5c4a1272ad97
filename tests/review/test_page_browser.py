"""The page in a real Chromium: sessions by keyboard alone, what survives, what two people see, and how it looks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from critique_coder.review.adjudication import Answer
from critique_coder.review.cases import Question
from critique_coder.review.store import FILE, ReviewStore
from making import a_problem
from review_browser import Browser, browser
from review_page import ESCAPES, LOADERS, SCRIPT, Entry, Reviewing, Served, a_folder, a_run, entries

CRITIQUE = "`n + 2` is **not** twice $n$: for 3 it gives 5.\n\n\\conclusion{F}"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as window:
        yield window


@pytest.fixture
def page(window: Browser) -> Iterator[Browser]:
    """The window as a new person would have it; nothing may be complained of in its console at the end."""
    window.looks(1280, 900)
    window.complaints()
    yield window
    assert window.complaints() == []


def press(page: Browser, key: str, *held: str) -> None:
    chain = ActionChains(page.driver)
    for one in held:
        chain.key_down(one)
    chain.send_keys(key)
    for one in held:
        chain.key_up(one)
    chain.perform()


def test_a_whole_session_by_keyboard_alone(page: Browser, tmp_path: Path) -> None:
    build = a_folder(tmp_path / "build", entries(3, each=1))
    run = a_run(tmp_path / "run", build, {"critique/p0#0": CRITIQUE})
    with Reviewing(run) as reviewing:
        page.open(reviewing.link())
        critiques = {reviewing.desk.ref(item) for item in reviewing.desk.items if item.case.completion}
        seen: list[str] = []
        for number in range(4):
            ref = page.ref()
            seen.append(ref)
            assert page.run("return document.activeElement.className") in ("head", "") or number == 0
            page.keys("w", "k", "e", f"note {number}", Keys.ESCAPE, "m", Keys.ARROW_DOWN, "m", Keys.ESCAPE)
            page.judge(*("12" if ref in critiques else "2"))
        page.saved()
        assert "You judged 4 items" in page.text("main") and page.text(".counts").startswith("4 of 4")
        given = {reviewing.store.standing()[place].note: reviewing.store.standing()[place] for place in range(4)}
        assert [reviewing.desk.ref(reviewing.desk.item(given[f"note {n}"].item)) for n in range(4)] == seen  # type: ignore[arg-type]
        for one in given.values():
            assert (set(one.tags), one.marks, one.blind) == ({"wrong_test", "flaky"}, (2,), True)
        two = next(one for one in given.values() if len(one.answers) == 2)
        assert two.answers == {Question.JUDGEMENT: Answer.YES, Question.REASON: Answer.NO}
        page.keys("?")
        assert page.run("return document.querySelector('#sheet').open") and "reason: flaky" in page.text("#sheet")
        page.keys("?")
        assert not page.run("return document.querySelector('#sheet').open")


def test_the_truth_is_told_after_the_verdict_and_not_before(page: Browser, tmp_path: Path) -> None:
    with Reviewing(a_folder(tmp_path / "build", entries(4, each=1))) as reviewing:
        page.open(reviewing.link())
        for _ in range(3):
            item = reviewing.desk.find(page.ref())
            assert item is not None
            whole = page.run("return document.querySelector('#part').outerHTML")
            assert not any(told in whole for told in ("of 4 passed", "wrong answer", "a model"))
            page.judge("2")
            page.until(lambda: page.text("#reveal").startswith("You said"))
            truth = "passed (all 4)" if item.case.tests else "failed (1 of 4 passed)"
            assert f"You said incorrect, the tests {truth}." in page.text("#reveal")
            assert ("differs" in page.one("#reveal .reveal").get_attribute("class").split()) == item.case.tests  # type: ignore[union-attr]
            page.saved()


def test_undo_brings_the_item_back_with_what_was_said_of_it(page: Browser, tmp_path: Path) -> None:
    with Reviewing(a_folder(tmp_path / "build", entries(4, each=1))) as reviewing:
        page.open(reviewing.link())
        first = page.ref()
        page.keys("f", "e", "why", Keys.ESCAPE)
        second = page.judge("1")
        page.judge("3")
        page.keys("u")
        page.until(lambda: page.ref() == second)
        page.keys("u")
        page.until(lambda: page.ref() == first)
        page.saved()
        assert reviewing.store.standing() == []
        assert page.one("#note").get_attribute("value") == "why"
        assert page.one('[data-tag="format"]').get_attribute("aria-pressed") == "true"
        assert page.text(".counts").startswith("0 of 4")
        page.judge("2")
        page.saved()
        (given,) = reviewing.store.standing()
        assert (given.note, given.tags, given.answers) == ("why", ("format",), {Question.CORRECT: Answer.NO})
        assert not given.blind, "the outcome had been shown"


def test_the_first_of_two_answers_can_be_undone(page: Browser, tmp_path: Path) -> None:
    build = a_folder(tmp_path / "build", entries(1))
    with Reviewing(a_run(tmp_path / "run", build, {"critique/p0#0": CRITIQUE})) as reviewing:
        page.open(reviewing.link())
        critique = next(reviewing.desk.ref(item) for item in reviewing.desk.items if item.case.completion)
        page.open(f"{reviewing.address}/item/{critique}")
        time.sleep(0.2)
        page.keys("1")
        assert "now" in (page.one('[data-question="reason"]').get_attribute("class") or "")
        page.keys("u")
        assert page.one('[data-question="judgement"] [data-answer="yes"]').get_attribute("aria-pressed") == "false"
        page.judge("2", "3")
        page.saved()
        (given,) = reviewing.store.standing()
        assert given.answers == {Question.JUDGEMENT: Answer.NO, Question.REASON: Answer.CANT_TELL}


def test_closing_and_opening_goes_on_at_the_same_item(page: Browser, tmp_path: Path) -> None:
    with Reviewing(a_folder(tmp_path / "build", entries(4, each=1))) as reviewing:
        page.open(reviewing.link())
        here = page.judge("1")
        page.keys("o", "e", "half a tho")
        page.driver.get("about:blank")
        page.open(reviewing.link())
        assert page.ref() == here
        assert page.one("#note").get_attribute("value") == "half a tho"
        assert page.one('[data-tag="other"]').get_attribute("aria-pressed") == "true"
        page.driver.refresh()
        page.until(page.ready)
        assert page.ref() == here and len(reviewing.store.standing()) == 1


def test_a_killed_server_and_a_closed_tab_lose_nothing(window: Browser, tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "build", entries(6, each=1))
    with Served(folder) as first:
        link, port = next(iter(first.links.values())), first.port
        window.open(link)
        window.judge("1")
        window.saved()
        window.until(lambda: window.run("return performance.getEntriesByType('resource').length") > 6)
        time.sleep(0.5)  # it looks ahead meanwhile
        first.kill()
        window.judge("2")
        window.judge("3")
        window.until(lambda: "2 verdicts not saved yet" in window.text("#saving"))
    window.driver.get("about:blank")
    with ReviewStore(folder / FILE) as store:
        assert len(store.standing()) == 1
    with Served(folder, port=port):
        window.open(link)
        window.saved()
        window.until(lambda: window.text(".counts").startswith("3 of 6"))
    with ReviewStore(folder / FILE) as store:
        answers = [given.answers[Question.CORRECT] for given in store.standing()]
    assert answers == [Answer.YES, Answer.NO, Answer.CANT_TELL]
    window.complaints()  # of the server that did not answer


def test_two_people_at_once_judge_apart_and_see_each_other_only_afterwards(page: Browser, tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "build", entries(14, each=1))
    with Reviewing(folder, "ann", "ben") as reviewing, browser() as other:
        shared = {reviewing.desk.ref(item) for item in reviewing.desk.items if item.needed == 2}
        assert shared
        page.open(reviewing.link("ann"))
        other.open(reviewing.link("ben"))
        judged: dict[str, set[str]] = {"ann": set(), "ben": set()}
        for _ in range(16):
            for name, own in (("ann", page), ("ben", other)):
                if own.ref():
                    assert "Others: 1" not in own.text("#part")
                    judged[name].add(own.ref())
                    own.judge("1" if name == "ann" else "2")
        page.saved()
        other.saved()
        both = judged["ann"] & judged["ben"]
        assert shared <= both and len(both - shared) <= 4, "at the very end both may have the same ones before them"
        assert judged["ann"] | judged["ben"] == {reviewing.desk.ref(item) for item in reviewing.desk.items}
        assert len(reviewing.store.standing()) == 14 + len(both)
        page.open(f"{reviewing.address}/item/{min(shared)}")
        assert "Others: 1 incorrect" in page.text("#part")


def test_from_the_key_to_the_next_item_it_is_under_a_tenth_of_a_second(page: Browser, tmp_path: Path) -> None:
    press_and_time = """
        const [done] = arguments; const begun = performance.now(); const before = location.pathname;
        document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "1", code: "Digit1", bubbles: true}));
        const look = () => location.pathname === before ? requestAnimationFrame(look) : done(performance.now() - begun);
        requestAnimationFrame(look);"""
    with Reviewing(a_folder(tmp_path / "build", entries(12, each=1))) as reviewing:
        page.open(reviewing.link())
        took = []
        for _ in range(6):
            page.run("return new Promise((resolve) => setTimeout(resolve, 400))")
            took.append(page.driver.execute_async_script(press_and_time))
        page.saved()
    assert sorted(took)[2] < 100, took


def test_an_own_input_is_run_and_kept_and_the_tests_run_again(page: Browser, tmp_path: Path) -> None:
    with Reviewing(a_folder(tmp_path / "build", entries(1))) as reviewing:
        page.open(reviewing.link())
        page.keys("x", "21")
        press(page, Keys.ENTER, Keys.CONTROL)
        page.until(lambda: "23" in page.text(".tried"))
        assert page.text(".tried").startswith("It gave") and not page.one('[data-do="keep"]').is_displayed()
        page.keys(Keys.TAB, "42")
        press(page, Keys.ENTER, Keys.CONTROL)
        page.until(lambda: "wrong answer" in page.text(".tried"))
        page.keys(Keys.TAB, Keys.TAB, Keys.ENTER)
        page.until(lambda: "Kept as a test" in page.text(".tried"))
        (kept,) = reviewing.store.added_tests()
        assert (kept.kept_by, kept.test.args, kept.test.expected) == ("ann", (21,), 42)
        assert not reviewing.store.saw_outcomes(kept.item, "ann"), "an own input says nothing of the tests"
        page.keys("r")
        page.until(lambda: "1 of 4 passed just now" in page.text(".tests"))
        assert reviewing.store.saw_outcomes(kept.item, "ann")
        page.keys("d")
        page.until(lambda: page.one(".compared").is_displayed())
        assert "return 2 * n" in page.text(".compared") and not page.one(".listing").is_displayed()
        page.keys("d")
        assert page.one(".listing").is_displayed()


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_telephone_and_can_be_read(page: Browser, tmp_path: Path, dark: bool) -> None:
    long = "def double(n):\n    return n + 2  # " + "a long line " * 20 + "\n"
    problem = a_problem("p", statement="x" * 300 + "\n\n| a | b |\n|-|-|\n| 1 | 2 |")
    build = a_folder(tmp_path / "build", [Entry(problem, long, 1)])
    with Reviewing(a_run(tmp_path / "run", build, {"critique/p#0": CRITIQUE})) as reviewing:
        page.looks(390, 844, dark=dark, narrow=True)
        page.open(reviewing.link())
        for number in range(2):
            page.keys("t")
            page.until(lambda: "1 of 4 passed" in page.text(".tests"))
            assert page.run("return document.documentElement.scrollWidth") == 390
            sizes = page.run(
                "return [...document.querySelectorAll('.answer')].map((one) => one.getBoundingClientRect().toJSON())"
            )
            assert all(one["right"] <= 390 and one["left"] >= 0 and one["height"] >= 36 for one in sizes), sizes
            assert page.run("return document.querySelector('.dock').offsetHeight") < 300
            assert page.poor_contrast() == []
            if not number:
                page.judge(*("12" if len(sizes) == 6 else "1"))
        page.saved()
        back = page.run("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", back)[:3])) < 200) == dark


def test_a_screen_reader_is_told_what_everything_is(page: Browser, tmp_path: Path) -> None:
    build = a_folder(tmp_path / "build", entries(2, each=1))
    with Reviewing(a_run(tmp_path / "run", build, {"critique/p0#0": CRITIQUE})) as reviewing:
        page.open(reviewing.link())
        for _ in range(3):
            page.keys("x")
            nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
            named = [
                (node["role"]["value"], node.get("name", {}).get("value", ""))
                for node in nodes
                if not node.get("ignored") and "role" in node
            ]
            needs = ("button", "textbox", "link", "region", "group", "dialog", "heading", "progressbar", "navigation")
            assert [role for role, name in named if role in needs and not name.strip()] == []
            roles = {role for role, _ in named}
            assert {"banner", "main", "status", "heading", "group", "table", "progressbar"} <= roles, roles
            page.keys(Keys.ESCAPE)
            critique = bool(page.run("return document.querySelector('.item.critique')"))
            page.judge(*("11" if critique else "1"))
            assert page.run("return document.activeElement.closest('.head') !== null")
        page.saved()
        assert page.one("#reveal").get_attribute("aria-live") == "polite"


def test_nothing_hostile_runs_or_loads_in_a_real_browser(page: Browser, tmp_path: Path) -> None:
    bad = SCRIPT.replace("alert(", "window.pwned=(") + ESCAPES.replace("\ud800", "") + "\n\n" + LOADERS
    problem = a_problem("p" + SCRIPT, statement=bad)
    build = a_folder(tmp_path / "build", [Entry(problem, f"x = '''{bad}'''", 1, SCRIPT), Entry(problem, "y = 1", 4)])
    run = a_run(tmp_path / "run", build, {f"critique/{problem.id}#0": bad + "\n\\conclusion{F}"})
    with Reviewing(run, SCRIPT[:60]) as reviewing:
        page.open(reviewing.link())
        while page.ref():
            page.keys("d", "t", "e", SCRIPT, Keys.ESCAPE)
            critique = bool(page.run("return document.querySelector('.item.critique')"))
            page.judge(*("12" if critique else "1"))
        page.saved()
        assert page.run("return window.pwned") is None
        loaded = page.run("return performance.getEntriesByType('resource').map((one) => one.name)")
        assert loaded and all(name.startswith(reviewing.address) for name in loaded)
        assert len(reviewing.store.standing()) == 3
        assert all(given.note == SCRIPT for given in reviewing.store.standing())


def test_a_refused_verdict_says_so_and_leads_back(page: Browser, tmp_path: Path) -> None:
    with Reviewing(a_folder(tmp_path / "build", entries(3, each=1))) as reviewing:
        page.open(reviewing.link())
        changed = page.ref()
        body = {
            "key": "k",
            "ref": changed,
            "sha": "old",
            "answers": {"correct": "yes"},
            "tags": [],
            "note": "",
            "marks": [],
        }
        page.run(
            "localStorage.setItem(`${arguments[0]}/ann/out/0`, JSON.stringify({path: '/verdict', body: arguments[1]}))",
            reviewing.desk.name,
            body,
        )
        page.driver.refresh()
        page.until(lambda: "A verdict was not taken: the item has changed" in page.text("#reveal"))
        assert (page.one("#reveal a").get_attribute("href") or "").endswith(changed)
        assert reviewing.store.standing() == []
        page.complaints()  # the browser says that the server answered 409
