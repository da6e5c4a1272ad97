"""Plant what spoils training data, and count how much of it a build finds: recall and precision, kind by kind.

    CRITIQUE_CODER_DATA=/data python benchmarks/planted.py [--output FILE]

Contamination is planted with tasks of the benchmarks: copied, with renamed variables under a statement of other words,
with reworded statements, with other numbers. Duplicates are copies of LeetCode problems. Broken references, flaky
references, contradicting tests and wrong labels are planted in the starter set, whose problems are otherwise right, and
run through a whole build. What is found of problems that nothing was done to counts against precision, whatever the
reason.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import json
import random
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from critique_coder.data.benchmarks import Item, item_of, open_benchmarks
from critique_coder.data.build import build
from critique_coder.data.contamination import Known
from critique_coder.data.duplicates import Statements
from critique_coder.data.mutants import mutants
from critique_coder.data.recipe import BuildRecipe, ContaminationSettings, DuplicateSettings
from critique_coder.data.sources import read_source
from critique_coder.records import Problem, TestKind
from critique_coder.settings import resolve
from critique_coder.storage import read_rows, write_jsonl

AGAINST = ("humaneval", "humanevalplus", "mbpp", "mbppplus", "bigcodebench", "livecodebench", "cruxeval", "bbeh")
EACH = 120
"""Tasks planted of each kind."""
SYNONYMS = {
    "write": "implement", "function": "routine", "find": "determine", "given": "provided", "list": "sequence",
    "number": "value", "numbers": "values", "string": "text", "return": "give back", "returns": "gives back",
    "array": "sequence", "check": "test", "whether": "if", "integer": "whole number", "elements": "items",
    "element": "item", "maximum": "largest", "minimum": "smallest", "each": "every", "calculate": "compute",
    "remove": "delete", "first": "initial", "input": "argument", "output": "result", "contains": "holds",
}  # fmt: skip


def renamed(code: str) -> str:
    """The program with every name of its own changed; itself when it cannot be read."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    names = {name: f"renamed_{number}" for number, name in enumerate(sorted(own - set(dir(builtins))))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = names.get(node.arg, node.arg)
        elif isinstance(node, ast.FunctionDef):
            node.name = names.get(node.name, node.name)
    return ast.unparse(tree)


def reworded(text: str) -> str:
    """The statement with other words wherever the list has one, and a new beginning."""
    told = re.sub(r"\w+", lambda word: SYNONYMS.get(word.group().lower(), word.group()), text)
    return f"Your task today is the following one. {told}"


def other_numbers(text: str) -> str:
    """Every number one larger."""
    return re.sub(r"\d+", lambda number: str(int(number.group()) + 1), text)


PLANTS: dict[str, Callable[[Item], Item]] = {
    "copied": lambda item: item,
    "other numbers": lambda item: replace(item, statement=other_numbers(item.statement), code=other_numbers(item.code)),
    "reworded statement, code kept": lambda item: replace(item, statement=reworded(item.statement)),
    "reworded statement, no code": lambda item: replace(item, statement=reworded(item.statement), code=""),
    "renamed variables, statement of other words": lambda item: replace(
        item, statement="Solve the puzzle that the tests describe.", code=renamed(item.code)
    ),
}


def contamination(dice: random.Random) -> dict[str, Any]:
    """Recall of each plant, by benchmark, and how many clean problems are taken for contaminated."""
    tasks = {name: list(found.items()) for name, found in open_benchmarks(AGAINST).items()}
    known = Known.of(dict(tasks), ContaminationSettings(against=AGAINST))
    recall: dict[str, Any] = {}
    for kind, plant in PLANTS.items():
        by_code = "variables" in kind
        for name in ("humaneval", "mbpp", "bigcodebench", "livecodebench"):
            pool = [task for task in tasks[name] if task.code or not by_code]
            chosen = dice.sample(pool, min(EACH, len(pool)))
            if chosen and not (by_code and name == "livecodebench"):
                found = sum(known.look(plant(task)) is not None for task in chosen)
                recall.setdefault(kind, {})[name] = [found, len(chosen)]
    clean = clean_problems()
    matches = [match for problem in clean if (match := known.look(item_of(problem))) is not None]
    return {
        "tasks": len(known),
        "recall": recall,
        "clean": len(clean),
        "clean_found": len(matches),
        "clean_found_examples": [match.to_json() for match in matches[:20]],
    }


def clean_problems() -> list[Problem]:
    """Problems that are for training, without those of the evaluation sets."""
    names = (("leetcode", None), ("codecontests", None), ("starter", None))
    return [problem for name, path in names for problem in read_source(name, path).problems]


def duplicates(dice: random.Random) -> dict[str, Any]:
    """Recall of exact and near copies of LeetCode problems, and what is found among the originals."""
    originals = list(read_source("leetcode", None).problems)
    chosen = dice.sample(originals, 2 * EACH)
    known = Statements(DuplicateSettings(near=0.7))
    before = [found for problem in originals if (found := known.add(problem.id, problem.statement)) is not None]
    exact = sum(known.add("copy", p.statement.replace("\n", "\n\n ")) is not None for p in chosen[:EACH])
    near = sum(known.add("copy", few_words(p.statement, dice)) is not None for p in chosen[EACH:])
    return {"exact": [exact, EACH], "near": [near, EACH], "originals": len(originals), "originals_found": len(before)}


def few_words(text: str, dice: random.Random) -> str:
    """The statement with one word in fifty changed and a sentence added."""
    words = text.split(" ")
    for place in dice.sample(range(len(words)), max(1, len(words) // 50)):
        words[place] = "another"
    return " ".join(words) + " Good luck."


def wrong_expectation(problem: Problem, dice: random.Random) -> Problem | None:
    """The problem with one test that expects something else; None where its tests are of another kind."""
    places = [
        n for n, test in enumerate(problem.tests) if test.kind is TestKind.CALL and isinstance(test.expected, int)
    ]
    if not places:
        return None
    place = dice.choice(places)
    test = problem.tests[place]
    expected = not test.expected if isinstance(test.expected, bool) else test.expected + 1
    tests = list(problem.tests)
    tests[place] = replace(test, expected=expected)
    return replace(problem, tests=tuple(tests))


def flaky(problem: Problem) -> Problem:
    """The problem with a reference that gives a wrong answer in one of 32 calls.

    It asks the system for chance: every program that the judge runs has the same ``random``.
    """
    name = str(problem.entry_point)
    chance = (
        f"\n\n_right = {name}\n\ndef {name}(*args, **kwargs):\n    import os\n"
        "    return _right(*args, **kwargs) if os.urandom(1)[0] >= 8 else None\n"
    )
    return replace(problem, reference=f"{problem.reference}{chance}")


def spoiled(problems: Sequence[Problem], dice: random.Random) -> tuple[list[Problem], dict[str, set[str]]]:
    """The starter problems with a part spoiled, and the ids of the spoiled ones by kind."""
    planted: dict[str, set[str]] = {
        kind: set() for kind in ("broken reference", "flaky reference", "contradicting tests", "wrong test", "cut")
    }
    made = []
    for number, problem in enumerate(problems):
        kind = list(planted)[number % 10] if number % 10 < len(planted) else None
        changed = spoil(problem, kind, dice) if kind else None
        if kind and changed is not None:
            planted[kind].add(problem.id)
        made.append(changed or problem)
    return made, planted


def spoil(problem: Problem, kind: str, dice: random.Random) -> Problem | None:
    """The problem with one thing done to it; None where that cannot be done to this one."""
    if problem.entry_point is None:
        return None
    if kind == "broken reference":
        broken = mutants(problem, 1, seed=dice.randrange(99))
        return replace(problem, reference=broken[0].code) if broken else None
    if kind == "flaky reference":
        return flaky(problem)
    if kind == "cut":
        words = problem.statement.split()
        return replace(problem, statement=" ".join(words[: len(words) // 2]) + " the")
    wrong = wrong_expectation(problem, dice)
    if kind == "wrong test":  # without a reference only solutions can show it
        return replace(wrong, reference=None) if wrong is not None else None
    return (
        replace(problem, tests=(*problem.tests, *(t for t in wrong.tests if t not in problem.tests))) if wrong else None
    )


def whole_build(dice: random.Random) -> dict[str, Any]:
    """Recall and precision of a whole build with repeats and mutants."""
    corpus = read_source("starter", None)
    problems, planted = spoiled(corpus.problems, dice)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
        write_jsonl(folder / "solutions.jsonl", _solutions(corpus.problems))
        values = {
            "source": [{"name": "problems", "path": str(folder / "problems.jsonl")}],
            "candidates": {"path": str(folder / "solutions.jsonl")},
            "audit": {"repeats": 8},
        }
        build(resolve(BuildRecipe, values, [], "planted"), folder / "data")
        lost = {row["problem_id"]: row["reason"] for _, row in read_rows(folder / "data" / "quarantine.jsonl")}
        never = {
            row["problem_id"] for _, row in read_rows(folder / "data" / "never_solved.jsonl") if row["failed_by_all"]
        }
    return {
        "problems": len(problems),
        "recall": {kind: [len(ids & (lost.keys() | never)), len(ids)] for kind, ids in planted.items()},
        "reasons": {kind: _count(lost.get(name, "never solved") for name in ids if name in lost.keys() | never)
                    for kind, ids in planted.items()},
        "clean_found": sorted((lost.keys() | never) - set().union(*planted.values())),
        "clean": len(problems) - sum(map(len, planted.values())),
    }  # fmt: skip


def _solutions(problems: Iterable[Problem]) -> Iterable[dict[str, Any]]:
    for problem in problems:
        yield {"id": f"{problem.id}#0", "problem_id": problem.id, "code": problem.reference}


def _count(reasons: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for reason in reasons:
        found[reason] = found.get(reason, 0) + 1
    return found


def main() -> None:
    """Run all three and print them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", choices=("contamination", "duplicates", "build"))
    asked = parser.parse_args()
    parts = {"contamination": contamination, "duplicates": duplicates, "build": whole_build}
    found = {name: part(random.Random(0)) for name, part in parts.items() if asked.only in (None, name)}
    text = json.dumps(found, indent=2)
    print(text)
    if asked.output:
        asked.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
