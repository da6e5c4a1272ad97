"""Hidden gold items, by which people are checked: items whose answer is certain, shown among the others like them.

They come from a file of the user's (an item's id and its label), and from what a build's audit found: the reference of
a problem that passed the audit is correct; a known wrong solution, or a small change of the reference, that the tests
reject is incorrect (``wrong_gold`` makes such changes where the audit tried none). No name tells them, no author is
shown, and what people say of them becomes no label.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from critique_coder.fields import Fields
from critique_coder.records import BadInput, Json, Outcome, Problem
from critique_coder.review.cases import Case
from critique_coder.review.from_build import Tested, written_rows
from critique_coder.review.naming import Names
from critique_coder.storage import hash_fraction, read_rows

AUDITED = "stages/audit-solutions.jsonl"
AUDIT_VERDICTS = "stages/audit-verdicts.jsonl"
_REPEATED = "#again-"
_LABELS = {
    **dict.fromkeys(("correct", "true", "yes", "1"), True),
    **dict.fromkeys(("incorrect", "false", "no", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A solution whose correctness is certain. ``chance`` orders candidates, those of the best kind first.

    ``code`` is None where it stands in the build's own file.
    """

    solution_id: str
    problem_id: str
    label: bool
    failed: tuple[int, ...]
    chance: tuple[int, float]
    code: str | None = None


def candidates(build: Path, problems: Mapping[str, Problem], audit: Mapping[str, Tested], seed: int) -> list[Candidate]:
    """What the audit knows for certain of problems in use: at most one right and one wrong solution of each."""
    best: dict[tuple[str, bool], Candidate] = {}
    for name, problem, author in _audited(build, problems, audit):
        found = _certain(name, problem, author, audit[name], seed)
        if found is not None:
            best.setdefault((problem, found.label), found)
            best[problem, found.label] = min(best[problem, found.label], found, key=lambda one: one.chance)
    return list(best.values())


def _audited(
    build: Path, problems: Mapping[str, Problem], audit: Mapping[str, Tested]
) -> Iterator[tuple[str, str, str]]:
    """Solution, problem and author of what was audited, without its repetitions."""
    if not (build / AUDITED).exists():
        return
    for row in written_rows(build / AUDITED):
        if row["problem_id"] in problems and _REPEATED not in row["id"] and row["id"] in audit:
            yield row["id"], row["problem_id"], row.get("author") or ""


def _certain(name: str, problem: str, author: str, found: Tested, seed: int) -> Candidate | None:
    """Too slow is not certainly wrong, hence only wrong answers and errors count."""
    chance = hash_fraction(seed, "gold", name)
    if author == "reference":
        return Candidate(name, problem, True, (), (0, chance)) if found.outcome is Outcome.PASSED else None
    if found.outcome not in (Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR):
        return None
    return Candidate(name, problem, False, found.failed, (int(author == "mutant"), chance))


def gold_cases(
    build: Path, problems: Mapping[str, Problem], known: Sequence[Candidate], names: Names, count: int, seed: int
) -> list[Case]:
    """About ``count`` gold items of different problems, as many incorrect as correct ones as far as there are.

    More asked for later only adds to them, and an item keeps its name. Raises BadInput.
    """
    ordered = sorted(known, key=lambda one: one.chance)
    sides = {label: iter([one for one in ordered if one.label is label]) for label in (True, False)}
    chosen: list[Candidate] = []
    used: set[str] = set()
    for place in range(count):
        found = next((one for one in sides[bool(place % 2)] if one.problem_id not in used), None)
        if found is not None:
            used.add(found.problem_id)
            chosen.append(found)
    audited = [one.solution_id for one in chosen if one.code is None]
    codes = {row["id"]: row["code"] for row in written_rows(build / AUDITED, audited)} if audited else {}
    return [_case(one, problems[one.problem_id], one.code or codes[one.solution_id], names, seed) for one in chosen]


def _case(found: Candidate, problem: Problem, code: str, names: Names, seed: int) -> Case:
    solution = names.solution_id(problem.id, seed)
    return Case(
        f"critique/{solution}", problem, solution, code, tests=found.label, failed_tests=found.failed, gold=found.label
    )


def read_gold(path: Path, cases: Iterable[Case]) -> dict[str, bool]:
    """The labels of a user's gold file by item: CSV with the columns ``item`` and ``label``, or JSONL with these keys.

    A label is correct or incorrect (also true/false, yes/no, 1/0). Raises BadInput for an item that is not there, for
    one labelled twice in different ways, and for critiques, which two questions are asked about.
    """
    known = {case.id: case for case in cases}
    found: dict[str, bool] = {}
    for where, value in _csv(path) if path.suffix == ".csv" else read_rows(path):
        fields = Fields(value, where, known=("item", "label"))
        item, label = fields.text("item", empty=False), _label(value.get("label"), where)
        if item not in known:
            raise BadInput(f"{where}, key 'item': {item!r} is not in the build; items are the ids of critiques.jsonl")
        if known[item].completion is not None:
            raise BadInput(f"{where}, key 'item': {item!r} is a critique; gold items are solutions")
        if found.setdefault(item, label) is not label:
            raise BadInput(f"{where}, key 'item': {item!r} is labelled twice, in different ways; keep one line")
    if not found:
        raise BadInput(f"{path}: is empty; give lines with 'item' and 'label', or leave the file out")
    return found


def _label(value: Json, where: str) -> bool:
    label = _LABELS.get(str(value).strip().lower())
    if label is None:
        raise BadInput(f"{where}, key 'label': must be correct or incorrect, not {str(value)[:40]!r}")
    return label


def _csv(path: Path) -> Iterator[tuple[str, Json]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not {"item", "label"} <= set(reader.fieldnames or ()):
                raise BadInput(f"{path}, line 1: must name the columns 'item' and 'label'")
            for row in reader:
                yield f"{path}, line {reader.line_num}", {name: row[name] or "" for name in ("item", "label")}
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as CSV: {error}") from None
