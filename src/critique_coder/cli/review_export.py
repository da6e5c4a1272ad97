"""``critique-coder review export``: verdicts and labels for other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from critique_coder.cli.options import finish, json_option
from critique_coder.cli.review_apply import VERDICTS_HELP, evidence_of

if TYPE_CHECKING:
    from critique_coder.review.cases import Case, Evidence

FORMATS = ("csv", "label-studio", "trl", "kto", "cft", "verl", "inspect")


@click.command("export", short_help="Write verdicts or labels for other tools.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--verdicts", type=click.Path(path_type=Path), help=VERDICTS_HELP)
@json_option
def command(folder: Path, form: str, output: Path, verdicts: Path | None, as_json: bool) -> None:
    """Write what people said of a build in the form that another tool reads.

    csv and label-studio hold the verdicts, with who gave them, and can be read back (--verdicts). The others hold
    the labels: trl (prompt and label, for GRPO), kto (unpaired preference), cft (critiques to imitate), verl (Parquet),
    inspect (for inspect_ai's scorer precomputed_scores).

    \b
    Example:
      critique-coder review export runs/data --format kto --output kto.jsonl
    """
    count = write_export(evidence_of(folder, verdicts), form, output, folder)
    finish([f"{count} rows written to {output}"], {"output": str(output), "format": form, "rows": count}, as_json)


def write_export(evidence: Evidence, form: str, output: Path, folder: Path) -> int:
    """Write one format atomically; returns how many rows. Raises BadInput."""
    from critique_coder.records import BadInput
    from critique_coder.review import exchange, exports
    from critique_coder.review.apply import plan
    from critique_coder.storage import write_jsonl, write_parquet, write_text

    if form == "verl" and output.suffix != ".parquet":
        raise BadInput(f"{output}: verl reads Parquet; give a name that ends in .parquet")
    if form == "csv":
        write_text(output, exchange.to_csv(evidence.cases, evidence.ratings))
        return len(evidence.ratings)
    if form == "label-studio":
        tasks = exchange.to_label_studio(evidence.cases, evidence.ratings)
        write_text(output, exchange.dump_label_studio(tasks))
        write_text(output.with_suffix(".xml"), exchange.LABELLING)
        return len(tasks)
    prompt = _prompts(folder)
    rows: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "trl": lambda: exports.grpo_rows(evidence, prompt),
        "kto": lambda: exports.kto_rows(plan(evidence), evidence.cases, prompt),
        "cft": lambda: exports.cft_rows(plan(evidence), evidence.cases, prompt),
        "verl": lambda: exports.verl_rows(evidence, prompt),
        "inspect": lambda: exports.inspect_rows(evidence),
    }
    made = rows[form]()
    if form == "verl":
        write_parquet(output, made, exports.verl_schema())
    else:
        write_jsonl(output, made)
    return len(made)


def _prompts(folder: Path) -> Callable[[Case], list[dict[str, str]]]:
    """How the build asks for a critique: by the templates that its manifest names."""
    from critique_coder.data.built import BuiltData
    from critique_coder.prompts.templates import critique_prompt, load_template

    manifest = BuiltData.open(folder).manifest
    built = manifest["data"]["manifest"] if manifest.get("kind") == "run" else manifest
    mix = built["settings"]["mix"]
    solve, critique = load_template("solve", mix["solve_template"]), load_template("critique", mix["critique_template"])
    return lambda case: critique_prompt(critique, solve, case.problem, case.code)
