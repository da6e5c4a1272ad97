"""Odd rows of published sets: each is refused by line and key or left out with its reason, never taken as it is."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.data.benchmarks import open_benchmarks
from critique_coder.data.sources import Corpus, read_source
from critique_coder.fields import type_name
from critique_coder.records import BadInput, Problem
from making import complaint

NUMBERS = "9" * 5000
RECORDS: dict[str, dict[str, Any]] = {
    "rstar-coder": {
        "question_id": "1", "question": "Add.", "starter_code": "def add(a, b):\n    ", "inputs": "[[1, 2]]",
        "outputs": "[3]", "func_name": "add", "class_name": None,
    },
    "deepcoder": {
        "problem": "Add.", "solutions": ["def add(a, b):\n    return a + b\n"], "starter_code": "",
        "tests": '[{"type": "function_call", "fn_name": "add", "input": [1, 2], "output": 3}]',
    },
    "taco": {
        "question": "Add one.", "solutions": '["print(int(input()) + 1)"]', "starter_code": "", "difficulty": "EASY",
        "input_output": '{"inputs": ["1"], "outputs": ["2"]}', "source": "x", "url": "y", "date": "2019-12-31T00:00:00",
        "time_limit": "2.0 seconds", "memory_limit": "256.0 megabytes",
    },
    "apps": {
        "problem_id": 7, "question": "Add.", "solutions": '["def add(a, b):\\n    return a + b\\n"]', "url": "y",
        "input_output": '{"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}', "starter_code": "def add(a, b):\n",
        "difficulty": "introductory",
    },
    "kodcode": {
        "question_id": "1", "question": "Add.", "solution": "def add(a, b):\n    return a + b\n",
        "test": "def test_small():\n    assert add(1, 2) == 3\n", "gpt_difficulty": "easy",
        "test_info": [{"function_name": "add", "function_declaration": "def add(a, b):"}],
    },
    "codecontests": {
        "name": "1_A", "description": "Add one.", "difficulty": 7, "public_tests": {"input": ["1"], "output": ["2"]},
        "private_tests": {"input": ["2"], "output": ["3"]}, "time_limit": {"seconds": 2, "nanos": 0},
        "solutions": {"language": [3], "solution": ["print(int(input()) + 1)"]}, "memory_limit_bytes": 268435456,
    },
    "leetcode": {
        "task_id": "add", "query": "Add.", "prompt": "from typing import *\n", "entry_point": "Solution().add",
        "completion": "class Solution:\n    def add(self, a, b):\n        return a + b\n", "difficulty": "Easy",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n", "estimated_date": "2024-01-31",
    },
    "rllm": {"problem": "Add one.", "tests": {"inputs": ["1"], "outputs": ["2"]}, "solutions": ["print(2)"]},
    "livecodebench": {
        "question_content": "Add.", "question_id": "1", "contest_date": "2025-01-04T00:00:00", "difficulty": "easy",
        "starter_code": "class Solution:\n    def add(self, a: int, b: int) -> int:\n        ",
        "public_test_cases": '[{"input": "1\\n2", "output": "3", "testtype": "functional"}]',
        "private_test_cases": '[{"input": "2\\n2", "output": "4", "testtype": "functional"}]',
        "metadata": '{"func_name": "add"}',
    },
    "bigcodebench": {
        "task_id": "BigCodeBench/0", "instruct_prompt": "Add.", "code_prompt": "def task_func(a, b):\n",
        "canonical_solution": "    return a + b\n", "entry_point": "task_func", "libs": ["math"],
        "test": "class T(unittest.TestCase):\n    def test_it(self):\n        assert task_func(1, 2) == 3\n",
    },
    "google-code-jam": {
        "task_id": "gcj/1", "source": "Code Jam 2008", "statement": "Add one.", "float_tolerance": 1e-6,
        "sample_tests": [{"input": "1", "output": "2"}], "secret_tests": [{"input": "2", "output": "3"}],
    },
    "humaneval": {
        "task_id": "HumanEval/0", "prompt": "def add(a, b):\n", "canonical_solution": "    return a + b\n",
        "entry_point": "add", "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
    },
    "mbpp": {
        "task_id": 601, "text": "Add.", "code": "def add(a, b):\n    return a + b\n", "test_setup_code": "import math",
        "test_list": ["assert add(1, 2) == 3"],
    },
    "mbppplus": {
        "task_id": 2, "prompt": "Add.", "code": "def add(a, b):\n    return a + b\n",
        "test_list": ["assert add(1, 2) == 3"], "test": "inputs = [(1, 2)]\nfor inp in inputs:\n    assert add(*inp)\n",
    },
    "humanevalpack-java": {
        "task_id": "Java/0", "prompt": "p", "declaration": "class Solution {\n", "canonical_solution": "}\n",
        "buggy_solution": "} \n", "test": "public class Main {\n}\n", "entry_point": "add", "instruction": "Add.",
        "bug_type": "missing logic",
    },
}  # fmt: skip
"""A record of each set with every key that its reader reads."""
RECORDS["humanevalplus"] = RECORDS["humaneval"]
MAY_BE_TOO: dict[str, dict[str, tuple[type, ...]]] = {
    "apps": {"problem_id": (int, str, bool)},
    "codecontests": {"difficulty": (int, str, bool)},
    "deepcoder": {"solutions": (str,)},
    "humaneval": {"task_id": (int,)},
    "humanevalpack-java": {"task_id": (int,)},
    "humanevalplus": {"task_id": (int,)},
    "livecodebench": {"metadata": (dict,)},
    "rllm": {"solutions": (str,)},
    "rstar-coder": {"inputs": (list,), "outputs": (list,)},
}
"""Other types that a key may have: names may be numbers, JSON may stand as itself, one solution without a list."""


def read(name: str, row: dict[str, Any]) -> Corpus:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "train.jsonl"
        file.write_text(json.dumps(row) + "\n")
        return read_source(name, str(file))


def odd(value: Any) -> list[Any]:
    """Values of every other type than ``value`` has, and, where it is text of JSON, texts that are not."""
    others = [3, True, "x y", ["", 3], [3], {"a": 1}, [None], [[]], {"input": "12", "output": "34"}]
    broken = [value[:-1], '{"a"', "[3]", "3", '"'] if isinstance(value, str) and value[:1] in "[{" and value else []
    return [other for other in others if type_name(other) != type_name(value)] + [b for b in broken if b != value]


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, row in RECORDS.items() for key in row])
def test_a_value_of_another_kind_is_refused_or_left_out(name: str, key: str) -> None:
    row = RECORDS[name]
    assert len(read(name, row).problems) == 1
    for value in odd(row[key]):
        if isinstance(value, MAY_BE_TOO.get(name, {}).get(key, ())):
            continue
        try:
            corpus = read(name, row | {key: value})
        except BadInput as error:
            assert "train.jsonl, line 1" in str(error) and "\n" not in str(error), value
        else:
            assert corpus.problems == () and corpus.lost[0].reason, value


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("apps", {"solutions": '["print(1)'}, "solutions"),
        ("apps", {"solutions": '["print(1)" "print(2)"]'}, "solutions"),
        ("taco", {"solutions": "{}"}, "solutions"),
        ("taco", {"input_output": '{"inputs": ["1"], "outputs": ["2"], "fn_name": 3}'}, "input_output"),
        ("rllm", {"solutions": '["print(1)'}, "solutions"),
        ("rllm", {"tests": {"inputs": ["1"], "outputs": ["2"], "fn_name": "f"}}, "tests"),
        ("kodcode", {"test_info": "x"}, "test_info"),
        ("kodcode", {"test_info": [{"function_name": 3}]}, "function_name"),
        ("livecodebench", {"metadata": "[3]"}, "metadata"),
        ("livecodebench", {"metadata": '{"func_name": "a b"}'}, "metadata"),
        ("livecodebench", {"metadata": "{}", "starter_code": "def a(x):\ndef b(y):\n"}, "starter_code"),
        ("livecodebench", {"contest_date": "yesterday"}, "contest_date"),
        ("livecodebench", {"public_test_cases": '[{"input": "1", "output": "2", "testtype": "stdin"}]'}, "public_test"),
        ("deepcoder", {"tests": '[{"type": "function_call", "input": [1], "output": 2}]'}, "metadata"),
        ("codecontests", {"public_tests": {"input": "12", "output": "34"}}, "public_tests"),
        ("codecontests", {"solutions": {"language": [3, 3], "solution": ["print(1)"]}}, "solutions"),
        ("codecontests", {"task_id": "x", "tests": [{"input": "1"}]}, "tests"),
        ("codecontests", {"time_limit": {"seconds": -1}}, "seconds"),
        ("mbpp", {"test_list": "assert add(1, 2) == 3"}, "test_list"),
        ("leetcode", {"estimated_date": "soon"}, "estimated_date"),
    ],
)
def test_a_broken_value_is_refused_by_line_and_key(name: str, change: dict[str, Any], key: str) -> None:
    message = complaint(read, name, RECORDS[name] | change)
    assert "train.jsonl, line 1" in message and f"key '{key}" in message


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("taco", {"input_output": '{"inputs": ["1", "2"], "outputs": ["2"]}'}, "2 inputs and 1 outputs"),
        ("taco", {"input_output": '{"inputs": [null], "outputs": ["2"]}'}, "gives a program null"),
        ("taco", {"input_output": '{"inputs": [{"a": 1}], "outputs": ["2"]}'}, "gives a program an object"),
        ("taco", {"input_output": f'{{"inputs": ["1"], "outputs": [{NUMBERS}]}}'}, "more than 4,300 digits"),
        ("deepcoder", {"tests": f'[{{"input": [{NUMBERS}], "output": 1}}]'}, "more than 4,300 digits"),
        ("rstar-coder", {"inputs": f"[[{NUMBERS}, 1]]"}, "more than 4,300 digits"),
        ("rstar-coder", {"func_name": None, "class_name": "Solution"}, "the class Solution"),
        (
            "codecontests",
            {
                "public_tests": {"input": ["1", "2"], "output": ["2"]},
                "private_tests": {"input": ["3"], "output": ["3", "4"]},
            },
            "2 inputs and 1 outputs",
        ),
        (
            "deepcoder",
            {"tests": '[{"fn_name": "f", "input": [1], "output": 2}, {"fn_name": "g", "input": [1], "output": 2}]'},
            "several functions",
        ),
        ("mbpp", {"test_list": []}, "no tests"),
        ("rstar-coder", {"question": "half \ud800"}, "half a character"),
        ("taco", {"input_output": '{"inputs": ["\\ud800"], "outputs": ["2"]}'}, "no JSON file can store"),
    ],
)
def test_a_record_that_no_test_can_be_made_of_is_left_out_with_its_reason(
    name: str, change: dict[str, Any], reason: str
) -> None:
    row = RECORDS[name] | change
    if "question" in change:
        assert reason in complaint(read, name, row)
        return
    corpus = read(name, row)
    assert corpus.problems == () and reason in corpus.lost[0].reason


def test_what_is_said_in_words_stays_with_the_problem() -> None:
    change = {"date": "some day", "time_limit": "a minute", "memory_limit": "256.0 megabytes"}
    (problem,) = read("taco", RECORDS["taco"] | change).problems
    assert (problem.released, problem.time_limit_s) == ("2023-12-22", None)
    assert {key: problem.metadata[key] for key in change} == change


@pytest.mark.parametrize("name", ["apps", "taco", "deepcoder", "rllm"])
@pytest.mark.parametrize("empty", [None, "", []])
def test_a_record_without_a_solution_is_a_problem_without_a_reference(name: str, empty: Any) -> None:
    (problem,) = read(name, RECORDS[name] | {"solutions": empty}).problems
    assert problem.reference is None


@pytest.mark.parametrize("name", ["humaneval", "mbpp", "humanevalplus", "mbppplus", "humanevalpack-java"])
def test_a_benchmark_that_is_empty_or_has_a_task_twice_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("")
    assert "holds no record" in complaint(read_source, name, str(file))
    file.write_text((json.dumps(RECORDS[name]) + "\n") * 2)
    assert "stands twice" in complaint(read_source, name, str(file))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(max_size=5)
    | st.sampled_from(["{", "[[", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4) | st.sampled_from(["input", "output", "inputs", "outputs"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.data())
def test_whatever_stands_in_a_record_it_is_read_refused_or_left_out(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(RECORDS)))
    key = data.draw(st.sampled_from(sorted(RECORDS[name])))
    value = data.draw(VALUES | VALUES.map(json.dumps))
    try:
        corpus = read(name, RECORDS[name] | {key: value})
    except BadInput as error:
        assert "\n" not in str(error)
    else:
        assert len(corpus.problems) + len(corpus.lost) == 1
        for problem in corpus.problems:
            assert Problem.from_json(json.loads(json.dumps(problem.to_json())), "here").id == problem.id


@pytest.mark.parametrize("name", ["humaneval", "mbpp", "humanevalplus", "mbppplus", "humanevalpack-go"])
def test_of_a_folder_only_a_benchmarks_own_file_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text('{"my": "notes"}\n')
    assert "the folder does not hold" in complaint(read_source, name, str(tmp_path))


def test_a_json_file_is_a_list_an_object_of_records_or_a_record_a_line(tmp_path: Path) -> None:
    file, rows = tmp_path / "train.json", [RECORDS["apps"], RECORDS["apps"] | {"problem_id": 8}]
    one, two = map(json.dumps, rows)
    for text in (f"[{one}, {two}]", f'{{"a": {one}, "b": {two}}}', f"{one}\n{two}\n"):
        file.write_text(text)
        assert [problem.id for problem in read_source("apps", str(file)).problems] == ["apps/train/7", "apps/train/8"]
    file.write_text(one)
    assert len(read_source("apps", str(file)).problems) == 1


@pytest.mark.parametrize("text", ["", "3", "{}", "[", "[" * 100_000, '{"a": 1}\n{"a"', "\ud800"])
def test_a_json_file_of_another_kind_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert "train.json" in complaint(read_source, "apps", str(tmp_path / "train.json"))


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("cruxeval", "cruxeval.jsonl", "3\n"),
        ("cruxeval", "cruxeval.jsonl", '{"id": "sample_0", "code": 3}\n'),
        ("bbeh", "data.json", '{"examples": [3]}'),
        ("bbeh", "data.json", '{"examples": [{"input": 3}]}'),
        ("bbeh", "data.json", "[]"),
    ],
)
def test_an_odd_task_of_a_benchmark_is_refused(name: str, file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    found = open_benchmarks([f"{name}={tmp_path / file}"])[name]
    assert file in complaint(list, found.items())
