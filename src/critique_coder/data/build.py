"""From a recipe to a folder that training reads: problems, solutions, verdicts, critique data, rows, manifest.

Each stage writes its file and is skipped when that file is complete, so that a build that was killed goes on where it
was. The folder belongs to one resolved recipe and one state of its inputs; with others it is refused.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from critique_coder import __version__
from critique_coder.data.audit import audit, audit_solutions
from critique_coder.data.authors import recorded_files, solutions_of_authors
from critique_coder.data.difficulty import Difficulty, outside, strata
from critique_coder.data.filter import Loss, filter_problems
from critique_coder.data.label import balance, critique_rows, doubtful, label_counts
from critique_coder.data.mix import (
    RowKind,
    Split,
    Templates,
    convert,
    critique_row,
    heldout_pairs,
    solve_row,
    split_of,
    training_schema,
)
from critique_coder.data.people import feedback_files, read_people
from critique_coder.data.recipe import BuildRecipe
from critique_coder.data.skew import Skew
from critique_coder.data.sources import Corpus, read_source
from critique_coder.data.synthesis import Synthesised, synthesise
from critique_coder.data.verify import JudgeOptions, check_unscored, open_verifier, verify_solutions
from critique_coder.models.embedded import NAME as EMBEDDED
from critique_coder.prompts import load_template
from critique_coder.records import BadInput, CritiqueRow, Json, Outcome, Problem, Solution, Verdict
from critique_coder.settings import to_toml
from critique_coder.storage import (
    claim_folder,
    require_space,
    sha256_file,
    write_json,
    write_jsonl,
    write_parquet,
    write_text,
)

_ENOUGH_TRUE = 16
"""Correct solutions of the model's own below which the references join the warm-up."""


@dataclass(slots=True)
class Build:
    """A build folder and the counts that its manifest will show."""

    recipe: BuildRecipe
    folder: Path
    options: JudgeOptions = JudgeOptions()
    counts: dict[str, Json] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name

    def is_train(self, problem: Problem) -> bool:
        """Whether the problem may be learned from."""
        return split_of(problem, self.recipe.mix.heldout_share) is Split.TRAIN


def build(recipe: BuildRecipe, folder: Path, options: JudgeOptions = JudgeOptions()) -> dict[str, Json]:
    """Run all stages; returns the manifest. Raises BadInput, ModelError, IsolationError, TooManyUnscored."""
    templates = Templates(
        load_template("solve", recipe.mix.solve_template), load_template("critique", recipe.mix.critique_template)
    )
    corpus, inputs = _read_inputs(recipe)
    require_space(folder, 50)
    claim_folder(folder, {"recipe": recipe.model_dump(mode="json"), "inputs": inputs})
    work = Build(recipe, folder, options)
    write_text(work.file("config.toml"), to_toml(recipe, help_texts=False))
    problems, audited, wrong = _trusted_problems(work, corpus)
    solutions = _candidates(work, problems, templates)
    verdicts = _judge_candidates(work, problems, solutions)
    rows = _critique_data(work, problems, solutions, verdicts)
    _write_rows(work, problems, rows, templates, _difficulty(work, solutions, verdicts))
    _write_warmup(work, problems, rows, verdicts, _reference_rows(work, problems, wrong, audited), audited, templates)
    return _write_manifest(work, inputs, templates)


def _read_inputs(recipe: BuildRecipe) -> tuple[Corpus, dict[str, str]]:
    corpora = [read_source(source.name, source.path) for source in recipe.source]
    problems = [problem for corpus in corpora for problem in corpus.problems]
    twice = [name for name, count in Counter(problem.id for problem in problems).items() if count > 1]
    if twice:
        raise BadInput(f"problem {twice[0]!r} is in more than one source; ids must be unique")
    names = [name for corpus in corpora for name in corpus.files]
    names += recorded_files(recipe.candidates)
    if recipe.label.people is not None:
        names += map(str, feedback_files(recipe.label.people))
    templates = (recipe.mix.solve_template, recipe.mix.critique_template)
    names += [name for name in templates if name is not None and Path(name).is_file()]
    wrong = tuple(solution for corpus in corpora for solution in corpus.wrong_solutions)
    inputs = {name: sha256_file(name) for name in names}
    lost = tuple(lost for corpus in corpora for lost in corpus.lost)
    return Corpus(tuple(problems), wrong, tuple(names), lost), inputs


def _trusted_problems(work: Build, corpus: Corpus) -> tuple[list[Problem], dict[str, Verdict], list[Solution]]:
    """Filter and audit. Returns the problems, the audit's verdicts by solution id, and the solutions it judged."""
    recipe = work.recipe
    people = read_people(recipe.label.people)
    reviewed = list(people.reviewed(corpus.problems))
    given = [problem for problem in reviewed if isinstance(problem, Problem)]
    problems, lost = filter_problems(given, recipe.filter, recipe.seed)
    left_out = [Loss(found.problem_id, "unusable_record", found.reason) for found in corpus.lost]
    lost = [*left_out, *(loss for loss in reviewed if isinstance(loss, Loss)), *lost]
    solutions = audit_solutions(problems, corpus.wrong_solutions)
    judged = _judge(work, problems, solutions, "audit.jsonl", "audit of the problems", first_failure=True)
    verdicts = {verdict.solution_id: verdict for verdict in judged}
    kept, distrusted = audit(problems, corpus.wrong_solutions, verdicts, recipe.audit)
    lost += distrusted
    if not kept:
        raise BadInput(f"no problem is left: {_reasons(lost)}; see {work.file('quarantine.jsonl')}")
    write_jsonl(work.file("problems.jsonl"), (problem.to_json() for problem in kept))
    write_jsonl(work.file("quarantine.jsonl"), (loss.to_json() for loss in lost))
    work.counts["problems"] = {
        "read": len(corpus.problems) + len(corpus.lost),
        "kept": len(kept),
        "lost": dict(sorted(Counter(loss.reason for loss in lost).items())),
        "tests_read": sum(len(problem.tests) for problem in corpus.problems),
        "tests_kept": sum(len(problem.tests) for problem in kept),
    }
    return kept, verdicts, solutions


def _reasons(lost: Sequence[Loss]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in Counter(loss.reason for loss in lost).items())


def _judge(
    work: Build,
    problems: Sequence[Problem],
    solutions: Sequence[Solution],
    name: str,
    title: str,
    first_failure: bool = False,
) -> list[Verdict]:
    by_id = {problem.id: problem for problem in problems}
    with open_verifier(work.recipe.judge, replace(work.options, first_failure=first_failure)) as judge:
        verdicts = verify_solutions(judge, by_id, solutions, work.file(name), title)
    check_unscored(verdicts, work.recipe.judge)
    return verdicts


def _candidates(work: Build, problems: list[Problem], templates: Templates) -> list[Solution]:
    sides = {split: [p for p in problems if work.is_train(p) is (split is Split.TRAIN)] for split in Split}
    recipe = work.recipe
    solutions = solutions_of_authors(recipe.candidates, sides, templates.solve, recipe.seed, work.folder, work.counts)
    write_jsonl(work.file("solutions.jsonl"), (solution.to_json() for solution in solutions))
    return solutions


def _judge_candidates(work: Build, problems: list[Problem], solutions: list[Solution]) -> dict[str, Verdict]:
    verdicts = _judge(work, problems, solutions, "verdicts.jsonl", "verdicts")
    work.counts["solutions"] = {
        "total": len(solutions),
        "outcomes": dict(sorted(Counter(v.outcome.value for v in verdicts).items())),
        "mean_pass_rate": _mean([v.pass_rate for v in verdicts if v.pass_rate is not None]),
        "passed": _mean([float(v.outcome is Outcome.PASSED) for v in verdicts if v.pass_rate is not None]),
    }
    return {verdict.solution_id: verdict for verdict in verdicts}


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None


def _critique_data(
    work: Build, problems: list[Problem], solutions: list[Solution], verdicts: dict[str, Verdict]
) -> list[CritiqueRow]:
    label = work.recipe.label
    rows = critique_rows({p.id: p for p in problems}, solutions, verdicts, label, read_people(label.people))
    write_jsonl(work.file("critiques.jsonl"), (row.to_json() for row in rows))
    doubts = list(doubtful(rows, label))
    write_jsonl(work.file("doubtful.jsonl"), (doubt.to_json() for doubt in doubts))
    authors = {solution.id: solution.author for solution in solutions}
    skew = Skew()
    for row in balance(rows, work.recipe.seed):
        skew.add(row, authors[row.solution_id])
    work.counts["critiques"] = {**label_counts(rows, doubts), "skew": skew.to_json()}
    return rows


def _difficulty(work: Build, solutions: list[Solution], verdicts: dict[str, Verdict]) -> dict[str, float]:
    """Write the table and the list of what is never solved; returns each problem's share of passing solutions."""
    table = Difficulty()
    for solution in solutions:
        table.add(solution, verdicts[solution.id])
    write_jsonl(work.file("difficulty.jsonl"), (level.to_json() for level in table.levels()))
    write_jsonl(work.file("never_solved.jsonl"), table.never_solved())
    work.counts["difficulty"] = table.summary()
    return table.shares(work.recipe.difficulty.model)


def _write_rows(
    work: Build,
    problems: list[Problem],
    rows: list[CritiqueRow],
    templates: Templates,
    shares: dict[str, float],
) -> None:
    mix, seed = work.recipe.mix, work.recipe.seed
    dropped = outside(shares, work.recipe.difficulty.keep)
    train = [problem for problem in problems if work.is_train(problem) and problem.id not in dropped]
    if dropped and not train:
        raise BadInput(f"difficulty.keep = {list(work.recipe.difficulty.keep)}: no training problem lies in this band")
    held = [problem for problem in problems if not work.is_train(problem)]
    learned = {problem.id for problem in train}
    own = {problem.id for problem in problems if work.is_train(problem)}
    work.counts["difficulty"]["outside_band"] = len(own - learned)
    balanced = balance([row for row in rows if row.problem_id in learned], seed)
    levels = strata(shares, learned) if mix.stratify else None
    converted = convert(train, balanced, mix.critique_share, seed, levels)
    train_rows = [
        critique_row(converted[p.id], p, templates, Split.TRAIN)
        if p.id in converted
        else solve_row(p, templates, Split.TRAIN)
        for p in train
    ]
    by_id = {problem.id: problem for problem in problems}
    pairs = heldout_pairs([row for row in rows if row.problem_id not in own], seed)
    held_rows = [solve_row(problem, templates, Split.HELDOUT) for problem in held]
    held_rows += [critique_row(row, by_id[row.problem_id], templates, Split.HELDOUT) for row in pairs]
    schema = training_schema()
    write_parquet(work.file("rows/train.parquet"), train_rows, schema)
    write_parquet(work.file("rows/heldout.parquet"), held_rows, schema)
    work.counts["rows"] = {
        "train": dict(Counter(str(row["kind"]) for row in train_rows)),
        "heldout": dict(Counter(str(row["kind"]) for row in held_rows)),
        "train_critique_true": sum(row["label"] is True for row in train_rows),
        "asked_critique_share": mix.critique_share,
        "critique_share": round(len(converted) / len(train), 4) if train else None,
    }


def _reference_rows(
    work: Build, problems: list[Problem], audited_solutions: list[Solution], audited: dict[str, Verdict]
) -> list[CritiqueRow]:
    """Critique rows of the training problems' references, for a model that solves hardly anything.

    They look unlike what a small model writes, which it would learn as the mark of a correct solution. The known wrong
    solutions stay out: they differ from a right one by a sign, which a model that learns its first words of criticism
    cannot see, and would teach it that good code is as likely wrong as right.
    """
    by_id = {problem.id: problem for problem in problems}
    references = [s for s in audited_solutions if s.author == "reference" and s.problem_id in by_id]
    judged = [s for s in references if work.is_train(by_id[s.problem_id])]
    return critique_rows(by_id, judged, audited, work.recipe.label)


def _write_warmup(
    work: Build,
    problems: list[Problem],
    rows: list[CritiqueRow],
    verdicts: dict[str, Verdict],
    extra: list[CritiqueRow],
    audited: dict[str, Verdict],
    templates: Templates,
) -> None:
    """Critiques made from execution and passing solutions, of training problems only."""
    by_id = {problem.id: problem for problem in problems}
    own = [row for row in rows if work.is_train(by_id[row.problem_id])]
    solved = [row for row in own if verdicts[row.solution_id].outcome is Outcome.PASSED]
    made = synthesise(own, by_id, verdicts, work.recipe.seed)
    if sum(item.row.label for item in made) < _ENOUGH_TRUE:
        made += synthesise(extra, by_id, audited, work.recipe.seed)
    lines = [_warmup_row(item, by_id[item.row.problem_id], templates) for item in made]
    lines += [_solved_row(row, by_id[row.problem_id], templates) for row in solved]
    write_jsonl(work.file("warmup.jsonl"), lines)
    work.counts["warmup"] = {
        "critiques": len(made),
        "critiques_true": sum(item.row.label for item in made),
        "solutions": len(solved),
    }


def _solved_row(row: CritiqueRow, problem: Problem, templates: Templates) -> dict[str, Json]:
    """A solution of the model's own that passed every test, as the bare code block that the prompt asks for.

    Without such rows the warm-up teaches critiques alone, and a small model answers every prompt with one afterwards.
    """
    asked = solve_row(problem, templates, Split.TRAIN)
    answer = f"```{problem.language}\n{row.solution.strip()}\n```"
    kept = ("problem_id", "prompt", "template", "template_hash")
    return {
        "id": f"solved/{row.solution_id}",
        "kind": RowKind.SOLVE.value,
        "solution_id": row.solution_id,
        "label": None,
        "completion": [{"role": "assistant", "content": answer}],
        **{key: asked[key] for key in kept},
    }


def _warmup_row(item: Synthesised, problem: Problem, templates: Templates) -> dict[str, Json]:
    row = critique_row(item.row, problem, templates, Split.TRAIN)
    return {
        "id": row["id"],
        "kind": row["kind"],
        "problem_id": row["problem_id"],
        "solution_id": row["solution_id"],
        "label": row["label"],
        "prompt": row["prompt"],
        "completion": [{"role": "assistant", "content": item.text}],
        "decisive": item.decisive,
        "template": row["template"],
        "template_hash": row["template_hash"],
    }


def _write_manifest(work: Build, inputs: dict[str, str], templates: Templates) -> dict[str, Json]:
    asked = work.recipe.candidates
    outputs = ["problems.jsonl", "solutions.jsonl", "critiques.jsonl", "quarantine.jsonl", "warmup.jsonl"]
    outputs += ["doubtful.jsonl", "difficulty.jsonl", "never_solved.jsonl"]
    manifest: dict[str, Json] = {
        "kind": "build",
        "inputs": inputs,
        "settings": work.recipe.model_dump(mode="json"),
        "candidate_model": None if asked.path or asked.author else asked.model or EMBEDDED,
        "templates": {t.name: t.sha256 for t in (templates.solve, templates.critique)},
        "counts": work.counts,
        "outputs": {
            name: sha256_file(work.file(name)) for name in (*outputs, "rows/train.parquet", "rows/heldout.parquet")
        },
        "versions": {"critique-coder": __version__, "python": platform.python_version()},
    }
    write_json(work.file("manifest.json"), manifest)
    return manifest
