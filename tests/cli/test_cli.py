"""The command line: every verb explains itself, every mistake is one line and exit 2, and a kill costs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from command_line import Run, running, verbs
from critique_coder.cli.critique import templates_of
from critique_coder.data.recipe import BuildRecipe
from critique_coder.models.embedded import NAME, cache_folder
from critique_coder.records import Outcome, Verdict
from critique_coder.storage import read_rows, write_json, write_jsonl
from critique_coder.training.recipe import TrainRecipe
from making import a_problem, kill_when
from openai_server import completion, serve

RIGHT, WRONG = "def double(n):\n    return 2 * n\n", "def double(n):\n    return n\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return running(monkeypatch, capsys)


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    write_jsonl(path, [a_problem(f"p{n}").to_json() for n in range(3)])
    return path


def solutions_file(path: Path, count: int = 6, code: str | None = None) -> Path:
    rows = [
        {"id": f"s{n}", "problem_id": f"p{n % 3}", "code": code or (RIGHT if n % 2 else WRONG)} for n in range(count)
    ]
    write_jsonl(path, rows)
    return path


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    return solutions_file(tmp_path / "solutions.jsonl")


def test_the_program_lists_its_verbs_and_shows_an_example(run: Run) -> None:
    done = run("--help")
    assert done.code == 0 and "Example" in done.out
    assert all(f"\n  {verb.split()[0]} " in done.out for verb, _ in verbs())


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out.startswith("critique-coder, version ")


def test_validate_tells_sound_problems_from_others(run: Run, problems: Path, tmp_path: Path) -> None:
    sound = run("validate", problems, "--json")
    assert sound.code == 0 and "nothing to doubt" in sound.out and sound.summary()["findings"] == []
    wrong = solutions_file(tmp_path / "wrong.jsonl", 3, RIGHT)
    kept = tmp_path / "verdicts.jsonl"
    for _ in range(2):  # the second time goes on from the file
        doubted = run("validate", problems, "--wrong", wrong, "--output", kept, "--json")
        assert doubted.code == 1 and {f["doubt"] for f in doubted.summary()["findings"]} == {"a wrong solution passes"}
    assert "exists and belongs to other inputs" in run("validate", problems, "--output", kept).complaint()
    assert "no such" in run("validate", tmp_path / "none.jsonl").complaint()


def test_the_attack_prints_a_table_and_fails_when_one_gets_through(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from critique_coder.judge import exploit_suite

    few = {"A leaves": ("raise SystemExit", ()), "B lies": ("def f(x): return True", ())}
    monkeypatch.setattr(exploit_suite, "FUNCTIONS", few)
    monkeypatch.setattr(exploit_suite, "PROGRAMS", {"E says nothing": ("pass", ())})
    held = run("verify", "--attack", "--json")
    assert held.code == 0 and held.summary()["got_through"] == [] and held.summary()["tried"] == 9
    monkeypatch.setattr(exploit_suite, "PROGRAMS", {"D is right": ("print(3 * int(input()) + 1)", ())})
    fell = run("verify", "--attack", "--json")
    assert fell.code == 1 and fell.summary()["got_through"] == [{"name": "D is right", "way": "stdio"}]
    assert "leave SOLUTIONS" in run("verify", "--attack", "solutions.jsonl").complaint()
    assert "--problems is missing" in run("verify", "solutions.jsonl").complaint()


def test_help_and_verify_do_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom critique_coder.cli.main import cli\nimport critique_coder.cli.verify, critique_coder.judge\n"
    )
    code += "assert not {'torch', 'transformers', 'trl'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["verfy"], "Did you mean 'verify'"),
        (["zzz"], "Known: demo, build"),
        (["verify", "--problem", "x", "y"], "--problems"),
        (["verify", "a.jsonl"], "--problems"),
        (["verify"], "solutions"),
        (["build", "demo"], "--output"),
        (["build", "demo", "--outptu", "x"], "--output"),
        (["train", "demo"], "--data"),
        (["train", "demo", "--data", "x"], "--output"),
        (["report", "--output", "x"], "runs"),
        (["verify", "a", "--problems", "b", "--output", "c", "--workers", "0"], "--workers"),
        (["doctor", "extra"], "extra"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_right_one(run: Run, arguments: list[str], wanted: str) -> None:
    assert wanted.lower() in run(*arguments).complaint().lower()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["build", "demoo", "--output", "OUT"], "demo"),
        (["build", "demo", "mix.critique_shar=1", "--output", "OUT"], "did you mean 'critique_share'"),
        (["build", "demo", "mix.critique_share=2", "--output", "OUT"], "mix.critique_share"),
        (["build", "demo", "nonsense", "--output", "OUT"], "section.key=value"),
        (["build", "demo", "--problems", "missing.jsonl", "candidates.path=x", "--output", "OUT"], "missing.jsonl"),
        (["train", "demo", "grpo.stepz=1", "--data", "x", "--output", "OUT"], "did you mean 'steps'"),
        (["train", "demo", "--data", "missing", "--output", "OUT"], "missing"),
        (["evaluate", "--data", "missing", "--output", "OUT"], "missing"),
        (["report", "missing", "--output", "OUT"], "missing"),
        (["critique", "missing.py", "--problem", "missing.json"], "missing.json"),
        (["verify", "missing.jsonl", "--problems", "starter", "--output", "OUT"], "missing.jsonl"),
        (["verify", "missing.jsonl", "--problems", "missing.jsonl", "--output", "OUT"], "missing.jsonl"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], wanted: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert wanted in run(*arguments).complaint()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("verb", "model"), [("build", BuildRecipe), ("train", TrainRecipe)])
@pytest.mark.parametrize("recipe", ["demo", "demo-long", "paper"])
def test_print_config_shows_a_recipe_that_can_be_used(run: Run, verb: str, model: Any, recipe: str) -> None:
    done = run(verb, recipe, "seed=9", "--print-config")
    assert done.code == 0 and model.model_validate(tomllib.loads(done.out)).seed == 9
    assert recipe in run(verb, "--help").out


def test_the_paper_recipe_trains_as_the_paper_does(run: Run) -> None:
    found = TrainRecipe.model_validate(tomllib.loads(run("train", "paper", "--print-config").out))
    grpo = found.grpo
    assert (found.model, found.warmup.rows, found.freeze_layers) == ("Qwen/Qwen3-4B", 0, 0)
    assert (grpo.prompts, grpo.group_size, grpo.learning_rate, grpo.warmup_steps) == (128, 8, 1e-6, 10)
    assert (grpo.clip_low, grpo.clip_high, grpo.kl, grpo.mask_truncated) == (0.2, 0.3, 0.0, True)
    assert grpo.steps == 23_069 // grpo.prompts and min(grpo.max_tokens, found.evaluation.max_tokens) == 16_384


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('{"id": "x", "problem_id": "p0"}', "line 2"),
        ('{"id": "x", "problem_id": "p0", "code": "x", "cod": 1}', "did you mean 'code'"),
        ('{"id": "s0", "problem_id": "p0", "code": "x"}', "'s0'"),
        ('{"id": "x", "problem_id": "nowhere", "code": "x"}', "'nowhere'"),
        ('{"id": "x", "problem', "cut off"),
    ],
)
def test_verify_names_the_bad_line_and_writes_nothing(
    run: Run, problems: Path, tmp_path: Path, line: str, wanted: str
) -> None:
    path = tmp_path / "solutions.jsonl"
    path.write_text('{"id": "s0", "problem_id": "p0", "code": "x = 1"}\n' + line)
    before = sorted(tmp_path.iterdir())
    assert wanted in run("verify", path, "--problems", problems, "--output", tmp_path / "out.jsonl").complaint()
    assert sorted(tmp_path.iterdir()) == before


def test_verify_refuses_a_problem_without_tests(run: Run, solutions: Path, tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    write_jsonl(path, [{**a_problem("p0").to_json(), "tests": []}])
    assert "no tests" in run("verify", solutions, "--problems", path, "--output", tmp_path / "out.jsonl").complaint()


def test_own_problems_need_no_known_wrong_solutions_unless_they_are_asked_for(run: Run, problems: Path) -> None:
    command = ["build", "demo", "--problems", problems, "--print-config"]
    shown = run(*command).out
    assert f'path = "{problems}"' in shown and "min_wrong = 0" in shown and 'name = "starter"' not in shown
    assert "min_wrong = 2" in run(*command[:2], "audit.min_wrong=2", *command[2:]).out


def test_a_model_is_asked_for_critiques_as_its_run_asked(tmp_path: Path) -> None:
    mix = {"solve_template": "mine.jinja", "critique_template": "critique_chat"}
    write_json(tmp_path / "manifest.json", {"data": {"manifest": {"settings": {"mix": mix}}}})
    assert templates_of(str(tmp_path / "model")) == ("mine.jinja", "critique_chat")
    assert templates_of(str(tmp_path / "elsewhere" / "model")) == templates_of(None) == (None, None)


def verdicts_of(path: Path) -> list[Verdict]:
    return [Verdict.from_json(row, where) for where, row in read_rows(path)]


def test_verify_gives_each_solution_its_verdict(run: Run, problems: Path, solutions: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "verdicts.jsonl"
    done = run("verify", solutions, "--problems", problems, "--output", out, "--workers", "1", "--json")
    assert done.code == 0 and str(out) in done.out
    told = done.summary()
    slowest = told.pop("slowest_problems")
    assert told == {"output": str(out), "solutions": 6, "outcomes": {"passed": 3, "wrong_answer": 3}}
    assert set(slowest) == {"p0", "p1", "p2"} and list(slowest.values()) == sorted(slowest.values(), reverse=True)
    found = verdicts_of(out)
    assert [v.solution_id for v in found] == [f"s{n}" for n in range(6)]
    assert [(v.passed, v.total, v.pass_rate) for v in found[:2]] == [(1, 4, 0.25), (4, 4, 1.0)]


def test_verify_again_changes_nothing_and_judges_nothing(
    run: Run, problems: Path, solutions: Path, tmp_path: Path
) -> None:
    command = ["verify", solutions, "--problems", problems, "--output", tmp_path / "v.jsonl", "--json"]
    first, data = run(*command), (tmp_path / "v.jsonl").read_bytes()
    assert run(*command).summary() == first.summary()
    assert (tmp_path / "v.jsonl").read_bytes() == data


def test_first_failure_stops_a_solution_there(run: Run, problems: Path, solutions: Path, tmp_path: Path) -> None:
    run("verify", solutions, "--problems", problems, "--output", tmp_path / "v.jsonl", "--first-failure")
    wrong, right = verdicts_of(tmp_path / "v.jsonl")[:2]
    assert (len(wrong.tests), len(right.tests)) == (2, 4)


def test_verify_exits_3_when_a_solution_has_no_verdict(run: Run, solutions: Path, tmp_path: Path) -> None:
    row = {
        "id": "p0",
        "statement": "s",
        "tests": [{"kind": "script", "code": "import no_such_module_here\nassert double(1) == 2"}],
    }
    write_jsonl(tmp_path / "problems.jsonl", [{**row, "id": f"p{n}"} for n in range(3)])
    done = run(
        "verify", solutions, "--problems", tmp_path / "problems.jsonl", "--output", tmp_path / "v.jsonl", "--json"
    )
    assert done.code == 3 and done.summary()["outcomes"] == {"unscored": 6}
    assert {(v.outcome.value, v.pass_rate) for v in verdicts_of(tmp_path / "v.jsonl")} == {("unscored", None)}


def test_verify_stops_when_too_many_have_no_verdict(run: Run, solutions: Path, tmp_path: Path) -> None:
    broken = {"kind": "script", "code": "import no_such_module_here\nassert double(1) == 2"}
    sound = {"kind": "script", "code": "assert double(1) == 2"}
    rows = [{"id": f"p{n}", "statement": "s", "tests": [sound if n == 0 else broken]} for n in range(3)]
    write_jsonl(tmp_path / "problems.jsonl", rows)
    out = tmp_path / "v.jsonl"
    command = ["verify", solutions, "--problems", tmp_path / "problems.jsonl", "--output", out]
    stopped = run(*command, "--max-unscored", "0.4")
    assert stopped.code == 3 and "3 of 6 solutions could not be judged" in stopped.err
    kept = verdicts_of(out)
    assert kept and all(verdict.outcome is not Outcome.UNSCORED for verdict in kept), "the next run tries these again"
    assert run(*command).code == 3
    assert [verdict.solution_id for verdict in verdicts_of(out)] == [f"s{n}" for n in range(6)]
    settings = ["--problems", tmp_path / "problems.jsonl", f"candidates.path={solutions}", "duplicates.exact=false"]
    stopped = run("build", "demo", *settings, "--output", tmp_path / "data")
    assert stopped.code == 3 and "max_unscored" in stopped.err and len(stopped.err.strip().splitlines()[-1]) < 300


def test_verify_refuses_an_output_of_other_inputs(run: Run, problems: Path, solutions: Path, tmp_path: Path) -> None:
    out = tmp_path / "v.jsonl"
    command = ["verify", solutions, "--problems", problems, "--output", out]
    run(*command)
    data = out.read_bytes()
    assert "other inputs" in run(*command, "--time-limit", "3").complaint()
    solutions_file(solutions, 5)
    assert "other inputs" in run(*command).complaint()
    assert out.read_bytes() == data


def test_verify_does_not_touch_a_file_that_is_not_its_own(
    run: Run, problems: Path, solutions: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("mine")
    assert (
        "delete it or choose another" in run("verify", solutions, "--problems", problems, "--output", mine).complaint()
    )
    assert mine.read_text() == "mine"
    assert "is a folder" in run("verify", solutions, "--problems", problems, "--output", tmp_path).complaint()


def test_verify_killed_in_the_middle_goes_on_with_one_verdict_a_solution(
    run: Run, problems: Path, tmp_path: Path
) -> None:
    path = solutions_file(tmp_path / "solutions.jsonl", 40, f"import time\ntime.sleep(0.01)\n{RIGHT}")
    out = tmp_path / "v.jsonl"
    command = ["verify", str(path), "--problems", str(problems), "--output", str(out), "--workers", "1"]
    kill_when(command, lambda: out.exists() and out.read_bytes().count(b"\n") >= 4, 100)
    begun = out.read_bytes()
    whole = begun[: begun.rfind(b"\n") + 1]
    assert 4 <= whole.count(b"\n") < 40
    assert run(*command).code == 0
    assert out.read_bytes().startswith(whole)
    assert [v.solution_id for v in verdicts_of(out)] == [f"s{n}" for n in range(40)]


def test_build_end_to_end(run: Run, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "problems.jsonl", [a_problem(f"p{n}").to_json() for n in range(12)])
    rows = [
        {"id": f"p{n}#{k}", "problem_id": f"p{n}", "code": c} for n in range(12) for k, c in enumerate((RIGHT, WRONG))
    ]
    write_jsonl(tmp_path / "solutions.jsonl", rows)
    command = [
        "build",
        "demo",
        "audit.min_wrong=0",
        "judge.workers=1",
        f"candidates.path={tmp_path / 'solutions.jsonl'}",
    ]
    command += ["--problems", str(tmp_path / "problems.jsonl"), "--output", str(tmp_path / "data"), "--json"]
    done = run(*command)
    assert done.code == 0 and str(tmp_path / "data") in done.out
    assert done.summary()["counts"]["problems"]["kept"] == 12
    assert run(*command).summary() == done.summary()
    changed = run(*command, "mix.critique_share=0.9").complaint()
    assert "recipe.mix.critique_share" in changed


def test_doctor_tells_what_it_found_and_tries_the_isolation(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRITIQUE_CODER_CACHE", str(tmp_path))
    done = run("doctor", "--json")
    summary = done.summary()
    failed = [check for check in summary["checks"] if check["state"] == "failed"]
    assert done.code == (1 if failed else 0) and summary["failed"] == len(failed)
    names = {check["name"] for check in summary["checks"]}
    assert {"Python", "memory", "disk", "torch"} <= names
    assert any("isolation" in name for name in names) and "isolation" in done.out
    assert all(check["remedy"] for check in failed)


def test_doctor_names_the_package_of_a_missing_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found on an empty PATH, and below an empty home."""
    from critique_coder.cli.doctor import _languages
    from critique_coder.judge.languages import find

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    find.cache_clear()
    found = {check.name: check for check in _languages() if check.name != "language go"}  # it may lie in /usr/local/go
    find.cache_clear()
    packages = {"cpp": "g++", "java": "default-jdk-headless", "javascript": "nodejs", "rust": "rustc cargo gcc"}
    assert set(found) == {f"language {name}" for name in packages}
    for name, package in packages.items():
        check = found[f"language {name}"]
        assert check.state == "warning" and f"apt-get install {package}" in str(check.remedy), check


def test_doctor_fails_when_an_endpoint_does_not_answer(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRITIQUE_CODER_CACHE", str(tmp_path))
    with serve(lambda number, body: (404, {}, {"error": "no"})) as served:
        done = run("doctor", "--endpoint", served.url, "--json")
    (check,) = [check for check in done.summary()["checks"] if check["name"] == "endpoint"]
    assert done.code == 1 and check["state"] == "failed" and "404" in check["detail"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "solution.py"
    path.write_text(WRONG)
    return path


def test_critique_asks_a_server_and_shows_what_the_tests_say(run: Run, program: Path, problems: Path) -> None:
    with serve(lambda number, body: completion(r"It gives n. \conclusion{F}")) as served:
        done = run("critique", program, "--problem", problems, "--id", "p1", "--endpoint", served.url, "--json")
        prompt = served.requests[-1][2]["messages"][0]["content"]
    assert done.code == 0 and WRONG.strip() in prompt and "(p1)" in prompt
    summary = done.summary()
    assert (summary["problem_id"], summary["judgement"], summary["verdict"]["passed"]) == ("p1", "incorrect", 1)
    assert "incorrect" in done.out and "1 of 4" in done.out


def test_critique_needs_no_tests(run: Run, program: Path, tmp_path: Path) -> None:
    row = {"id": "mine", "statement": "Double a number."}
    write_json(tmp_path / "problem.json", row)
    with serve(lambda number, body: completion("I do not know.")) as served:
        done = run("critique", program, "--problem", tmp_path / "problem.json", "--endpoint", served.url, "--json")
    assert done.code == 0
    assert done.summary()["judgement"] == "malformed" and done.summary()["verdict"] is None


def test_critique_of_several_problems_wants_a_name(run: Run, program: Path, problems: Path) -> None:
    assert "--id" in run("critique", program, "--problem", problems).complaint()
    assert "'p9'" in run("critique", program, "--problem", problems, "--id", "p9").complaint()


def test_critique_of_nothing_is_refused(run: Run, program: Path, problems: Path) -> None:
    program.write_text("\n")
    assert "is empty" in run("critique", program, "--problem", problems, "--id", "p0").complaint()


def test_critique_by_the_embedded_model(run: Run, program: Path, problems: Path) -> None:
    if not (cache_folder() / "models" / NAME / "ready").exists() and not os.environ.get("CI"):
        pytest.skip(
            "the embedded model is not in the cache; set CRITIQUE_CODER_CACHE, or run `critique-coder demo` once"
        )
    done = run("critique", program, "--problem", problems, "--id", "p0", "--max-tokens", "4", "--json")
    assert done.code == 0 and done.summary()["judgement"] in ("correct", "incorrect", "malformed")


def test_the_hub_retries_without_a_line_each() -> None:
    code = "from critique_coder.cli.options import quiet_libraries as quiet\nquiet()\nimport logging, huggingface_hub\n"
    code += "raise SystemExit(not logging.getLogger('huggingface_hub.utils').getEffectiveLevel() >= logging.ERROR)"
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_VERBOSITY"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=100).returncode == 0
