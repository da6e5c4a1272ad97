"""How much label noise people remove, and what that is worth to a critic: queue against random order, one person
against two.

    .venv/bin/python benchmarks/dual_feedback.py --data "$CRITIQUE_CODER_DATA" --output runs/dual-feedback

It builds a data folder from 4,079 solutions that published models wrote for MBPP, with MBPP's own three asserts as
tests; the label by MBPP+ and its hundred times as many tests stands in for the truth. Two kinds of noise: what MBPP's
asserts really get wrong, and the truth with labels flipped at a known rate. **The reviewers are simulated**: each
answers with the truth but for a known error rate. The critic is a regularised least-squares classifier over the tokens
of the code and the problem it is for, so that a training takes milliseconds and each point is a mean over many draws.
What it says of a solution for the queue comes from the noisy labels of the other solutions alone, never from the truth.
"""

from __future__ import annotations

import argparse
import io
import tokenize
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from critique_coder.data.build import build
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.sources import read_source
from critique_coder.feedback import ProblemAction
from critique_coder.records import CritiqueRow, Solution
from critique_coder.report.charts import Line, line_chart
from critique_coder.review.adjudication import Answer, Decision, Rating, resolve
from critique_coder.review.apply import WRONG_TEST, plan
from critique_coder.review.cases import Case, Evidence, Question, asked
from critique_coder.review.from_build import cases_of_build
from critique_coder.storage import hash_fraction, read_rows, write_json, write_jsonl, write_text

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Dice = np.random.Generator
BUDGETS = (0, 100, 200, 400, 800, 1400, 2000)
"""Verdicts that the people give together; an adjudication counts as one."""
ERRORS = (0.05, 0.1, 0.2)
CANT_TELL = 0.05
PLANTED = 0.2
DRAWS = 4
_RIDGE, _SAME = 0.3, 3.0
"""Chosen by the leave-one-out error against the noisy labels."""


_TYPING = "from typing import *\n\n"
"""Many of the programs name ``List`` and were recorded by a harness that had it imported."""


def make_build(data: Path, work: Path) -> tuple[list[CritiqueRow], dict[str, bool]]:
    """The build's critique rows, labelled by MBPP's tests, and the truth by solution id as MBPP+ has it."""
    recorded = [row for _, row in read_rows(data / "critique" / "mbpp_model_solutions.jsonl.gz") if row["plus"]]
    wanted = {f"mbpp/{row['task_id'].partition('/')[2]}" for row in recorded}
    problems = [problem for problem in read_source("mbpp", str(data / "mbpp")).problems if problem.id in wanted]
    write_jsonl(work / "problems.jsonl", ({**problem.to_json(), "metadata": {}} for problem in problems))
    solutions = [
        Solution(row["id"], f"mbpp/{row['task_id'].partition('/')[2]}", _TYPING + row["code"], author=row["model"])
        for row in recorded
    ]
    write_jsonl(work / "solutions.jsonl", (solution.to_json() for solution in solutions))
    recipe = BuildRecipe.model_validate(
        {
            "source": [{"name": "problems", "path": str(work / "problems.jsonl")}],
            "candidates": {"path": str(work / "solutions.jsonl")},
        }
    )
    build(recipe, work / "build")
    rows = [CritiqueRow.from_json(row, where) for where, row in read_rows(work / "build" / "critiques.jsonl")]
    return rows, {row["id"]: row["label"] == "correct" for row in recorded}


def tokens(code: str) -> list[str]:
    """Names, signs and numbers of a program and their pairs; without what it is laid out like."""
    try:
        found = [token.string for token in tokenize.generate_tokens(io.StringIO(code).readline)]
    except (tokenize.TokenError, SyntaxError):
        found = ["<broken>", *code.split()]
    words = [word for word in found if word.strip() and not word.startswith(("#", '"""', "'''"))]
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]


def kernel(rows: Sequence[CritiqueRow]) -> Array:
    """How alike two solutions are, shape (rows, rows): cosine of tf-idf, more within a problem."""
    counted = [Counter(tokens(row.solution)) for row in rows]
    seen = Counter(word for found in counted for word in found)
    places = {word: place for place, word in enumerate(word for word, count in seen.items() if count > 2)}
    table = np.zeros((len(rows), len(places)), dtype=np.float32)
    for row, found in enumerate(counted):
        for word, count in found.items():
            if word in places:
                table[row, places[word]] = (1 + np.log(count)) * np.log(len(rows) / seen[word])
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    problems = np.array([row.problem_id for row in rows])
    alike: Array = (table @ table.T).astype(np.float64) * (1 + _SAME * (problems[:, None] == problems[None, :]))
    return alike


@dataclass(frozen=True)
class Critic:
    """Regularised least squares (Rifkin et al. 2003) on +1 and -1, with the matrices that training takes."""

    alike: Array
    to_test: Array
    fit: Array
    predict: Array

    @classmethod
    def over(cls, alike: Array, train: Flags, test: Flags) -> Critic:
        """A critic that trains on the rows of ``train`` and judges those of ``test``."""
        own, other = alike[np.ix_(train, train)], alike[np.ix_(test, train)]
        inverse = np.linalg.inv(own + _RIDGE * np.eye(len(own)))
        return cls(own, other, own @ inverse, other @ inverse)

    def judges(self, labels: Flags, used: Flags | None = None) -> Array:
        """What it says of the test rows after training on ``labels`` of the rows ``used``: above 0 correct."""
        signs = np.where(labels, 1.0, -1.0)
        if used is None or used.all():
            says: Array = self.predict @ (signs - signs.mean())
            return says
        own = signs[used] - signs[used].mean()
        weights = np.linalg.solve(self.alike[np.ix_(used, used)] + _RIDGE * np.eye(len(own)), own)
        return np.asarray(self.to_test[:, used] @ weights)

    def of_the_others(self, labels: Flags) -> Array:
        """What it says of each training row after training on all the others (leave-one-out, in closed form)."""
        signs = np.where(labels, 1.0, -1.0)
        centred = signs - signs.mean()
        weight = np.diag(self.fit)
        says: Array = (self.fit @ centred - weight * centred) / (1 - weight)
        return says


def balanced_accuracy(says: Array, truth: Flags) -> float:
    """The mean of the shares of correct and of incorrect solutions that are called so."""
    return float(((says > 0)[truth].mean() + (says <= 0)[~truth].mean()) / 2)


def answer(truth: bool, error: float, dice: Dice) -> Answer:
    """What a simulated reviewer says."""
    if dice.random() < CANT_TELL:
        return Answer.CANT_TELL
    return Answer.YES if truth is (dice.random() >= error) else Answer.NO


@dataclass(frozen=True)
class Reviewed:
    """One item after its verdicts: how many all items so far took, and what was said."""

    spent: int
    item: int
    ratings: tuple[Rating, ...]
    decisions: tuple[Decision, ...]

    @property
    def label(self) -> bool | None:
        """What people make of it, by the product's own rule."""
        return resolve(self.ratings, self.decisions)[self.ratings[0].item].label


def review(order: Sequence[int], people: int, data: Data, tests: Flags, error: float, dice: Dice) -> list[Reviewed]:
    """The items in ``order`` with their verdicts, up to the largest budget.

    Each item gets ``people`` verdicts, and where they differ a third person decides, who errs as often. Who contradicts
    the tests tags them as wrong.
    """
    done: list[Reviewed] = []
    spent = 0
    for item in order:
        name = asked(data.cases[item].id, Question.CORRECT)
        ratings = []
        for number in range(people):
            said = answer(bool(data.truth[item]), error, dice)
            against = said is (Answer.NO if tests[item] else Answer.YES)
            ratings.append(Rating(name, f"person {number}", said, tags=(WRONG_TEST,) if against else ()))
        spent += people
        decisions = []
        if resolve(ratings)[name].in_conflict:
            spent += 1
            last = answer(bool(data.truth[item]), error, dice)
            if last is not Answer.CANT_TELL:
                decisions.append(Decision(name, last is Answer.YES, "simulated", "judge"))
        if spent > BUDGETS[-1]:
            break
        done.append(Reviewed(spent, item, tuple(ratings), tuple(decisions)))
    return done


@dataclass(frozen=True)
class Data:
    """Training and test rows of one noise: truth, what the tests found, and the labels to begin with."""

    critic: Critic
    cases: Sequence[Case]
    outcomes: Sequence[Sequence[bool]]
    truth: Flags
    test_truth: Flags
    noisy: Callable[[Dice], Flags]


@dataclass(frozen=True)
class Arm:
    """A way of reviewing. ``mend`` also does to the problems what ``review apply`` would."""

    order: str
    people: int
    mend: bool = False

    @property
    def name(self) -> str:
        """For tables and legends."""
        return f"{self.order}, {'two people' if self.people > 1 else 'one person'}{', tests mended' * self.mend}"


ARMS = (Arm("queue", 1), Arm("queue", 2), Arm("random", 1), Arm("random", 2))
MENDING = (Arm("queue", 1, True), Arm("queue", 2, True))


def ranked(arm: Arm, data: Data, labels: Flags, dice: Dice) -> list[int]:
    """The items in the order in which people see them.

    Most doubtful first: where the critic contradicts the label most. With ``mend`` the first of each problem come
    before the second of any, since one is enough to find its tests wrong.
    """
    if arm.order == "random":
        return list(dice.permutation(len(labels)))
    doubt = np.where(labels, 1.0, -1.0) * data.critic.of_the_others(labels)
    order = list(np.argsort(doubt, kind="stable"))
    if not arm.mend:
        return order
    turn: Counter[str] = Counter()
    turns = []
    for item in order:
        turns.append((turn[data.cases[item].problem.id], item))
        turn[data.cases[item].problem.id] += 1
    return [item for _, item in sorted(turns, key=lambda entry: entry[0])]


def after(data: Data, arm: Arm, labels: Flags, done: Sequence[Reviewed]) -> tuple[Flags, Flags]:
    """The labels after a review, and which rows are still used."""
    mended, used = labels.copy(), np.ones(len(labels), dtype=np.bool_)
    if arm.mend:
        _mend(data, mended, used, done)
    for one in done:
        if (label := one.label) is not None:
            mended[one.item] = label
    return mended, used


def _mend(data: Data, mended: Flags, used: Flags, done: Sequence[Reviewed]) -> None:
    """Do what ``review apply`` plans for the problems: leave out tests, or the problem."""
    ratings = tuple(rating for one in done for rating in one.ratings)
    decisions = tuple(decision for one in done for decision in one.decisions)
    cases = tuple(data.cases[one.item] for one in done)
    reviews = {one.problem_id: one for one in plan(Evidence(cases, ratings, decisions)).problems}
    for item, case in enumerate(data.cases):
        found = reviews.get(case.problem.id)
        if found is not None and found.action is ProblemAction.QUARANTINE:
            used[item] = False
        elif found is not None:
            kept = [place for place, test in enumerate(case.problem.tests) if test in found.tests]
            mended[item] = all(data.outcomes[item][place] for place in kept)


def curve(data: Data, arm: Arm, error: float) -> list[dict[str, float]]:
    """For each budget the noise left, the rows used and the critic's accuracy: mean and middle 95 % of the draws."""
    found: list[dict[str, list[float]]] = [{"noise": [], "accuracy": [], "used": []} for _ in BUDGETS]
    for draw in range(DRAWS):
        dice = np.random.default_rng(draw)
        labels = data.noisy(dice)
        done = review(ranked(arm, data, labels, dice), arm.people, data, labels, error, dice)
        for values, budget in zip(found, BUDGETS, strict=True):
            mended, used = after(data, arm, labels, [one for one in done if one.spent <= budget])
            values["noise"].append(float((mended != data.truth)[used].mean()))
            values["accuracy"].append(balanced_accuracy(data.critic.judges(mended, used), data.test_truth))
            values["used"].append(float(used.mean()))
    return [
        {"verdicts": budget, **{key: number for name in values for key, number in spread(name, values[name]).items()}}
        for values, budget in zip(found, BUDGETS, strict=True)
    ]


def spread(name: str, values: Sequence[float]) -> dict[str, float]:
    """The mean and the middle 95 %."""
    low, high = np.quantile(values, [0.025, 0.975])
    return {name: float(np.mean(values)), f"{name}_low": float(low), f"{name}_high": float(high)}


_STYLE = """<style>
text{font:11px sans-serif;fill:#5b636b}.title{font-weight:bold;fill:#22272c}.grid{stroke:#d9dde1}
.thin,.thick{fill:none;stroke-linejoin:round}.thin{opacity:.16}.thick{stroke-width:2.2}.d1{stroke-dasharray:7 4}
.c2{stroke:#0b6bb0}.c1{stroke:#c4540a}
.c3{stroke:#00825f}rect{fill:#fff}
</style>"""
_MARKS = {
    Arm("queue", 1): (2, 0),
    Arm("queue", 2): (2, 1),
    Arm("random", 1): (1, 0),
    Arm("random", 2): (1, 1),
    Arm("queue", 1, True): (3, 0),
    Arm("queue", 2, True): (3, 1),
}
Curves = dict[str, dict[Arm, list[dict[str, float]]]]
"""By noise and arm, a point for each budget."""


def chart(results: Curves) -> str:
    """The panels of all noises as one picture, with its legend."""
    parts, top = [], 0
    for noise, arms in results.items():
        for column, (key, title) in enumerate((("noise", "labels still wrong"), ("accuracy", "balanced accuracy"))):
            lines = [
                Line(arm.name, tuple((int(point["verdicts"]), point[key]) for point in points), *_MARKS[arm])
                for arm, points in arms.items()
            ]
            panel = str(line_chart(f"{noise}: {title}", lines, axis="verdicts", from_zero=key == "noise"))
            place = f'<svg x="{10 + 350 * column}" y="{top + 26}" width="320" height="182" '
            parts.append(f'<text class="title" x="{14 + 350 * column}" y="{top + 18}">{noise}: {title}</text>')
            parts.append(panel.replace("<svg ", place, 1))
        top += 220
    for number, (arm, (colour, dash)) in enumerate(_MARKS.items()):
        x, y = 14 + 225 * (number // 2), top + 8 + 18 * (number % 2)
        parts.append(f'<polyline class="thick c{colour} d{dash}" points="{x},{y} {x + 28},{y}"/>')
        parts.append(f'<text x="{x + 34}" y="{y + 4}">{arm.name}</text>')
    size = f'width="700" height="{top + 40}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 700 {top + 40}">{_STYLE}<rect {size}/>'
    return head + "".join(parts) + "</svg>\n"


def main() -> None:
    """Build, measure, print the tables, write the figures and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with mbpp/ and critique/")
    parser.add_argument("--output", type=Path, required=True, help="where the build and the figures go")
    options = parser.parse_args()
    rows, truth_of = make_build(options.data, options.output)
    test = np.array([hash_fraction("test", row.solution_id) < 0.3 for row in rows])
    noises = data_of(options.output / "build", rows, np.array([truth_of[row.solution_id] for row in rows]), test)
    found: dict[float, Curves] = {}
    for error in ERRORS:
        found[error] = {
            noise: {arm: curve(data, arm, error) for arm in (*ARMS, *(MENDING if noise == REAL else ()))}
            for noise, data in noises.items()
        }
        table(found[error], error)
    figures = {
        str(error): {noise: {arm.name: points for arm, points in arms.items()} for noise, arms in curves.items()}
        for error, curves in found.items()
    }
    write_json(options.output / "figures.json", figures)
    write_text(options.output / "dual_feedback.svg", chart(found[ERRORS[1]]))


REAL = "MBPP's own tests"


def data_of(folder: Path, rows: Sequence[CritiqueRow], truth: Flags, test: Flags) -> dict[str, Data]:
    """The two noises; prints what bounds the figures."""
    tested = np.array([row.label for row in rows])
    alike = kernel(rows)
    critic = Critic.over(alike, ~test, test)
    about_the_critic(rows, alike, truth, critic, test)
    known = {case.id: case for case in cases_of_build(folder)}
    cases = [known[row.id] for row, held in zip(rows, test, strict=True) if not held]
    outcomes = [[place not in case.failed_tests for place in range(len(case.problem.tests))] for case in cases]

    def planted(dice: Dice) -> Flags:
        flipped: Flags = truth[~test] ^ (dice.random(int((~test).sum())) < PLANTED)
        return flipped

    noisy = {REAL: lambda dice: tested[~test], f"{PLANTED:.0%} flipped": planted}
    return {
        name: Data(critic, cases, outcomes, truth[~test], truth[test], function) for name, function in noisy.items()
    }


def about_the_critic(rows: Sequence[CritiqueRow], alike: Array, truth: Flags, critic: Critic, test: Flags) -> None:
    """Print what bounds the figures: a critic without noise, on these problems and on unseen ones."""
    unseen = np.array([hash_fraction("unseen", row.problem_id) < 0.3 for row in rows])
    stranger = Critic.over(alike, ~unseen, unseen)
    print(f"solutions: {len(rows)} of {len({row.problem_id for row in rows})} problems; {int(test.sum())} to test on")
    tested = np.array([row.label for row in rows])
    weak, wrong = int((tested & ~truth).sum()), int((~tested & truth).sum())
    print(f"MBPP's tests against MBPP+: {weak} pass and should not, {wrong} fail and should not")
    print(f"balanced accuracy, trained on the truth: {balanced_accuracy(critic.judges(truth[~test]), truth[test]):.3f}")
    print(f"the same on unseen problems: {balanced_accuracy(stranger.judges(truth[~unseen]), truth[unseen]):.3f}\n")


def table(results: Curves, error: float) -> None:
    """Print the curves of one error rate as Markdown: noise left, balanced accuracy."""
    print(f"Reviewers err in {error:.0%}:\n")
    print("| noise | review | " + " | ".join(f"{budget} verdicts" for budget in BUDGETS) + " |")
    print("|---|---|" + "---|" * len(BUDGETS))
    for noise, arms in results.items():
        for arm, points in arms.items():
            cells = [f"{100 * point['noise']:.1f} %, {point['accuracy']:.3f}" for point in points]
            rest = f" ({points[-1]['used']:.0%} of the rows left)" if arm.mend else ""
            print(f"| {noise} | {arm.name} | {' | '.join(cells)}{rest} |")
    print(flush=True)


if __name__ == "__main__":
    main()
