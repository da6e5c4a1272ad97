"""How well the base model's own likelihood of a solution tells right from wrong, by the form of the prompt.

Run: ``.venv/bin/python benchmarks/likelihood.py runs/demo/data``. Training problems alone are looked at. A figure is
the area under the curve: the chance that a correct solution's tokens are likelier, on average, than a wrong one's.
What a form makes visible here is what a critic can learn to see.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from critique_coder.data.built import BuiltData
from critique_coder.data.mix import Split, split_of
from critique_coder.models.embedded import embedded_model
from critique_coder.models.local import LocalModel
from critique_coder.prompts import critique_prompt, load_template
from critique_coder.records import Problem
from critique_coder.storage import hash_fraction, read_rows

FORMS = ("critique", "critique_chat")


def main() -> None:
    """Print the area under the curve for each built-in form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="a build folder")
    parser.add_argument("--rows", type=int, default=300, help="solutions to look at")
    arguments = parser.parse_args()
    data = BuiltData.open(arguments.data)
    share = data.manifest["settings"]["mix"]["heldout_share"]
    rows = [row for _, row in read_rows(data.folder / "critiques.jsonl")]
    rows = [row for row in rows if split_of(data.problems[row["problem_id"]], share) is Split.TRAIN]
    rows = sorted(rows, key=lambda row: hash_fraction("likelihood", row["id"]))[: arguments.rows]
    local = LocalModel.load(embedded_model())
    print(f"{sum(row['label'] for row in rows)} correct of {len(rows)} solutions")
    for form in FORMS:
        scores = [likelihood(local, form, data.problems[row["problem_id"]], row["solution"]) for row in rows]
        print(f"{form}: {area([row['label'] for row in rows], scores):.3f}")


@torch.inference_mode()
def likelihood(local: Any, form: str, problem: Problem, solution: str) -> float:
    """Mean log-probability of the tokens of ``solution`` where the prompt shows it."""
    chat = critique_prompt(load_template("critique", form), load_template("solve"), problem, solution)
    text = local.tokenizer.apply_chat_template(chat, tokenize=False)
    code = solution.strip("\n")
    begin = text.rindex(code)
    encoded = local.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    own = [n for n, (first, last) in enumerate(encoded.offset_mapping) if first >= begin and last <= begin + len(code)]
    ids = torch.tensor([encoded.input_ids])
    places = torch.tensor(own)
    logp = local.model(input_ids=ids, logits_to_keep=places - 1).logits[0].float().log_softmax(-1)
    return float(logp.gather(-1, ids[0, places][:, None]).mean())


def area(labels: list[bool], scores: list[float]) -> float:
    """The share of (correct, wrong) pairs in which the correct one scores higher; a tie is half a pair, NaN no pair."""
    right = [score for label, score in zip(labels, scores, strict=True) if label]
    wrong = [score for label, score in zip(labels, scores, strict=True) if not label]
    above = sum((one > other) + (one == other) / 2 for one in right for other in wrong)
    return above / (len(right) * len(wrong)) if right and wrong else float("nan")


if __name__ == "__main__":
    main()
