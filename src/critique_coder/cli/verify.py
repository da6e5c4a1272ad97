"""``critique-coder verify``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from critique_coder.cli.options import (
    EXIT_UNSCORED,
    existing,
    finish,
    json_option,
    judge_options,
    packages_option,
    unsafe_option,
)

if TYPE_CHECKING:
    from critique_coder.data.sources import Corpus
    from critique_coder.records import Verdict


@click.command("verify", short_help="Run solutions against their problems' tests.")
@click.argument("solutions", type=click.Path(), required=False)
@click.option("--problems", help="The problems file (or folder), or the name of a source such as starter.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The verdicts file to write.")
@click.option("--workers", type=click.IntRange(min=1), help="Programs run at the same time.  [default: one a core]")
@click.option("--first-failure", is_flag=True, help="Stop a solution at its first failing test.")
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True,
              help="Processor seconds a test, where the problem says nothing.")  # fmt: skip
@click.option("--memory-limit", type=click.FloatRange(min=1), default=1024.0, show_default=True,
              help="MiB a test, where the problem says nothing.")  # fmt: skip
@packages_option
@click.option("--max-unscored", type=click.FloatRange(min=0, max=1), default=1.0, show_default=True,
              help="Stop when more than this share of the solutions cannot be judged.")  # fmt: skip
@click.option("--ray", metavar="ADDRESS", help="Judge on the nodes of this Ray cluster; 'auto' for this machine's own.")
@click.option("--attack", is_flag=True, help="Run the exploit suite against this machine's judge instead.")
@unsafe_option
@json_option
def command(
    solutions: str | None,
    problems: str | None,
    output: Path | None,
    workers: int | None,
    first_failure: bool,
    time_limit: float,
    memory_limit: float,
    packages: tuple[str, ...],
    max_unscored: float,
    ray: str | None,
    attack: bool,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Run every solution in SOLUTIONS against the tests of its problem, in a sandbox, and write the verdicts.

    Exits 0 when every solution has a verdict, 3 when some are unscored (the machinery failed), 2 on bad input. With
    --attack some hundred wrong programs try to be scored as right ones; exits 1 when one gets through.

    \b
    Example:
      critique-coder verify solutions.jsonl --problems problems.jsonl --output verdicts.jsonl
      critique-coder verify --attack
    """
    if ray is not None and workers is not None:
        raise click.UsageError("--workers is about this machine; with --ray every node uses all of its processors")
    if attack:
        if solutions or problems or output:
            raise click.UsageError("--attack brings its own programs; leave SOLUTIONS, --problems and --output out")
        from critique_coder.cli.attack import attack as run_attack

        run_attack(workers or 2, judge_options(unsafe_no_isolation), as_json)
        return
    if solutions is None or problems is None or output is None:
        missing = "SOLUTIONS" if solutions is None else "--problems" if problems is None else "--output"
        raise click.UsageError(f"{missing} is missing")
    from critique_coder.data.recipe import JudgeSettings
    from critique_coder.data.verify import open_verifier, verify_solutions
    from critique_coder.judge.languages import require
    from critique_coder.judge.packages import installed
    from critique_coder.prompts import extract_code
    from critique_coder.records import BadInput, Outcome
    from critique_coder.storage import read_solutions, sha256_file

    corpus = known_problems(problems)
    known = {problem.id: problem for problem in corpus.problems}
    answers = read_solutions(existing(solutions, "file"), extract_code)
    for place, answer in enumerate(answers, 1):
        if answer.problem_id not in known:
            raise BadInput(
                f"{solutions}, row {place}, key 'problem_id': no problem {answer.problem_id!r} in {problems}"
            )
    require(known[answer.problem_id].language for answer in answers)
    if ray is None:
        installed(packages)
    inputs = {"solutions": sha256_file(solutions), "problems": [sha256_file(file) for file in corpus.files]}
    limits = {"time_limit_s": time_limit, "memory_limit_mb": memory_limit, "first_failure": first_failure}
    claim_output(output, {**inputs, **limits, **({"packages": list(packages)} if packages else {})})
    settings = JudgeSettings(
        workers=workers or 0, time_limit_s=time_limit, memory_limit_mb=memory_limit, packages=list(packages)
    )
    options = judge_options(unsafe_no_isolation, first_failure, ray)
    try:
        with open_verifier(settings, options) as judge:
            verdicts = verify_solutions(judge, known, answers, output, max_unscored=max_unscored)
    except BadInput:
        _leave_nothing(output)
        raise
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    lines = [f"{outcome.value:<15}{count}" for outcome, count in outcomes.most_common()]
    slow = slowest_problems(verdicts)
    lines += [f"slowest        {seconds:.2f} s a solution  {problem}" for problem, seconds in slow.items()]
    lines.append(f"written to {output}")
    counts = {outcome.value: count for outcome, count in outcomes.items()}
    summary = {"output": str(output), "solutions": len(verdicts), "outcomes": counts, "slowest_problems": slow}
    finish(lines, summary, as_json)
    if outcomes[Outcome.UNSCORED]:
        raise click.exceptions.Exit(EXIT_UNSCORED)


def slowest_problems(verdicts: Sequence[Verdict], count: int = 3) -> dict[str, float]:
    """The problems whose solutions used the most processor seconds, on average, and how many."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for verdict in verdicts:
        seconds[verdict.problem_id].append(sum(test.time_s for test in verdict.tests))
    means = {problem: sum(used) / len(used) for problem, used in seconds.items()}
    return dict(sorted(means.items(), key=lambda item: -item[1])[:count])


def known_problems(problems: str) -> Corpus:
    """The problems of a file or folder, or of the source of that name; raises BadInput."""
    from critique_coder.data.sources import SOURCES, read_source
    from critique_coder.fields import nearest
    from critique_coder.records import BadInput

    named = problems in SOURCES and problems != "problems"
    if not named and not Path(problems).exists():
        raise BadInput(f"{problems}: no such file, and no source of that name{nearest(problems, SOURCES)}")
    return read_source(problems, None) if named else read_source("problems", problems)


def claim_output(output: Path, settings: dict[str, object]) -> None:
    """Go on with an output that was begun for the same inputs; refuse one of other inputs."""
    from critique_coder.records import BadInput
    from critique_coder.storage import cannot_write, read_json, write_json

    mark = output.with_name(f".{output.name}.inputs.json")
    if output.is_dir():
        raise BadInput(f"{output}: is a folder; name a file such as verdicts.jsonl")
    if output.exists() and (not mark.exists() or read_json(mark) != settings):
        raise BadInput(f"{output}: exists and belongs to other inputs or limits; delete it or choose another --output")
    try:
        write_json(mark, settings)
    except OSError as error:
        raise BadInput(cannot_write(output, error)) from None


def _leave_nothing(output: Path) -> None:
    """Bad input that only showed when the first solution was judged leaves no file behind."""
    if not output.exists() or output.stat().st_size == 0:
        output.unlink(missing_ok=True)
        output.with_name(f".{output.name}.inputs.json").unlink(missing_ok=True)
