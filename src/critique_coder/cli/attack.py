"""``critique-coder verify --attack``: the exploit suite as a table."""

from __future__ import annotations

import click

from critique_coder.cli.options import finish
from critique_coder.data.verify import JudgeOptions
from critique_coder.judge.exploit_suite import Attempt

_CLASSES = {
    "A": "leave before the tests",
    "B": "lie in the comparison",
    "C": "read the answers",
    "D": "write the verdict",
    "E": "defeat the limits",
    "F": "reach other tests, the machine",
    "G": "hope for chance",
}
_HEAD = f"{'class':<34}{'tried':>7}{'rewarded':>10}{'alive':>7}{'files':>7}{'neighbours':>12}"


def attack(workers: int, options: JudgeOptions, as_json: bool) -> None:
    """Run the suite, print the table, and exit with 1 when an exploit got through."""
    from critique_coder.judge import Judge
    from critique_coder.judge.exploit_suite import SAFE_WAYS, attempts, count
    from critique_coder.progress import bar

    with Judge(workers, output_limit_mb=2, allow_no_isolation=options.allow_no_isolation) as judge:
        made: list[Attempt] = []
        with bar("attacks", count(), "programs") as shown:
            for attempt in attempts(judge):
                made.append(attempt)
                shown.advance()
        level = judge.isolation.value
    safe = [attempt for attempt in made if attempt.way in SAFE_WAYS]
    shared = [attempt for attempt in made if attempt.way not in SAFE_WAYS]
    through = [attempt for attempt in safe if not attempt.harmless]
    lines = [f"isolation {level}, {workers} workers", _HEAD]
    lines += [
        _line(f"{letter} {words}", [a for a in safe if a.name[0] == letter]) for letter, words in _CLASSES.items()
    ]
    lines += [_line("all", safe), _line("in a shared process (verdict says so)", shared)]
    lines += [f"got through: {attempt.name!r} as {attempt.way}: {_what(attempt)}" for attempt in through]
    summary = {
        "isolation": level,
        "tried": len(safe),
        "got_through": [{"name": attempt.name, "way": attempt.way} for attempt in through],
        "shared_process": {"tried": len(shared), "rewarded": sum(attempt.rewarded for attempt in shared)},
    }
    finish(lines, summary, as_json)
    if through:
        raise click.exceptions.Exit(1)


def _line(title: str, attempts: list[Attempt]) -> str:
    counts = (
        len(attempts),
        sum(attempt.rewarded for attempt in attempts),
        sum(attempt.survivors for attempt in attempts),
        sum(len(attempt.strays) for attempt in attempts),
        sum(attempt.neighbours for attempt in attempts),
    )
    return f"{title:<34}" + "".join(
        f"{number:>{width}}" for number, width in zip(counts, (7, 10, 7, 7, 12), strict=True)
    )


def _what(attempt: Attempt) -> str:
    outcomes = ", ".join(outcome.value for outcome in attempt.outcomes)
    left = f"{attempt.survivors} processes alive, {len(attempt.strays)} files left"
    return f"{outcomes}; {left}, {attempt.neighbours} neighbours disturbed"
