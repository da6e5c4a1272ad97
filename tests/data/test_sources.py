"""Problem sources: complete, honest about where they fail, and (the starter set) right in every test they bring."""

from __future__ import annotations

import contextlib
import copy
import gzip
import io
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from critique_coder.data.audit import audit_problem, audit_solutions
from critique_coder.data.mix import Split, split_of
from critique_coder.data.recipe import AuditSettings
from critique_coder.data.sources import Corpus, read_source
from critique_coder.judge import Judge
from critique_coder.records import Outcome, Problem, TestCase, TestKind
from critique_coder.storage import hash_fraction, write_jsonl
from making import a_problem, complaint

DATA = Path(os.environ.get("CRITIQUE_CODER_DATA", Path(__file__).parents[3] / "shared" / "data"))


def corpus_file(*parts: str) -> str:
    """A benchmark's file; without it the test is skipped, but not where CI promises to have it."""
    place = DATA.joinpath(*parts)
    if not place.exists():
        reason = f"{place} is not there; set CRITIQUE_CODER_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(place)


@pytest.fixture(scope="module")
def starter() -> Corpus:
    return read_source("starter", None)


def test_the_starter_set_is_large_and_each_problem_has_tests_and_a_reference(starter: Corpus) -> None:
    assert len(starter.problems) >= 240
    for problem in starter.problems:
        assert len(problem.tests) >= 8, problem.id
        assert problem.reference and problem.source == "starter" and problem.licence, problem.id
        assert {test.kind for test in problem.tests} <= {TestKind.CALL, TestKind.STDIO}, problem.id


def test_statements_tell_the_name_of_the_function(starter: Corpus) -> None:
    for problem in starter.problems:
        if problem.entry_point is not None:
            name = problem.entry_point.rpartition(".")[2]
            assert name in problem.statement or name in problem.starter_code, problem.id


def test_no_two_starter_problems_have_the_same_statement_or_reference(starter: Corpus) -> None:
    for texts in ([p.statement for p in starter.problems], [p.reference for p in starter.problems]):
        assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_starter_families_do_not_cross_splits(starter: Corpus) -> None:
    splits: dict[str, set[Split]] = {}
    for problem in starter.problems:
        splits.setdefault(str(problem.metadata["family"]), set()).add(split_of(problem, 0.3))
    assert {family for family, found in splits.items() if len(found) > 1} == set()


@pytest.mark.usefixtures("alarm")
def test_no_held_out_starter_problem_is_a_renamed_training_problem(starter: Corpus) -> None:
    """Two problems are the same where the reference of each passes the other's tests, in some order of arguments."""
    solvers = {problem.id: solver_of(problem) for problem in starter.problems if problem.entry_point}
    sides: dict[Split, list[Problem]] = {Split.TRAIN: [], Split.HELDOUT: []}
    for problem in starter.problems:
        if problem.id in solvers:
            sides[split_of(problem, 0.3)].append(problem)
    alike = {
        (mine.id, other.id)
        for mine in sides[Split.TRAIN]
        for other in sides[Split.HELDOUT]
        if solves(solvers[mine.id], other) and solves(solvers[other.id], mine)
    }
    assert alike == {("starter/is_origin", "starter/neither_true")}  # False is 0 in Python, the tasks are not the same


def solver_of(problem: Problem) -> Callable[..., Any]:
    """The function that a starter problem's reference defines: our own code, which needs no sandbox."""
    assert problem.reference and problem.entry_point
    names: dict[str, Any] = {}
    exec(compile(problem.reference, problem.id, "exec"), names)
    found: Callable[..., Any] = names[problem.entry_point]
    return found


def solves(solver: Callable[..., Any], problem: Problem) -> bool:
    orders = permutations(range(len(problem.tests[0].args)))
    return any(all(gives(solver, test, order) for test in problem.tests) for order in orders)


def gives(solver: Callable[..., Any], test: TestCase, order: Sequence[int]) -> bool:
    arguments = copy.deepcopy([test.args[place] for place in order])
    with contextlib.redirect_stdout(io.StringIO()):
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.05)
        try:
            return bool(solver(*arguments) == test.expected)
        except (Exception, Stuck):  # made for other arguments
            return False
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class Stuck(BaseException):
    """A reference that was made for other arguments does not come to an end."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Stuck

    before = signal.signal(signal.SIGVTALRM, ring)
    yield
    signal.signal(signal.SIGVTALRM, before)


def test_both_splits_and_all_difficulties_are_well_filled(starter: Corpus) -> None:
    splits = Counter(split_of(problem, 0.3) for problem in starter.problems)
    assert 0.15 < splits[Split.HELDOUT] / len(starter.problems) < 0.45
    levels = Counter(problem.difficulty for problem in starter.problems)
    assert len(levels) >= 4 and min(levels.values()) >= 10
    held = {problem.difficulty for problem in starter.problems if split_of(problem, 0.3) is Split.HELDOUT}
    assert len(held) >= 3


def test_each_starter_problem_has_three_different_wrong_solutions(starter: Corpus) -> None:
    codes: dict[str, set[str]] = {problem.id: set() for problem in starter.problems}
    for solution in starter.wrong_solutions:
        assert solution.code is not None
        codes[solution.problem_id].add(solution.code.strip())
    assert {name: len(found) for name, found in codes.items() if len(found) < 3} == {}


def test_starter_references_pass_and_wrong_solutions_fail(starter: Corpus) -> None:
    """The real judge runs all of it: this is the one long test of the room."""
    by_id = {problem.id: problem for problem in starter.problems}
    solutions = audit_solutions(starter.problems, starter.wrong_solutions)
    with Judge(time_limit_s=3, memory_limit_mb=512, first_failure=True) as judge:
        verdicts = list(judge.verify_many((by_id[solution.problem_id], solution) for solution in solutions))
    references = [v for v in verdicts if v.solution_id.endswith("#reference")]
    assert len(references) == len(starter.problems)
    assert [v.solution_id for v in references if v.outcome is not Outcome.PASSED] == []
    wrong = [v for v in verdicts if not v.solution_id.endswith("#reference")]
    assert [v.solution_id for v in wrong if v.outcome in (Outcome.PASSED, Outcome.UNSCORED)] == []
    found = {verdict.solution_id: verdict for verdict in verdicts}
    for problem in starter.problems:
        own = [solution for solution in starter.wrong_solutions if solution.problem_id == problem.id]
        assert audit_problem(problem, own, found, AuditSettings(min_wrong=3)) is None


def make_folder(place: Path) -> Path:
    write_jsonl(place / "a.jsonl", [a_problem("one").to_json()])
    (place / "b.jsonl.gz").write_bytes(gzip.compress((json.dumps(a_problem("two").to_json()) + "\n").encode()))
    return place


def test_a_folder_of_problem_files_is_read_whole(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "wrong_solutions.jsonl", [{"id": "w", "problem_id": "two", "code": "x"}])
    corpus = read_source("problems", str(make_folder(tmp_path)))
    assert {problem.id for problem in corpus.problems} == {"one", "two"}
    assert [solution.id for solution in corpus.wrong_solutions] == ["w"]
    assert sorted(Path(file).name for file in corpus.files) == ["a.jsonl", "b.jsonl.gz", "wrong_solutions.jsonl"]


def test_one_file_is_a_source_too(tmp_path: Path) -> None:
    make_folder(tmp_path)
    assert [problem.id for problem in read_source("problems", str(tmp_path / "a.jsonl")).problems] == ["one"]


def test_an_id_in_two_files_of_a_folder_is_refused(tmp_path: Path) -> None:
    write_jsonl(make_folder(tmp_path) / "c.jsonl", [a_problem("one").to_json()])
    assert "'one'" in complaint(read_source, "problems", str(tmp_path))


def test_a_wrong_solution_of_no_problem_is_refused(tmp_path: Path) -> None:
    write_jsonl(make_folder(tmp_path) / "wrong_solutions.jsonl", [{"id": "w", "problem_id": "three", "code": "x"}])
    assert "'three'" in complaint(read_source, "problems", str(tmp_path))


def test_an_empty_folder_a_missing_path_and_an_unknown_source_are_refused(tmp_path: Path) -> None:
    assert "no problems file" in complaint(read_source, "problems", str(tmp_path))
    assert "no such file" in complaint(read_source, "problems", str(tmp_path / "none.jsonl"))
    assert "path" in complaint(read_source, "problems", None)
    assert "humaneval" in complaint(read_source, "humanevl", None)


def test_humaneval_is_read_whole() -> None:
    corpus = read_source("humaneval", corpus_file("humaneval", "HumanEval.jsonl.gz"))
    assert len(corpus.problems) == 164 and corpus.problems[0].id == "humaneval/0"
    for problem in corpus.problems:
        (test,) = problem.tests
        assert test.kind is TestKind.SCRIPT and test.code.endswith(f"check({problem.entry_point})\n")
        assert problem.reference is not None and problem.reference.startswith(problem.starter_code)
        assert "canonical" not in problem.statement and str(problem.entry_point) in problem.statement


def test_mbpp_is_read_whole_and_its_training_split_is_kept_apart() -> None:
    corpus = read_source("mbpp", corpus_file("mbpp", "mbpp.jsonl"))
    assert len(corpus.problems) == 974 and len({problem.id for problem in corpus.problems}) == 974
    assert all(len(problem.tests) >= 3 for problem in corpus.problems)
    train = [problem.id for problem in corpus.problems if split_of(problem, 0.3) is Split.TRAIN]
    assert len(train) == 374 and min(int(name.split("/")[1]) for name in train) == 601
    assert sum(problem.entry_point is not None for problem in corpus.problems) >= 960


def test_mbpp_sanitized_is_read_too() -> None:
    corpus = read_source("mbpp", corpus_file("mbpp", "sanitized-mbpp.json"))
    assert len(corpus.problems) == 427


BENCHMARKS = {
    "humaneval": ("humaneval", "HumanEval.jsonl.gz"),
    "mbpp": ("mbpp", "mbpp.jsonl"),
    "humanevalplus": ("humanevalplus", "HumanEvalPlus-OriginFmt.jsonl.gz"),
    "mbppplus": ("mbppplus", "MbppPlus-OriginFmt.jsonl.gz"),
}
WRONG_DATA = {
    "humanevalplus/32": "its check calls _poly(*candidate(*inp), inp), and the candidate returns one number",
    "mbppplus/255": "inputs so large that an answer has more than 16 MiB, the judge's limit of output",
}


LARGE = {"humanevalplus": 164, "mbppplus": 378}
"""The sets that take minutes: a quarter of them, and what is wrong in them, is judged here; `benchmarks/references.py`
judges every problem of every set."""


@pytest.fixture(scope="module")
def read_benchmarks() -> dict[str, tuple[Problem, ...]]:
    """The problems of a benchmark, each read once: reading the large ones takes ten seconds."""
    return {}


@pytest.mark.parametrize("source", BENCHMARKS)
def test_references_of_the_benchmarks_pass(source: str, read_benchmarks: dict[str, tuple[Problem, ...]]) -> None:
    problems = read_benchmarks[source] = tuple(read_source(source, corpus_file(*BENCHMARKS[source])).problems)
    if source in LARGE:
        assert len(problems) == LARGE[source]
        problems = tuple(p for p in problems if p.id in WRONG_DATA or hash_fraction("sample", p.id) < 0.25)
        assert len(problems) > LARGE[source] / 6
    with Judge() as judge:
        verdicts = list(judge.verify_many(zip(problems, audit_solutions(problems, []), strict=True)))
    failed = {v.problem_id: (v.outcome, v.tests[0].message) for v in verdicts if v.outcome is not Outcome.PASSED}
    assert failed.keys() == WRONG_DATA.keys() & {problem.id for problem in problems}, failed
    assert sum(verdict.shared_process for verdict in verdicts) <= 9


@pytest.mark.parametrize("source", LARGE)
def test_evalplus_needs_no_numpy(source: str, read_benchmarks: dict[str, tuple[Problem, ...]]) -> None:
    problems = read_benchmarks.get(source) or read_source(source, corpus_file(*BENCHMARKS[source])).problems
    for problem in problems:
        (test,) = problem.tests
        assert "import numpy" not in test.code and "np.all" not in test.code
        assert re.search(rf"def {problem.entry_point}\s*\(", str(problem.reference))


def test_all_close_says_what_numpy_says() -> None:
    import numpy as np

    from critique_coder.data.sources.evalplus import _ALL_CLOSE

    names: dict[str, Any] = {}
    exec(_ALL_CLOSE, names)
    pairs: list[tuple[Any, Any]] = [
        (1.0, 1.0 + 1e-7), (1.0, 1.01), ([1.0, 2.0], [1.0, 2.0 + 1e-7]), ([1, 2], [1, 3]), ((1, 2), [1, 2]), (0, 1e-7),
        ([[1.0], [2.0]], [[1.0], [2.1]]), (float("inf"), float("inf")), (float("inf"), 1.0), (5, [5, 5]), ([5, 6], 5),
    ]  # fmt: skip
    for out, exp in pairs:
        assert names["_all_close"](out, exp, rtol=1e-07, atol=1e-06) == np.allclose(out, exp, rtol=1e-07, atol=1e-06)


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("humaneval", {"task_id": "HumanEval/0", "prompt": "def f(): ..."}),
        ("humaneval", {"task_id": 3}),
        ("humaneval", ["x"]),
        ("mbpp", {"task_id": 1, "text": "x", "code": "y"}),
        ("humanevalplus", {"task_id": "HumanEval/0", "test": "x = np.y; import numpy"}),
        ("mbppplus", {"task_id": "2", "prompt": "x", "code": "y", "test_list": ["assert f()"], "test": "def f(:"}),
        ("mbpp", {"task_id": "one", "text": "x", "code": "y", "test_list": ["assert f()"]}),
    ],
)
def test_a_record_of_another_shape_is_refused_by_line(tmp_path: Path, source: str, row: Any) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [row])
    message = complaint(read_source, source, str(tmp_path / "rows.jsonl"))
    assert "rows.jsonl, line 1" in message
