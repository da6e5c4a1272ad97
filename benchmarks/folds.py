"""What a warm-up teaches about problems that it was not trained on, by folds of the training families.

Run: ``.venv/bin/python benchmarks/folds.py runs/long/data demo-long warmup.rows=768 --fold 0 --folds 3``. Recipes are
chosen by this, never by the held-out problems: a fold of the training families is set aside, the warm-up of the recipe
runs on the others, and the fold is measured. Judgement is the log-odds of the word that decides, where a critique
writes it: the area under the curve (over all solutions, and among those of one problem), and the balanced accuracy with
no threshold but zero; "hits" is the balanced accuracy of the verdict lines that it writes, "malformed" their share
without one. Writing is pass@1 of ``--samples`` answers a problem, beside that of the build's candidates.
``--pool`` reads the lines of all folds together.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from likelihood import area

from critique_coder.data.built import BuiltData
from critique_coder.data.candidates import SamplingPlan, sample_solutions
from critique_coder.data.mix import Split, family_of, split_of
from critique_coder.data.verify import open_judge, verify_solutions
from critique_coder.models import Sampling
from critique_coder.models.embedded import resolve_source
from critique_coder.models.local import LocalModel
from critique_coder.models.precision import compute_dtype, sharpen
from critique_coder.prompts import load_template, parse_judgement
from critique_coder.records import Json, Judgement, Problem
from critique_coder.settings import find_recipe, load_settings
from critique_coder.storage import hash_fraction, read_rows
from critique_coder.training.decision import decisions, log_odds
from critique_coder.training.recipe import TrainRecipe
from critique_coder.training.run import warmed_up

HELD = ("judged", "written", "solved", "solved_before")
"""What a line holds for ``pool``, too long to print."""


@dataclass(frozen=True)
class Fold(BuiltData):
    """A build seen without the problems of one fold."""

    aside: frozenset[str] = frozenset()

    def warmup(self) -> list[dict[str, Json]]:
        """The rows of the problems that are not set aside."""
        return [row for row in super().warmup() if row["problem_id"] not in self.aside]


def trained(recipe: TrainRecipe, data: BuiltData) -> tuple[Any, Any, dict[str, float]]:
    """The model after the warm-up of ``recipe``, ready to sample, its tokenizer, and the metrics of the last step."""
    last: dict[str, float] = {}
    with TemporaryDirectory() as work:
        source = resolve_source(recipe.model)
        model, tokenizer = warmed_up(recipe, data, source, Path(work), lambda step, metrics: last.update(metrics))
    return sharpen(model.to(compute_dtype()).eval()), tokenizer, last


def judged_rows(data: BuiltData, aside: frozenset[str]) -> list[dict[str, Json]]:
    """The critiques of the fold: of correct solutions, and of twice as many wrong ones.

    Half of the wrong ones are of problems that also have a correct one, as among the held-out pairs: else the task
    alone would tell the label.
    """
    rows = [row for row in data.warmup() if row["problem_id"] in aside and row["label"] is not None]
    rows.sort(key=lambda row: hash_fraction("judged", row["id"]))
    right = [row for row in rows if row["label"]]
    solved = {row["problem_id"] for row in right}
    wrong = [[row for row in rows if not row["label"] and (row["problem_id"] in solved) is so] for so in (True, False)]
    return right + [row for side in wrong for row in side[: len(right)]]


@torch.inference_mode()
def odds_of(model: Any, tokenizer: Any, rows: list[dict[str, Json]]) -> list[tuple[str, bool, float]]:
    """Problem, label, and how much likelier each critique is to call its solution right than wrong, in nats."""
    found = decisions(tokenizer, rows)
    odds = [log_odds(model, [entry]).item() for entry in found]
    return [(row["problem_id"], row["label"], round(value, 4)) for row, value in zip(rows, odds, strict=True)]


def judgement(judged: list[tuple[str, bool, float]]) -> dict[str, float]:
    """Areas under the curve, and balanced accuracy, of (problem, label, log-odds)."""
    right = [(problem, odds) for problem, label, odds in judged if label]
    wrong = [(problem, odds) for problem, label, odds in judged if not label]
    within = [(one > other) + (one == other) / 2 for p, one in right for q, other in wrong if p == q]
    whole = area([label for _, label, _ in judged], [odds for *_, odds in judged])
    recalls = (mean(odds > 0 for _, odds in right), mean(odds <= 0 for _, odds in wrong))
    offset = (mean(odds for _, odds in right) + mean(odds for _, odds in wrong)) / 2
    best = max((mean(o > t for _, o in right) + mean(o <= t for _, o in wrong)) / 2 for _, t in right + wrong)
    names = (
        "right",
        "wrong",
        "offset",
        "best",
        "area",
        "area_within",
        "recall_right",
        "recall_wrong",
        "balanced_accuracy",
    )
    values = (len(right), len(wrong), round(offset, 4), best, round(whole, 4), mean(within), *recalls, mean(recalls))
    return dict(zip(names, values, strict=True))


def mean(values: Iterable[float]) -> float:
    """Their mean, rounded; NaN of nothing."""
    held = list(values)
    return round(sum(held) / len(held), 4) if held else float("nan")


def written(local: LocalModel, rows: list[dict[str, Json]], recipe: TrainRecipe) -> list[tuple[bool, str]]:
    """The label of each row, and the judgement of the critique that the model writes of it, by its verdict line."""
    asked = recipe.evaluation
    sampling = Sampling(asked.critique_temperature, asked.top_p, asked.top_k, asked.max_tokens, recipe.seed)
    answers = local.sample([row["prompt"] for row in rows], 1, sampling)
    return [(row["label"], parse_judgement(answer.text).value) for row, (answer,) in zip(rows, answers, strict=True)]


def verdict_lines(critiques: list[tuple[bool, str]]) -> dict[str, float]:
    """The balanced accuracy of what ``written`` found, and the share without a verdict line."""
    hits = {True: Judgement.CORRECT, False: Judgement.INCORRECT}
    recalls = [mean(said == hit for own, said in critiques if own is label) for label, hit in hits.items()]
    return {"hits": mean(recalls), "malformed": mean(said == Judgement.MALFORMED for _, said in critiques)}


def solved(local: LocalModel, problems: list[Problem], recipe: TrainRecipe, samples: int) -> dict[str, float]:
    """The share of ``samples`` answers to each problem that pass."""
    asked = recipe.evaluation
    sampling = Sampling(asked.temperature, asked.top_p, asked.top_k, asked.max_tokens, recipe.seed)
    with TemporaryDirectory() as folder, open_judge(recipe.judge) as judge:
        place = Path(folder)
        plan = SamplingPlan(samples, sampling, asked.batch_size)
        made = sample_solutions(lambda: local, problems, plan, load_template("solve"), place / "solutions", "answers")
        known = {problem.id: problem for problem in problems}
        verify_solutions(judge, known, made, place / "verdicts", "verdicts", recipe.judge.max_unscored)
        return shares(place / "verdicts", known)


def shares(verdicts: Path, wanted: Container[str]) -> dict[str, float]:
    """The share of solutions that pass, of each problem that is wanted."""
    found: dict[str, list[bool]] = {}
    for _, row in read_rows(verdicts):
        if row["problem_id"] in wanted and row["pass_rate"] is not None:
            found.setdefault(row["problem_id"], []).append(row["pass_rate"] == 1.0)
    return {problem: sum(passed) / len(passed) for problem, passed in found.items()}


def pool(path: Path) -> None:
    """Print the lines with the same settings together."""
    settings: dict[str, list[dict[str, Any]]] = {}
    for _, line in read_rows(path):
        settings.setdefault(" ".join(line["set"]), []).append(line)
    for name, lines in settings.items():
        found: dict[str, Any] = judgement([tuple(entry) for line in lines for entry in line["judged"]])
        found |= verdict_lines([tuple(entry) for line in lines for entry in line["written"]])
        for when in ("_before", ""):
            found[f"pass@1{when}"] = mean(v for line in lines for v in line.get(f"solved{when}", {}).values())
        print(name or "(the recipe)", sorted(line["fold"] for line in lines), json.dumps(found))


def main() -> None:
    """Train on all folds but one and print what is measured on that one, as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, help="a build folder")
    parser.add_argument("recipe", nargs="?", default="demo-long", help="a training recipe")
    parser.add_argument("set", nargs="*", help="settings in place of the recipe's, such as warmup.rows=768")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=0, help="answers a problem; 0 measures the judgement alone")
    parser.add_argument("--output", type=Path, default=Path("runs/folds.jsonl"), help="file to add the line to")
    parser.add_argument("--pool", action="store_true", help="only print what the lines of --output say, folds together")
    arguments = parser.parse_args()
    if arguments.pool:
        pool(arguments.output)
        return
    data = BuiltData.open(arguments.data)
    recipe = load_settings(TrainRecipe, find_recipe(arguments.recipe, "training"), arguments.set)
    share = data.manifest["settings"]["mix"]["heldout_share"]
    train = [problem for problem in data.problems.values() if split_of(problem, share) is Split.TRAIN]
    aside = [p for p in train if int(hash_fraction("fold", family_of(p)) * arguments.folds) == arguments.fold]
    fold = Fold(data.folder, frozenset(problem.id for problem in aside))
    begun = time.monotonic()
    model, tokenizer, last = trained(recipe, fold)
    line: dict[str, Any] = {"set": arguments.set, "fold": arguments.fold, "train_s": round(time.monotonic() - begun)}
    line |= {name.removeprefix("warmup/"): round(value, 4) for name, value in last.items()}
    rows = judged_rows(data, fold.aside)
    line["judged"] = odds_of(model, tokenizer, rows)
    line |= judgement(line["judged"])
    local = LocalModel(model, tokenizer, "trained", recipe.evaluation.batch_size)
    line["written"] = written(local, rows, recipe)
    line |= verdict_lines(line["written"])
    if arguments.samples:
        line["solved"] = solved(local, aside, recipe, arguments.samples)
        line["solved_before"] = shares(data.folder / "verdicts.jsonl", line["solved"])
        line |= {f"pass@1{when}": mean(line[f"solved{when}"].values()) for when in ("_before", "")}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.output, "a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")
    print(json.dumps({key: value for key, value in line.items() if key not in HELD}))


if __name__ == "__main__":
    main()
