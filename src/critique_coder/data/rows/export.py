"""Rows as a folder that TRL and verl read as it is: Parquet shards, a manifest, a dataset card."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2

from critique_coder import __version__
from critique_coder.data.built import BuiltData
from critique_coder.data.rows import columns, hybrid
from critique_coder.data.rows.cft import cft
from critique_coder.data.rows.cgd import cgd
from critique_coder.data.rows.ctrl import ctrl
from critique_coder.data.rows.cure import cure
from critique_coder.data.rows.kto import kto
from critique_coder.data.rows.settings import ExportSettings, Kind
from critique_coder.data.rows.source import Recipe, RowSource
from critique_coder.data.verify import JudgeOptions
from critique_coder.records import BadInput, Json
from critique_coder.storage import (
    alone_in,
    claim_folder,
    require_space,
    sha256_file,
    write_json,
    write_jsonl,
    write_parquet,
    write_text,
)

RECIPES: dict[Kind, tuple[Recipe, Any, str]] = {
    Kind.RL: (hybrid.rl, columns.RL_SCHEMA, "prompts that ask for a solution, rewarded by tests"),
    Kind.CRL: (hybrid.crl, columns.RL_SCHEMA, "prompts that ask for a critique, rewarded by the label"),
    Kind.HYBRID: (hybrid.hybrid, columns.RL_SCHEMA, "the mix of prompts for solutions and for critiques"),
    Kind.CFT: (cft, columns.SFT_SCHEMA, "question and solution, answered by a critique"),
    Kind.CGD: (cgd, columns.SFT_SCHEMA, "question, draft and critique, answered by a refined solution"),
    Kind.CTRL: (ctrl, columns.SFT_SCHEMA, "critiques written with a hint from execution, asked for without it"),
    Kind.CURE: (cure, columns.CURE_SCHEMA, "solutions and generated tests, rewarded by each other"),
    Kind.KTO: (kto, columns.KTO_SCHEMA, "critiques that people found good or bad"),
}
"""The maker, the columns and a line of description of each kind."""


def export(
    settings: ExportSettings, data: BuiltData, folder: Path, options: JudgeOptions = JudgeOptions()
) -> dict[str, Json]:
    """Write the rows of one kind to ``folder``; returns the manifest. Resumable; the manifest comes last.

    Raises BadInput, ModelError, IsolationError, TooManyUnscored.
    """
    inputs = _inputs(settings, data)
    require_space(folder, 50)
    claim_folder(folder, {"export": settings.model_dump(mode="json"), "inputs": inputs})
    with alone_in(folder):
        return _written(settings, data, inputs, folder, options)


def _written(
    settings: ExportSettings, data: BuiltData, inputs: dict[str, str], folder: Path, options: JudgeOptions
) -> dict[str, Json]:
    source = RowSource(data, settings, folder / "work", options)
    make, schema, description = RECIPES[settings.kind]
    counts: Counter[str] = Counter()
    rows = _counted(make(source), counts)
    shards: list[str] = []
    while shard := list(islice(rows, settings.shard_rows)):
        shards.append(_write_shard(folder, settings, len(shards), shard, schema))
    if not shards:
        lost = ", ".join(f"{count} {reason}" for reason, count in sorted(source.lost.items())) or "the split is empty"
        raise BadInput(f"{data.folder}: no row is left for {settings.kind.value} ({lost})")
    manifest = _manifest(settings, data, inputs, source, counts, shards, folder)
    write_text(folder / "README.md", _card(manifest, description, data))
    write_json(folder / "manifest.json", manifest)
    return manifest


def _inputs(settings: ExportSettings, data: BuiltData) -> dict[str, str]:
    names = [settings.critiques, settings.revisions, settings.tests, settings.critique_template]
    names += [settings.revise_template, settings.write_tests_template]
    found = {name: sha256_file(name) for name in names if name is not None and Path(name).is_file()}
    if settings.feedback is not None:
        from critique_coder.data.people import feedback_files

        found |= {str(path): sha256_file(path) for path in feedback_files(settings.feedback)}
    return {str(data.folder / "manifest.json"): sha256_file(data.folder / "manifest.json"), **found}


def _counted(rows: Iterator[dict[str, object]], counts: Counter[str]) -> Iterator[dict[str, Json]]:
    """Number the rows, and count them and their labels."""
    for index, row in enumerate(rows):
        counts["rows"] += 1
        if isinstance(row.get("label"), bool):
            counts["true" if row["label"] else "false"] += 1
        if row.get("kind") is not None:
            counts[str(row["kind"])] += 1
        yield {**row, "extra_info": {**row["extra_info"], "index": index}}  # type: ignore[dict-item]


def _write_shard(folder: Path, settings: ExportSettings, number: int, rows: list[dict[str, Json]], schema: Any) -> str:
    name = f"data/{settings.split}-{number:05d}.{settings.format}"
    if settings.format == "parquet":
        write_parquet(folder / name, rows, schema)
    else:
        write_jsonl(folder / name, ({key: row.get(key) for key in schema.names} for row in rows))
    return name


def _manifest(
    settings: ExportSettings,
    data: BuiltData,
    inputs: dict[str, str],
    source: RowSource,
    counts: Counter[str],
    shards: list[str],
    folder: Path,
) -> dict[str, Json]:
    return {
        "kind": "export",
        "inputs": inputs,
        "build": data.manifest["inputs"],
        "settings": settings.model_dump(mode="json"),
        "templates": dict(sorted(source.used.items())),
        "counts": {**dict(sorted(counts.items())), "lost": {k: n for k, n in sorted(source.lost.items()) if n}},
        "outputs": {name: sha256_file(folder / name) for name in shards},
        "versions": {"critique-coder": __version__, "python": platform.python_version()},
    }


def _card(manifest: dict[str, Json], description: str, data: BuiltData) -> str:
    """The README that the hub shows, with how to load the rows."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    text = files(__package__).joinpath("card.md.jinja").read_text(encoding="utf-8")
    problems = data.problems.values()
    return environment.from_string(text).render(
        m=manifest,
        kind=manifest["settings"]["kind"],
        split=manifest["settings"]["split"],
        format=manifest["settings"]["format"],
        description=description,
        licences=sorted({problem.licence or "not stated" for problem in problems}),
        sources=sorted({problem.source or "not stated" for problem in problems}),
    )
