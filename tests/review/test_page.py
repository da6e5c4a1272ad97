"""The page over HTTP: what a person sees and when, what is kept, and what 20,000 items cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from critique_coder.review.adjudication import Answer
from critique_coder.review.cases import Question
from critique_coder.review.store import FILE, ReviewStore
from review_page import Person, Reviewing, a_folder, a_run, entries


@pytest.fixture
def reviewing(tmp_path: Path) -> Iterator[Reviewing]:
    with Reviewing(a_folder(tmp_path / "build", entries(6)), "ann", "ben") as reviewing:
        yield reviewing


def test_nothing_of_the_truth_reaches_the_browser_before_the_verdict(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        part = ann.part()
        for told in ("passed", "wrong answer", "a model", "expected 2, got 3", part["ref"][:0] or "critique/"):
            assert told not in part["html"], told
        answered = ann.judge(part, "no", "k1").json()
        truth = reviewing.desk.find(part["ref"])
        assert truth is not None
        words = "the tests passed (all 4)" if truth.case.tests else "the tests failed (1 of 4 passed)"
        assert f"You said <b>incorrect</b>, {words}" in answered["reveal"]
        assert "Author: a model" in answered["reveal"] and "not blind" not in answered["reveal"]
        again = ann.part(f"/part/{part['ref']}")
        assert again["given"]["answers"] == {"correct": "no"} and "of 4 passed" in again["html"]


def test_a_verdict_counts_once_and_the_next_item_is_another(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        part = ann.part()
        answers = [ann.judge(part, "yes", "k1").json() for _ in range(3)]
        assert [one["new"] for one in answers] == [True, False, False]
        assert [one["progress"]["judged"] for one in answers] == [1, 1, 1]
        follow = ann.part(f"/part?after={part['ref']}")
        assert follow["ref"] != part["ref"]
        skipping = ann.part(f"/part?after={part['ref']}&leaving={follow['ref']}")
        assert skipping["ref"] not in (part["ref"], follow["ref"])
    assert [given.item for given in reviewing.store.standing()] == [reviewing.desk.find(part["ref"]).case.id]  # type: ignore[union-attr]


def test_everything_of_a_verdict_is_stored(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        part = ann.part()
        ann.judge(part, "no", "k", tags=["format", "wrong_test"], note="line 2\x1b[31m", marks=[2, 1]).json()
    (given,) = reviewing.store.standing()
    assert (given.tags, given.note, given.marks) == (("format", "wrong_test"), "line 2\x1b[31m", (1, 2))
    assert (given.person, given.blind, given.item_sha256) == ("ann", True, part["sha"])
    assert given.answers == {Question.CORRECT: Answer.NO}


def test_who_opens_the_outcomes_first_is_not_blind(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        part = ann.part()
        shown = ann.write(f"/outcomes/{part['ref']}", {}).json()["html"]
        assert "of 4 passed" in shown
        failing = shown.find("wrong answer")
        assert failing == -1 or failing < shown.find(">passed"), "failing ones come first"
        assert "of 4 passed" in ann.part(f"/part/{part['ref']}")["html"], "what was seen stays seen"
        assert "not blind" in ann.judge(part, "yes", "k").json()["reveal"]
        other = ann.part(f"/part?after={part['ref']}")
        ann.judge(other, "yes", "k2")
    assert [given.blind for given in reviewing.store.standing()] == [False, True]


def test_a_second_verdict_on_an_item_is_not_blind_and_an_undo_does_not_make_it_so(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        part = ann.part()
        ann.judge(part, "yes", "k1")
        assert ann.write("/undo", {"key": "u1", "verdict": "k1"}).json()["ref"] == part["ref"]
        assert ann.part(f"/part/{part['ref']}")["given"] is None
        assert ann.write("/undo", {"key": "u1", "verdict": "k1"}).status_code == 200
        ann.judge(part, "no", "k2")
    (given,) = reviewing.store.standing()
    assert (given.answers, given.blind) == ({Question.CORRECT: Answer.NO}, False)


def test_nobody_takes_back_what_another_said(reviewing: Reviewing) -> None:
    with Person(reviewing.link("ann")) as ann, Person(reviewing.link("ben")) as ben:
        ann.judge(ann.part(), "yes", "k")
        ben.write("/undo", {"key": "u", "verdict": "k"})
        ben.write("/undo", {"key": "u2", "verdict": "../ann/k"})
    assert len(reviewing.store.standing()) == 1


def test_an_item_that_others_judged_or_look_at_is_offered_to_nobody_else(reviewing: Reviewing) -> None:
    single = {reviewing.desk.ref(item) for item in reviewing.desk.items if item.needed == 1}
    with Person(reviewing.link("ann")) as ann, Person(reviewing.link("ben")) as ben:
        ref = ""
        judged: set[str] = set()
        while True:
            part = ann.part(f"/part?after={ref}")
            if part["ref"] is None or len(judged) == 3:
                break
            ref = part["ref"]
            ann.judge(part, "yes", f"k{ref}")
            judged.add(ref)
        held = ann.part(f"/part?after={ref}")["ref"]
        ann.write("/place", {"ref": held})
        offered: list[str] = []
        ref = ""
        while (part := ben.part(f"/part?after={ref}&leaving={','.join(offered)}"))["ref"]:
            ref = part["ref"]
            offered.append(ref)
        assert not set(offered) & judged & single
        assert held not in single or offered[-1] == held, "what ann looks at comes last"


def test_what_is_begun_and_where_one_was_is_there_again_after_a_restart(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "build", entries(6))
    begun = {"answers": {}, "tags": ["flaky"], "note": "hm", "marks": [1]}
    with Reviewing(folder) as reviewing, Person(reviewing.link()) as ann:
        first = ann.part()
        second = ann.part(f"/part?after={first['ref']}")
        ann.write("/place", {"ref": second["ref"]})
        assert ann.write("/draft", {"ref": second["ref"], **begun}).json() == {"saved": True}
        link = reviewing.link()
    with Reviewing(folder) as reviewing:
        assert link.split("/enter/")[1] == reviewing.link().split("/enter/")[1], "a link stays valid"
        with Person(reviewing.link()) as ann:
            part = ann.part("/")
            assert part["ref"] == second["ref"] and part["draft"].items() >= begun.items()
            ann.judge(part, "yes", "k")
            assert ann.part(f"/part/{part['ref']}")["draft"] is None, "a verdict ends what was begun"


def test_a_critique_is_asked_two_questions_and_shows_its_judgement(tmp_path: Path) -> None:
    build = a_folder(tmp_path / "build", entries(2))
    text = "It adds 2, which is **wrong** for 3.\n\\conclusion{F}"
    run = a_run(tmp_path / "run", build, {"critique/p0#0": text})
    with Reviewing(run) as reviewing, Person(reviewing.link()) as ann:
        refs = {reviewing.desk.ref(item): item.case for item in reviewing.desk.items}
        (ref,) = (ref for ref, case in refs.items() if case.completion)
        part = ann.part(f"/part/{ref}")
        assert part["questions"] == ["judgement", "reason"] and "says incorrect" in part["html"]
        assert "<strong>wrong</strong>" in part["html"] and "by the tests" not in part["html"]
        incomplete = ann.judge(part, "yes", "k0", answers={"judgement": "yes"})
        assert incomplete.status_code == 400 and "'reason': missing" in incomplete.json()["error"]
        told = ann.judge(part, "yes", "k", answers={"judgement": "yes", "reason": "no"}).json()["reveal"]
        assert "judgement right, reason wrong</b>, by the tests the solution is incorrect" in told and "agrees" in told
    with ReviewStore(run / FILE) as store:
        assert {rating.item for rating in store.ratings()} == {
            f"{refs[ref].id}?judgement",
            f"{refs[ref].id}?reason",
        }


def test_verdicts_of_another_process_are_seen(reviewing: Reviewing) -> None:
    with Person(reviewing.link("ann")) as ann:
        part = ann.part()
        item = reviewing.desk.find(part["ref"])
        assert item is not None
        with ReviewStore(reviewing.folder / FILE) as other:
            from critique_coder.review.store import Given

            for person in ("zoe", "yan", "ann"):
                other.give(Given(f"x{person}", item.case.id, person, {Question.CORRECT: Answer.YES}, ""))
        time.sleep(1.1)
        assert ann.part()["ref"] != part["ref"] and ann.part()["progress"]["judged"] == 1


def test_comparing_shows_what_differs_and_not_who_is_right(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        part = ann.part()
        shown = ann.get(f"/compare/{part['ref']}").text
        assert "the reference" in shown and "another solution (1)" in shown
        assert ann.get(f"/compare/{part['ref']}?with=1").text.count('class="line minus"') in (0, 1)
        for told in ("passed", "a model", "correct<"):
            assert told not in shown


def test_a_changed_item_is_not_judged_unseen(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        part = ann.part()
        refused = ann.judge({**part, "sha": "0" * 64}, "yes", "k")
        assert refused.status_code == 409 and "has changed" in refused.json()["error"]
    assert reviewing.store.standing() == []


def test_at_the_end_stands_what_was_said_and_what_to_do(reviewing: Reviewing) -> None:
    with Person(reviewing.link()) as ann:
        ref, count = "", 0
        while (part := ann.part(f"/part?after={ref}"))["ref"]:
            ref, count = part["ref"], count + 1
            ann.judge(part, "yes", f"k{count}")
        assert count == 6 and "All judged" in part["html"] and "review apply" in part["html"]
        assert part["last"] == {"key": "k6", "ref": ref}


def test_an_empty_queue_says_what_to_do(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "build", [])
    with Reviewing(folder) as reviewing, Person(reviewing.link()) as ann:
        page = ann.get("/").text
        assert "Nothing to judge here yet" in page and "critique-coder build" in page


def test_twenty_thousand_items_are_served_at_once_and_without_growing(tmp_path: Path) -> None:
    import resource

    with Reviewing(a_folder(tmp_path / "build", entries(20_000, each=100))) as reviewing:
        begun = time.process_time()
        with Person(reviewing.link()) as ann:
            first = time.process_time() - begun
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            ref, begun = "", time.process_time()
            for number in range(50):
                part = ann.part(f"/part?after={ref}")
                ref = part["ref"]
                ann.judge(part, "yes", f"k{number}")
            each = (time.process_time() - begun) / 50
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert first < 1.0 and each < 0.1, (first, each)
    assert grown < 40_000, f"{grown} KiB more"
