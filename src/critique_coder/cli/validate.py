"""``critique-coder validate``."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from critique_coder.cli.options import finish, json_option, judge_options, packages_option, unsafe_option

if TYPE_CHECKING:
    from critique_coder.data.validate import Validation

_SHOWN = 20


@click.command("validate", short_help="Check that problems can be trusted.")
@click.argument("problems")
@click.option("--wrong", type=click.Path(), help="A solutions file whose solutions must fail.")
@click.option("--mutants", default=4, show_default=True, type=click.IntRange(min=0),
              help="Small changes of each reference to try; how many fail says how sharp the tests are.")  # fmt: skip
@click.option("--repeats", default=2, show_default=True, type=click.IntRange(min=1),
              help="Times that everything is judged; a verdict that changes is flaky.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), help="Programs run at the same time.  [default: one a core]")
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True,
              help="Processor seconds a test, where the problem says nothing.")  # fmt: skip
@click.option("--memory-limit", type=click.FloatRange(min=1), default=1024.0, show_default=True,
              help="MiB a test, where the problem says nothing.")  # fmt: skip
@packages_option
@click.option("--output", "-o", type=click.Path(path_type=Path),
              help="Keep the verdicts in this file; after a kill the same command goes on from it.")  # fmt: skip
@unsafe_option
@json_option
def command(
    problems: str,
    wrong: str | None,
    mutants: int,
    repeats: int,
    workers: int | None,
    time_limit: float,
    memory_limit: float,
    packages: tuple[str, ...],
    output: Path | None,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Check problems (a file, a folder or a source): does each reference pass, does what is wrong fail, every time?

    Exits 0 when there is nothing to doubt, 1 when there is, 2 on bad input.

    \b
    Example:
      critique-coder validate problems.jsonl
      critique-coder validate starter --mutants 8 --repeats 3
    """
    from critique_coder.cli.verify import claim_output, known_problems
    from critique_coder.data.recipe import JudgeSettings
    from critique_coder.data.validate import to_judge, validation
    from critique_coder.data.verify import open_judge, verify_solutions
    from critique_coder.judge.languages import require
    from critique_coder.judge.packages import installed
    from critique_coder.prompts import extract_code
    from critique_coder.records import BadInput
    from critique_coder.storage import read_solutions, sha256_file

    corpus = known_problems(problems)
    known = {problem.id: problem for problem in corpus.problems}
    more = read_solutions(wrong, extract_code) if wrong is not None else []
    for place, solution in enumerate(more, 1):
        if solution.problem_id not in known:
            raise BadInput(f"{wrong}, row {place}, key 'problem_id': no problem {solution.problem_id!r} in {problems}")
    given = [*(solution for solution in corpus.wrong_solutions if solution.problem_id in known), *more]
    solutions = to_judge(corpus.problems, given, mutants, repeats)
    if not solutions:
        raise BadInput(f"{problems}: has neither references nor wrong solutions, so there is nothing to check it by")
    require(problem.language for problem in corpus.problems)
    installed(packages)
    settings = JudgeSettings(
        workers=workers or 0, time_limit_s=time_limit, memory_limit_mb=memory_limit, packages=list(packages)
    )
    if output is not None:
        files = [sha256_file(file) for file in (*corpus.files, *([wrong] if wrong else []))]
        limits = {"time_limit_s": time_limit, "memory_limit_mb": memory_limit}
        allowed = {"packages": list(packages)} if packages else {}
        claim_output(output, {"problems": files, "mutants": mutants, "repeats": repeats, **limits, **allowed})
    with (
        tempfile.TemporaryDirectory(prefix="critique-coder-validate-") as folder,
        open_judge(settings, judge_options(unsafe_no_isolation)) as judge,
    ):
        verdicts = verify_solutions(judge, known, solutions, output or Path(folder) / "verdicts.jsonl")
    found = validation(corpus.problems, given, verdicts, repeats)
    lines = _lines(found, len(corpus.problems))
    reasons = Counter(lost.reason for lost in corpus.lost)
    lines[1:1] = [f"{count} records left out: {reason}" for reason, count in reasons.most_common(_SHOWN)]
    if output is not None:
        lines.append(f"verdicts written to {output}")
    summary = _summary(found, len(corpus.problems)) | {"left_out": [lost._asdict() for lost in corpus.lost]}
    finish(lines, summary, as_json)
    if found.findings:
        raise click.exceptions.Exit(1)


def _lines(found: Validation, problems: int) -> list[str]:
    tried, rejected = found.mutants
    lines = [f"{problems} problems, {found.references} references, {found.wrong} wrong solutions"]
    lines += [
        f"  {count:>7} tests: {way.value}" for way, count in sorted(found.ways.items(), key=lambda item: -item[1])
    ]
    if tried:
        lines.append(f"mutants rejected: {rejected} of {tried} ({rejected / tried:.0%})")
    doubts = Counter(finding.doubt for finding in found.findings)
    lines += [f"{count} times: {doubt.value}" for doubt, count in doubts.most_common()]
    lines += [f"  {f.problem_id}: {f.doubt.value}: {f.detail}" for f in found.findings[:_SHOWN]]
    if len(found.findings) > _SHOWN:
        lines.append(f"  and {len(found.findings) - _SHOWN} more (--json lists all)")
    return lines if doubts else [*lines, "nothing to doubt"]


def _summary(found: Validation, problems: int) -> dict[str, object]:
    return {
        "problems": problems,
        "references": found.references,
        "wrong_solutions": found.wrong,
        "mutants": found.mutants[0],
        "mutants_rejected": found.mutants[1],
        "tests": {way.value: count for way, count in found.ways.items()},
        "findings": [{"problem_id": f.problem_id, "doubt": f.doubt.value, "detail": f.detail} for f in found.findings],
    }
