"""Records become JSON and come back unchanged; bad input is refused in one line that names place, key and remedy."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.prompts import extract_code
from critique_coder.records import (
    Checker,
    CheckerName,
    CritiqueRow,
    LabelSource,
    Outcome,
    Problem,
    Solution,
    TestCase,
    TestKind,
    TestResult,
    Verdict,
)
from making import complaint

texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=10).filter(lambda text: bool(text.strip()))
amounts = st.floats(min_value=0, max_value=1e9)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet="abc", max_size=3), inner, max_size=3)
        | st.lists(inner, max_size=3).map(lambda items: {"$tuple": items})
        | st.just({"$bytes": "aGk="})
        | st.just({"$float": "nan"})
    ),
    max_leaves=6,
)
checkers = st.builds(Checker, st.just(CheckerName.FLOAT), amounts, amounts) | st.sampled_from(CheckerName).map(Checker)
metadata = st.dictionaries(st.text(alphabet="xyz", min_size=1, max_size=3), plain, max_size=2)
cases = st.one_of(
    st.builds(TestCase, st.just(TestKind.STDIO), stdin=texts, stdout=texts, checker=st.none() | checkers),
    st.builds(
        TestCase,
        st.just(TestKind.CALL),
        args=st.lists(plain, max_size=3).map(tuple),
        kwargs=st.dictionaries(st.text(alphabet="kw", min_size=1, max_size=2), plain, max_size=2),
        expected=plain,
        checker=st.none() | checkers,
    ),
    st.builds(TestCase, st.sampled_from([TestKind.SCRIPT, TestKind.UNITTEST]), code=names),
)
problems = st.builds(
    Problem,
    id=names,
    statement=names,
    tests=st.lists(cases, min_size=1, max_size=3).map(tuple),
    language=st.sampled_from(["python", "cpp"]),
    starter_code=texts,
    entry_point=names,
    time_limit_s=st.none() | st.floats(min_value=0.001, max_value=100),
    memory_limit_mb=st.none() | st.integers(1, 10_000),
    reference=st.none() | texts,
    source=st.none() | texts,
    difficulty=st.none() | texts,
    released=st.none() | texts,
    licence=st.none() | texts,
    metadata=metadata,
)
results = st.builds(
    TestResult, st.sampled_from(Outcome), st.integers(0, 10**6).map(lambda micro: micro / 1e6), st.none() | texts
)
verdicts = st.builds(
    Verdict,
    solution_id=names,
    problem_id=names,
    outcome=st.sampled_from(Outcome),
    passed=st.integers(0, 50),
    total=st.integers(0, 50),
    pass_rate=st.none() | st.floats(0, 1),
    tests=st.lists(results, max_size=3).map(tuple),
    isolation=texts,
    shared_process=st.booleans(),
)
critiques = st.builds(
    CritiqueRow,
    id=names,
    problem_id=names,
    solution_id=names,
    statement=names,
    solution=texts,
    label=st.booleans(),
    label_source=st.sampled_from(LabelSource),
    pass_rate=st.none() | st.floats(0, 1),
)


def through_json(record: Any) -> Any:
    """What a file would give back: strict JSON, without NaN."""
    return json.loads(json.dumps(record.to_json(), allow_nan=False))


def a_row(**changes: Any) -> dict[str, Any]:
    """A problem as a user writes it; a change to ``...`` takes the key away."""
    row: dict[str, Any] = {
        "id": "p1",
        "statement": "Add.",
        "entry_point": "add",
        "tests": [{"kind": "call", "args": [1, 2], "expected": 3}],
    }
    row |= changes
    return {key: value for key, value in row.items() if value is not ...}


def refusal(row: Any) -> str:
    return complaint(Problem.from_json, row, "problems.jsonl, line 7")


@given(problems)
def test_a_problem_survives_json(problem: Problem) -> None:
    assert Problem.from_json(through_json(problem), "here") == problem


@given(cases)
def test_a_test_survives_json(case: TestCase) -> None:
    assert TestCase.from_json(through_json(case), "here") == case


@given(verdicts)
def test_a_verdict_survives_json(verdict: Verdict) -> None:
    assert Verdict.from_json(through_json(verdict), "here") == verdict


@given(critiques)
def test_a_critique_row_survives_json(row: CritiqueRow) -> None:
    assert CritiqueRow.from_json(through_json(row), "here") == row


@given(names, names, texts, st.none() | texts, metadata)
def test_a_solution_with_code_survives_json(
    name: str, problem: str, code: str, author: str | None, extra: dict[str, Any]
) -> None:
    solution = Solution(name, problem, code=code, author=author, metadata=extra)
    assert Solution.from_json(through_json(solution), "here", extract_code) == solution


@given(texts)
def test_a_solution_keeps_its_completion_and_gets_its_code_from_it(noise: str) -> None:
    completion = f"{noise}\n```python\nx = 1\n```"
    solution = Solution.from_json(
        {"id": "s", "problem_id": "p", "completion": completion}, "here", lambda text: text.upper()
    )
    assert (solution.completion, solution.code) == (completion, completion.upper())
    assert through_json(solution) == {"id": "s", "problem_id": "p", "completion": completion}


@given(problems, st.text(alphabet="abcdefgh_", min_size=1, max_size=8))
def test_no_key_of_a_problem_is_silently_dropped(problem: Problem, key: str) -> None:
    row = through_json(problem)
    if key not in row and key not in Problem.__slots__:
        message = complaint(Problem.from_json, {**row, key: 1}, "f, line 3")
        assert message.startswith("f, line 3") and repr(key) in message and "metadata" in message


@pytest.mark.parametrize(
    ("changes", "key", "wanted"),
    [
        ({"id": ...}, "id", "missing"),
        ({"id": ""}, "id", "empty"),
        ({"id": "  "}, "id", "empty"),
        ({"id": 7}, "id", "text"),
        ({"statement": ...}, "statement", "missing"),
        ({"statement": ["a"]}, "statement", "text, not a list"),
        ({"tests": ...}, "tests", "missing"),
        ({"tests": {}}, "tests", "a list, not an object"),
        ({"tests": []}, "tests", "no tests"),
        ({"entry_point": ...}, "entry_point", "missing"),
        ({"entry_point": 3}, "entry_point", "text or null"),
        ({"language": 1}, "language", "text"),
        ({"starter_code": False}, "starter_code", "text"),
        ({"time_limit_s": "2"}, "time_limit_s", "a number, not text"),
        ({"time_limit_s": True}, "time_limit_s", "a number"),
        ({"time_limit_s": 0}, "time_limit_s", "above 0"),
        ({"time_limit_s": math.nan}, "time_limit_s", "a number"),
        ({"memory_limit_mb": -1}, "memory_limit_mb", "above 0"),
        ({"memory_limit_mb": math.inf}, "memory_limit_mb", "a number"),
        ({"reference": {}}, "reference", "text or null"),
        ({"metadata": [1]}, "metadata", "an object, not a list"),
    ],
)
def test_a_bad_problem_is_refused_by_place_key_and_reason(changes: dict[str, Any], key: str, wanted: str) -> None:
    message = refusal(a_row(**changes))
    assert message.startswith("problems.jsonl, line 7, key ")
    assert repr(key) in message and wanted in message


@pytest.mark.parametrize(
    ("test", "wanted"),
    [
        ("x", "object"),
        ({}, "'kind'"),
        ({"kind": "stido", "stdin": "", "stdout": ""}, "did you mean 'stdio'"),
        ({"kind": "stdio", "stdin": ""}, "'stdout'"),
        ({"kind": "stdio", "stdout": ""}, "'stdin'"),
        ({"kind": "stdio", "stdin": 1, "stdout": ""}, "'stdin'"),
        ({"kind": "stdio", "stdin": "", "stdout": "", "args": []}, "'args'"),
        ({"kind": "stdio", "stdin": "", "stdout": "", "stdn": ""}, "did you mean 'stdin'"),
        ({"kind": "call", "expected": 1}, "'args'"),
        ({"kind": "call", "args": "ab", "expected": 1}, "'args'"),
        ({"kind": "call", "args": []}, "'expected'"),
        ({"kind": "call", "args": [], "expected": 1, "kwargs": [1]}, "'kwargs'"),
        ({"kind": "call", "args": [{"$tupel": []}], "expected": 1}, "did you mean '$tuple'"),
        ({"kind": "call", "args": [], "expected": {"$set": "ab"}}, "'$set'"),
        ({"kind": "call", "args": [], "expected": {"a": [{"$dict": {}}]}}, "'$dict'"),
        ({"kind": "call", "args": [], "expected": {"$tuple": [], "x": 1}}, "'$tuple'"),
        ({"kind": "call", "args": [], "kwargs": {"k": {"$what": 1}}, "expected": 1}, "'$what'"),
        ({"kind": "script"}, "'code'"),
        ({"kind": "script", "code": " \n"}, "'code'"),
        ({"kind": "unittest", "code": "x", "expected": 1}, "'expected'"),
        ({"kind": "stdio", "stdin": "", "stdout": "", "checker": {"name": "exakt"}}, "did you mean 'exact'"),
        ({"kind": "stdio", "stdin": "", "stdout": "", "checker": {"name": "float", "rel_tol": -1}}, "'rel_tol'"),
        ({"kind": "stdio", "stdin": "", "stdout": "", "checker": {"name": "float", "tol": 1}}, "'tol'"),
        ({"kind": "stdio", "stdin": "", "stdout": "", "checker": "exact"}, "object"),
    ],
)
def test_a_bad_test_is_refused_by_its_number_and_what_is_wrong(test: Any, wanted: str) -> None:
    good = {"kind": "stdio", "stdin": "", "stdout": ""}
    message = refusal(a_row(tests=[good, test]))
    assert message.startswith("problems.jsonl, line 7, test 2") and wanted in message


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    assert "did you mean 'statement'" in refusal(a_row(statment="Add."))
    assert "did you mean 'reference'" in refusal(a_row(referense="x"))


@pytest.mark.parametrize("row", [None, 3, "text", [1], True])
def test_a_row_that_is_no_object_is_refused(row: Any) -> None:
    assert "must be an object" in refusal(row)
    assert "must be an object" in complaint(Solution.from_json, row, "f, line 1", extract_code)
    assert "must be an object" in complaint(Verdict.from_json, row, "f, line 1")
    assert "must be an object" in complaint(CritiqueRow.from_json, row, "f, line 1")


def test_a_difficulty_may_be_a_number() -> None:
    assert Problem.from_json(a_row(difficulty=3), "here").difficulty == "3"


def test_defaults_of_a_short_problem() -> None:
    problem = Problem.from_json(a_row(), "here")
    assert (problem.language, problem.starter_code, problem.time_limit_s) == ("python", "", None)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "exactly one"),
        ({"code": "x", "completion": "y"}, "exactly one"),
        ({"code": 3}, "'code'"),
        ({"completion": ["x"]}, "'completion'"),
        ({"code": "x", "problem_id": None}, "'problem_id'"),
        ({"code": "x", "id": ""}, "'id'"),
        ({"code": "x", "autor": "me"}, "did you mean 'author'"),
    ],
)
def test_a_bad_solution_is_refused(changes: dict[str, Any], wanted: str) -> None:
    row = {"id": "s", "problem_id": "p"} | changes
    message = complaint(Solution.from_json, row, "s.jsonl, line 2", extract_code)
    assert message.startswith("s.jsonl, line 2") and wanted in message


def test_empty_code_is_a_solution_without_code_and_not_an_error() -> None:
    assert Solution.from_json({"id": "s", "problem_id": "p", "code": ""}, "here", extract_code).code == ""


@pytest.mark.parametrize("label", [1, "true", None, 0.9])
def test_a_label_is_true_or_false_and_nothing_else(label: object) -> None:
    row = CritiqueRow("c", "p", "s", "statement", "code", True, LabelSource.TESTS, 1.0).to_json()
    assert "'label'" in complaint(CritiqueRow.from_json, {**row, "label": label}, "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("outcome", "pased"),
        ("passed", "1"),
        ("pass_rate", -0.5),
        ("tests", None),
        ("tests", [{"outcome": "x"}]),
        ("extra", 1),
    ],
)
def test_a_bad_verdict_is_refused(key: str, value: object) -> None:
    row = Verdict("s", "p", Outcome.PASSED, 1, 1, 1.0, (TestResult(Outcome.PASSED, 0.1),)).to_json()
    assert complaint(Verdict.from_json, {**row, key: value}, "v.jsonl, line 4").startswith("v.jsonl, line 4")


def test_an_unscored_verdict_has_no_pass_rate_but_keeps_the_key() -> None:
    row = Verdict("s", "p", Outcome.UNSCORED, 0, 3, None, ()).to_json()
    assert row["pass_rate"] is None and row["outcome"] == "unscored"
