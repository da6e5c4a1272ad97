"""The held-out evaluation: pass@1 on problems, and judgement on a fixed set of (problem, solution) pairs.

Every model is asked the same prompts with the same seeds, and judges the same pairs, so that two evaluations can be
compared pair by pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from critique_coder.data.built import BuiltData
from critique_coder.data.candidates import Meter, SamplingPlan, plan_of_candidates, sample_solutions
from critique_coder.data.recipe import JudgeSettings
from critique_coder.data.verify import JudgeOptions, open_judge, verify_solutions
from critique_coder.evaluation.metrics import (
    Counts,
    Judged,
    critique_counts,
    critique_metrics,
    solve_counts,
    solve_metrics,
)
from critique_coder.evaluation.statistics import Difference, Estimate, differences, estimates
from critique_coder.models import Completion, Sampling, TextModel
from critique_coder.progress import bar
from critique_coder.prompts import Template, load_template, parse_judgement
from critique_coder.records import BadInput, Json, Judgement, Outcome, Problem
from critique_coder.storage import AppendLog, hash_fraction, read_rows, write_json, write_jsonl

OpenModel = Callable[[], TextModel]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is measured: ``samples`` solutions a problem, a critique a pair; ``max_pairs`` 0 means all."""

    samples: int
    sampling: Sampling
    batch_size: int
    max_pairs: int = 0
    critique_temperature: float = 0.6


@dataclass(frozen=True, slots=True)
class Measured:
    """One model's results, as sums a problem."""

    stage: str
    solve: Counts
    critique: Counts
    details: dict[str, Json]

    def estimates(self) -> dict[str, Estimate]:
        """Every metric with its interval."""
        return {**estimates(self.solve, solve_metrics), **estimates(self.critique, critique_metrics)}

    def compared_with(self, before: Measured) -> dict[str, Difference]:
        """Every metric's change since ``before``."""
        return {
            **differences(before.solve, self.solve, solve_metrics),
            **differences(before.critique, self.critique, critique_metrics),
        }


def evaluate(
    open_model: OpenModel,
    data: BuiltData,
    plan: Plan,
    judge: JudgeSettings,
    folder: Path,
    stage: str,
    options: JudgeOptions = JudgeOptions(),
    source: str | None = None,
) -> Measured:
    """Measure a model on the build's held-out rows; answers and verdicts go to ``folder/stage``, resumable.

    ``source`` names the model: when the build sampled from the same one, with the same settings and seed, the
    solutions that it has for the held-out problems are the ones that would be sampled, and are taken over with their
    verdicts.
    """
    rows = data.rows("heldout")
    problems = [data.problems[row["problem_id"]] for row in rows if row["kind"] == "solve"]
    if not problems:
        raise BadInput(
            f"{data.folder}: holds no held-out problems to evaluate on; build with mix.heldout_share above 0"
        )
    place = folder / stage
    place.mkdir(parents=True, exist_ok=True)
    lazy = _Once(open_model)
    samples = SamplingPlan(plan.samples, plan.sampling, plan.batch_size)
    template = _solve_template(data)
    if source is not None:
        _take_over(data, problems, samples, source, judge, place)
    solutions = sample_solutions(lazy, problems, samples, template, place / "solutions.jsonl", f"{stage}: solutions")
    with open_judge(judge, options) as running:
        file, title = place / "verdicts.jsonl", f"{stage}: verdicts"
        verdicts = verify_solutions(running, data.problems, solutions, file, title, judge.max_unscored)
    pairs = _limited([row for row in rows if row["kind"] == "critique"], plan.max_pairs)
    judged = _critiques(lazy, pairs, plan, place / "critiques.jsonl", f"{stage}: critiques")
    details: dict[str, Json] = {
        "samples": len(solutions),
        "unscored": sum(verdict.outcome is Outcome.UNSCORED for verdict in verdicts),
        "outcomes": dict(sorted(Counter(v.outcome.value for v in verdicts).items())),
        "judgements": dict(sorted(Counter(j.judgement.value for j in judged).items())),
        "pairs": len(judged),
        "pairs_true": sum(j.label for j in judged),
        "finished": sum(bool(s.metadata.get("finished")) for s in solutions) / max(1, len(solutions)),
        "tokens_per_solution": sum(int(s.metadata.get("tokens", 0)) for s in solutions) / max(1, len(solutions)),
    }
    return Measured(
        stage, solve_counts((v.problem_id, v.pass_rate) for v in verdicts), critique_counts(judged), details
    )


def _take_over(
    data: BuiltData, problems: list[Problem], plan: SamplingPlan, source: str, judge: JudgeSettings, place: Path
) -> None:
    """Copy the build's solutions where they are the ones wanted, and its verdicts where the same limits gave them."""
    built = data.manifest["settings"]
    settings = built["candidates"]
    sampled = plan_of_candidates(settings, settings["heldout_n"], built["seed"])
    same_model = (
        settings["endpoint"] is None and settings["path"] is None and data.manifest["candidate_model"] == source
    )
    if (place / "solutions.jsonl").exists() or not same_model or sampled != plan:
        return
    wanted = {problem.id for problem in problems}
    names = ["solutions.jsonl"]
    if JudgeSettings(**{**built["judge"], "workers": judge.workers}) == judge:
        names.insert(0, "verdicts.jsonl")
    for name in names:
        write_jsonl(place / name, (row for _, row in read_rows(data.folder / name) if row["problem_id"] in wanted))


class _Once:
    """Opens the model at its first use and keeps it."""

    def __init__(self, opener: OpenModel) -> None:
        self._opener = opener
        self._model: TextModel | None = None

    def __call__(self) -> TextModel:
        if self._model is None:
            self._model = self._opener()
        return self._model


def _solve_template(data: BuiltData) -> Template:
    return load_template("solve", data.manifest["settings"]["mix"]["solve_template"])


def _limited(pairs: list[dict[str, Json]], most: int) -> list[dict[str, Json]]:
    """At most ``most`` pairs, half of them True, drawn by id."""
    if not most or len(pairs) <= most:
        return pairs
    kept: set[str] = set()
    for label in (True, False):
        side = sorted((p for p in pairs if p["label"] is label), key=lambda p: hash_fraction("limit", p["id"]))
        kept.update(pair["id"] for pair in side[: most // 2])
    return [pair for pair in pairs if pair["id"] in kept]


def _critiques(opened: OpenModel, pairs: list[dict[str, Json]], plan: Plan, output: Path, title: str) -> list[Judged]:
    done = _whole_chunks(output, pairs, plan.batch_size)
    with AppendLog(output) as log:
        rest = pairs[len(done) :]
        if rest:
            model, meter = opened(), Meter()
            with bar(title, len(pairs), "critiques", len(done)) as shown:
                for start in range(0, len(rest), plan.batch_size):
                    chunk = rest[start : start + plan.batch_size]
                    seed = plan.sampling.seed + len(done) + start
                    sampling = replace(plan.sampling, seed=seed, temperature=plan.critique_temperature)
                    answers = model.sample([row["prompt"] for row in chunk], 1, sampling, meter.show_on(shown))
                    for row, (answer,) in zip(chunk, answers, strict=True):
                        log.append(_answer_row(row, answer))
    rows = [row for _, row in read_rows(output)] if pairs else []
    return [Judged(row["problem_id"], row["label"], Judgement(row["judgement"])) for row in rows]


def _whole_chunks(output: Path, pairs: list[dict[str, Json]], size: int) -> list[str]:
    """The pairs answered in complete chunks; what a kill left of the next one is dropped: its seed is shared."""
    with AppendLog(output) as log:
        rows = log.done
    done = [row["row_id"] for row in rows]
    if done != [pair["id"] for pair in pairs[: len(done)]]:
        raise BadInput(f"{output}: holds critiques of other pairs; delete it or choose another --output")
    whole = len(done) if len(done) == len(pairs) else len(done) // size * size
    if whole < len(done):
        write_jsonl(output, rows[:whole])
    return done[:whole]


def _answer_row(row: dict[str, Json], answer: Completion) -> dict[str, Json]:
    return {
        "row_id": row["id"],
        "completion": answer.text,
        "judgement": parse_judgement(answer.text).value,
        "problem_id": row["problem_id"],
        "label": row["label"],
    }


def summary(stages: list[Measured], settings: dict[str, Json]) -> dict[str, Json]:
    """What ``evaluation.json`` holds: each stage's metrics, and each stage against the one before and the first."""
    compared: list[dict[str, Json]] = []
    for number, stage in enumerate(stages):
        for before in {0: stages[0], number - 1: stages[max(0, number - 1)]}.values() if number else ():
            changes = {name: change.to_json() for name, change in stage.compared_with(before).items()}
            compared.append({"before": before.stage, "after": stage.stage, "metrics": changes})
    return {
        "settings": settings,
        "stages": [
            {
                "stage": stage.stage,
                "metrics": {name: value.to_json() for name, value in stage.estimates().items()},
                **stage.details,
            }
            for stage in stages
        ],
        "comparisons": compared,
    }


def write_summary(path: Path, stages: list[Measured], settings: dict[str, Json]) -> dict[str, Json]:
    """Write ``evaluation.json``; returns what it holds."""
    value = summary(stages, settings)
    write_json(path, value)
    return value
