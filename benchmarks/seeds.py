"""What several runs with different seeds reach together, as a Markdown table.

Run: ``.venv/bin/python benchmarks/seeds.py runs/demo/run runs/demo-1/run runs/demo-2/run``. The last lines pool the
answers of all runs; intervals are the evaluation's own bootstrap, which draws problems.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from critique_coder.evaluation.metrics import (
    Counts,
    Judged,
    critique_counts,
    critique_metrics,
    solve_counts,
    solve_metrics,
)
from critique_coder.evaluation.statistics import Difference, Estimate, differences, estimates
from critique_coder.records import Judgement
from critique_coder.storage import read_json, read_rows

STAGES = ("base", "warmup", "grpo")
COLUMNS = ("solve/pass@1", "critique/balanced_accuracy", "critique/malformed")


def main() -> None:
    """Print the table of each run, of all together, and the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    runs: list[Path] = parser.parse_args().runs
    print("| seed | stage | pass@1 | critique balanced accuracy | malformed |\n|---|---|---|---|---|")
    for run in runs:
        seed = read_json(run / "manifest.json")["recipe"]["seed"]
        for stage in STAGES:
            row(str(seed), stage, pooled([run], stage))
    for stage in STAGES:
        row("all", stage, pooled(runs, stage))
    print("\n| change, all seeds | pass@1 | critique balanced accuracy |\n|---|---|---|")
    for before, after in (("base", "warmup"), ("warmup", "grpo"), ("base", "grpo")):
        one, other = counts(runs, before), counts(runs, after)
        changes = {
            **differences(one[0], other[0], solve_metrics),
            **differences(one[1], other[1], critique_metrics),
        }
        print(f"| {before} to {after} | {change(changes[COLUMNS[0]])} | {change(changes[COLUMNS[1]])} |")


def counts(runs: list[Path], stage: str) -> tuple[Counts, Counts]:
    """The sums a problem over all runs: of solutions, and of critiques."""
    verdicts = [row for run in runs for _, row in read_rows(run / "evaluation" / stage / "verdicts.jsonl")]
    judged = [row for run in runs for _, row in read_rows(run / "evaluation" / stage / "critiques.jsonl")]
    return (
        solve_counts((row["problem_id"], row["pass_rate"]) for row in verdicts),
        critique_counts(Judged(row["problem_id"], row["label"], Judgement(row["judgement"])) for row in judged),
    )


def pooled(runs: list[Path], stage: str) -> dict[str, Estimate]:
    """Every metric of the runs together."""
    solve, critique = counts(runs, stage)
    return {**estimates(solve, solve_metrics), **estimates(critique, critique_metrics)}


def row(seed: str, stage: str, values: dict[str, Estimate]) -> None:
    """Print one line of the first table."""
    cells = [f"{values[name].value:.3f} ({values[name].low:.3f} to {values[name].high:.3f})" for name in COLUMNS[:2]]
    print(f"| {seed} | {stage} | {' | '.join(cells)} | {values[COLUMNS[2]].value:.1%} |")


def change(difference: Difference) -> str:
    """A difference with its interval and what it amounts to."""
    value = difference.change
    return f"{value.value:+.3f} ({value.low:+.3f} to {value.high:+.3f}): {difference.finding}"


if __name__ == "__main__":
    main()
