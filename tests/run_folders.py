"""Makes run folders as training leaves them, small but complete, with every number known to the tests."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from critique_coder.evaluation.heldout import Measured, write_summary
from critique_coder.evaluation.metrics import Judged, critique_counts, solve_counts
from critique_coder.records import Judgement
from critique_coder.storage import sha256_file, write_json, write_jsonl, write_parquet, write_text

STAGES = ("base", "warmup", "grpo")
SKILL = {"base": (0.18, 0.02, 0.5), "warmup": (0.19, 0.97, 0.53), "grpo": (0.27, 0.995, 0.66)}
"""Of each stage: how often a solution passes, a critique is well formed, a well-formed one is right."""
COUNTS: dict[str, Any] = {
    "problems": {
        "read": 410,
        "kept": 388,
        "lost": {"reference_fails": 14, "tests_too_long": 8},
        "tests_read": 4213,
        "tests_kept": 3907,
    },
    "solutions": {
        "total": 1552,
        "outcomes": {
            "compile_error": 101,
            "no_code": 44,
            "passed": 402,
            "runtime_error": 268,
            "time_limit": 12,
            "wrong_answer": 725,
        },
        "mean_pass_rate": 0.361275,
        "passed": 0.259021,
    },
    "critiques": {"total": 1508, "true": 433},
    "rows": {
        "train": {"solve": 243, "critique": 61},
        "heldout": {"solve": 84, "critique": 168},
        "train_critique_true": 31,
        "asked_critique_share": 0.2,
        "critique_share": 0.2007,
    },
    "warmup": {"total": 1204, "true": 611},
}
CONFIG = 'seed = 0\nmethod = "hybrid"\n\n[warmup]\nrows = 256\n\n[grpo]\nsteps = 80\nprompts = 8\n'


def make_build(
    folder: Path,
    problems: int = 84,
    people: Mapping[str, bool] | None = None,
    mended: Mapping[str, bool] | None = None,
) -> Path:
    """A build folder: what a comparison of runs reads of it.

    ``people``: labels by people, by row id; ``mended``: labels that are others since the tests of their problem are.
    """
    text = pa.string()
    message = pa.list_(pa.struct([("role", text), ("content", text)]))
    columns = [("id", text), ("kind", text), ("problem_id", text), ("label", pa.bool_()), ("label_source", text)]
    names, said = _names(problems), people or {}
    other = {name[9:-2] for name in mended or {}}
    labelled: list[dict[str, Any]] = [
        {
            "id": (row := f"critique/{name}#{place}"),
            "problem_id": name,
            "solution": f"solution {place}",
            "label": {**(mended or {}), **said}.get(row, place == 0),
            "label_source": "human" if row in said else "tests",
        }
        for name in names
        for place in range(2)
    ]
    asked = [{"role": "user", "content": "?"}]
    rows: list[dict[str, Any]] = [
        {"id": f"solve/{name}", "kind": "solve", "problem_id": name, "prompt": asked} for name in names
    ]
    rows += [{**row, "kind": "critique", "prompt": asked} for row in labelled]
    write_jsonl(folder / "critiques.jsonl", labelled)
    write_jsonl(folder / "problems.jsonl", ({"id": name, "tests": 2 if name in other else 3} for name in names))
    write_parquet(folder / "rows" / "heldout.parquet", rows, pa.schema([*columns, ("prompt", message)]))
    outputs = {name: sha256_file(folder / name) for name in ("rows/heldout.parquet", "problems.jsonl")}
    sources = {"human": len(said), "tests": len(labelled) - len(said)}
    manifest = {
        "kind": "build",
        "settings": {"seed": 0, "label": {"threshold": 0.8, "people": None if people is None else "feedback"}},
        "counts": {**COUNTS, "critiques": {**COUNTS["critiques"], "by_source": sources}} if said else COUNTS,
        "outputs": outputs,
    }
    write_json(folder / "manifest.json", manifest)
    return folder


def make_run(
    folder: Path,
    build: Path,
    stages: Sequence[str] = STAGES,
    finished: bool = True,
    seed: int = 0,
    skill: Mapping[str, tuple[float, float, float]] = SKILL,
    examples: list[dict[str, Any]] | None = None,
    steps: int = 80,
    method: str = "hybrid",
) -> Path:
    """A run folder; ``stages`` are those that were measured."""
    recipe = {"method": method, "seed": seed, "grpo": {"steps": 80}, "model": None}
    write_json(folder / "settings.json", {"recipe": recipe, "data": sha256_file(build / "manifest.json")})
    write_text(folder / "config.toml", CONFIG)
    measured = [_measure(folder, stage, seed, skill[stage]) for stage in stages]
    write_summary(folder / "evaluation.json", measured, {"samples": 4, "temperature": 0.6})
    write_jsonl(folder / "metrics.jsonl", _metrics(seed, steps if "grpo" in stages else 31))
    _write_timing(folder, stages)
    _write_rollouts(folder)
    if finished:
        write_json(folder / "manifest.json", _manifest(folder, build))
        write_json(folder / "examples.json", examples if examples is not None else EXAMPLES)
    return folder


def _names(problems: int) -> list[str]:
    return [f"mbpp/{601 + place}" for place in range(problems)]


def _measure(folder: Path, stage: str, seed: int, skill: tuple[float, float, float]) -> Measured:
    drawn = random.Random(f"{stage} {seed}")
    passes, formed, right = skill
    verdicts, critiques, judged = [], [], []
    for name in _names(84):
        level = min(1.0, max(0.0, drawn.betavariate(passes, 1 - passes)))
        for place in range(4):
            rate = 1.0 if drawn.random() < level else round(drawn.choice((0.0, 0.0, 1 / 3, 2 / 3)), 6)
            outcome = "passed" if rate == 1.0 else drawn.choice(_FAILURES)
            row = {"solution_id": f"{name}#{place}", "problem_id": name, "outcome": outcome, "pass_rate": rate}
            verdicts.append(row)
        for place in range(2):
            judgement = _judgement(drawn, place == 0, formed, right)
            judged.append(Judged(name, place == 0, judgement))
            said = judgement.value
            critiques.append({"row_id": f"critique/{name}#{place}", "completion": "It is fine.", "judgement": said})
    place_of = folder / "evaluation" / stage
    write_jsonl(place_of / "verdicts.jsonl", verdicts)
    write_jsonl(place_of / "critiques.jsonl", critiques)
    details = {
        "samples": len(verdicts),
        "outcomes": _counted(str(row["outcome"]) for row in verdicts),
        "judgements": _counted(row["judgement"] for row in critiques),
        "pairs": len(judged),
    }
    rates = [(str(row["problem_id"]), float(str(row["pass_rate"]))) for row in verdicts]
    return Measured(stage, solve_counts(rates), critique_counts(judged), details)


_FAILURES = ("wrong_answer", "wrong_answer", "runtime_error", "compile_error", "no_code")


def _judgement(drawn: random.Random, label: bool, formed: float, right: float) -> Judgement:
    if drawn.random() > formed:
        return Judgement.MALFORMED
    return Judgement.CORRECT if label is (drawn.random() < right) else Judgement.INCORRECT


def _counted(names: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def _metrics(seed: int, steps: int) -> list[dict[str, Any]]:
    drawn = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for step in range(1, 17):
        loss = 0.45 + 2.1 * math.exp(-step / 4) + drawn.gauss(0, 0.05)
        rows.append({"stage": "warmup", "step": step, "metrics": {"warmup/loss": loss, "warmup/lean": -loss}})
    for step in range(1, steps + 1):
        metrics = {
            "reward/solve": 0.31 + 0.12 * step / 80 + drawn.gauss(0, 0.07),
            "reward/critique": min(1.0, max(0.0, 0.52 + 0.16 * step / 80 + drawn.gauss(0, 0.12))),
            "critique/malformed": max(0.0, 0.04 - step / 2500 + drawn.gauss(0, 0.015)),
            "rollout/mean_tokens": 84 - 0.2 * step + drawn.gauss(0, 5),
            "train/entropy": 0.62 * math.exp(-step / 110) + drawn.gauss(0, 0.02),
            "train/grad_norm": abs(1 + drawn.gauss(0, 0.3)),
            "time/tokens_per_s": 390 + drawn.gauss(0, 20),
        }
        rows.append({"stage": "grpo", "step": step, "metrics": metrics})
    return rows


def _write_timing(folder: Path, stages: Sequence[str]) -> None:
    spent = [("evaluation: base", 412.5), ("warm-up", 388.0), ("evaluation: warmup", 405.1)]
    if "grpo" in stages:
        spent += [("GRPO", 1500.0), ("GRPO", 1820.4), ("evaluation: grpo", 398.8)]
    write_jsonl(folder / "timing.jsonl", [{"what": what, "seconds": seconds} for what, seconds in spent])


def _write_rollouts(folder: Path) -> None:
    text, number = pa.string(), pa.float64()
    columns = [("step", pa.int64()), ("row_id", text), ("kind", text), ("problem_id", text), ("completion", text)]
    schema = pa.schema([*columns, ("reward", number), ("finding", text), ("detail", text)])
    for step in (30, 31):
        rows = [
            {
                "step": step,
                "row_id": f"{kind}/{place}",
                "kind": kind,
                "problem_id": f"mbpp/{700 + place}",
                "completion": f"rollout {step} {kind} {place}",
                "reward": reward,
                "finding": finding,
                "detail": "",
            }
            for kind, findings in _FINDINGS.items()
            for place, (finding, reward) in enumerate(findings)
        ]
        write_parquet(folder / "rollouts" / f"step-{step:05d}.parquet", rows, schema)


_FINDINGS: dict[str, list[tuple[str, float | None]]] = {
    "solve": [("wrong_answer", 0.0), ("wrong_answer", 0.5), ("passed", 1.0), ("unscored", None)],
    "critique": [("correct", 1.0), ("correct", 0.0), ("malformed", 0.0), ("incorrect", 1.0)],
}


def _manifest(folder: Path, build: Path) -> dict[str, Any]:
    return {
        "kind": "run",
        "command": f"critique-coder train demo --data {build.name} --output {folder.name}",
        "recipe_name": "demo",
        "versions": {"critique-coder": "0.1.0", "python": "3.11.7", "torch": "2.9.0", "trl": "0.26.1"},
        "machine": {"processor": "2 cores, x86_64", "memory_gb": 7.8, "accelerator": None},
        "data": {"folder": str(build), "manifest": json.loads((build / "manifest.json").read_text())},
        "model": {"source": "embedded: SmolLM2-135M-Instruct"},
        "seconds": 5012.4,
    }


_ROMAN = """def roman_to_int(text):
    # Add up, and take away what stands before a larger sign.
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    total = 0
    for here, after in zip(text, text[1:] + "I"):
        sign = -1 if values[here] < values[after] else 1
        total += sign * values[here]
    return total
"""
_EVENS = "def count_even(numbers):\n    return len([n for n in numbers if n % 2])\n"


def _solve(stage: str, name: str, code: str | None, passed: Sequence[bool], completion: str = "") -> dict[str, Any]:
    tests = [
        {
            "test": f"roman_to_int('{'XIV' * place}') == {14 * place}",
            "outcome": "passed" if good else "wrong_answer",
            "message": None if good else f"expected {14 * place}, got {14 * place + 2}",
        }
        for place, good in enumerate(passed, 1)
    ]
    return {
        "kind": "solve",
        "stage": stage,
        "problem_id": name,
        "statement": "Write a function roman_to_int that turns a Roman number into an integer.\nIt is at most MMM.",
        "solution": code,
        "completion": completion or f"Here is the function:\n\n```python\n{code}```",
        "tests": tests,
        "label": None,
        "judgement": None,
        "reward": sum(passed) / len(passed) if passed else 0.0,
    }


def _critique(stage: str, name: str, label: bool, judgement: str, completion: str) -> dict[str, Any]:
    found = {"outcome": "passed", "message": None} if label else {"outcome": "wrong_answer", "message": "got 1"}
    agrees = judgement == ("correct" if label else "incorrect")
    return {
        "kind": "critique",
        "stage": stage,
        "problem_id": name,
        "statement": "Write a function count_even that says how many even numbers a list holds.",
        "solution": _EVENS.replace("% 2", "% 2 == 0") if label else _EVENS,
        "completion": completion,
        "tests": [{"test": "count_even([1, 2, 4]) == 2", **found}],
        "label": label,
        "judgement": judgement,
        "reward": float(agrees),
    }


EXAMPLES: list[dict[str, Any]] = [
    _solve("grpo", "mbpp/614", _ROMAN, [True, True, True]),
    _solve("grpo", "mbpp/655", _ROMAN.replace("-1 if", "1 if"), [True, False, False]),
    _solve("base", "mbpp/702", None, [], "To turn a Roman number into an integer, we first think about"),
    _critique(
        "grpo", "mbpp/633", False, "incorrect", "`count_even([1, 2, 4])` should be 2, but it is 1.\n\\conclusion{F}"
    ),
    _critique("grpo", "mbpp/640", True, "incorrect", "For an empty list it fails.\n\\conclusion{F}"),
    _critique("base", "mbpp/633", True, "malformed", "The code looks good to me, well done!"),
]


def make_evaluation(folder: Path, build: Path, seed: int = 0, noted: bool = True) -> Path:
    """What ``critique-coder evaluate`` writes; without its manifest it is that of an earlier version."""
    asked = {"model": "a/model", "endpoint": None, "seed": 0, "samples": 4, "temperature": 0.6}
    write_json(folder / "settings.json", {**asked, "data": sha256_file(build / "manifest.json")})
    measured = _measure(folder, "model", seed, SKILL["grpo"])
    write_summary(folder / "evaluation.json", [measured], asked)
    if noted:
        manifest = _manifest(folder, build)
        write_json(folder / "manifest.json", {**manifest, "kind": "evaluation", "model": {"source": "a/model"}})
    return folder
