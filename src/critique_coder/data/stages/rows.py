"""The rows that training reads: each training problem as a solve row or, for a share of them, as a critique row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from critique_coder.data.difficulty import outside, solved_shares, strata
from critique_coder.data.index import critique_index, problem_index
from critique_coder.data.label import balance
from critique_coder.data.mix import ProblemName, Split, convert, critique_row, heldout_pairs, solve_row, training_schema
from critique_coder.data.stage import Counts, Stage, Work
from critique_coder.data.stages.critiques import labels, labels_before_people
from critique_coder.records import BadInput, Json
from critique_coder.storage import write_parquet


def run(work: Work) -> Counts:
    """Write ``rows/train.parquet`` and ``rows/heldout.parquet``."""
    recipe = work.recipe
    shares = solved_shares(work.rows("difficulty.jsonl"), recipe.difficulty.model)
    own = [problem.id for problem in work.problems() if work.is_train(problem)]
    dropped = outside(shares, recipe.difficulty.keep)
    learned = [name for name in own if name not in dropped]
    if dropped and not learned:
        raise BadInput(f"difficulty.keep = {list(recipe.difficulty.keep)}: no training problem lies in this band")
    chosen = _chosen(work, learned, shares)
    train, heldout = _Counted(_train(work, set(learned), chosen)), _Counted(_heldout(work, set(own)))
    write_parquet(work.file("rows/train.parquet"), train, training_schema())
    write_parquet(work.file("rows/heldout.parquet"), heldout, training_schema())
    return {
        "difficulty": {"outside_band": len(own) - len(learned)},
        "rows": {
            "train": dict(train.kinds),
            "heldout": dict(heldout.kinds),
            "train_critique_true": train.true,
            "asked_critique_share": recipe.mix.critique_share,
            "critique_share": round(len(chosen) / len(learned), 4) if learned else None,
        },
    }


def _chosen(work: Work, learned: list[str], shares: dict[str, float]) -> dict[str, str]:
    """The critique row's id of each problem that is converted."""
    mix, seed, names = work.recipe.mix, work.recipe.seed, set(learned)
    balanced = balance([row for row in labels(work) if row.problem_id in names], seed)
    levels = strata(shares, learned) if mix.stratify else None
    converted = convert([ProblemName(name) for name in learned], balanced, mix.critique_share, seed, levels)
    return {name: row.id for name, row in converted.items()}


def _train(work: Work, learned: set[str], chosen: dict[str, str]) -> Iterator[dict[str, Json]]:
    rows = critique_index(work.file("critiques.jsonl"))
    for problem in work.problems(learned.__contains__):
        if problem.id in chosen:
            yield critique_row(rows[chosen[problem.id]], problem, work.templates, Split.TRAIN)
        else:
            yield solve_row(problem, work.templates, Split.TRAIN)


def _heldout(work: Work, train: set[str]) -> Iterator[dict[str, Json]]:
    for problem in work.problems(lambda name: name not in train):
        yield solve_row(problem, work.templates, Split.HELDOUT)
    rows, problems = critique_index(work.file("critiques.jsonl")), problem_index(work.file("problems.jsonl"))
    # chosen by the tests' labels: the pairs stay the same when people judge, so that runs before and after compare
    held = [row for row in labels_before_people(work) if row.problem_id not in train]
    for pair in heldout_pairs(held, work.recipe.seed):
        yield critique_row(rows[pair.id], problems[pair.problem_id], work.templates, Split.HELDOUT)


class _Counted:
    """Counts rows by kind while they go by."""

    def __init__(self, rows: Iterator[dict[str, Json]]) -> None:
        self._rows = rows
        self.kinds: Counter[str] = Counter()
        self.true = 0

    def __iter__(self) -> Iterator[dict[str, Json]]:
        for row in self._rows:
            self.kinds[str(row["kind"])] += 1
            self.true += row["label"] is True
            yield row


STAGE = Stage(
    name="rows",
    run=run,
    reads=("problems.jsonl", "difficulty.jsonl", "critiques.jsonl"),
    writes=("rows/train.parquet", "rows/heldout.parquet"),
    settings=("seed", "mix", "difficulty"),
)
