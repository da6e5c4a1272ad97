"""The cases that a build or a run holds: labelled solutions, and the critiques that a model wrote while it trained.

Critiques come from the rollouts alone, never from the evaluation: what people say of them is trained on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from critique_coder.feedback import code_sha256
from critique_coder.records import BadInput, CritiqueRow, Json, Judgement, LabelSource, Outcome, Problem
from critique_coder.review.cases import Case
from critique_coder.storage import read_json, read_problems, read_rows


def build_of(folder: Path) -> Path:
    """The build folder of a run, or ``folder`` itself when it is a build; raises BadInput."""
    if not (folder / "rollouts").is_dir():
        return folder
    manifest = read_json(folder / "manifest.json")
    data = manifest.get("data") if isinstance(manifest, dict) else None
    place = data.get("folder") if isinstance(data, dict) else None
    if not isinstance(place, str):
        raise BadInput(f"{folder / 'manifest.json'}, key 'data': names no build folder; give the build itself")
    return Path(place)


def build_settings(build: Path) -> dict[str, dict[str, Json]]:
    """The settings of a build by section; none of one that is not finished. Raises BadInput."""
    path = build / "manifest.json"
    if not path.exists():
        return {}
    manifest = read_json(path)
    settings = manifest.get("settings") if isinstance(manifest, dict) else None
    if not isinstance(settings, dict) or not all(isinstance(settings.get(name, {}), dict) for name in _SECTIONS):
        raise BadInput(f"{path}, key 'settings': must hold a build's settings; run `critique-coder build` again")
    return settings


_SECTIONS = ("label", "judge")
"""What is read of the settings here."""


def cases_of(folder: Path) -> tuple[Case, ...]:
    """The cases of a build, or of a run: its build's and its critiques; raises BadInput."""
    solutions = cases_of_build(build_of(folder))
    return (*solutions, *critiques_of_run(folder, {case.id: case for case in solutions}))


def critiques_of_run(run: Path, solutions: Mapping[str, Case]) -> list[Case]:
    """A case for each different critique in the rollouts; those of rows that the build has no more are left out.

    A folder without rollouts has none. ``solutions`` are the build's cases by id.
    """
    found: dict[str, Case] = {}
    for path in sorted((run / "rollouts").glob("*.parquet")):
        for _, row in read_rows(path):
            case = solutions.get(row["row_id"])
            if row["kind"] == "critique" and case is not None and row["completion"].strip():
                name = f"{case.id}@{code_sha256(row['completion'])[:12]}"
                judgement = _JUDGEMENTS.get(row["finding"])
                found[name] = replace(case, id=name, row_id=case.id, completion=row["completion"], judgement=judgement)
    return list(found.values())


_JUDGEMENTS = {Judgement.CORRECT.value: True, Judgement.INCORRECT.value: False}


def cases_of_build(folder: Path) -> tuple[Case, ...]:
    """A case for each row of ``critiques.jsonl``, named by the row's id; raises BadInput when parts are missing.

    The label by tests is the row's, or what the tests said where people's label stands in the row.
    """
    problems = problems_of(folder)
    return tuple(case for _, case in labelled(folder, problems, tested(folder / "verdicts.jsonl")))


def problems_of(build: Path) -> dict[str, Problem]:
    """The problems of a build by id; raises BadInput when ``build`` is none."""
    if not (build / "critiques.jsonl").exists():
        raise BadInput(f"{build}: is not a build folder (no critiques.jsonl); make one with `critique-coder build`")
    return {problem.id: problem for problem in read_problems(build / "problems.jsonl")}


def labelled(
    build: Path, problems: Mapping[str, Problem], results: Mapping[str, Tested]
) -> Iterator[tuple[CritiqueRow, Case]]:
    """Each row of ``critiques.jsonl`` with its case, in the order of the file; raises BadInput."""
    for number, value in enumerate(written_rows(build / "critiques.jsonl"), 1):
        where = f"{build / 'critiques.jsonl'}, line {number}"
        row = CritiqueRow.from_json(value, where)
        if row.problem_id not in problems:
            raise BadInput(f"{where}: problem {row.problem_id!r} is not in this build; build it again")
        found = results.get(row.solution_id)
        failed = found.failed if found is not None else ()
        yield row, Case(row.id, problems[row.problem_id], row.solution_id, row.solution, _by_tests(row), failed)


def _by_tests(row: CritiqueRow) -> bool | None:
    return row.label if row.label_source is LabelSource.TESTS else row.test_label


@dataclass(frozen=True, slots=True)
class Tested:
    """What the tests found for one solution, as far as the queue needs it.

    ``failed`` are places from 0. ``longest_s`` is the processor time of the longest test, ``stopped`` whether one was
    stopped for time rather than for what it did.
    """

    outcome: Outcome
    pass_rate: float | None
    failed: tuple[int, ...]
    longest_s: float
    stopped: bool


def tested(path: Path) -> dict[str, Tested]:
    """A verdicts file by solution, without messages: of 20,000 verdicts the rest would fill the memory.

    Raises BadInput when it is not what a build writes.
    """
    found: dict[str, Tested] = {}
    try:
        for row in written_rows(path):
            found[row["solution_id"]] = _tested(row)
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{path}, line {len(found) + 1}: is no verdict; build it again") from None
    return found


_STOPPED = (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT)


def _tested(row: Json) -> Tested:
    tests = row["tests"]
    return Tested(
        Outcome(row["outcome"]),
        row["pass_rate"],
        tuple(place for place, test in enumerate(tests) if test["outcome"] != Outcome.PASSED),
        max((test["time_s"] for test in tests), default=0.0),
        any(test["outcome"] in _STOPPED for test in tests),
    )


def written_rows(path: Path, only: Iterable[str] = ()) -> Iterator[Json]:
    """The rows of a file that the build wrote itself, read faster than a user's; raises BadInput.

    ``only``: of rows that begin with their ``id``, those of these ids; the others are not even parsed.
    """
    wanted = set(only)
    number = 0
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):  # noqa: B007 (told when the next line cannot be read)
                if line.strip() if not wanted else _begins_with(line, wanted):
                    yield json.loads(line)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}, line {number}: cannot be read ({error}); build it again") from None


def _begins_with(line: str, ids: set[str]) -> bool:
    """Whether the line's object begins with an ``id`` of these. Ids that JSON escapes are parsed to be sure."""
    name = line[len(_BEGIN) : line.find('"', len(_BEGIN))] if line.startswith(_BEGIN) else "\\"
    return json.loads(line)["id"] in ids if "\\" in name else name in ids


_BEGIN = '{"id": "'
