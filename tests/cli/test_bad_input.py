"""Bad input, for every verb: one line that names file, line, key and remedy, exit 2, and nothing half-written."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import Run, running, verb_of, verbs
from critique_coder.cli.options import quiet_libraries
from critique_coder.review.store import FILE
from critique_coder.storage import write_json, write_jsonl
from making import a_problem, as_nobody
from run_folders import make_build, make_run
from small_build import small_build

CUT = '{"id": "x", "prob'
WHOLE = json.dumps(a_problem("p0").to_json()) + "\n"
FILES = {
    "empty.jsonl": "", "empty.json": "", "empty.py": "", "file": "mine", "solution.py": "x = 1\n",
    "cut.jsonl": WHOLE + CUT, "cut.json": CUT, "cut.toml": "seed = \n[mix", "wrong.toml": "[mix]\ncritique_shar = 1\n",
    "wrong.jsonl": WHOLE + '{"id": "x", "statment": "s"}\n', "wrong.json": '{"id": "x", "statment": "s"}\n',
    "list.json": "[1]\n", "problem.json": WHOLE, "binary.jsonl": "\udcff\udcfe",
    "strange.jsonl": '{"id": "s", "problem_id": "p99", "code": "x"}\n',
    "untested.jsonl": json.dumps({**a_problem("p0").to_json(), "tests": []}) + "\n",
}  # fmt: skip


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return running(monkeypatch, capsys)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build, a run, and each of them and of their files damaged."""
    place = tmp_path_factory.mktemp("world")
    small_build(place)
    make_run(place / "run", make_build(place / "build-of-run"))
    for name, text in FILES.items():
        (place / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    (place / "folder").mkdir()
    write_json(place / "other" / "mine.json", {})
    for name, part, text in (
        ("build-empty", "manifest.json", ""), ("build-list", "manifest.json", "[]"),
        ("build-cut", "problems.jsonl", WHOLE + CUT), ("build-rows", "rows/train.parquet", "PAR1"),
    ):  # fmt: skip
        shutil.copytree(place / "data", place / name)
        (place / name / part).write_text(text)
    for name, text in (("run-empty", ""), ("run-cut", '{"stages": [')):
        shutil.copytree(place / "run", place / name)
        (place / name / "evaluation.json").write_text(text)
    return place


def everything(place: Path) -> dict[str, object]:
    """The names and contents of all files below a folder; a review's store is none of them."""
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else None
        for path in sorted(place.rglob("*"))
        if not path.name.startswith(FILE)
    }


OWN = "build demo --problems problems.jsonl candidates.path=solutions.jsonl"
VERIFY, VALIDATE = "verify solutions.jsonl --problems", "validate problems.jsonl"
CRITIQUE, EXPORT = "critique solution.py --problem", "data export data --kind hybrid -o"
NO_BUILD, A_FILE = "make one with `critique-coder build`", "is a file, not a folder; choose another place"
NO_CONFIG = "model 'folder' cannot be loaded: the folder holds no config.json; give a folder"
CASES = [
    ("demo -o out --problems none.jsonl", "none.jsonl: no such file"),
    ("demo -o out --problems empty.jsonl", "empty.jsonl: is empty"),
    ("demo -o out --problems cut.jsonl", "cut.jsonl, line 2: not valid JSON at column 13"),
    ("demo -o out --problems untested.jsonl", "untested.jsonl, line 1, key 'tests'"),
    ("demo -o file", f"it {A_FILE}"),
    ("demo -o file/out", f"file {A_FILE}"),
    ("demo -o out --model folder", NO_CONFIG),
    ("demo -o out --colour", "'--colour'"),
    ("build none.toml -o out", "none.toml: no such recipe file"),
    ("build cut.toml -o out", "cut.toml: not valid TOML: Invalid value (at line 1"),
    ("build wrong.toml -o out", "wrong.toml, key 'source'"),
    ("build demo --problems none.jsonl -o out", "none.jsonl: no such file"),
    ("build demo --problems folder -o out candidates.path=solutions.jsonl", "folder: the folder holds no problems"),
    ("build demo --problems wrong.jsonl -o out candidates.path=solutions.jsonl", "did you mean 'statement'"),
    ("build demo --problems problems.jsonl -o out candidates.path=none.jsonl", "none.jsonl: no such file"),
    ("build demo --problems problems.jsonl -o out candidates.path=wrong.jsonl", "wrong.jsonl, line 1: unknown key"),
    ("build demo --problems problems.jsonl -o out --model folder", NO_CONFIG),
    ("build demo --problems problems.jsonl -o out --endpoint localhost:8000", "give one such as http://"),
    (f"{OWN} -o file", f"it {A_FILE}"),
    (f"{OWN} -o file/out", f"file {A_FILE}"),
    (f"{OWN} -o other", "other: exists and was not made by this command; choose another --output"),
    (f"{OWN} -o out label.people=none", "none: is not a feedback folder"),
    (f"{OWN} -o out mix.colour=1", "unknown key; known here: "),
    (f"{OWN} -o out --colour", "'--colour'"),
    ("data stats none", NO_BUILD),
    ("data stats build-empty", "build-empty/manifest.json: is empty"),
    ("data stats build-list", "build-list/manifest.json, key 'kind': must be 'build'"),
    ("data stats build-cut", "build-cut/problems.jsonl, line 2"),
    ("data stats build-rows", "build-rows/rows/train.parquet: not a readable Parquet file"),
    ("data stats data --html folder", "folder: cannot be written: it is a folder; name a file"),
    ("data stats data --html file/x.html", A_FILE),
    ("data stats data --colour", "'--colour'"),
    ("data show folder p0", NO_BUILD),
    ("data show data p00", "did you mean 'p0'"),
    ("data show build-list p0", "key 'kind'"),
    ("data diff data none", NO_BUILD),
    ("data diff run data", "run/manifest.json, key 'kind': must be 'build', not 'run'"),
    ("data export build-cut --kind hybrid -o out", "build-cut/problems.jsonl, line 2"),
    ("data export data --kind nothing -o out", "'nothing' is not one of"),
    ("data export data --kind cft -o out critiques=none.jsonl", "none.jsonl: no such file"),
    ("data export data --kind cft -o out critiques=empty.jsonl", "empty.jsonl, key 'row_id'"),
    ("data export data --kind cft -o out --model folder", NO_CONFIG),
    ("data export data --kind kto -o out feedback=folder", "folder: is not a feedback folder"),
    (f"{EXPORT} file", f"it {A_FILE}"),
    (f"{EXPORT} other", "other: exists and was not made by this command"),
    (f"{EXPORT} out agre=false", "did you mean 'agree'"),
    ("data exprt data", "Did you mean 'export'"),
    (f"{VERIFY} none.jsonl -o v.jsonl", "none.jsonl: no such file, and no source of that name"),
    (f"{VERIFY} starterr -o v.jsonl", "did you mean 'starter'"),
    (f"{VERIFY} empty.jsonl -o v.jsonl", "empty.jsonl: is empty"),
    (f"{VERIFY} cut.jsonl -o v.jsonl", "cut.jsonl, line 2: not valid JSON at column 13"),
    (f"{VERIFY} wrong.jsonl -o v.jsonl", "wrong.jsonl, line 2: unknown key 'statment' (did you mean 'statement'?)"),
    (f"{VERIFY} untested.jsonl -o v.jsonl", "so add at least one"),
    (f"{VERIFY} problems.jsonl -o folder", "folder: is a folder; name a file"),
    (f"{VERIFY} problems.jsonl -o file", "file: exists and belongs to other inputs"),
    (f"{VERIFY} problems.jsonl -o file/v.jsonl", f"file {A_FILE}"),
    ("verify empty.jsonl --problems problems.jsonl -o v.jsonl", "empty.jsonl: is empty"),
    ("verify binary.jsonl --problems problems.jsonl -o v.jsonl", "binary.jsonl: is not UTF-8 text; convert it"),
    ("verify wrong.jsonl --problems problems.jsonl -o v.jsonl", "wrong.jsonl, line 1: unknown key"),
    ("validate none.jsonl", "none.jsonl: no such file, and no source of that name"),
    ("validate empty.jsonl", "empty.jsonl: is empty"),
    ("validate cut.jsonl", "cut.jsonl, line 2"),
    ("validate untested.jsonl", "untested.jsonl, line 1, key 'tests'"),
    (f"{VALIDATE} --wrong none.jsonl", "none.jsonl: no such file"),
    (f"{VALIDATE} --wrong strange.jsonl", "strange.jsonl, row 1, key 'problem_id': no problem 'p99' in problems.jsonl"),
    (f"{VALIDATE} -o file/v.jsonl", f"file {A_FILE}"),
    (f"{VALIDATE} --colour", "'--colour'"),
    ("serve --port 99999", "99999 is not in the range"),
    ("serve --host 0.0.0.0", "give a --token"),
    ("serve --colour", "'--colour'"),
    ("review none", NO_BUILD),
    ("review build-cut", "build-cut/problems.jsonl, line 2"),
    ("review data --gold none.csv", "none.csv: no such file"),
    ("review data --gold cut.jsonl", "cut.jsonl, line 1: unknown key"),
    ("review data --colour", "'--colour'"),
    ("review agreemnt data", "did you mean 'agreement'"),
    ("review agreement folder", NO_BUILD),
    ("review agreement data", "data: holds no review"),
    ("review agreement data --verdicts none.csv", "none.csv: no such file"),
    ("review agreement data --verdicts cut.json", "cut.json: not a readable JSON file"),
    ("review agreement data --verdicts folder", "folder: is neither .csv nor .json"),
    ("review apply none --yes", NO_BUILD),
    ("review apply data --verdicts wrong.json --yes", "wrong.json: expected a list of tasks"),
    ("review apply data --verdicts none.csv --yes", "none.csv: no such file"),
    ("review apply data --colour", "'--colour'"),
    ("review export none --format csv -o o.csv", NO_BUILD),
    ("review export data --format csv -o o.csv", "data: holds no review"),
    ("review export data --format nothing -o o.csv", "'nothing' is not one of"),
    ("train none.toml --data data -o out", "none.toml: no such recipe file"),
    ("train demo --data none -o out", NO_BUILD),
    ("train demo --data build-empty -o out", "build-empty/manifest.json: is empty"),
    ("train demo --data build-list -o out", "key 'kind'"),
    ("train demo --data build-cut -o out", "build-cut/problems.jsonl, line 2"),
    ("train demo --data build-rows -o out", "not a readable Parquet file"),
    ("train demo --data data -o file", f"it {A_FILE}"),
    ("train demo --data data -o other", "other: exists and was not made by this command"),
    ("train demo --data data -o out --model folder", NO_CONFIG),
    ("train demo --data data -o out --colour", "'--colour'"),
    ("evaluate --data none -o out", NO_BUILD),
    ("evaluate --data build-list -o out --unchecked", "key 'kind'"),
    ("evaluate --data build-cut -o out --unchecked", "build-cut/problems.jsonl, line 2"),
    ("evaluate --data data -o file/out --unchecked", f"file {A_FILE}"),
    ("evaluate folder --data data -o out --unchecked", NO_CONFIG),
    ("evaluate --endpoint localhost:8000 --data data -o out --unchecked", "give one such as http://"),
    (f"{CRITIQUE} none.json", "none.json: no such problem file"),
    (f"{CRITIQUE} empty.json", "empty.json: is empty"),
    (f"{CRITIQUE} cut.json", "cut.json: not a readable JSON file: Unterminated string starting at: line 1 column 13"),
    (f"{CRITIQUE} wrong.json", "did you mean 'statement'"),
    (f"{CRITIQUE} list.json", "list.json: must be an object, not a list"),
    (f"{CRITIQUE} folder", "folder: is a folder"),
    (f"{CRITIQUE} problem.json --model folder", NO_CONFIG),
    (f"{CRITIQUE} problem.json --model file", "model 'file' cannot be loaded: it is a file"),
    (f"{CRITIQUE} problem.json --endpoint localhost:8000", "give one such as http://"),
    (f"{CRITIQUE} problem.json --template none.jinja", "none.jinja: cannot read this prompt template"),
    ("critique folder --problem problem.json", "folder: is a folder; give the file that holds the program"),
    ("critique empty.py --problem problem.json", "empty.py: is empty"),
    ("report none -o out.html", "none: no such run folder"),
    ("report data -o out.html", "is it a build folder?"),
    ("report run-empty -o out.html", "run-empty/evaluation.json: is empty"),
    ("report run-cut -o out.html", "run-cut/evaluation.json: not a readable JSON file"),
    ("report run -o folder", "folder: cannot be written: it is a folder; name a file"),
    ("report run -o file/out.html", f"file {A_FILE}"),
    ("report run --colour -o out.html", "'--colour'"),
    ("doctor --colour", "'--colour'"),
    ("doctor extra", "extra"),
]


@pytest.mark.parametrize(("line", "wanted"), CASES)
def test_bad_input_is_one_line_and_changes_nothing(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch, line: str, wanted: str
) -> None:
    monkeypatch.chdir(world)
    before = everything(world)
    assert wanted in run(*line.split()).complaint()
    assert everything(world) == before


def test_every_verb_is_given_bad_input() -> None:
    assert {verb for verb, _ in verbs()} <= {verb_of(line.split()) for line, _ in CASES}


@pytest.fixture
def locked(world: Path) -> Iterator[Path]:
    """A folder that this process may not write to, also when it runs as root."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    for name in ("problems.jsonl", "solutions.jsonl"):
        shutil.copy(world / name, place / name)
    for name in ("data", "run"):
        shutil.copytree(world / name, place / name)
    (place / "locked").mkdir(mode=0o555)
    (place / "hidden").mkdir(mode=0o000)
    quiet_libraries()
    for room in ("cli.pipeline", "cli.data_tables", "models.local", "data.rows.export"):
        importlib.import_module(f"critique_coder.{room}")  # while Python's own files can be read
    with as_nobody():
        yield place
    shutil.rmtree(place)


@pytest.mark.parametrize(
    "line",
    [
        "verify solutions.jsonl --problems problems.jsonl -o locked/v.jsonl",
        "validate problems.jsonl -o locked/v.jsonl",
        f"{OWN} -o locked/out",
        "demo -o locked/out",
        "train demo --data data -o locked/out",
        "evaluate --data data -o locked/out --unchecked",
        "data stats data --html locked/x.html",
        "data export data --kind hybrid -o locked/out",
        "report run -o locked/out.html",
    ],
)
def test_a_folder_that_may_not_be_written_is_named(
    run: Run, locked: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(locked)
    said = run(*line.split()).complaint()
    assert "locked" in said and "give yourself the right to write to locked, or choose another place" in said


@pytest.mark.parametrize(
    "line",
    [
        "verify hidden/s.jsonl --problems problems.jsonl -o v.jsonl",
        "verify solutions.jsonl --problems hidden/p.jsonl -o v.jsonl",
        "build demo --problems hidden/p.jsonl -o out",
        "train demo --data hidden/data -o out",
        "data stats hidden/data",
        "critique hidden/s.py --problem problems.jsonl --id p0",
        "report hidden/run -o out.html",
        "review hidden/data",
        "review apply hidden/data",
    ],
)
def test_what_may_not_be_read_is_named(run: Run, locked: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(locked)
    said = run(*line.split()).complaint()
    assert "hidden/" in said and "Permission denied" in said


@pytest.mark.parametrize(
    "line",
    [
        "demo -o out",
        "build demo --problems problems.jsonl -o out",
        "train demo --data data -o out",
        "evaluate --data data -o out --unchecked",
        "critique solution.py --problem problem.json",
        "data export data --kind cft -o out",
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(world)
    monkeypatch.setitem(sys.modules, "datasets", None)
    before = everything(world)
    assert "datasets is not installed" in (said := run(*line.split()).complaint())
    assert "pip install 'critique-coder[train]'" in said and everything(world) == before


def test_what_needs_no_model_needs_no_extra(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(world)
    for name in ("datasets", "transformers", "torch", "starlette", "uvicorn", "ray"):
        monkeypatch.setitem(sys.modules, name, None)
    for line in (
        "verify solutions.jsonl --problems problems.jsonl -o OUT/v.jsonl --workers 1",
        f"{OWN} -o OUT/data",
        "data stats data",
        "data export data --kind hybrid -o OUT/rows",
        "report run -o OUT/report.html",
    ):
        assert run(*line.replace("OUT", str(tmp_path)).split()).code == 0, line


def test_a_corrected_command_is_not_refused_for_the_mistaken_one(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder of an export that found no input would otherwise hold the settings of the mistake."""
    monkeypatch.chdir(world)
    rows = [json.loads(line) for line in (world / "data" / "critiques.jsonl").read_text().splitlines()]
    answers = [{"row_id": row["id"], "completion": r"\conclusion{T}"} for row in rows]
    write_jsonl(tmp_path / "critiques.jsonl", answers)
    out = tmp_path / "out"
    run("data", "export", "data", "--kind", "cft", "-o", out, "critiques=mistyped.jsonl").complaint()
    assert run("data", "export", "data", "--kind", "cft", "-o", out, f"critiques={tmp_path}/critiques.jsonl").code == 0


def test_work_that_was_done_stays_when_the_rest_is_refused(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The audit was paid for when the server turns out to be down; the same command goes on from it."""
    monkeypatch.chdir(world)
    command = ["build", "demo", "--problems", "problems.jsonl", "-o", str(tmp_path / "out"), "--endpoint"]
    refused = run(*command, "http://127.0.0.1:9/v1")
    assert refused.code == 2 and "The same command goes on from here" in refused.err.splitlines()[-1]
    assert any((tmp_path / "out" / "stages").iterdir())


def test_a_server_that_is_down_leaves_no_folder_of_an_evaluation(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    before = everything(world)
    refused = run("evaluate", "m", "--endpoint", "http://127.0.0.1:9/v1", "--data", "data", "-o", "out", "--unchecked")
    assert refused.code == 2 and "is the server running" in refused.err.splitlines()[-1]
    assert everything(world) == before
