"""What differs between two builds: settings, problems, tests, labels, and which rows train what."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from critique_coder.data.built import BuiltData
from critique_coder.records import Json
from critique_coder.storage import differences, dumps, read_rows

Difference = dict[str, Json]


def compare(old: BuiltData, new: BuiltData) -> Difference:
    """The differences of two finished builds, each as ids; only ids and hashes are held. Raises BadInput."""
    return {
        "settings": {
            key: [_at(old.manifest["settings"], key), _at(new.manifest["settings"], key)]
            for key in sorted(differences(old.manifest["settings"], new.manifest["settings"]))
        },
        "inputs": sorted(
            name
            for name in old.manifest["inputs"].keys() | new.manifest["inputs"].keys()
            if old.manifest["inputs"].get(name) != new.manifest["inputs"].get(name)
        ),
        "templates": sorted(
            name
            for name in old.manifest["templates"].keys() | new.manifest["templates"].keys()
            if old.manifest["templates"].get(name) != new.manifest["templates"].get(name)
        ),
        "problems": _of_file(old, new, "problems.jsonl", "id", ("statement", "tests", "reference")),
        "solutions": _of_file(old, new, "solutions.jsonl", "id", ("code", "completion")),
        "outcomes": _of_file(old, new, "verdicts.jsonl", "solution_id", ("outcome", "passed", "total")),
        "labels": _of_file(old, new, "critiques.jsonl", "id", ("label", "label_source")),
        "train": _of_file(old, new, "rows/train.parquet", "problem_id", ("kind", "label", "prompt")),
        "moved": _moves(old, new),
    }


def _at(settings: Json, key: str) -> Json:
    for part in key.split("."):
        settings = settings.get(part) if isinstance(settings, dict) else None
    return settings


def _of_file(old: BuiltData, new: BuiltData, name: str, key: str, parts: tuple[str, ...]) -> Difference:
    """Which records are gone, new, or differ in one of ``parts``; of the differing ones, how many in which part."""
    before, after = (dict(_hashes(data.folder / name, key, parts)) for data in (old, new))
    both = before.keys() & after.keys()
    changed = sorted(record for record in both if before[record] != after[record])
    by_part: Counter[str] = Counter()
    for record in changed:
        pairs = zip(parts, before[record], after[record], strict=True)
        by_part.update(part for part, one, other in pairs if one != other)
    return {
        "before": len(before),
        "after": len(after),
        "gone": sorted(before.keys() - after.keys()),
        "new": sorted(after.keys() - before.keys()),
        "changed": changed,
        "changed_in": dict(by_part),
    }


def _hashes(path: Path, key: str, parts: tuple[str, ...]) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    for _, row in read_rows(path):
        yield row[key], tuple(hashlib.sha256(dumps(row.get(part)).encode()).digest()[:8] for part in parts)


def _moves(old: BuiltData, new: BuiltData) -> dict[str, int]:
    """How many problems train something else now, such as ``solve -> critique``."""
    before, after = (
        {row["problem_id"]: row["kind"] for _, row in read_rows(data.folder / "rows/train.parquet")}
        for data in (old, new)
    )
    moves = Counter(
        f"{before[name]} -> {after[name]}" for name in before.keys() & after.keys() if before[name] != after[name]
    )
    return dict(sorted(moves.items()))


def is_same(difference: Difference) -> bool:
    """Whether two builds train the same; their settings and inputs may still have other names."""
    parts = ("problems", "solutions", "outcomes", "labels", "train")
    return not any(difference[part][way] for part in parts for way in ("gone", "new", "changed"))
