"""The page itself: complete, self-contained, safe against what models write, and true to the numbers on disk."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from critique_coder.report import write_report
from critique_coder.storage import write_json, write_jsonl, write_text
from run_folders import EXAMPLES, make_build, make_run

_VOID = {"meta", "link", "br", "img", "hr", "input"}
_SVG_LEAVES = {"line", "circle", "rect", "polyline"}


class Page(HTMLParser):
    """A parsed page: its tags with attributes, its text; complains about tags that do not close."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.scripts = ""
        self.styles = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " if tag in ("td", "th", "dt", "dd") else ""
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _SVG_LEAVES
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts += data
        elif self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.text += data

    @property
    def words(self) -> str:
        """The text with any run of blanks as one."""
        return " ".join(self.text.split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return make_build(tmp_path / "build")


def report(*runs: Path, command: str | None = None) -> Page:
    output = runs[0].parent / "report.html"
    assert write_report(list(runs), output, command) == output
    return Page(output.read_text(encoding="utf-8"))


def self_contained(page: Page) -> None:
    """Nothing on the page asks for anything outside of it, and only its own script may run."""
    assert page.count("script") == 1
    assert not {"img", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name, text in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                assert text == "data:," or re.fullmatch(r"#run-\d+", text or ""), (tag, name, text)
    assert "@import" not in page.styles and "url(" not in page.styles
    assert not re.search(r"fetch|XMLHttp|import\(|https?:", page.scripts)
    digest = base64.b64encode(hashlib.sha256(page.scripts.encode()).digest()).decode()
    policies = [a["content"] or "" for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and f"script-src 'sha256-{digest}'" in policies[0] and "default-src 'none'" in policies[0]


def test_a_finished_run_has_all_its_parts(tmp_path: Path, build: Path) -> None:
    page = report(make_run(tmp_path / "demo", build), command="critique-coder report demo")
    self_contained(page)
    for part in (
        "Before and after",
        "Learning curves",
        "Where the time went",
        "Examples to read",
        "The data",
        "What ran",
        "recipe demo",
        "total time 1 h 23 min",
        "84 held-out problems",
        "critique-coder train demo --data build --output demo",
        "critique-coder report demo",
        "torch 2.9.0",
    ):
        assert part in page.words, part
    assert "not finished" not in page.words
    assert page.count("h1") == 1


def test_the_numbers_are_those_of_the_evaluation(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build)
    page = report(run)
    found = json.loads((run / "evaluation.json").read_text())
    for stage in found["stages"]:
        for name, row in stage["metrics"].items():
            assert f"{row['value']:.3f}" in page.text, name
            assert f"{row['low']:.3f} to {row['high']:.3f}" in page.text, name
    asked = [c for c in found["comparisons"] if c["after"] == "grpo"]
    assert len(asked) == 2
    for comparison in asked:
        for name, row in comparison["metrics"].items():
            said = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}".replace("-", "\N{MINUS SIGN}")
            assert said in page.text, name


def test_every_finding_is_a_pill(tmp_path: Path, build: Path) -> None:
    page = report(make_run(tmp_path / "demo", build))
    pills = [a["class"] for tag, a in page.tags if tag == "span" and (a.get("class") or "").startswith("pill")]
    assert {"pill better", "pill worse", "pill not-decisive"} <= set(pills)


def test_the_same_run_gives_the_same_page(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build)
    first = write_report([run], tmp_path / "a.html").read_bytes()
    assert first == write_report([run], tmp_path / "b.html").read_bytes()


def test_charts_can_be_read_without_eyes(tmp_path: Path, build: Path) -> None:
    page = report(make_run(tmp_path / "demo", build))
    drawings = [a for tag, a in page.tags if tag == "svg"]
    assert len(drawings) > 10
    assert all(a.get("aria-hidden") == "true" or (a.get("role") == "img" and a.get("aria-label")) for a in drawings)
    assert all(a.get("scope") in ("col", "row") for tag, a in page.tags if tag == "th")
    names = [a["id"] for _, a in page.tags if "id" in a]
    assert len(names) == len(set(names))


HOSTILE = (
    "</code></pre></script><script>alert(1)</script><img src=http://x.test onerror=alert(2)>"
    "\x1b[31mred\x07\u202e{{ 7*7 }}"
)
"""What a model, a file name or a test's message might hold, to break out of wherever the page puts it."""


def hostile_examples() -> list[dict[str, Any]]:
    texts = {"problem_id": HOSTILE, "statement": HOSTILE, "solution": f"x = '{HOSTILE}'", "completion": HOSTILE}
    tests = [{"test": HOSTILE, "outcome": HOSTILE, "message": HOSTILE}]
    return [{**example, **texts, "stage": HOSTILE, "tests": tests, "judgement": HOSTILE} for example in EXAMPLES]


def test_hostile_text_stays_text(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build, examples=hostile_examples())
    write_text(run / "config.toml", f"name = '{HOSTILE}'\n")
    write_jsonl(run / "timing.jsonl", [{"what": HOSTILE, "seconds": 3.0}])
    write_jsonl(run / "metrics.jsonl", [{"stage": HOSTILE, "step": 1, "metrics": {HOSTILE: 1.0}}])
    manifest = json.loads((run / "manifest.json").read_text())
    counts = {"problems": {"read": 3, "lost": {HOSTILE: 2}}}
    manifest |= {
        "command": HOSTILE,
        "recipe_name": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "model": {"source": HOSTILE},
    }
    write_json(run / "manifest.json", manifest | {"data": {"folder": HOSTILE, "manifest": {"counts": counts}}})
    page = report(run, command=HOSTILE)
    self_contained(page)
    assert page.text.count("<script>alert(1)</script>") > 15
    assert "{{ 7*7 }}" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page.text)
    assert "\N{SYMBOL FOR ESCAPE}[31mred\N{SYMBOL FOR BELL}⟨U+202E⟩" in page.text


def test_text_that_is_not_unicode_is_shown(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build)
    text = json.dumps([{**EXAMPLES[0], "completion": "half \ud83d of a sign"}])
    (run / "examples.json").write_text(text, encoding="utf-8")
    assert "half ⟨U+D83D⟩ of a sign" in report(run).text


def test_a_very_long_answer_is_cut(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build, examples=[{**EXAMPLES[0], "completion": "again " * 9000}])
    page = report(run)
    assert "more characters)" in page.words
    assert len(page.text) < 60_000


def test_an_unfinished_run_is_told_as_far_as_it_goes(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build, stages=("base", "warmup"), finished=False)
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"stage": "grpo", "step": 32, "met')
    page = report(run)
    assert "This run is not finished. Measured so far: base, after warm-up; GRPO is at step 31 of 80." in page.words
    assert "rollout 31 solve" in page.words and "rollout 31 critique" in page.words
    assert "The counts of the build are written down when the run ends" in page.words


def test_a_run_with_only_the_base_measured(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build, stages=("base",), finished=False)
    for name in ("metrics.jsonl", "timing.jsonl", "config.toml"):
        (run / name).unlink()
    for path in (run / "rollouts").iterdir():
        path.unlink()
    page = report(run)
    assert "Only the base model was measured so far" in page.words
    assert "No step was logged yet." in page.words and "None was kept yet." in page.words


def test_metrics_that_are_not_defined_are_dashes(tmp_path: Path, build: Path) -> None:
    run = make_run(tmp_path / "demo", build)
    found = json.loads((run / "evaluation.json").read_text())
    for row in (*found["stages"], *found["comparisons"]):
        for metric in row["metrics"].values():
            metric.update(value=None, low=None, high=None)
    write_json(run / "evaluation.json", found)
    page = report(run)
    assert "nan" not in page.text.lower()
    assert "\N{EN DASH}" in page.text


def test_several_runs_stand_side_by_side(tmp_path: Path, build: Path) -> None:
    runs = [make_run(tmp_path / "demo", build), make_run(tmp_path / "other", build, seed=1, method="rl")]
    page = report(*runs)
    self_contained(page)
    assert "2 runs compared" in page.words
    assert "other against demo: balanced accuracy" in page.words
    assert "What differs in the recipes" in page.words and "method hybrid rl" in page.words
    places = {a["id"] for _, a in page.tags if "id" in a}
    links = [(a["href"] or "")[1:] for tag, a in page.tags if tag == "a"]
    assert links == ["run-1", "run-2"] and set(links) <= places
    assert page.count("h1") == 1
    assert page.words.count("Where the time went") >= 2


def test_runs_of_one_name_are_told_apart(tmp_path: Path, build: Path) -> None:
    page = report(make_run(tmp_path / "monday" / "demo", build), make_run(tmp_path / "friday" / "demo", build))
    assert "friday/demo against monday/demo" in page.words
