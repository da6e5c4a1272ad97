"""Published sets: real records where they are here, else records in a set's public shape, written for these tests."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.cli import main
from critique_coder.data.mix import Split, split_of
from critique_coder.data.sources import (
    SOURCES,
    SourceName,
    apps,
    bigcodebench,
    codecontests,
    google_code_jam,
    leetcode,
    livecodebench,
    read_source,
    rllm,
)
from critique_coder.data.sources.asserts import assert_tests
from critique_coder.data.sources.corpus import ProblemsOf, Row, Unusable, rows_in
from critique_coder.data.sources.pairs import function_test, paired_tests, starter_program, unwrapped
from critique_coder.judge import Judge
from critique_coder.records import Outcome, Problem, Solution, TestCase, TestKind
from critique_coder.storage import write_jsonl
from making import complaint

DATA = Path(os.environ.get("CRITIQUE_CODER_DATA", Path(__file__).parents[3] / "shared" / "data"))
FEW = 40
REAL: dict[str, tuple[str, ProblemsOf]] = {
    "codecontests": ("codecontests/codecontests300.jsonl.gz", codecontests.problems_of),
    "leetcode": ("leetcode_train_clean/leetcode_train_clean.jsonl.gz", leetcode.problems_of),
    "rllm contests": ("rllm_code/test_code_code_contests.json", rllm.problems_of),
    "rllm codeforces": ("rllm_code/test_code_codeforces.json", rllm.problems_of),
    "rllm leetcode": ("rllm_code/train_code_leetcode.json", rllm.problems_of),
    "livecodebench": ("lcb_v5/lcb_v5_dev_before_2024-07.jsonl.gz", livecodebench.problems_of),
    "bigcodebench": ("bigcodebench/BigCodeBench.jsonl.gz", bigcodebench.problems_of),
    "bigcodebench hard": ("bigcodebench/bigcodebench_hard.json", bigcodebench.problems_of),
    "google-code-jam": ("google_code_jam/google_code_jam.jsonl.gz", google_code_jam.problems_of),
}
EVALUATION = {"rllm contests", "rllm codeforces", "livecodebench", "bigcodebench", "bigcodebench hard"}


def rows_of(name: str) -> Iterator[Row]:
    """The first records of a set's file; without it the test is skipped, but not where CI promises to have it."""
    place = DATA / REAL[name][0]
    if not place.exists():
        reason = f"{place} is not there; set CRITIQUE_CODER_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return islice(rows_in([place]), FEW)


def problems_and_lost(problems_of: ProblemsOf, rows: Iterator[Row]) -> tuple[list[Problem], list[tuple[str, str]]]:
    lost: list[tuple[str, str]] = []
    return list(problems_of(rows, lambda name, reason: lost.append((name, reason)))), lost


def outcomes(problem: Problem, *codes: str) -> list[Outcome]:
    with Judge() as judge:
        return [judge.verify(problem, Solution(f"s{n}", problem.id, code)).outcome for n, code in enumerate(codes)]


@pytest.mark.parametrize("name", REAL)
def test_real_records_become_problems_of_the_contract(name: str) -> None:
    problems, lost = problems_and_lost(REAL[name][1], rows_of(name))
    assert (len(problems), lost) == (FEW, [])
    assert len({problem.id for problem in problems}) == FEW
    for problem in problems:
        assert Problem.from_json(json.loads(json.dumps(problem.to_json())), "here") == problem
        assert problem.licence and problem.released and problem.source in SOURCES, problem.id
        assert problem.metadata["split"] == ("eval" if name in EVALUATION else "train"), problem.id
        assert split_of(problem, 0.3) is (Split.HELDOUT if name in EVALUATION else Split.TRAIN)


@pytest.mark.parametrize("name", ["codecontests", "google-code-jam"])
def test_real_programs_keep_every_test(name: str) -> None:
    rows = list(rows_of(name))
    problems, _ = problems_and_lost(REAL[name][1], iter(rows))
    for row, problem in zip(rows, problems, strict=True):
        given = row.value.get("tests") or row.value["sample_tests"] + row.value["secret_tests"]
        assert [(test.stdin, test.stdout) for test in problem.tests] == [(t["input"], t["output"]) for t in given]


@pytest.mark.parametrize("name", ["leetcode", "rllm leetcode"])
def test_real_asserts_keep_their_number_and_their_references_pass(name: str) -> None:
    rows = list(rows_of(name))
    problems, _ = problems_and_lost(REAL[name][1], iter(rows))
    for row, problem in zip(rows, problems, strict=True):
        check = row.value["test"] if name == "leetcode" else row.value["tests"]["functional"]
        assert len(problem.tests) == check.count("    assert "), problem.id
    with Judge() as judge:
        pairs = [(problem, Solution(problem.id, problem.id, problem.reference)) for problem in problems[:25]]
        assert [v.problem_id for v in judge.verify_many(pairs) if v.outcome is not Outcome.PASSED] == []


def test_a_leetcode_solution_needs_no_imports_of_its_own_and_a_wrong_one_fails() -> None:
    problems, _ = problems_and_lost(leetcode.problems_of, rows_of("leetcode"))
    two_sum = problems[0]
    head = "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
    right = "        return next([i, j] for j in range(len(nums)) for i in range(j) if nums[i] + nums[j] == target)\n"
    assert outcomes(two_sum, head + right, head + "        return [0, 1]\n") == [Outcome.PASSED, Outcome.WRONG_ANSWER]
    assert "Please complete" not in two_sum.statement and "def twoSum" in two_sum.starter_code


def test_real_lists_of_nodes_are_checked_by_the_checks_own_functions() -> None:
    problems, _ = problems_and_lost(leetcode.problems_of, rows_of("leetcode"))
    problem = next(p for p in problems if "is_same_list" in p.tests[0].code)
    method = str(problem.entry_point).partition(".")[2]
    cheat = (
        f"def is_same_list(a, b):\n    return True\nclass Solution:\n    def {method}(self, *a, **k):\n        pass\n"
    )
    assert outcomes(problem, str(problem.reference), cheat) == [Outcome.PASSED, Outcome.WRONG_ANSWER]


def test_the_sources_are_named_in_one_place() -> None:
    assert get_args(SourceName) == tuple(SOURCES)


SHAPES: dict[str, list[dict[str, Any]]] = {
    "rstar-coder": [
        {
            "question_id": "seed_1", "question": "Add one.", "starter_code": "", "inputs": '["1\\n", "2\\n"]',
            "outputs": '["2\\n", "3\\n"]', "is_synthesized": [0, 1], "test_case_type": "stdin", "func_name": None,
            "class_name": None,
        },
        {
            "question_id": "seed_2", "question": "Add.", "inputs": "[[1, 2], [3, 4]]", "outputs": "[3, 7]",
            "starter_code": "class Solution:\n    def add(self, a: int, b: Optional[int]) -> int:\n        ",
            "is_synthesized": [0, 0], "test_case_type": "functional", "func_name": "add", "class_name": "Solution",
        },
    ],
    "deepcoder": [
        {
            "problem": "Add one.", "solutions": ["print(int(input()) + 1)"],
            "tests": '[{"type": "stdin_stdout", "input": "1", "output": "2"}, '
                     '{"type": "stdin_stdout", "input": "2", "output": "3"}]',
        },
        {
            "problem": "Add.", "solutions": ["```python\ndef add(a, b):\n    return a + b\n```"],
            "tests": '[{"type": "function_call", "fn_name": "add", "input": [1, 2], "output": [3]}, '
                     '{"type": "function_call", "fn_name": "add", "input": [3, 4], "output": [7]}]',
        },
        {
            "problem": "Add.", "solutions": ["def add(a, b):\n    return a + b\n"],
            "tests": '{"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, 7]}',
        },
        {
            "problem": "Add.", "starter_code": "class Solution:\n    def add(self, a: int, b: int) -> int:\n        ",
            "metadata": '{"func_name": "add"}',
            "tests": '[{"input": "1\\n2", "output": "3", "testtype": "functional"}, '
                     '{"input": "3\\n4", "output": "7", "testtype": "functional"}]',
        },
    ],
    "taco": [
        {
            "question": "Add one.", "solutions": '["print(int(input()) + 1)"]', "starter_code": "",
            "input_output": '{"inputs": ["1\\n", ["2"]], "outputs": ["2\\n", ["3"]]}', "difficulty": "EASY",
            "source": "codeforces", "url": "https://example.org/1", "date": "2019-12-31T00:00:00", "tags": "[]",
            "time_limit": "2.0 seconds", "memory_limit": "256.0 megabytes",
        },
    ],
    "apps": [
        {
            "problem_id": 7, "question": "Add.", "solutions": '["def add(a, b):\\n    return a + b\\n"]',
            "input_output": '{"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]}',
            "difficulty": "introductory", "url": "https://example.org/7", "starter_code": "def add(a, b):\n\t",
        },
    ],
    "kodcode": [
        {
            "question_id": "Prefill_1", "question": "Add.", "solution": "def add(a, b):\n    return a + b\n",
            "test": "from solution import add as plus\nimport pytest\n\ndef test_small():\n    assert plus(1, 2) == 3\n"
                    "\ndef test_more():\n    assert plus(3, 4) == 7\n",
            "test_info": [{"function_name": "add", "function_declaration": "def add(a, b):", "docstring": ""}],
            "gpt_difficulty": "easy", "style": "instruct", "subset": "Prefill", "version": "v1.0",
        },
    ],
    "codecontests": [
        {
            "name": "1_A. Add one", "description": "Add one.", "source": 2, "difficulty": 7, "cf_tags": ["math"],
            "public_tests": {"input": ["1\n"], "output": ["2\n"]},
            "private_tests": {"input": ["2\n"], "output": ["3\n"]}, "generated_tests": {"input": [], "output": []},
            "solutions": {"language": [2, 3], "solution": ["int main(){}", "print(int(input()) + 1)"]},
            "time_limit": {"seconds": 2, "nanos": 500000000}, "memory_limit_bytes": 268435456,
        },
    ],
}  # fmt: skip
SOLUTIONS = (
    "print(int(input()) + 1)",
    "def add(a, b):\n    return a + b\n",
    "class Solution:\n    def add(self, a: int, b: Optional[int]) -> int:\n        return a + b\n",
)
WRONG = (
    "print(2)",
    "def add(a, b):\n    return 3\n",
    "class Solution:\n    def add(self, a: int, b: Optional[int]) -> int:\n        return 3\n",
)


@pytest.mark.parametrize("name", SHAPES)
def test_records_in_a_public_shape_are_judged_as_they_should(name: str, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", SHAPES[name])
    corpus = read_source(name, str(tmp_path))
    assert (len(corpus.problems), corpus.lost) == (len(SHAPES[name]), ())
    for problem in corpus.problems:
        assert len(problem.tests) == (1 if name == "kodcode" else 2)
        assert Problem.from_json(problem.to_json(), "here") == problem
        which = 0 if problem.entry_point is None else 2 if "." in problem.entry_point else 1
        assert outcomes(problem, SOLUTIONS[which]) == [Outcome.PASSED], problem.id
        assert outcomes(problem, WRONG[which]) != [Outcome.PASSED], problem.id
        if name != "rstar-coder" and which != 2:
            assert problem.reference is not None and outcomes(problem, problem.reference) == [Outcome.PASSED]
        assert problem.licence and problem.metadata["split"] == ("eval" if "lcbv5" in problem.id else "train")


def test_limits_and_dates_of_a_record_are_kept(tmp_path: Path) -> None:
    for name in ("codecontests", "taco"):
        write_jsonl(tmp_path / f"{name}.jsonl", SHAPES[name])
    (contest,) = read_source("codecontests", str(tmp_path / "codecontests.jsonl")).problems
    (taco,) = read_source("taco", str(tmp_path / "taco.jsonl")).problems
    assert (contest.time_limit_s, contest.memory_limit_mb, contest.difficulty) == (2.5, 256, "7")
    assert (taco.time_limit_s, taco.released, taco.difficulty) == (2.0, "2019-12-31", "EASY")


@pytest.mark.parametrize("name", ["codecontests", "deepcoder", "taco", "apps"])
@pytest.mark.parametrize("file", ["test.jsonl", "test-00000-of-00001.jsonl", "valid-00000-of-00001.jsonl"])
def test_what_lies_in_a_test_file_is_never_trained_on(name: str, file: str, tmp_path: Path) -> None:
    write_jsonl(tmp_path / file, SHAPES[name])
    problems = read_source(name, str(tmp_path / file)).problems
    assert {split_of(problem, 0.3) for problem in problems} == {Split.HELDOUT}


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("apps", {"input_output": ""}, "no tests"),
        ("apps", {"input_output": "{}"}, "no tests"),
        ("taco", {"input_output": '{"inputs": ["1"], "outputs": []}'}, "1 inputs and 0 outputs"),
        ("rstar-coder", {"inputs": [], "outputs": []}, "no tests"),
        ("deepcoder", {"tests": "[]"}, "no tests"),
        ("kodcode", {"test": "import solution\ndef test_x():\n    assert solution.add(1, 2) == 3\n"}, "as a module"),
        ("kodcode", {"test": "def test_x(:\n"}, "not Python"),
        ("codecontests", {"public_tests": {}, "private_tests": {}}, "no tests"),
        ("codecontests", {"input_file": "in.txt"}, "in.txt"),
    ],
)
def test_a_record_without_a_usable_test_is_counted_with_its_reason(
    name: str, change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "train.jsonl", [SHAPES[name][0] | change])
    corpus = read_source(name, str(tmp_path))
    assert corpus.problems == () and reason in corpus.lost[0].reason


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("apps", {"input_output": "{"}, "input_output"),
        ("apps", {"input_output": "[1]"}, "input_output"),
        ("apps", {"question": 3}, "question"),
        ("taco", {"input_output": '{"inputs": "1", "outputs": []}'}, "input_output"),
        ("rstar-coder", {"inputs": "no JSON"}, "inputs"),
        ("rstar-coder", {"question_id": ""}, "question_id"),
        ("deepcoder", {"tests": '[{"type": "stdin_stdout", "input": "1"}]'}, "tests"),
        ("deepcoder", {"tests": None}, "tests"),
        ("kodcode", {"test": None}, "test"),
        ("codecontests", {"description": None}, "description"),
        ("codecontests", {"public_tests": "x"}, "public_tests"),
    ],
)
def test_a_malformed_record_is_refused_by_line_and_key(
    name: str, change: dict[str, Any], key: str, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "train.jsonl", [SHAPES[name][0], SHAPES[name][0] | change])
    message = complaint(read_source, name, str(tmp_path))
    assert "train.jsonl, line 2" in message and repr(key) in message


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in ("starter", "problems")])
@pytest.mark.parametrize("row", [3, [], {}, {"task_id": 3}])
def test_rows_of_another_kind_are_refused(name: str, row: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert "rows.jsonl, line 1" in complaint(read_source, name, str(tmp_path / "rows.jsonl"))


def test_parquet_gz_json_and_lines_give_the_same_problems(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = SHAPES["taco"][0]
    write_jsonl(tmp_path / "train.jsonl", [row])
    (tmp_path / "train.jsonl.gz").write_bytes(gzip.compress((tmp_path / "train.jsonl").read_bytes()))
    (tmp_path / "train.json").write_text(json.dumps([row]))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "train.parquet")
    found = [read_source("taco", str(file)).problems for file in sorted(tmp_path.iterdir())]
    assert len(found) == 4 and all(problems == found[0] for problems in found)


def test_a_problem_that_stands_in_two_files_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", SHAPES["kodcode"])
    write_jsonl(tmp_path / "b.jsonl", SHAPES["kodcode"])
    assert "'kodcode/Prefill_1' stands twice" in complaint(read_source, "kodcode", str(tmp_path))


def test_without_a_network_the_hub_is_a_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("CRITIQUE_CODER_DATA", raising=False)
    assert "the hub could not be asked" in complaint(read_source, "taco", None)
    assert "neither a file nor a folder" in complaint(read_source, "taco", "nobody/nothing-of-the-kind")
    assert "no such file" in complaint(read_source, "taco", "missing/rows.jsonl")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.lists(VALUES, max_size=3), VALUES), min_size=1, max_size=6), st.booleans())
def test_every_pair_becomes_one_test_that_the_contract_takes(pairs: list[tuple[list[Any], Any]], method: bool) -> None:
    inputs, outputs = [list(args) for args, _ in pairs], [result for _, result in pairs]
    entry_point = "Solution.f" if method else "f"
    tests = paired_tests(inputs, outputs, entry_point, "here", "tests")
    assert len(tests) == len(pairs)
    for test in tests:
        assert repr(TestCase.from_json(test.to_json(), "here")) == repr(test)
        if method:
            compile(test.code, "test", "exec")


@given(st.lists(st.text(max_size=20), max_size=6), st.integers(0, 3))
def test_programs_keep_every_pair_and_uneven_ones_are_lost(texts: list[str], more: int) -> None:
    if texts and not more:
        assert [test.stdin for test in paired_tests(texts, texts, None, "here", "tests")] == texts
    else:
        with pytest.raises(Unusable):
            paired_tests(texts, texts + ["x"] * more, None, "here", "tests")


@given(st.lists(st.tuples(st.integers(), st.lists(st.integers(), max_size=3)), min_size=1, max_size=8))
def test_every_assert_becomes_one_test(cases: list[tuple[int, list[int]]]) -> None:
    check = "def check(candidate):\n" + "".join(f"    assert candidate(n = {n}) == {r}\n" for n, r in cases)
    run = "my = Solution()\n" + "".join(f"x = {{'n': {n}}}\nassert my.f(**x) == {r}\n" for n, r in cases)
    expected = [f"assert Solution().f(n={n}) == {r}\n" for n, r in cases]
    assert [test.code for test in assert_tests(check, "Solution.f")] == expected
    assert [test.code for test in assert_tests(run, "Solution.f")] == expected


def test_results_come_out_of_their_lists_only_when_all_are_in_one() -> None:
    assert unwrapped([[3], [7]]) == [3, 7]
    assert unwrapped([[3], [7, 8]]) == [[3], [7, 8]]
    assert unwrapped(["3", "text"]) == [3, "text"]


def test_a_real_number_is_compared_within_a_tolerance() -> None:
    test = function_test("Solution.half", [1], 0.3333333)
    problem = Problem("p", "s", (test,), entry_point="Solution.half")
    code = "class Solution:\n    def half(self, n):\n        return {}\n"
    assert outcomes(problem, code.format("1 / 3")) == [Outcome.PASSED]
    assert outcomes(problem, code.format("0.34")) != [Outcome.PASSED]


def test_a_starter_is_a_program_in_which_three_argument_pow_works() -> None:
    stub = "class Solution:\n    def f(self, n: List[int]) -> int:\n        "
    names: dict[str, Any] = {}
    exec(starter_program(stub), names)
    assert names["Solution"]().f([1]) is None and names["pow"](2, 5, 7) == 4


def test_apps_and_taco_do_not_share_ids() -> None:
    row = Row(Path("train.jsonl"), 0, "here", SHAPES["apps"][0])
    (one,), _ = problems_and_lost(apps.apps_problems_of, iter([row]))
    (other,), _ = problems_and_lost(apps.taco_problems_of, iter([row]))
    assert one.id == "apps/train/7" and other.id == "taco/train/7"
    assert replace(one, id="", licence="", released="", source="") == replace(
        other, id="", licence="", released="", source=""
    )


def test_a_float_checker_stands_at_code_jam() -> None:
    problems, _ = problems_and_lost(google_code_jam.problems_of, rows_of("google-code-jam"))
    for test in problems[0].tests:
        assert test.kind is TestKind.STDIO and test.checker is not None and test.checker.abs_tol == 1e-6


def test_validate_takes_a_set_by_name_and_says_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_tests = SHAPES["apps"][0] | {"problem_id": 8, "input_output": ""}
    (tmp_path / "apps").mkdir()
    write_jsonl(tmp_path / "apps" / "train.jsonl", [SHAPES["apps"][0], without_tests])
    monkeypatch.setenv("CRITIQUE_CODER_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["critique-coder", "validate", "apps", "--mutants=0", "--repeats=1", "--json"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert "1 records left out: has no tests" in lines
    summary = json.loads(last)
    assert (summary["problems"], summary["references"], summary["findings"]) == (1, 1, [])
    assert summary["left_out"] == [{"problem_id": "apps/train/8", "reason": "has no tests"}]
