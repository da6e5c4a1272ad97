"""The queue of a real build: what is doubtful in it, hidden gold items, and the problems that the audit took out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data.build import build
from critique_coder.data.mutants import mutants
from critique_coder.data.recipe import BuildRecipe
from critique_coder.judge import IsolationError, Judge
from critique_coder.review.adjudication import Answer, Rating
from critique_coder.review.apply import plan
from critique_coder.review.cases import Case, Evidence, Question, asked
from critique_coder.review.doubts import SETTINGS, cases_in_review, queued, remember, remembered
from critique_coder.review.gold import read_gold
from critique_coder.review.naming import Names
from critique_coder.review.queue import Queued, QueueSettings
from critique_coder.review.rerun import judge_opener
from critique_coder.review.store import FILE, ReviewStore
from critique_coder.review.wrong_gold import WRONG_GOLD, WrongGold
from critique_coder.storage import read_json, read_rows, write_json, write_jsonl
from making import complaint
from review_page import a_run


def a_problem_row(name: str, add: int, **others: Any) -> dict[str, Any]:
    return {
        "id": name,
        "statement": f"Write `add(x)` that returns x + {add}. Every {name} is told apart by its name alone.",
        "entry_point": "add",
        "tests": [{"kind": "call", "args": [k], "expected": k + add} for k in range(4)],
        "reference": f"def add(x):\n    return x + {add}\n",
        **others,
    }


PROBLEMS = [a_problem_row(f"add{n}", n) for n in range(6)]
UNSOLVED = a_problem_row("unsolved", 7)
UNSOLVED["tests"].append({"kind": "call", "args": [5], "expected": 99})
del UNSOLVED["reference"]
BROKEN = a_problem_row("broken", 8, reference="def add(x):\n    return x\n")
CODES = {
    "right": "def add(x):\n    return {n} + x\n",
    "wrong": "def add(x):\n    return x - 1 - {n}\n",
    "near": "def add(x):\n    return x + {n} if x < 3 else 0\n",
}
SOLUTIONS = [
    {"id": f"{name}#{place}", "problem_id": name, "code": code.format(n=n)}
    for name, n in ((*((f"add{n}", n) for n in range(6)), ("unsolved", 7), ("broken", 8)))
    for place, code in enumerate(CODES.values())
]
PLAIN = QueueSettings(gold_share=0.0)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doubts")
    write_jsonl(folder / "problems.jsonl", [*PROBLEMS, UNSOLVED, BROKEN])
    write_jsonl(folder / "solutions.jsonl", SOLUTIONS)
    recipe = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "audit": {"mutants": 3},
        "mix": {"heldout_share": 0.0, "critique_share": 1.0},
    }
    build(BuildRecipe.model_validate(recipe), folder / "build")
    return folder / "build"


def by_solution(items: list[Queued]) -> dict[str, Queued]:
    return {item.case.solution_id: item for item in items}


def test_the_build_is_what_these_tests_take_it_for(built: Path) -> None:
    reasons = {row["problem_id"]: row["reason"] for _, row in read_rows(built / "quarantine.jsonl")}
    assert reasons == {"broken": "reference_fails"}
    assert len(list(read_rows(built / "critiques.jsonl"))) == 21


def test_doubt_rises_with_what_speaks_against_the_tests(built: Path) -> None:
    items = by_solution(queued(built, PLAIN))
    assert items["add0#0"].doubt == 0.0 == items["add0#1"].doubt
    assert items["add0#2"].doubt > 0.8, "three of four tests passed: close to the threshold"
    assert items["unsolved#0"].doubt >= 0.9, "fails only what every solution fails"
    assert 0.5 < items["unsolved#1"].doubt < 0.9, "nobody solves the problem"


def test_the_audits_quarantine_is_shown_with_what_is_wrong(built: Path) -> None:
    (item,) = [item for item in queued(built, PLAIN) if item.case.quarantine]
    assert (item.case.problem.id, item.case.quarantine, item.doubt) == ("broken", "reference_fails", 0.9)
    assert item.case.code == BROKEN["reference"] and item.case.tests is False and item.case.failed_tests


def test_a_verdict_on_a_quarantined_problem_can_bring_it_back_but_makes_no_label(built: Path) -> None:
    cases = cases_in_review(built, PLAIN)
    (case,) = [case for case in cases if case.quarantine]
    said = Rating(asked(case.id, Question.CORRECT), "ann", Answer.YES, 1.0, True, ("wrong_test",))
    made = plan(Evidence((replace(case, failed_tests=(0,)),), (said,)))
    assert made.labels == () and [one.problem_id for one in made.problems] == ["broken"]
    assert len(made.problems[0].tests) == 3


def test_a_critic_against_the_tests_raises_its_solution_and_itself(built: Path, tmp_path: Path) -> None:
    said = {"critique/add0#0": "No.\n\\conclusion{F}", "critique/add1#0": "Yes.\n\\conclusion{T}"}
    items = queued(a_run(tmp_path / "run", built, said), PLAIN)
    by_row = {item.case.row_id: item.doubt for item in items if item.case.completion}
    assert by_row == {"critique/add0#0": 0.9, "critique/add1#0": 0.3}
    solutions = {item.case.solution_id: item.doubt for item in items if not item.case.completion}
    assert solutions["add0#0"] == 1.0 and solutions["add1#0"] == 0.0


def changed(built: Path, folder: Path, file: str, change: Any) -> Path:
    """The build with the rows of one file changed; the others are the build's own."""
    folder.mkdir()
    for path in built.iterdir():
        if path.name != file:
            (folder / path.name).symlink_to(path)
    write_jsonl(folder / file, change([row for _, row in read_rows(built / file)]))
    return folder


def test_a_solution_whose_text_came_out_otherwise_is_changing(built: Path, tmp_path: Path) -> None:
    def twice(rows: list[Any]) -> list[Any]:
        (row,) = [row for row in rows if row["id"] == "add0#0"]
        return [*rows, {**row, "id": "add0#again"}]

    def other(rows: list[Any]) -> list[Any]:
        (row,) = [row for row in rows if row["solution_id"] == "add0#0"]
        return [*rows, {**row, "solution_id": "add0#again", "pass_rate": 0.5, "outcome": "wrong_answer"}]

    folder = changed(built, tmp_path / "one", "solutions.jsonl", twice)
    folder = changed(folder, tmp_path / "two", "verdicts.jsonl", other)
    assert by_solution(queued(folder, PLAIN))["add0#0"].doubt == 1.0


def test_a_test_that_was_stopped_for_time_may_end_otherwise(built: Path, tmp_path: Path) -> None:
    def slow(rows: list[Any]) -> list[Any]:
        for row in rows:
            if row["solution_id"] == "add0#0":
                row["tests"][1]["time_s"] = 2.9
        return rows

    assert by_solution(queued(changed(built, tmp_path / "b", "verdicts.jsonl", slow), PLAIN))["add0#0"].doubt == 0.4


def test_what_the_machinery_could_not_judge_is_asked_first(built: Path, tmp_path: Path) -> None:
    def lost(rows: list[Any]) -> list[Any]:
        return [
            {**row, "pass_rate": None, "outcome": "unscored"} if row["solution_id"] == "add0#0" else row for row in rows
        ]

    def without(rows: list[Any]) -> list[Any]:
        return [row for row in rows if row["solution_id"] != "add0#0"]

    folder = changed(built, tmp_path / "one", "verdicts.jsonl", lost)
    item = by_solution(queued(changed(folder, tmp_path / "two", "critiques.jsonl", without), PLAIN))["add0#0"]
    assert (item.doubt, item.case.tests) == (1.0, None) and "return 0 + x" in item.case.code


def test_a_label_that_people_gave_is_settled(built: Path, tmp_path: Path) -> None:
    def labelled(rows: list[Any]) -> list[Any]:
        return [
            {**row, "label_source": "human", "test_label": row["label"]} if row["solution_id"] == "add0#2" else row
            for row in rows
        ]

    folder = changed(built, tmp_path / "b", "critiques.jsonl", labelled)
    assert by_solution(queued(folder, PLAIN))["add0#2"].doubt == 0.05
    run = a_run(tmp_path / "run", folder, {"critique/add0#2": "Yes.\n\\conclusion{T}"})
    solutions = [item for item in queued(run, PLAIN) if item.case.id == "critique/add0#2"]
    assert [item.doubt for item in solutions] == [0.05], "no critic raises it"


def test_gold_items_are_certain_and_cannot_be_told_by_their_names(built: Path) -> None:
    plain, items = queued(built, PLAIN), queued(built, QueueSettings(gold_share=0.25))
    gold = [item.case for item in items if item.case.gold is not None]
    assert len(gold) == 6 and {case.gold for case in gold} == {True, False}
    assert len({case.problem.id for case in gold}) == len(gold), "of a problem one only, or the pair would show"
    assert len({item.case.id for item in items}) == len(items)
    for case in gold:
        name, _, number = case.solution_id.partition("#")
        assert case.id == f"critique/{case.solution_id}" and name == case.problem.id and number.isdigit()
        right = {"x": 10}
        exec(case.code, right)
        assert (right["add"](50) == 50 + int(name.removeprefix("add"))) is case.gold  # type: ignore[operator]
    assert [item.case.id for item in plain] == [item.case.id for item in items if item.case.gold is None]
    more = {item.case.id for item in queued(built, QueueSettings(gold_share=0.5)) if item.case.gold is not None}
    assert more >= {case.id for case in gold}, "more gold only adds"


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose problems bring references, and whose audit tried nothing that is wrong."""
    folder = tmp_path_factory.mktemp("unchanged")
    write_jsonl(folder / "problems.jsonl", PROBLEMS)
    write_jsonl(folder / "solutions.jsonl", [row for row in SOLUTIONS if row["problem_id"].startswith("add")])
    recipe = {
        "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
        "candidates": {"path": str(folder / "solutions.jsonl")},
        "mix": {"heldout_share": 0.0, "critique_share": 1.0},
    }
    build(BuildRecipe.model_validate(recipe), folder / "build")
    return folder / "build"


def copied(build: Path, folder: Path) -> Path:
    return Path(shutil.copytree(build, folder))


def maker(folder: Path, told: list[str] | None = None) -> WrongGold:
    return WrongGold(mutants, judge_opener(folder), (told if told is not None else []).append)


def gold_of(items: list[Queued]) -> list[Case]:
    return [item.case for item in items if item.case.gold is not None]


def test_wrong_gold_is_made_where_a_build_brings_none(unchanged: Path, tmp_path: Path) -> None:
    """What is made is wrong: tried here on inputs, against what the statement asks for."""
    folder, settings = copied(unchanged, tmp_path / "b"), QueueSettings(gold_share=0.25)
    assert {case.gold for case in gold_of(queued(folder, settings))} == {True}
    gold = gold_of(queued(folder, settings, maker(folder)))
    assert sorted(case.gold is True for case in gold) == [False, False, True, True]
    assert len({case.problem.id for case in gold}) == len(gold)
    for case in gold:
        found: dict[str, Any] = {}
        exec(case.code, found)
        add = int(case.problem.id.removeprefix("add"))
        assert [found["add"](k) == k + add for k in range(4)] == [k not in case.failed_tests for k in range(4)]
        assert bool(case.failed_tests) is not case.gold and "mutant" not in case.id
    assert gold == gold_of(queued(folder, settings)), "apply and the exports know them without a judge"


def test_wrong_gold_is_made_once_and_more_only_adds(unchanged: Path, tmp_path: Path) -> None:
    folder = copied(unchanged, tmp_path / "b")
    few = gold_of(queued(folder, QueueSettings(gold_share=0.12), maker(folder)))
    file = (folder / WRONG_GOLD).read_bytes()
    again = gold_of(queued(folder, QueueSettings(gold_share=0.12), maker(folder)))
    assert again == few and (folder / WRONG_GOLD).read_bytes() == file
    more = gold_of(queued(folder, QueueSettings(gold_share=0.25), maker(folder)))
    assert (folder / WRONG_GOLD).read_bytes().startswith(file) and len(more) > len(few)
    assert {case.id: case.gold for case in few}.items() <= {case.id: case.gold for case in more}.items()


def test_what_an_audit_found_wrong_comes_before_what_is_made(built: Path, tmp_path: Path) -> None:
    folder = copied(built, tmp_path / "b")
    queued(folder, QueueSettings(gold_share=0.25), maker(folder))
    assert not (folder / WRONG_GOLD).exists()


def test_a_review_that_has_begun_keeps_its_gold(unchanged: Path, tmp_path: Path) -> None:
    folder = copied(unchanged, tmp_path / "b")
    before = queued(folder, QueueSettings(gold_share=0.25))
    ReviewStore(folder / FILE).close()
    assert queued(folder, QueueSettings(gold_share=0.25), maker(folder)) == before


def test_a_machine_without_isolation_makes_none_and_says_so(unchanged: Path, tmp_path: Path) -> None:
    folder, told = copied(unchanged, tmp_path / "b"), list[str]()

    def no_judge() -> Judge:
        raise IsolationError("no namespaces here")

    items = queued(folder, QueueSettings(gold_share=0.25), WrongGold(mutants, no_judge, told.append))
    assert {case.gold for case in gold_of(items)} == {True}
    assert len(told) == 1 and "no namespaces here" in told[0]


def test_a_damaged_file_of_gold_is_named(unchanged: Path, tmp_path: Path) -> None:
    folder = copied(unchanged, tmp_path / "b")
    write_jsonl(folder / WRONG_GOLD, [{"id": "x"}])
    assert f"{folder / WRONG_GOLD}: is damaged" in complaint(queued, folder, QueueSettings())


def test_gold_makes_no_label(built: Path) -> None:
    cases = cases_in_review(built, QueueSettings(gold_share=0.25))
    ratings = [
        Rating(asked(case.id, Question.CORRECT), "ann", Answer.NO, 1.0) for case in cases if case.gold is not None
    ]
    assert ratings and plan(Evidence(cases, tuple(ratings))).labels == ()


def test_the_same_folder_gives_the_same_queue(built: Path) -> None:
    assert queued(built, QueueSettings()) == queued(built, QueueSettings())
    assert [item.case.id for item in queued(built, QueueSettings(seed=1, gold_share=0.2))] != [
        item.case.id for item in queued(built, QueueSettings(gold_share=0.2))
    ], "the seed draws other gold items"


def test_the_users_own_gold_file(built: Path, tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("item,label\ncritique/add0#0,correct\ncritique/add0#1,No\n", "utf-8-sig")
    write_jsonl(tmp_path / "gold.jsonl", [{"item": "critique/add0#0", "label": True}])
    items = by_solution(queued(built, replace(PLAIN, gold=str(tmp_path / "gold.csv"))))
    assert (items["add0#0"].case.gold, items["add0#1"].case.gold, items["add0#2"].case.gold) == (True, False, None)
    assert read_gold(tmp_path / "gold.jsonl", cases_in_review(built, PLAIN)) == {"critique/add0#0": True}


BAD_GOLD = [
    ("item,label\ncritique/nobody#0,correct\n", "line 2, key 'item': 'critique/nobody#0' is not in the build"),
    ("item,label\ncritique/add0#0,perhaps\n", "line 2, key 'label': must be correct or incorrect"),
    (
        "item,label\ncritique/add0#0,yes\ncritique/add0#0,no\n",
        "line 3, key 'item': 'critique/add0#0' is labelled twice",
    ),
    ("item\ncritique/add0#0\n", "line 1: must name the columns"),
    ("item,label\n", "is empty"),
    ("", "line 1: must name the columns"),
]


@pytest.mark.parametrize(("text", "told"), BAD_GOLD)
def test_bad_gold_files(built: Path, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "gold.csv").write_text(text)
    message = complaint(read_gold, tmp_path / "gold.csv", cases_in_review(built, PLAIN))
    assert "gold.csv" in message and told in message


def test_a_gold_file_that_is_gone(built: Path) -> None:
    assert "no such file" in complaint(queued, built, replace(PLAIN, gold="gone.csv"))


def test_settings_are_kept_in_the_folder(tmp_path: Path) -> None:
    assert remembered(tmp_path) == QueueSettings()
    remember(tmp_path, QueueSettings(people=3, gold="gold.csv"))
    assert remembered(tmp_path) == QueueSettings(people=3, gold="gold.csv")
    write_json(tmp_path / SETTINGS, {**read_json(tmp_path / SETTINGS), "from_the_future": 1})
    assert "another version" in complaint(remembered, tmp_path)


@pytest.mark.parametrize(
    ("solutions", "problem", "shape"),
    [
        ({"p#0": "p", "q#7": "q"}, "p", r"p#\d"),
        ({"p#0": "p", "q#7": "q"}, "new", r"new#\d"),
        ({"model-3/p/sample": "p"}, "p", r"model-\d+/p/sample"),
        ({"plain": "p"}, "p", r"plain-\d+"),
        ({}, "p", r"p#\d+"),
    ],
)
def test_names_are_free_and_like_the_builds(solutions: dict[str, str], problem: str, shape: str) -> None:
    import re

    names = Names(solutions, ["p#1"])
    given = [names.solution_id(problem, seed) for seed in range(9)]
    assert len({*given, *solutions, "p#1"}) == 9 + len({*solutions, "p#1"}), given
    assert all(re.fullmatch(shape.replace(r"\d", r"\d+", 1) if r"\d+" not in shape else shape, name) for name in given)


def test_bad_folders(built: Path, tmp_path: Path) -> None:
    assert "is not a build folder" in complaint(queued, tmp_path / "gone", PLAIN)
    folder = changed(built, tmp_path / "b", "solutions.jsonl", lambda rows: rows)
    (folder / "verdicts.jsonl").unlink()
    (folder / "verdicts.jsonl").write_text(json.dumps({"solution_id": "x"}) + "\n")
    assert "verdicts.jsonl, line 1: is no verdict" in complaint(queued, folder, PLAIN)
    (folder / "verdicts.jsonl").write_text('{"solution_id"')
    assert "verdicts.jsonl, line 1: cannot be read" in complaint(queued, folder, PLAIN)


def test_cases_by_themselves_need_no_queue(built: Path) -> None:
    assert all(isinstance(case, Case) for case in cases_in_review(built, PLAIN))
