"""Do honest programs pass, and does the judge say what others recorded? Every reference and labelled solution at hand.

    CRITIQUE_CODER_DATA=FOLDER python benchmarks/references.py [SET ...] [--verdicts FILE]

For each set: how many of the solutions that are said to be right pass, how many of those said to be wrong fail, which
way their tests went, and every solution on which the judge and the record disagree. Sets whose files are not in the
folder are left out, and named.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from critique_coder.data.sources import read_source
from critique_coder.judge import Judge, Way, way_of
from critique_coder.judge.languages import LANGUAGES
from critique_coder.judge.packages import installed
from critique_coder.progress import bar
from critique_coder.records import Checker, CheckerName, Outcome, Problem, Solution, TestCase, TestKind, Verdict

_LEETCODE = "leetcode_train_clean/leetcode_train_clean.jsonl.gz"
_PRESUMED = "import bisect, collections, functools, heapq, itertools, operator, random, re, string\n"
"""Modules that LeetCode imports for every solution, and that the preamble of the data set forgets."""

_IMPORTED = "from typing import *\nimport collections, heapq, itertools, math, re, string, sys\n"
"""What the record of the model solutions was made with: many of those it calls right import nothing of this."""

DATA = Path(os.environ.get("CRITIQUE_CODER_DATA", "."))


@dataclass(frozen=True)
class Case:
    """A solution of a problem and what is recorded of it; ``detail`` is the record's own word for it."""

    problem: Problem
    code: str
    right: bool
    name: str
    detail: str = ""


def _rows(file: str) -> list[dict[str, Any]]:
    place = DATA / file
    if file.endswith(".json"):
        return list(json.loads(place.read_text()))
    raw = place.read_bytes()
    text = (gzip.decompress(raw) if file.endswith(".gz") else raw).decode()
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _script(name: str, code: str, **more: Any) -> Problem:
    return Problem(name, "s", (TestCase(TestKind.SCRIPT, code=code),), **more)


def source(name: str) -> list[Case]:
    """The references of a source that the product reads."""
    problems = read_source(name, None).problems
    return [Case(problem, problem.reference, True, problem.id) for problem in problems if problem.reference]


def _leetcode_problem(row: dict[str, Any]) -> Problem:
    entry = str(row["entry_point"]).replace("()", "")
    starter = _PRESUMED + row["prompt"]
    return _script(row["task_id"], row["test"], entry_point=entry, starter_code=starter)


def leetcode() -> list[Case]:
    """LeetCode: a class with a method, asserts on it, and a preamble that every solution presumes."""
    rows = _rows(_LEETCODE)
    return [Case(_leetcode_problem(row), row["completion"], True, row["task_id"]) for row in rows]


def codecontests(file: str) -> Callable[[], list[Case]]:
    """Whole programs on stdin; the limits of the contests are not in the data."""

    def read() -> list[Case]:
        cases = []
        for row in _rows(f"codecontests/{file}"):
            tokens = Checker(CheckerName.TOKENS)  # the contests say nothing of line breaks
            tests = tuple(
                TestCase(TestKind.STDIO, stdin=test["input"], stdout=test["output"], checker=tokens)
                for test in row["tests"]
            )
            cases.append(Case(Problem(row["task_id"], "s", tests), row["solution_python"], True, row["task_id"]))
        return cases

    return read


def rllm(file: str) -> Callable[[], list[Case]]:
    """LeetCode again, as another project stores it: the check is called by its last line, and there is no preamble."""

    def read() -> list[Case]:
        cases = []
        preamble = max((str(row["prompt"]) for row in _rows(_LEETCODE)), key=len)
        for number, row in enumerate(_rows(f"rllm_code/{file}")):
            check = row["tests"]["functional"]
            entry = re.findall(r"check\((\w+)\(\)\.(\w+)\)", check)[-1]
            problem = _script(f"{file}#{number}", check, entry_point=".".join(entry), starter_code=preamble)
            cases.append(Case(problem, row["solutions"], True, problem.id))
        return cases

    return read


def quixbugs() -> list[Case]:
    """QuixBugs as OctoPack has it, each program right and with its bug."""
    cases = []
    for row in _rows("quixbugs_octopack/quixbugs_python.jsonl"):
        problem = _script(row["name"], row["tests"], entry_point=row["name"])
        cases += [
            Case(problem, row["solution"], True, f"{row['name']}/solution"),
            Case(problem, row["buggy_program"], False, f"{row['name']}/buggy"),
        ]
    return cases


def quixbugs_labelled() -> list[Case]:
    """The same pairs in the shape of labelled solutions."""
    return [
        Case(_script(row["task_id"], row["tests"], entry_point=row["task_id"]), row["code"],
             row["label"] == "correct", row["id"])
        for row in _rows("critique/quixbugs_python.jsonl.gz")
    ]  # fmt: skip


def debugbench() -> list[Case]:
    """LeetCode solutions and the same with a bug put in; their tests are those of the LeetCode set, if any."""
    known = {row["task_id"]: row for row in _rows(_LEETCODE)}
    return [
        Case(_leetcode_problem(known[row["task_id"]]), row["code"], row["label"] == "correct", row["id"],
             str(row["bug_type"] or ""))
        for row in _rows("critique/debugbench_python.jsonl.gz")
        if row["task_id"] in known
    ]  # fmt: skip


def humanevalpack() -> list[Case]:
    """HumanEval's solutions, right and with a bug, of every other task."""
    known = {problem.id.split("/")[1]: problem for problem in read_source("humaneval", None).problems}
    return [
        Case(known[row["task_id"].split("/")[1]], row["code"], row["label"] == "correct", row["id"],
             str(row["bug_type"] or ""))
        for row in _rows("critique/humanevalpack_odd.jsonl.gz")
    ]  # fmt: skip


def humanevalpack_of(language: str) -> Callable[[], list[Case]]:
    """HumanEval in another language, each task right and with a bug, as a project with its own test command."""

    def read() -> list[Case]:
        found = read_source(f"humanevalpack-{language}", None)
        problems = {problem.id: problem for problem in found.problems}
        right = [Case(problem, problem.reference or "", True, problem.id) for problem in problems.values()]
        wrong = [Case(problems[one.problem_id], one.code or "", False, one.id) for one in found.wrong_solutions]
        return right + wrong

    return read


def cruxeval() -> list[Case]:
    """CRUXEval: a function and an input, with what it returns; the function is its own reference."""
    cases = []
    for row in _rows("cruxeval/cruxeval.jsonl"):
        problem = _script(row["id"], f"assert f({row['input']}) == {row['output']}", entry_point="f")
        cases.append(Case(problem, row["code"], True, row["id"]))
    return cases


def mbpp_sanitized() -> list[Case]:
    """The hand-checked part of MBPP, whose tests are not always those of the original."""
    problems = read_source("mbpp", str(DATA / "mbpp" / "sanitized-mbpp.json")).problems
    return [Case(problem, problem.reference, True, problem.id) for problem in problems if problem.reference]


def mbpp_models(name: str, column: str) -> Callable[[], list[Case]]:
    """What about 20 models wrote for MBPP, with the recorded outcome of the tests of ``name``."""

    def read() -> list[Case]:
        problems = {problem.id.split("/")[1]: problem for problem in read_source(name, None).problems}
        mended = {}
        if name == "mbpp":
            sanitized = read_source(name, str(DATA / "mbpp" / "sanitized-mbpp.json")).problems
            mended = {problem.id.split("/")[1]: problem for problem in sanitized}
        cases = []
        for row in _rows("critique/mbpp_model_solutions.jsonl.gz"):
            number = row["task_id"].split("/")[1]
            problem = problems.get(number)
            if number in mended and mended[number].tests[0].code.strip() == row["entry_hint"].strip():
                problem = mended[number]  # the record was made with the sanitized tests, but for 14 tasks
            if problem is not None and row[column] is not None:
                problem, recorded = replace(problem, starter_code=_IMPORTED), str(row[column])
                cases.append(Case(problem, row["code"], recorded == "pass", row["id"], recorded))
        return cases

    return read


def refactory() -> list[Case]:
    """What students handed in to five exercises; each call of the record is an assert of a script of its own."""
    cases = []
    for row in _rows("critique/refactory_students.jsonl.gz"):
        asserts = [f"assert {test['call']} == {test['expected']}" for test in row["tests"]]
        tests = tuple(TestCase(TestKind.SCRIPT, code=line) for line in asserts)
        problem = Problem(row["task_id"], "s", tests, starter_code=row["global_code"])
        cases.append(Case(problem, row["code"], row["label"] == "correct", row["id"]))
    return cases


def bigcodebench(packages: Sequence[str]) -> list[Case]:
    """The BigCodeBench tasks that need the standard library and these packages only."""
    import sys

    there = sys.stdlib_module_names | {name for name, _ in installed(packages).modules}
    cases = []
    for row in _rows("bigcodebench/BigCodeBench.jsonl.gz"):
        code = row["prompt"] + row["canonical_solution"]
        if _modules(code) | _modules(row["test"]) <= there:
            test = TestCase(TestKind.UNITTEST, code=row["test"])
            problem = Problem(
                row["task_id"], "s", (test,), entry_point=row["entry_point"], time_limit_s=30, memory_limit_mb=2048
            )
            cases.append(Case(problem, code, True, row["task_id"]))
    return cases


def _modules(code: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


SETS: dict[str, Callable[[], list[Case]]] = {
    "humaneval": lambda: source("humaneval"),
    "mbpp": lambda: source("mbpp"),
    "mbpp_sanitized": mbpp_sanitized,
    "humanevalplus": lambda: source("humanevalplus"),
    "mbppplus": lambda: source("mbppplus"),
    "cruxeval": cruxeval,
    "leetcode": leetcode,
    "rllm_train_leetcode": lambda: rllm("train_code_leetcode.json")(),
    "rllm_test_leetcode": lambda: rllm("test_code_leetcode.json")(),
    "codecontests229": codecontests("codecontests229_verified.jsonl.gz"),
    "codecontests300": codecontests("codecontests300.jsonl.gz"),
    "quixbugs": quixbugs,
    "quixbugs_labelled": quixbugs_labelled,
    "humanevalpack": humanevalpack,
    "debugbench": debugbench,
    "refactory": refactory,
    "mbpp_models_base": mbpp_models("mbpp", "base"),
    "mbpp_models_plus": mbpp_models("mbppplus", "plus"),
    "bigcodebench": lambda: bigcodebench(()),
    **{f"humanevalpack-{language}": humanevalpack_of(language) for language in LANGUAGES},
}


def judged(judge: Judge, name: str, cases: list[Case]) -> list[Verdict]:
    """A verdict a case, in order."""
    pairs = [(case.problem, Solution(case.name, case.problem.id, code=case.code)) for case in cases]
    verdicts = []
    with bar(name, len(pairs), "solutions") as progress:
        for verdict in judge.verify_many(pairs):
            verdicts.append(verdict)
            progress.advance()
    return verdicts


def ways(cases: Iterable[Case]) -> Counter[Way]:
    """Tests of the problems by the way in which they are run."""
    problems = {case.problem.id: case.problem for case in cases}
    return Counter(way_of(problem, test) for problem in problems.values() for test in problem.tests)


def show(name: str, cases: list[Case], verdicts: list[Verdict]) -> list[dict[str, Any]]:
    """Print how a set went; the disagreements as rows."""
    passed = [verdict.outcome is Outcome.PASSED for verdict in verdicts]
    right = [got for case, got in zip(cases, passed, strict=True) if case.right]
    wrong = [got for case, got in zip(cases, passed, strict=True) if not case.right]
    print(f"\n{name}: {sum(right)} of {len(right)} right ones pass", end="")
    print(f"; {wrong.count(False)} of {len(wrong)} wrong ones fail" if wrong else "")
    for way, count in ways(cases).most_common():
        print(f"    {count:>6} tests: {way.value}")
    rows = []
    for case, verdict, got in zip(cases, verdicts, passed, strict=True):
        if got is not case.right:
            reason = next((test.message for test in verdict.tests if test.outcome is not Outcome.PASSED), None)
            rows.append({
                "set": name, "name": case.name, "recorded": case.detail or ("right" if case.right else "wrong"),
                "outcome": verdict.outcome.value, "message": reason, "passed": f"{verdict.passed}/{verdict.total}",
            })  # fmt: skip
    classes = Counter((row["recorded"], row["outcome"]) for row in rows)
    for (recorded, outcome), count in classes.most_common():
        print(f"    {count:>6} times: recorded {recorded}, judged {outcome}")
    for row in rows:
        print(f"      {row['name']}: {row['outcome']} ({row['passed']}): {str(row['message'])[:150]}")
    return rows


def main() -> None:
    """Judge every set asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)} (all)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="judge every Nth solution only (all)")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="N", help="begin with the Nth (0)")
    parser.add_argument("--count", type=int, metavar="N", help="and judge so many (all)")
    parser.add_argument("--time-limit", type=float, default=10.0, help="processor seconds a test (10)")
    parser.add_argument("--package", dest="packages", action="append", default=[], help="that programs may import")
    parser.add_argument("--verdicts", type=Path, help="write the disagreements here as JSON lines")
    options = parser.parse_args()
    if unknown := set(options.sets) - set(SETS):
        parser.error(f"no set {min(unknown)!r}; there are {', '.join(SETS)}")
    sets: dict[str, Callable[[], list[Case]]] = {**SETS, "bigcodebench": lambda: bigcodebench(options.packages)}
    rows: list[dict[str, Any]] = []
    with Judge(time_limit_s=options.time_limit, packages=options.packages) as judge:
        for name in options.sets or SETS:
            try:
                cases = sets[name]()[options.first :: options.every][: options.count]
            except FileNotFoundError as error:
                print(f"\n{name}: left out, for {error.filename} is not there")
                continue
            rows += show(name, cases, judged(judge, name, cases))
    if options.verdicts:
        options.verdicts.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
