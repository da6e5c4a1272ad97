"""``critique-coder critique``."""

from __future__ import annotations

from pathlib import Path

import click

from critique_coder.cli.options import existing, finish, json_option, judge_options, quiet_libraries, unsafe_option
from critique_coder.records import Json, Problem, Verdict


@click.command("critique", short_help="Let a model judge one solution.")
@click.argument("solution", type=click.Path())
@click.option("--problem", required=True, type=click.Path(), help="The problem: one JSON object, or a problems file.")
@click.option("--id", "problem_id", help="Which problem of the file, when it holds several.")
@click.option("--model", help="Folder or hub id of the critic.  [default: the embedded model, which is not trained]")
@click.option("--endpoint", help="Ask this OpenAI-compatible server.")
@click.option("--template", help="critique, critique_chat or a Jinja file.  [default: the one of the model's own run]")
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True, help="0 is greedy.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=256, show_default=True, help="Longest critique.")
@unsafe_option
@json_option
def command(
    solution: str,
    problem: str,
    problem_id: str | None,
    model: str | None,
    endpoint: str | None,
    template: str | None,
    temperature: float,
    max_tokens: int,
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Print a model's critique and judgement of the program in SOLUTION, and what its problem's tests say.

    \b
    Example:
      critique-coder critique --problem problem.json --model runs/demo/run/model solution.py
    """
    asked = _problem(problem, problem_id)
    code = _code(solution)
    if endpoint is None:
        quiet_libraries()
    from critique_coder.models import Sampling, open_model, require_model
    from critique_coder.prompts import critique_prompt, load_template, parse_judgement

    require_model(model, endpoint)
    verdict = _verdict(asked, code, unsafe_no_isolation) if asked.tests else None
    solve_name, critique_name = templates_of(model)
    ask, asked_before = load_template("critique", template or critique_name), load_template("solve", solve_name)
    critic = open_model(model, endpoint, 1)
    prompt = critique_prompt(ask, asked_before, asked, code)
    ((answer,),) = critic.sample([prompt], 1, Sampling(temperature=temperature, max_tokens=max_tokens))
    judgement = parse_judgement(answer.text)
    lines = [answer.text.strip(), "", f"judgement  {judgement.value}   (by {critic.name})"]
    lines.append(_verdict_line(verdict) if verdict else "verdict    none: the problem has no tests")
    summary = {
        "problem_id": asked.id,
        "critique": answer.text,
        "judgement": judgement.value,
        "verdict": verdict.to_json() if verdict else None,
    }
    finish(lines, summary, as_json)


def templates_of(model: str | None) -> tuple[str | None, str | None]:
    """The solve and the critique template that a model in a run folder was trained with; None where nobody says."""
    from critique_coder.storage import read_json

    manifest = Path(model).parent / "manifest.json" if model is not None else None
    if manifest is None or not manifest.is_file():
        return None, None
    found = read_json(manifest).get("data", {})
    mix = found.get("manifest", {}).get("settings", {}).get("mix", {}) if isinstance(found, dict) else {}
    return mix.get("solve_template"), mix.get("critique_template")


def _problem(path: str, problem_id: str | None) -> Problem:
    """The one problem of a JSON file, or the named one of a problems file; a problem to criticise may have no tests."""
    from critique_coder.records import BadInput
    from critique_coder.storage import read_problems

    place = existing(path, "problem file")
    if place.suffix == ".json":
        from critique_coder.storage import read_json

        rows: list[Problem] = [_lenient(read_json(place), path)]
    else:
        rows = read_problems(place)
    if problem_id is not None:
        rows = [row for row in rows if row.id == problem_id]
    if len(rows) != 1:
        what = f"no problem {problem_id!r}" if problem_id is not None else f"{len(rows)} problems; name one with --id"
        raise BadInput(f"{path}: {what}")
    return rows[0]


def _lenient(row: Json, where: str) -> Problem:
    if isinstance(row, dict) and row.get("tests", []) == []:
        placeholder = {"kind": "script", "code": "pass"}
        with_test = Problem.from_json({**row, "tests": [placeholder]}, where)
        return Problem(**{**{f: getattr(with_test, f) for f in with_test.__slots__}, "tests": ()})
    return Problem.from_json(row, where)


def _code(path: str) -> str:
    from critique_coder.records import BadInput

    place = existing(path, "solution file")
    if place.is_dir():
        raise BadInput(f"{path}: is a folder; give the file that holds the program")
    try:
        code = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as text: {error}") from None
    if not code.strip():
        raise BadInput(f"{path}: is empty; expected a program")
    return code


def _verdict(problem: Problem, code: str, unsafe_no_isolation: bool) -> Verdict:
    from critique_coder.data.recipe import JudgeSettings
    from critique_coder.data.verify import open_judge
    from critique_coder.records import Solution

    with open_judge(JudgeSettings(workers=1), judge_options(unsafe_no_isolation)) as judge:
        return judge.verify(problem, Solution("solution", problem.id, code=code))


def _verdict_line(verdict: Verdict) -> str:
    line = f"verdict    {verdict.outcome.value}, {verdict.passed} of {verdict.total} tests"
    failing = next((test for test in verdict.tests if test.outcome.value != "passed"), None)
    return line if failing is None or not failing.message else f"{line}; {failing.message}"
