"""From a recipe to a folder that training reads: problems, solutions, verdicts, critique data, rows, manifest.

The work is a list of stages (``data/stage.py`` says what a stage is, and how to add one). The folder belongs to one
resolved recipe and one state of its inputs; with others it is refused.
"""

from __future__ import annotations

import contextlib
import platform
import shutil
from pathlib import Path

from critique_coder import __version__
from critique_coder.data.authors import recorded_files
from critique_coder.data.benchmarks import open_benchmarks
from critique_coder.data.mix import Templates
from critique_coder.data.people import feedback_files
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.sources import Source, open_source
from critique_coder.data.stage import Counts, FileHashes, Stage, Work, run_stages
from critique_coder.data.stages import (
    audit,
    candidates,
    contamination,
    critiques,
    difficulty,
    duplicates,
    keep,
    read,
    rows,
    slow,
    verdicts,
    warmup,
)
from critique_coder.data.verify import JudgeOptions
from critique_coder.models.embedded import NAME as EMBEDDED
from critique_coder.prompts import load_template
from critique_coder.records import BadInput, Json
from critique_coder.settings import to_toml
from critique_coder.storage import claim_folder, require_space, write_json, write_text

STAGES: tuple[Stage, ...] = (
    read.STAGE,
    duplicates.STAGE,
    contamination.STAGE,
    audit.STAGE,
    candidates.STAGE,
    verdicts.STAGE,
    slow.STAGE,
    keep.STAGE,
    critiques.STAGE,
    difficulty.STAGE,
    rows.STAGE,
    warmup.STAGE,
)

_OUTPUTS = (
    "problems.jsonl",
    "solutions.jsonl",
    "critiques.jsonl",
    "quarantine.jsonl",
    "warmup.jsonl",
    "doubtful.jsonl",
    "difficulty.jsonl",
    "never_solved.jsonl",
    "rows/train.parquet",
    "rows/heldout.parquet",
)
"""What the same recipe gives the same bytes of. Verdicts hold times, which differ."""


def build(recipe: BuildRecipe, folder: Path, options: JudgeOptions = JudgeOptions()) -> dict[str, Json]:
    """Run all stages; returns the manifest. Raises BadInput, ModelError, IsolationError, TooManyUnscored."""
    templates = Templates(
        load_template("solve", recipe.mix.solve_template), load_template("critique", recipe.mix.critique_template)
    )
    sources = tuple((source.name, open_source(source.name, source.path)) for source in recipe.source)
    require_space(folder, 50)
    hashes = FileHashes(folder / "stages" / "hashes.json")
    inputs = {name: hashes.of(name) for name in _input_files(recipe, [source for _, source in sources])}
    claim_folder(folder, {"recipe": recipe.model_dump(mode="json"), "inputs": inputs})
    work = Work(recipe, folder, options, templates, sources, STAGES)
    write_text(work.file("config.toml"), to_toml(recipe, help_texts=False))
    try:
        counts = run_stages(work, hashes)
    except BadInput:
        _leave_nothing(folder)
        raise
    finally:
        if (folder / "settings.json").exists():
            hashes.save()
    return _write_manifest(work, inputs, counts, hashes)


def _input_files(recipe: BuildRecipe, sources: list[Source]) -> list[str]:
    """The files outside the folder that the result depends on; raises BadInput when one is not there."""
    names = [name for source in sources for name in source.files]
    names += recorded_files(recipe.candidates)
    benchmarks = open_benchmarks(recipe.contamination.against)
    names += [file for benchmark in benchmarks.values() for file in benchmark.files]
    if recipe.label.people is not None:
        names += map(str, feedback_files(recipe.label.people))
    templates = (recipe.mix.solve_template, recipe.mix.critique_template)
    return names + [name for name in templates if name is not None and Path(name).is_file()]


def _leave_nothing(folder: Path) -> None:
    """Bad input that shows while the sources are read leaves no folder: the next try has other files to read."""
    if (folder / "stages" / "read.json").exists() or (folder / "quarantine.jsonl").exists():
        return
    shutil.rmtree(folder / "stages", ignore_errors=True)
    for name in ("settings.json", "config.toml"):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # there is something else in it
        folder.rmdir()


def _write_manifest(work: Work, inputs: dict[str, str | None], counts: Counts, hashes: FileHashes) -> dict[str, Json]:
    asked = work.recipe.candidates
    manifest: dict[str, Json] = {
        "kind": "build",
        "inputs": inputs,
        "settings": work.recipe.model_dump(mode="json"),
        "candidate_model": None if asked.path or asked.author else asked.model or EMBEDDED,
        "templates": {t.name: t.sha256 for t in (work.templates.solve, work.templates.critique)},
        "counts": counts,
        "contamination": counts.pop("contamination", {"checked": []}),
        "outputs": {name: hashes.of(work.file(name)) for name in _OUTPUTS},
        "versions": {"critique-coder": __version__, "python": platform.python_version()},
    }
    write_json(work.file("manifest.json"), manifest)
    return manifest
