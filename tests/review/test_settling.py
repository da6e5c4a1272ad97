"""Conflicts are settled on a page, in a real browser and against its server; the agreement page and its JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from critique_coder.review.adjudication import Answer
from critique_coder.review.apply import plan
from critique_coder.review.bootstrap import NOTHING, Interval
from critique_coder.review.cases import Question, asked
from critique_coder.review.pages.agreeing import figure
from critique_coder.review.store import Given, item_sha256
from review_browser import Browser, browser
from review_page import Person, Reviewing, a_folder, entries

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"> \x1b[31mred"


def say(reviewing: Reviewing, number: int, person: str, answer: Answer, note: str = "", *tags: str) -> str:
    """A person's answer to an item, by its number; gives back the item's name."""
    case = reviewing.desk.items[number].case
    given = Given(
        f"{person}/{number}", case.id, person, {Question.CORRECT: answer}, item_sha256(case), True, tags, note
    )
    reviewing.desk.give(given)
    return case.id


def page_says(window: Browser, text: str) -> None:
    """Wait until a page says something, also while the browser goes from one page to another."""
    window.until(lambda: window.ready() and text in window.run("return document.body?.innerText ?? ''"))


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def reviewing(tmp_path: Path) -> Iterator[Reviewing]:
    """Two conflicts among ann, ben and cat, seen by dan: one by one against one, one by two against one."""
    with Reviewing(a_folder(tmp_path / "build", entries(6)), "ann", "ben", "cat", "dan") as opened:
        say(opened, 0, "ann", Answer.YES, "Works for me. " + HOSTILE, "wrong_test")
        say(opened, 0, "ben", Answer.NO, "Adds in place of doubling.")
        say(opened, 1, "ann", Answer.YES)
        say(opened, 1, "ben", Answer.YES)
        say(opened, 1, "cat", Answer.NO, "Too slow.", "inefficient")
        say(opened, 2, "ann", Answer.YES)
        yield opened


def test_conflicts_are_settled_by_keyboard(reviewing: Reviewing, window: Browser) -> None:
    window.forget()
    window.open(reviewing.link("dan"))
    window.complaints()
    window.open(f"{reviewing.address}/adjudicate")
    text = window.text()
    assert "2 conflicts open" in text and "Adds in place of doubling." in text and "Wrong test" in text
    assert "ann" not in text and "ben" not in text and "onerror" in text, "no names, and a note is text"
    window.keys("2")
    ActionChains(window.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    assert "reason first" in window.text("#told")
    window.keys(*"n + 2 is not 2n")
    window.run("document.documentElement.dataset.old = '1'")
    ActionChains(window.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    window.until(lambda: window.ready() and not window.run("return document.documentElement.dataset.old"))
    (first,) = reviewing.store.decisions()
    assert (first.label, first.reason, first.person) == (False, "n + 2 is not 2n", "dan")
    assert "1 conflict open" in window.text() and "n + 2 is not 2n" in window.text(".settled")

    window.keys("1", *"fast enough")
    window.driver.refresh()
    window.until(window.ready)
    assert window.one("#reason").get_attribute("value") == "fast enough", "what is begun outlives a reload"
    assert window.one('[data-answer="yes"]').get_attribute("aria-pressed") == "true"
    window.one("button.go").click()
    page_says(window, "Nothing to settle")
    made = plan(reviewing.desk.evidence())
    assert {(label.label, label.label_source.value) for label in made.labels} >= {
        (False, "adjudicated"),
        (True, "adjudicated"),
    }
    assert window.run("return document.title") != "owned" and window.complaints() == []


def test_a_decision_can_be_decided_anew_and_both_stay(reviewing: Reviewing, window: Browser) -> None:
    window.forget()
    window.open(reviewing.link("dan"))
    for key, reason in (("2", "first thought"), ("1", "second thought")):
        window.open(f"{reviewing.address}/adjudicate")
        if key == "1":
            window.one(".settled a").click()
            page_says(window, "Settled before")
        window.keys(key, *reason)
        window.one("button.go").click()
        page_says(window, reason)
    assert [(one.label, one.reason) for one in reviewing.store.decisions()] == [
        (False, "first thought"), (True, "second thought"),
    ]  # fmt: skip
    name = asked(reviewing.desk.items[0].case.id, Question.CORRECT)
    assert reviewing.desk.evidence().resolved()[name].label is True


@pytest.mark.parametrize("dark", [False, True])
def test_narrow_and_dark(reviewing: Reviewing, window: Browser, dark: bool) -> None:
    window.forget()
    window.open(reviewing.link("dan"))
    window.looks(390, 844, dark=dark, narrow=True)
    try:
        for path in ("/adjudicate", "/agreement"):
            window.driver.get(reviewing.address + path)
            wide = window.run("return document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{path} is {wide} pixels too wide"
        window.open(f"{reviewing.address}/adjudicate")
        boxes = [window.one(css).rect for css in (".dock", "#reason", "button.go")]
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    finally:
        window.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def body(by: Person, **others: object) -> dict[str, object]:
    import html
    import json
    import re

    page = by.get("/adjudicate").text
    match = re.search(r'data-part="([^"]+)"', page)
    assert match
    data = json.loads(html.unescape(match[1]))
    shown = {name: data[name] for name in ("ref", "question", "sha")}
    return {"key": "k1", **shown, "answer": "no", "reason": "because", **others}


def test_a_decision_sent_twice_counts_once(reviewing: Reviewing) -> None:
    with Person(reviewing.link("dan")) as dan:
        sent = body(dan)
        answers = [dan.write("/decision", sent) for _ in range(2)]
        assert [answer.json() for answer in answers] == [{"new": True, "left": 1}, {"new": False, "left": 1}]
        assert len(reviewing.store.decisions()) == 1


@pytest.mark.parametrize(
    ("others", "status", "told"),
    [
        ({"reason": "  "}, 400, "needs its reason"),
        ({"reason": "x" * 20_000}, 400, "longer than 10,000"),
        ({"answer": "cant_tell"}, 409, "nothing to settle"),
        ({"answer": "maybe"}, 400, "answer"),
        ({"sha": "0"}, 409, "has changed"),
        ({"ref": "../../etc/passwd"}, 404, "no such item"),
        ({"question": "reason"}, 409, "nothing to settle"),
        ({"key": ""}, 400, "key"),
        ({"key": "k" * 200}, 400, "longer than 100"),
        ({"person": "ann"}, 400, "person"),
    ],
)
def test_bad_decisions(reviewing: Reviewing, others: dict[str, object], status: int, told: str) -> None:
    with Person(reviewing.link("dan")) as dan:
        answer = dan.write("/decision", body(dan, **others))
        assert answer.status_code == status and told in answer.json()["error"], answer.text
        assert reviewing.store.decisions() == []


def test_nobody_settles_from_elsewhere(reviewing: Reviewing) -> None:
    with Person(reviewing.link("dan")) as dan:
        sent = body(dan)
        assert dan.write("/decision", sent, origin="https://evil.example").status_code == 403
        assert dan.write("/decision", sent, x_csrf="forged").status_code == 403
        assert reviewing.store.decisions() == []


def test_what_is_no_conflict_has_no_page(reviewing: Reviewing) -> None:
    ref = reviewing.desk.ref(reviewing.desk.items[2])
    with Person(reviewing.link("dan")) as dan:
        assert dan.get(f"/adjudicate/{ref}/correct").status_code == 404
        assert dan.get(f"/adjudicate/{ref}/nonsense").status_code == 404
        assert dan.get("/adjudicate/nobody/correct").status_code == 404


def test_who_judged_a_conflict_is_told_and_sees_it_last(reviewing: Reviewing) -> None:
    with Person(reviewing.link("cat")) as cat, Person(reviewing.link("ann")) as ann:
        assert "You judged this item yourself" not in cat.get("/adjudicate").text
        assert "You judged this item yourself" in ann.get("/adjudicate").text


def test_who_saw_a_conflict_is_not_blind_to_it(reviewing: Reviewing) -> None:
    case = reviewing.desk.items[0].case
    with Person(reviewing.link("dan")) as dan:
        assert not reviewing.store.saw_outcomes(case.id, "dan")
        dan.get("/adjudicate")
        assert reviewing.store.saw_outcomes(case.id, "dan")


def test_agreement_in_json_and_on_the_page(reviewing: Reviewing) -> None:
    with Person(reviewing.link("dan")) as dan:
        found = dan.get("/agreement.json").json()["correct"]
        page = dan.get("/agreement").text
    assert found["overall"]["verdicts"] == 6 and [one["name"] for one in found["people"]] == ["ann", "ben", "cat"]
    assert found["overall"]["agreement"]["items"] == 2
    for word in (
        "Krippendorff",
        "Cohen",
        "ann and ben",
        "wrong test",
        "held back",
        "drift",
        "by the random slice",
        "Wilson’s",
    ):
        assert word in page, word


def test_agreement_holds_back_what_a_person_is_still_to_judge(tmp_path: Path) -> None:
    with Reviewing(a_folder(tmp_path / "build", entries(2, each=1)), "ann", "ben") as reviewing:
        name = say(reviewing, 0, "ann", Answer.YES)
        problem = reviewing.desk.items[0].case.problem.id
        reviewing.desk.items = tuple(reviewing.desk.items)
        with Person(reviewing.link("ann")) as ann, Person(reviewing.link("ben")) as ben:
            seen = ann.get("/agreement.json").json()["correct"]
            assert [one["problem_id"] for one in seen["tests"]["problems"]] == [problem], name
            open_to_ben = problem in reviewing.desk.open_problems("ben")
            seen = ben.get("/agreement.json").json()["correct"]
            assert (seen["problems_held_back"] == 1) is open_to_ben


def test_an_empty_review_has_its_pages(tmp_path: Path, window: Browser) -> None:
    with Reviewing(a_folder(tmp_path / "build", entries(2)), "ann") as reviewing:
        window.forget()
        window.open(reviewing.link("ann"))
        window.complaints()
        window.open(f"{reviewing.address}/adjudicate")
        assert "Nothing to settle" in window.text()
        window.driver.get(f"{reviewing.address}/agreement")
        assert "Nobody has judged anything blind yet" in window.text() and window.complaints() == []


def test_strangers_see_neither(reviewing: Reviewing) -> None:
    import httpx

    for path in ("/agreement", "/agreement.json", "/adjudicate"):
        assert httpx.get(reviewing.address + path).status_code == 401


def test_figures_stay_on_their_scale() -> None:
    assert figure(NOTHING).text == "–"
    half = figure(Interval(0.5, 0.25, 0.75, 4))
    assert (half.text, half.range, half.low, half.width, half.at) == ("50 %", "25 to 75 %", 25.0, 50.0, 50.0)
    low = figure(Interval(-0.4, -1.2, 0.2, 9), -1, False)
    assert (low.text, low.low) == ("−0.40", 0.0) and low.low + low.width <= 100
